"""A run at a terminal, and one whose output goes into a file."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.terminal import Terminal, screen

pytestmark = pytest.mark.slow

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
COMMAND = (".venv/bin/zenml", "pipeline", "run", "distill_pipeline", "-c")


@pytest.fixture
def path(config, table, request):
    """A run of some seconds, of which nothing comes from another's cache."""
    gates = {"min_auc_retention": 0.5, "max_log_loss_increase": 5.0, "max_bytes": None, "beats_control": "off"}
    member = {"kind": "xgboost", "trees": 200, "patience": 200, "threads": 1}
    return config(
        scenario=request.node.originalname[:60],
        seed=len(request.node.originalname),
        source={"kind": "file", "path": str(table), "target": "churned"},
        teacher={"kind": "ensemble", "members": [member, {**member, "kind": "lightgbm"}]},
        soft_labels={"folds": 2},
        students=[{"kind": "mlp", "widths": [8], "bins": 4, "epochs": 40, "patience": 40, "batch_size": 32}],
        evaluation={"replicates": 100, "cost": False},
        gates={**gates, "smaller_than_teacher": False},
    )


def start(copy, path, stream):
    """Run the pipeline with both outputs going to one place."""
    environment = {**copy.environment, "TERM": "xterm-256color"}
    ran = subprocess.run(
        [*COMMAND, path],
        cwd=copy.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stream,
        stderr=stream,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0


def test_a_terminal_shows_bars_and_in_the_end_whole_lines(copy, path):
    """Each long step has its bar, log lines stand above them, and the step's stored log has none."""
    terminal = Terminal()
    start(copy, path, terminal.stream)
    text = terminal.close()
    for title in ("ensemble", "boosting xgboost", "boosting lightgbm", "cross-fitting", "training", "measuring"):
        assert re.search(rf"{title}: +\d+%\|.*<", text), title
    lines = screen(ESCAPES.sub("", text), rows=1000)
    assert [line for line in lines if "%|" in line] == []
    for whole in (r"fold 1 of 2: \d+ rows labelled", r"measuring control mlp", r"control mlp: 40 epochs, .* \d\.\d{4}"):
        assert any(re.fullmatch(whole, line) for line in lines), whole
    assert re.search(r"\x1b\[1;32mmlp promoted as ", text)
    stored = Path(copy.environment["ZENML_CONFIG_PATH"]).rglob("logs/**/*")
    kept = [file.read_text(errors="replace") for file in stored if file.is_file()]
    assert any("fold 1 of 2" in log for log in kept)
    assert not any("%|" in log for log in kept)


def test_a_file_gets_no_bars(copy, path, tmp_path):
    """No carriage return, no bar, no colour in the summary."""
    with (tmp_path / "log").open("wb") as file:
        start(copy, path, file)
    text = (tmp_path / "log").read_bytes().decode()
    assert "fold 1 of 2" in text
    assert "\r" not in text
    assert "%|" not in text
    assert re.search(r"^verdict  mlp promoted as ", text, flags=re.MULTILINE)
