"""A run that is stopped half-way: nothing is registered, and the same command goes on where it was."""

import json
import re
import signal
import time

import pytest

pytestmark = pytest.mark.slow

SECONDS_TO_DIE = 30
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
STATE = """
import json, sys
from mlflow.tracking import MlflowClient
from zenml.client import Client
uri, scenario = sys.argv[1:]
client = MlflowClient(uri, uri)
experiment = client.get_experiment_by_name(scenario).experiment_id
parents = [r for r in client.search_runs([experiment]) if "mlflow.parentRunId" not in r.data.tags]
run = Client().list_pipeline_runs(sort_by="desc:created", size=1).items[0]
print("ANSWER", json.dumps({
    "mlflow": {r.info.run_name: r.info.status for r in client.search_runs([experiment])},
    "parents": [r.info.status for r in sorted(parents, key=lambda r: r.info.start_time)],
    "versions": [v.version for v in client.search_model_versions(f"name = '{scenario}-student'")],
    "zenml": run.status.value,
    "step": run.steps["train_student_mlp"].status.value,
}))
"""


def state(copy, scenario):
    return json.loads(copy.python(STATE, copy.tracking_uri, scenario))


def long_run(table, scenario, seed):
    """Parameters of a run whose student trains for some ten seconds."""
    slow = {"kind": "mlp", "widths": [8], "bins": 4, "epochs": 150, "patience": 150, "batch_size": 16}
    return {
        "scenario": scenario,
        "seed": seed,  # none answers from another's cache
        "source": {"kind": "file", "path": str(table), "target": "churned"},
        "teacher": {"kind": "xgboost", "trees": 40, "patience": 10, "learning_rate": 0.2, "depth": 4},
        "soft_labels": {"folds": 2},
        "students": [slow],
        "evaluation": {"replicates": 20, "cost": False},
        "gates": {
            "min_auc_retention": 0.5,
            "max_log_loss_increase": 5.0,
            "max_bytes": None,
            "smaller_than_teacher": False,
            "beats_control": "off",
        },
    }


def wait_for(process, text):
    for line in process.stdout:
        if text in COLOURS.sub("", line):
            return
    pytest.fail(f"the run ended without saying {text!r}")


def interrupt(started, path, number):
    """Start the pipeline, send the signal two seconds into the student's training; return the exit status."""
    process = started(".venv/bin/zenml", "pipeline", "run", "distill_pipeline", "-c", path)
    wait_for(process, "Step train_student_mlp has started")
    time.sleep(2)
    assert process.poll() is None
    process.send_signal(number)
    process.communicate(timeout=SECONDS_TO_DIE)
    return process.returncode


def assert_goes_on(copy, path):
    """The same config: labels and teacher from cache, the student trained, measured and promoted."""
    again = copy.pipeline("-c", path)
    assert again.code == 0, again.text
    for step in ("train_teacher", "generate_soft_labels", "train_control_mlp"):
        assert f"Using cached version of step {step}." in again.text
    assert "Step train_student_mlp has started" in again.text
    assert "verdict  mlp promoted as" in again.text


def test_ctrl_c_leaves_a_clean_store_and_the_next_run_goes_on(copy, started, config, table):
    """The process ends in time, its MLflow runs are closed, nothing is registered."""
    path = config(**long_run(table, "interrupted", seed=1))
    assert interrupt(started, path, signal.SIGINT) != 0
    left = state(copy, "interrupted")
    assert left["versions"] == []
    assert left["zenml"] in {"stopped", "failed"}
    assert left["step"] in {"stopped", "failed"}
    assert set(left["parents"]) <= {"KILLED", "FAILED"}
    assert "RUNNING" not in left["mlflow"].values()
    assert_goes_on(copy, path)
    after = state(copy, "interrupted")
    assert after["versions"] == [1]
    assert after["parents"][-1] == "FINISHED"


def test_a_killed_run_does_not_block_the_next(copy, started, config, table):
    """Nobody closes the books of a killed process; the next run does not wait for it, nor take its half student."""
    path = config(**long_run(table, "killed", seed=2))
    assert interrupt(started, path, signal.SIGKILL) == -signal.SIGKILL
    assert state(copy, "killed")["versions"] == []
    assert_goes_on(copy, path)
    assert state(copy, "killed")["versions"] == [1]
