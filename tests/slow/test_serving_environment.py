"""The staged student needs nothing but its own requirements: no ZenML, no code of this repository."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests

pytestmark = pytest.mark.slow

REQUIREMENTS = """
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
print("ANSWER", mlflow.pyfunc.get_model_dependencies(f"models:/{sys.argv[2]}@staging"))
"""
NATIVE = """
import json, sys, pandas as pd
from zenml.client import Client
run = Client().list_pipeline_runs(sort_by="asc:created", size=1).items[0]
student = run.steps["train_student_mlp"].outputs["student"][0].load()
print("ANSWER", json.dumps(student.predict_proba(pd.read_json(sys.argv[1], orient="split")).tolist()))
"""
SERVED = """
import importlib.util, json, sys, mlflow, pandas as pd
uri, model, rows = sys.argv[1:]
for absent in ("zenml", "xgboost", "torch", "lightgbm", "great_expectations", "distillery", "steps"):
    assert importlib.util.find_spec(absent) is None, absent
mlflow.set_tracking_uri(uri)
rows = pd.read_json(rows, orient="split")
rows = rows.astype(dict.fromkeys(rows.select_dtypes("number"), float))  # MLflow lets no int64 pass for a double
proba = mlflow.pyfunc.load_model(f"models:/{model}@staging").predict(rows)
print("ANSWER", json.dumps(proba.to_numpy().tolist()))
"""


@pytest.fixture(scope="module")
def served(copy, tmp_path_factory):
    """An interpreter in an empty folder that has the staged model's requirements and nothing else."""
    folder = tmp_path_factory.mktemp("served")
    wanted = copy.python(REQUIREMENTS, copy.tracking_uri, "flights-student").splitlines()[-1]
    python = str(folder / ".venv" / "bin" / "python")
    uv = str(copy.folder / ".venv" / "bin" / "uv")
    links = copy.environment.get("PIP_FIND_LINKS", "")
    more = {"UV_FIND_LINKS": links} if links else {}  # as the Makefile does
    for command in (
        (uv, "venv", "--quiet", "--python", str(copy.folder / ".venv" / "bin" / "python"), ".venv"),
        (uv, "pip", "install", "--quiet", "--python", python, "--requirement", wanted),
    ):
        ran = copy.run(*command, folder=folder, **more)
        assert ran.code == 0, ran.text
    return folder


def test_the_model_pins_what_it_needs(copy):
    """Every requirement names one version."""
    path = copy.python(REQUIREMENTS, copy.tracking_uri, "flights-student").splitlines()[-1]
    lines = Path(path).read_text().split()
    assert lines
    assert all(line.count("==") == 1 for line in lines)


def test_it_predicts_there_what_it_predicts_here(copy, served, flights, tmp_path):
    """Raw rows, with missing values and an unseen category, to 1e-5."""
    rows = tmp_path / "rows.json"
    flights.to_json(rows, orient="split", index=False)
    here = json.loads(copy.python(NATIVE, str(rows)))
    ran = copy.run(
        str(served / ".venv" / "bin" / "python"),
        "-c",
        SERVED,
        copy.tracking_uri,
        "flights-student",
        str(rows),
        folder=served,
    )
    assert ran.code == 0, ran.text
    there = json.loads(ran.text.split("ANSWER")[-1])
    assert len(there) == len(flights)
    for expected, got in zip(here, there, strict=True):
        assert got == pytest.approx(expected, abs=1e-5)


@pytest.fixture
def server(copy, served):
    """`mlflow models serve` in that environment; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = ("models", "serve", "-m", "models:/flights-student@staging", "--env-manager", "local", "--port", str(port))
    bin_ = served / ".venv" / "bin"
    environment = {**copy.environment, "MLFLOW_TRACKING_URI": copy.tracking_uri}
    environment["PATH"] = f"{bin_}{os.pathsep}{environment['PATH']}"
    process = subprocess.Popen([str(bin_ / "mlflow"), *serve], cwd=served, env=environment, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None
            assert time.monotonic() < deadline
            try:
                if requests.get(f"{address}/ping", timeout=5).ok:
                    break
            except requests.ConnectionError:
                time.sleep(0.5)
        yield address
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def test_it_answers_over_http(copy, server, flights, tmp_path):
    """Whole numbers, missing numbers and missing text in JSON; a column that is absent is named."""
    rows = tmp_path / "rows.json"
    flights.to_json(rows, orient="split", index=False)
    expected = json.loads(copy.python(NATIVE, str(rows)))
    body = {"dataframe_split": json.loads(rows.read_text())}
    answer = requests.post(f"{server}/invocations", json=body, timeout=30)
    assert answer.status_code == 200, answer.text
    for row, proba in zip(answer.json()["predictions"], expected, strict=True):
        assert [row["probability_0"], row["probability_1"]] == pytest.approx(proba, abs=1e-5)

    fewer = {"dataframe_split": json.loads(flights.drop(columns="dest").to_json(orient="split", index=False))}
    refused = requests.post(f"{server}/invocations", json=fewer, timeout=30)
    assert refused.status_code == 400
    assert "dest" in refused.text
