"""What a user can get wrong: one clear error each, nothing saved is lost, the registry stays as it was."""

from __future__ import annotations

import socket
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from zenml.client import Client

from distillery.errors import InputError
from steps import _registry
from steps._registry import STAGING, RegistryError
from steps._tracking import StackError, require_mlflow


def with_column(raw, name, values):
    return raw.assign(**{name: values})


def one_group_in_two_splits(raw):
    return raw.assign(split=np.resize(["train", "train", "valid", "test"], len(raw)))


def registry_of(tracking):
    """Every version, and the aliases of every model."""
    versions = {(v.name, v.version) for v in tracking.search_model_versions()}
    return versions, {m.name: m.aliases for m in tracking.search_registered_models()}


TABLES = {
    "target absent": (
        lambda raw: raw.rename(columns={"churned": "churn"}),
        {},
        r"target column 'churned' is not in the table; did you mean 'churn'\? The columns are age, income",
    ),
    "one class": (lambda raw: with_column(raw, "churned", "yes"), {}, r"must have at least two classes, got 'yes'"),
    "empty column": (
        lambda raw: with_column(raw, "plan", None),
        {},
        r"column 'plan' must hold values, got only missing ones; list it under `drop`",
    ),
    "class smaller than folds": (
        lambda raw: with_column(raw, "churned", ["maybe", "maybe", *raw.churned[2:]]),
        {"group": None},
        r"class 'maybe' has 2 training rows.*lower soft_labels.folds",
    ),
    "fewer groups than folds": (
        lambda raw: with_column(raw, "household", np.arange(len(raw)) % 3),
        {},
        r"ExpectGroupsToFillTheFolds.*'1 groups in training'.*lower soft_labels.folds",
    ),
    "infinite values": (
        lambda raw: with_column(raw, "income", [np.inf, -np.inf, *raw.income[2:]]),
        {},
        r"column 'income' must be finite, got 2 infinite values \(rows 0, 1\)",
    ),
    "group in two ready splits": (
        one_group_in_two_splits,
        {"split": {"column": "split"}},
        r"a group of 'household' must lie in one split, got \d+ groups spread",
    ),
    "constant column": (
        lambda raw: with_column(raw, "constant", 1),
        {},
        r"columns, e\.g\. 'constant' – constant in training.*source.drop: \[constant\]",
    ),
    "target under another name": (
        lambda raw: with_column(raw, "left", raw.churned.map({"yes": "gone", "no": "here"})),
        {},
        r"ExpectNoColumnToRepeatTheTarget.*'left'",
    ),
}


@pytest.mark.parametrize("case", TABLES, ids=lambda case: case.replace(" ", "_"))
def test_a_table_that_cannot_be_used(case, run, parameters, raw, tracking):
    """The error says what is wrong, where, and what to do; nothing is trained or registered."""
    change, source, message = TABLES[case]
    change(raw).to_csv(parameters["source"]["path"], index=False)
    before = registry_of(tracking)
    with pytest.raises(InputError, match=message):
        run({**parameters, "source": {**parameters["source"], **source}})
    record = Client().list_pipeline_runs(sort_by="desc:created", size=1).items[0]
    assert record.status == "failed"
    assert "train_teacher" not in record.steps
    assert registry_of(tracking) == before


FILES = {
    "missing file": (None, "data.csv", r"the file does not exist .*check source.path"),
    "empty file": (b"", "data.csv", r"must hold a table, got an empty file"),
    "not a CSV": (b"\x89PNG\r\n\x1a\n\x00\xff\xfe", "data.csv", r"must be a CSV table"),
    "not gzip": (b"a,b\n1,2\n", "data.csv.gz", r"must be a CSV table"),
    "not Parquet": (b"a,b\n1,2\n", "data.parquet", r"must be Parquet"),
    "header only": (b"age,churned\n", "data.csv", r"must have rows, got none"),
    "repeated column": (
        b"age,age,churned\n1,2,yes\n",
        "data.csv",
        r"column names must differ, got 'age' more than once",
    ),
}


@pytest.mark.parametrize("case", FILES, ids=lambda case: case.replace(" ", "_"))
def test_a_file_that_cannot_be_read(case, run, parameters, tmp_path):
    """The error names the file."""
    content, name, message = FILES[case]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        run({**parameters, "source": {"kind": "file", "path": str(path), "target": "churned"}})
    assert str(path) in str(caught.value)


CONFIGS = {
    "unknown key": ({"sed": 1}, r"unknown key 'sed'; did you mean 'seed'\?"),
    "unknown kind": (
        {"students": [{"kind": "mpl"}]},
        r"students.0: student kind must be one of .*, got 'mpl'; did you mean 'mlp'",
    ),
    "alpha": (
        {"students": [{"kind": "mlp", "alpha": 1.5}]},
        r"students.0.alpha: .*less than or equal to 1, got 1.5",
    ),
    "temperature": ({"students": [{"kind": "mlp", "temperature": 0}]}, r"temperature: .*greater than 0, got 0"),
}


@pytest.mark.parametrize("case", CONFIGS, ids=lambda case: case.replace(" ", "_"))
def test_a_config_that_cannot_be_used(case, run, parameters):
    """It is refused before a run is made."""
    change, message = CONFIGS[case]
    before = Client().list_pipeline_runs(size=1).total
    with pytest.raises(InputError, match=message):
        run({**parameters, **change})
    assert Client().list_pipeline_runs(size=1).total == before


def test_a_stack_without_mlflow_is_refused_with_the_command_that_mends_it(run, parameters, stack):
    """Nothing starts on a stack that cannot track."""
    stack.activate_stack("default")
    try:
        with pytest.raises(StackError, match=r"must have an MLflow experiment tracker .* run `make stack`"):
            require_mlflow()
        with pytest.raises(InputError, match="run `make stack`"):
            run(parameters)
    finally:
        stack.activate_stack("distillery")


def test_a_registry_that_cannot_be_reached_loses_nothing(run, parameters, tracking, monkeypatch):
    """Promotion fails with one message; the next run takes training from cache and promotes."""
    parameters["seed"] = 11
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    register = _registry.register

    def unreachable(*args, **kwargs):
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        mlflow.set_registry_uri(address)  # a real connection is refused
        return register(*args, **kwargs)

    monkeypatch.setattr("steps.promote.register", unreachable)
    with pytest.raises(
        RegistryError, match=rf"the model registry at {address} cannot be used: .*training\s+comes from cache"
    ):
        run(parameters)
    monkeypatch.undo()
    mlflow.set_registry_uri("")
    name = f"{parameters['scenario']}-student"
    assert not tracking.search_registered_models(f"name = '{name}'")
    assert (Path(parameters["report"]["folder"]) / parameters["scenario"] / "report.md").exists()
    record = run(parameters)
    assert record.steps["train_student_mlp"].status == "cached"
    assert tracking.get_model_version_by_alias(name, STAGING).version == 1


def test_somebody_who_promotes_meanwhile_is_not_overrun(run, parameters, tracking, monkeypatch):
    """The alias moves only from the version that the candidates were judged against."""
    run(parameters)
    name = f"{parameters['scenario']}-student"
    register = _registry.register

    def overtaken(uri, model_name, tags, *, page, **_):
        return register(uri, model_name, tags, page=page, expected="7")

    monkeypatch.setattr("steps.promote.register", overtaken)
    better = {"kind": "mlp", "name": "wide", "widths": [32], "bins": 8, "epochs": 8, "batch_size": 64, "alpha": 1.0}
    gates = {**parameters["gates"], "not_worse_than_staged": False}
    tracking.delete_registered_model_alias(name, STAGING)
    with pytest.raises(RegistryError, match="somebody promoted meanwhile; run again"):
        run({**parameters, "students": [better], "gates": gates})
    assert [v.version for v in tracking.search_model_versions(f"name = '{name}'")] == [1]


def test_rows_that_lack_a_column_are_refused_by_the_staged_student(run, parameters, tracking, raw):
    """The pyfunc's signature names the column."""
    run(parameters)
    mlflow.set_tracking_uri(tracking.tracking_uri)
    model = mlflow.pyfunc.load_model(f"models:/{parameters['scenario']}-student@{STAGING}")
    with pytest.raises(mlflow.exceptions.MlflowException, match="age"):
        model.predict(pd.DataFrame(raw.drop(columns="age").head(2)))
