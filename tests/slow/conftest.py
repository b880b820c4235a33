"""A fresh copy of the working tree in a folder of its own, set up and run once by ``make run``."""

from __future__ import annotations

import os
import re
import shutil
import signal as interrupts
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from distillery.data.sources.flights import FEATURES, read_flights

ROOT = Path(__file__).resolve().parents[2]
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
FOREIGN = ("ZENML_REPOSITORY_PATH", "ZENML_ENABLE_RICH_TRACEBACK", "VIRTUAL_ENV", "PYTHONPATH", "MLFLOW_TRACKING_URI")
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "ZENML_ANALYTICS_OPT_IN": "false", "GX_ANALYTICS_ENABLED": "false"}


FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1700,1300",
)


@dataclass(frozen=True)
class Ran:
    """A command that ended."""

    code: int
    text: str

    @property
    def words(self) -> str:
        """The output in one line: a narrow terminal breaks messages anywhere between words."""
        return " ".join(self.text.split())


@dataclass(frozen=True)
class Copy:
    """The copy, its environment, and what the first ``make run`` there said."""

    folder: Path
    environment: dict[str, str]
    first: Ran

    def run(self, *command: str, timeout: float = 400, folder: Path | None = None, **more: str) -> Ran:
        """Run a command to its end, with more environment; what it prints comes without colours."""
        return run_command(command, folder or self.folder, {**self.environment, **more}, timeout)

    def pipeline(self, *arguments: str) -> Ran:
        """Run the pipeline as a user does."""
        return self.run(".venv/bin/zenml", "pipeline", "run", "distill_pipeline", *arguments)

    def python(self, code: str, *arguments: str) -> str:
        """Run code with the copy's interpreter; return what follows the line ``ANSWER``."""
        ran = self.run(".venv/bin/python", "-c", code, *arguments)
        assert ran.code == 0, ran.text
        return ran.text.split("ANSWER")[-1].strip()

    @property
    def tracking_uri(self) -> str:
        """Where the copy's MLflow keeps runs and models."""
        return self.run(".venv/bin/python", "infra/tracking_uri.py").text.split()[-1]


def run_command(command: tuple[str, ...], folder: Path, environment: dict[str, str], timeout: float) -> Ran:
    ran = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=timeout,
    )
    return Ran(ran.returncode, COLOURS.sub("", ran.stdout))


def copy_tree(folder: Path) -> None:
    """Copy what git tracks or would track, uncommitted changes included, into a repository of its own."""
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # a tracked file may be deleted
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for command in ("init --quiet", "add --all", "-c user.name=t -c user.email=t@localhost commit --quiet -m copy"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A fresh copy in a folder with a space in its name, after its first ``make run``."""
    home = tmp_path_factory.mktemp("copy")
    folder = home / "a distillery"
    folder.mkdir()
    copy_tree(folder)
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    environment = {**kept, **QUIET, "ZENML_CONFIG_PATH": str(home / "zenml"), "PYTHONUNBUFFERED": "1"}
    return Copy(folder, environment, run_command(("make", "run"), folder, environment, timeout=900))


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of 1,500 rows of mixed columns with missing values; the target depends on three of them."""
    rng = np.random.default_rng(0)
    n = 1500
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, n).astype(float),
            "income": rng.lognormal(10, 1, n),
            "city": rng.choice(["Oslo", "Lima", "Kyiv"], n),
            "plan": rng.choice(["a", "b", None], n),
        }
    )
    frame.loc[rng.random(n) < 0.1, "income"] = np.nan
    z = (frame.age - 50) / 15 + (frame.city == "Oslo") + 0.5 * (frame.plan == "a")
    frame["churned"] = np.where(rng.random(n) < 1 / (1 + np.exp(-2 * z)), "yes", "no")
    path = tmp_path_factory.mktemp("table") / "subscribers.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def flights() -> pd.DataFrame:
    """50 raw flights, some with missing values, one of a carrier that training never saw."""
    rows = read_flights()[FEATURES]
    rows = pd.concat([rows[rows.isna().any(axis=1)].head(25), rows[rows.notna().all(axis=1)].head(25)])
    return rows.assign(carrier=["ZZ", *rows["carrier"][1:]])


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., str]:
    """Write parameters into a YAML; return its path."""

    def write(**parameters: object) -> str:
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({"parameters": parameters}))
        return str(path)

    return write


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A headless Chromium with a profile of its own; its log ``performance`` holds every request."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        pytest.fail("install chromium and chromedriver: pages are looked at in a real browser")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chromium = webdriver.Chrome(options=options, service=Service(driver))
    yield chromium
    chromium.quit()


def heed_ctrl_c() -> None:
    """A shell starts background jobs deaf to SIGINT, and what they start inherits that."""
    interrupts.signal(interrupts.SIGINT, interrupts.SIG_DFL)


@pytest.fixture(scope="module")
def started(copy: Copy) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start commands in the copy, each in a process group of its own; what still runs at the end is killed."""
    processes: list[subprocess.Popen[str]] = []

    def start(*command: str) -> subprocess.Popen[str]:
        processes.append(
            subprocess.Popen(
                command,
                cwd=copy.folder,
                env=copy.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                preexec_fn=heed_ctrl_c,  # noqa: PLW1509  no threads of ours hold locks here
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        stop_group(process)


def stop_group(process: subprocess.Popen[str], patience: float = 10) -> None:
    """Ask the process and its children to end, then insist."""
    for signal in (15, 9):
        try:
            os.killpg(process.pid, signal)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + patience
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
    process.stdout.close()
    process.wait()
