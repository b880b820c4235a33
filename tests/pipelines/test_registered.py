"""A model that a plain scikit-learn script registered is the teacher; nothing of it is trained again."""

from __future__ import annotations

import io
import json

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from distillery.errors import InputError
from distillery.report.formats import number
from distillery.teachers import RegisteredSpec

NUMBERS, TEXTS = ["age", "income", "balance"], ["city", "plan"]
GATES = {"min_auc_retention": 0.5, "max_log_loss_increase": 5.0, "max_bytes": None, "beats_control": "off"}
# MLflow infers requirements for 20 s otherwise; its skops format knows no trees.
OPTIONS = {"pip_requirements": ["scikit-learn"], "serialization_format": "cloudpickle"}


def read(frame):
    """The frame as a script reads it from the CSV file."""
    return pd.read_csv(io.StringIO(frame.to_csv(index=False)), float_precision="round_trip")


def fitted(frame, classifier=None, columns=(*NUMBERS, *TEXTS)):
    """What a team's own script fits."""
    frame = read(frame)
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), [name for name in columns if name in TEXTS]), remainder="passthrough"
    )
    model = make_pipeline(encode, classifier or HistGradientBoostingClassifier(max_iter=40))
    return model.fit(frame[list(columns)], frame["churned"])


@pytest.fixture
def register(tracking, request):
    """Register a model as a team's own script does; return the registered name."""

    def log(model):
        name = f"teacher-of-{request.node.name}".replace("[", ".").replace("]", "")
        mlflow.set_tracking_uri(tracking.tracking_uri)
        mlflow.set_experiment("the team's own")
        with mlflow.start_run():
            mlflow.sklearn.log_model(model, name="model", registered_model_name=name, **OPTIONS)
        mlflow.set_tracking_uri("")
        return name

    return log


def loaded(record, step, output):
    return record.steps[step].outputs[output][0].load()


def with_teacher(parameters, uri, **changes):
    return {**parameters, "teacher": {"kind": "registered", "uri": uri, **changes}}


def test_a_registered_pipeline_is_the_teacher(run, parameters, tracking, register, raw, tmp_path):
    """No teacher is trained, the labels are its own, the student is judged, and the report says all of it."""
    model = fitted(raw)
    name = register(model)
    tracking.set_registered_model_alias(name, "champion", 1)
    parameters |= {"evaluation": {"replicates": 20, "cost": True}, "gates": GATES}
    record = run(with_teacher(parameters, f"models:/{name}@champion"))

    table, teacher = loaded(record, "ingest", "table"), loaded(record, "train_teacher", "teacher")
    assert teacher.spec == RegisteredSpec(uri=f"models:/{name}/1")
    np.testing.assert_allclose(
        teacher.predict_proba(table.rows("test").features),
        model.predict_proba(read(raw).loc[table.split("test").index, [*NUMBERS, *TEXTS]]),
    )
    labels = loaded(record, "generate_soft_labels", "soft_labels")
    assert labels.method == "in_sample"
    np.testing.assert_allclose(labels.proba("test"), teacher.predict_proba(table.rows("test").features), atol=1e-6)

    verdict = loaded(record, "evaluate", "verdict")
    assert (verdict.action, verdict.winner) == ("promote", "mlp")
    gates = {gate.gate: gate for gate in verdict.judgements[0].gates}
    assert gates["smaller_than_teacher"].passed
    cards = loaded(record, "evaluate", "scorecards")
    assert cards.teacher.cost.params is None
    assert cards.teacher.cost.bytes > 20_000
    assert set(cards.students[0].compression) == {"bytes", "raw_columns"}

    folder = tmp_path / "reports" / parameters["scenario"]
    report = json.loads((folder / "report.json").read_text())
    warning = f"The teacher models:/{name}/1 came ready-made and nothing of it was trained: training rows could only"
    assert [one for one in report["findings"] if one["severity"] == "warning" and warning in one["text"]]
    assert report["origin"]["settings"]["soft_labels"]["method"] == "in_sample"
    page = (folder / "report.md").read_text()
    assert f"labelled by the ready-made models:/{name}/1, in sample" in page
    row = next(line for line in page.splitlines() if line.startswith("| teacher registered |"))
    assert row.split("|")[6].strip() == "–"

    runs = tracking.search_runs([tracking.get_experiment_by_name(parameters["scenario"]).experiment_id])
    parent = next(one for one in runs if one.info.run_name == record.name)
    child = next(one for one in runs if one.info.run_name == "teacher registered")
    assert warning in parent.data.tags["distillery.warnings"]
    assert parent.data.params["soft_labels.method"] == "in_sample"
    assert child.data.params["uri"] == f"models:/{name}/1"
    assert "cost.params" not in child.data.metrics


def test_a_moved_alias_is_noticed_and_an_unmoved_one_comes_from_cache(run, parameters, tracking, register, raw):
    """The teacher is opened in each run; what it taught is kept as long as it is the same model."""
    name = register(fitted(raw))
    tracking.set_registered_model_alias(name, "champion", 1)
    by_alias = with_teacher(parameters, f"models:/{name}@champion")
    run(by_alias)
    again = run(by_alias)
    assert again.steps["train_teacher"].status == "completed"
    assert again.steps["generate_soft_labels"].status == again.steps["train_student_mlp"].status == "cached"
    register(fitted(raw, HistGradientBoostingClassifier(max_iter=5)))
    tracking.set_registered_model_alias(name, "champion", 2)
    moved = run(by_alias)
    assert moved.steps["generate_soft_labels"].status == "completed"
    assert loaded(moved, "train_teacher", "teacher").spec.uri == f"models:/{name}/2"
    assert loaded(again, "train_teacher", "teacher").spec.uri == f"models:/{name}/1"


def test_a_teacher_worse_than_the_prior_is_warned_of(run, parameters, tracking, register, raw):
    """In the report and on the run, with both figures."""
    rng = np.random.default_rng(0)
    name = register(fitted(raw.assign(churned=rng.permutation(raw["churned"]))))
    record = run(with_teacher(parameters, f"models:/{name}/1"))
    cards, report = loaded(record, "evaluate", "scorecards"), loaded(record, "compression_report", "report")
    loss = cards.teacher.quality.metrics["log_loss"].value
    assert loss > cards.prior_log_loss > 0.5
    warning = (
        f"The teacher registered is no better than the prior: its log loss on the test rows is {number(loss)}, that of"
        f" the training rows' class shares {number(cards.prior_log_loss)}; distilling it is pointless"
    )
    assert warning == report.report.warnings[0]
    runs = tracking.search_runs([tracking.get_experiment_by_name(parameters["scenario"]).experiment_id])
    parent = next(one for one in runs if one.info.run_name == record.name)
    assert warning in parent.data.tags["distillery.warnings"]


MISFITS = {
    "columns": (
        lambda raw: fitted(raw.assign(tenure=raw.household), columns=("age", "income", "tenure", *TEXTS)),
        {},
        r"the table lacks column 'tenure'; the teacher lacks column 'balance'.*source\.drop",
    ),
    "classes": (
        lambda raw: fitted(raw.assign(churned=raw.churned.map({"yes": 1, "no": 0}))),
        {},
        r"classes of the table, no, yes, got 0, 1; the table lacks class '0', '1'.*say in teacher\.classes",
    ),
    "labels": (
        lambda raw: fitted(raw, make_pipeline(SimpleImputer(), StandardScaler(with_mean=False), LinearSVC())),
        {},
        r"must answer with probabilities .*pyfunc_predict_fn=\"predict_proba\"",
    ),
    "version": (fitted, {"uri": "models:/teacher-of-nobody/1"}, r"must be a model in MLflow, got"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_model_that_does_not_fit_the_table_is_refused(case, run, parameters, register, raw):
    """The message lists what differs and says what to do."""
    make, changes, message = MISFITS[case]
    name = register(make(raw))
    with pytest.raises(InputError, match=message):
        run(with_teacher(parameters, **{"uri": f"models:/{name}/1", **changes}))


def test_codes_are_named_in_the_config(run, parameters, register, raw):
    """A model of 0 and 1 teaches a table of no and yes."""
    codes = raw.assign(churned=raw.churned.map({"yes": 1, "no": 0}))
    name = register(fitted(codes))
    record = run(with_teacher(parameters, f"models:/{name}/latest", classes=["no", "yes"]))
    assert loaded(record, "evaluate", "scorecards").teacher.quality.metrics["auc_roc"].value > 0.8
