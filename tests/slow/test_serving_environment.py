"""The staged student needs nothing but its own requirements: no ZenML, no code of this repository."""

import json
from pathlib import Path

import pytest

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
for absent in ("zenml", "xgboost", "great_expectations", "distillery", "steps"):
    assert importlib.util.find_spec(absent) is None, absent
mlflow.set_tracking_uri(uri)
proba = mlflow.pyfunc.load_model(f"models:/{model}@staging").predict(pd.read_json(rows, orient="split"))
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
    """Raw rows, with missing values and an unseen category, to 1e-6."""
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
        assert got == pytest.approx(expected, abs=1e-6)
