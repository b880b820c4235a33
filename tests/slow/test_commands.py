"""What a user types, in a fresh copy of the repository."""

import json
import re

import pytest

pytestmark = pytest.mark.slow

MODELS = (
    "teacher ensemble",
    "student mlp",
    "control mlp",
    "student logistic_regression",
    "control logistic_regression",
    "baseline lightgbm",
)
TRAINING = ("train_teacher", "generate_soft_labels", "train_student_mlp", "train_control_mlp")
TYPO = "unknown key 'studens'; did you mean 'students'?"
PREDICT = """
import io, json, sys, mlflow, pandas as pd
from mlflow.tracking import MlflowClient
uri, model, rows = sys.argv[1:]
mlflow.set_tracking_uri(uri)
version = MlflowClient().get_model_version_by_alias(model, "staging").version
rows = pd.read_json(io.StringIO(rows), orient="split")
rows = rows.astype(dict.fromkeys(rows.select_dtypes("number"), float))  # MLflow lets no int64 pass for a double
proba = mlflow.pyfunc.load_model(f"models:/{model}@staging").predict(rows)
print("ANSWER", json.dumps([version, proba.to_dict("list")]))
"""
STACK = """
from zenml.client import Client
client = Client()
names = [s.name for s in client.list_stacks().items] + [c.name for c in client.list_stack_components(size=100).items]
print("ANSWER", client.active_stack_model.name, names.count("distillery"), names.count("distillery_experiment_tracker"),
      names.count("distillery_model_registry"))
"""


def assert_from_cache(ran):
    for step in TRAINING:
        assert f"Using cached version of step {step}." in ran.text
        assert f"Step {step} has started" not in ran.text


def test_the_first_run_sets_up_and_promotes(copy):
    """From nothing but a checkout: a table with every model, a verdict, a report."""
    assert copy.first.code == 0, copy.first.text
    lines = copy.first.text.splitlines()
    for model in MODELS:
        assert any(line.startswith(f"{model} ") for line in lines), model
    assert "verdict  mlp promoted as flights-student version 1 → staging" in copy.first.text
    report = next(line for line in lines if line.startswith("report ")).split()[1]
    assert "<h1>Compression report: flights</h1>" in (copy.folder / report).read_text()


def test_the_second_run_trains_nothing_and_keeps_the_staged_model(copy):
    """Equal numbers tie, and ties keep what is staged."""
    again = copy.run("make", "run")
    assert again.code == 0, again.text
    assert "verdict  flights-student version 1 stays in staging" in again.text
    assert "ties keep the staged model" in again.text
    assert_from_cache(again)


@pytest.mark.parametrize("name", ["distill_pipeline", "pipelines.distill_pipeline"])
def test_without_a_config_the_run_is_the_default_scenario(name, copy):
    """Both names find the pipeline, and configs/flights.yaml spells out the defaults: all comes from its cache."""
    ran = copy.run(".venv/bin/zenml", "pipeline", "run", name)
    assert ran.code == 0, ran.text
    assert "flights-student version 1 stays in staging" in ran.text
    assert_from_cache(ran)


def test_the_staged_student_predicts_raw_rows(copy, flights):
    """Missing values and a carrier that training never saw are answered."""
    answer = copy.python(PREDICT, copy.tracking_uri, "flights-student", flights.to_json(orient="split", index=False))
    version, proba = json.loads(answer)
    assert version == 1
    assert len(proba) == 2
    for pair in zip(*proba.values(), strict=True):
        assert sum(pair) == pytest.approx(1, abs=1e-6)
        assert 0 < pair[0] < 1


def test_a_table_of_ones_own_takes_five_lines(copy, table):
    """The scenario is named after the file."""
    path = copy.folder / "configs" / "mine.yaml"
    path.write_text(f"parameters:\n  source:\n    kind: file\n    path: {table}\n    target: churned\n")
    ran = copy.pipeline("-c", "configs/mine.yaml")
    assert ran.code == 0, ran.text
    assert "subscribers · " in ran.text
    assert "student mlp " in ran.text
    assert (copy.folder / "reports" / "subscribers" / "report.md").is_file()


@pytest.mark.parametrize("name", ["distill_pipeline", "pipelines.distill_pipeline"])
def test_a_wrong_config_is_one_error_with_the_nearest_key(name, copy, config):
    """No traceback, and no run."""
    ran = copy.run(".venv/bin/zenml", "pipeline", "run", name, "-c", config(studens=[]))
    assert ran.code != 0
    assert ran.text.startswith("Error: the run config has 1 mistake:")
    assert TYPO in ran.words
    assert "Traceback" not in ran.text
    assert "Initiating" not in ran.text


def test_a_missing_file_ends_with_the_message(copy, config):
    """Whatever stands before, what to do stands last."""
    ran = copy.pipeline("-c", config(source={"kind": "file", "path": "data/nowhere.csv", "target": "y"}))
    assert ran.code != 0
    _, _, message = ran.words.rpartition("DataError: ")
    assert message.startswith("data/nowhere.csv: the file does not exist")
    assert message.endswith("check source.path")


def test_make_stack_registers_once(copy):
    """``make run`` has registered it: again, nothing is said and nothing is doubled."""
    again = copy.run("make", "stack")
    assert again.code == 0, again.text
    assert "registered" not in again.text
    assert copy.python(STACK).split() == ["distillery", "1", "1", "1"]


def test_the_readme_example_loads_and_predicts(copy):
    """As it stands there."""
    readme = (copy.folder / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```", readme, flags=re.DOTALL)[1]
    columns, row = copy.python(f"{example}\nprint('ANSWER')\nprint(student.predict(row))").splitlines()
    assert columns.split() == ["probability_0", "probability_1"]
    assert sum(float(p) for p in row.split()[1:]) == pytest.approx(1, abs=1e-5)
