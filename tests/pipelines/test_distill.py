"""The whole pipeline, on real stores."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from zenml.client import Client

from distillery.config import DistillConfig
from distillery.data.drift import Drift
from distillery.errors import InputError
from distillery.report.model import Report
from steps._registry import STAGING, open_onnx

ROOT = Path(__file__).resolve().parents[2]
STEPS = {
    "ingest",
    "validate",
    "train_teacher",
    "generate_soft_labels",
    "train_student_mlp",
    "train_control_mlp",
    "evaluate",
    "compression_report",
    "promote",
}


POOR_MLP = {"kind": "mlp", "widths": [4], "bins": 4, "epochs": 2, "batch_size": 64, "learning_rate": 2e-3}


FAST_MLP = {"kind": "mlp", "widths": [16], "bins": 8, "epochs": 4, "batch_size": 128}
FAST_LINEAR = {"kind": "logistic_regression"}


def cards_of(record):
    return record.steps["evaluate"].outputs["scorecards"][0].load()


def verdict_of(record):
    return record.steps["evaluate"].outputs["verdict"][0].load()


def test_a_run_distils_measures_reports_and_promotes(run, parameters, tracking, raw, tmp_path):
    """One run ends with runs in MLflow, a report, and a student under the alias that predicts raw rows."""
    parameters["report"]["plots"] = True
    record = run(parameters)
    name = parameters["scenario"]
    assert record.status == "completed"
    assert set(record.steps) == STEPS

    version = tracking.get_model_version_by_alias(f"{name}-student", STAGING)
    assert version.version == 1
    assert version.tags["distillery.dataset_digest"]
    assert version.tags["distillery.gate.not_worse_than_staged"].startswith("passed")

    report = json.loads((tmp_path / "reports" / name / "report.json").read_text())
    assert report["verdict"]["action"] == "promote"
    assert {card["role"] for card in report["scorecards"]["cards"]} == {"teacher", "student", "control"}
    assert name in (tmp_path / "reports" / name / "report.md").read_text()
    drawn = {path.stem for path in (tmp_path / "reports" / name / "plots").iterdir()}
    assert {"roc", "importance", "slices", "training"} <= drawn
    run_id = report["origin"]["mlflow_run"]
    assert {f"report/plots/{plot}.svg" for plot in drawn} == {
        file.path for file in tracking.list_artifacts(run_id, "report/plots")
    }

    mlflow.set_tracking_uri(tracking.tracking_uri)
    model = mlflow.pyfunc.load_model(f"models:/{name}-student@{STAGING}")
    rows = raw.head(3).astype({"household": float})  # MLflow lets no int64 pass for a double
    rows.loc[0, "city"] = "Atlantis"
    rows.loc[1, ["age", "income"]] = np.nan
    rows.loc[2, "plan"] = None
    proba = model.predict(rows)
    assert list(proba.columns) == ["probability_no", "probability_yes"]
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    native = record.steps["train_student_mlp"].outputs["student"][0].load()
    np.testing.assert_allclose(proba, native.predict_proba(rows), atol=1e-5)


def test_every_model_has_its_own_run_with_the_same_metric_names(run, parameters, tracking):
    """Teacher, student and control are children of one parent run and line up in the compare view."""
    record = run({**parameters, "evaluation": {"replicates": 20, "cost": True}})
    experiment = tracking.get_experiment_by_name(parameters["scenario"])
    runs = tracking.search_runs([experiment.experiment_id])
    parent = next(r for r in runs if r.info.run_name == record.name)
    children = {r.info.run_name: r for r in runs if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id}
    assert set(children) == {"teacher xgboost", "student mlp T=1 α=.8", "control mlp"}
    shared = {"test.auc_roc", "test.log_loss", "test.auc_roc_low", "cost.params", "cost.bytes", "cost.rows_per_second"}
    for child in children.values():
        assert shared <= set(child.data.metrics)
        assert child.data.tags["distillery.scenario"] == parameters["scenario"]
    assert "agreement.rate" in children["control mlp"].data.metrics
    assert parent.data.params["teacher.trees"] == "60"
    assert {d.dataset.digest for d in parent.inputs.dataset_inputs} == {
        record.steps["ingest"].outputs["table"][0].run_metadata["digest"]
    }
    history = tracking.get_metric_history(children["student mlp T=1 α=.8"].info.run_id, "train.valid_log_loss")
    assert len(history) == 4


def test_costs_are_those_of_the_exported_files(run, parameters, tracking):
    """Teacher, baseline, student and control run in ONNX Runtime; a quantized candidate is a smaller one."""
    small = {**FAST_MLP, "name": "small", "quantize": "int8"}
    baseline = {"kind": "lightgbm", "trees": 20, "threads": 1}
    changes = {"students": [FAST_MLP, small], "baseline": baseline, "evaluation": {"replicates": 20}}
    record = run({**parameters, **changes})
    cards = cards_of(record)
    assert {card.role for card in cards.cards} == {"teacher", "baseline", "student", "control"}
    assert {card.cost.runtime for card in cards.cards} == {"onnx"}
    plain, quantized = cards.students
    assert plain.parity.max_difference <= 1e-5 < quantized.parity.max_difference
    assert quantized.cost.bytes < plain.cost.bytes
    assert plain.quality != quantized.quality
    runs = tracking.search_runs([tracking.get_experiment_by_name(parameters["scenario"]).experiment_id])
    assert "baseline lightgbm" in {r.info.run_name for r in runs}
    assert {"ingest", "validate"} <= set(record.steps["train_baseline"].spec.upstream_steps)


def test_the_promoted_file_says_where_it_comes_from(run, parameters, tracking):
    """Scenario, run, data and versions stand in the file's metadata; it needs no other column than the student."""
    record = run(parameters)
    name = f"{parameters['scenario']}-student"
    mlflow.set_tracking_uri(tracking.tracking_uri)
    exported = open_onnx(name, tracking.get_model_version_by_alias(name, STAGING))
    student = record.steps["train_student_mlp"].outputs["student"][0].load()
    assert exported.schema_digest == student.schema.digest
    assert exported.metadata["distillery.scenario"] == parameters["scenario"]
    assert exported.metadata["distillery.zenml_run"] == record.name
    assert {"distillery.mlflow_run", "distillery.dataset_digest", "version.onnxruntime"} <= set(exported.metadata)
    info = mlflow.models.get_model_info(f"models:/{name}@{STAGING}")
    assert info.signature.inputs.input_names() == student.schema.names
    assert "onnx" in info.flavors


def test_a_second_run_comes_from_cache_and_keeps_the_staged_model(run, parameters, tracking):
    """Equal numbers tie with the staged model, which stays; its runs are complete all the same."""
    first = run(parameters)
    second = run(parameters)
    assert second.steps["train_teacher"].status == "cached"
    assert second.steps["train_student_mlp"].status == "cached"
    verdict = verdict_of(second)
    assert verdict.action == "keep_staged"
    assert "ties keep the staged model" in verdict.reason
    assert tracking.get_model_version_by_alias(f"{parameters['scenario']}-student", STAGING).version == 1
    for role in ("teacher", "student", "control"):
        one, two = (cards_of(r).of_role(role)[0] for r in (first, second))
        assert one.quality == two.quality
    runs = tracking.search_runs([tracking.get_experiment_by_name(parameters["scenario"]).experiment_id])
    assert sum(r.info.run_name == "teacher xgboost" for r in runs) == 2


def test_the_staged_model_is_compared_class_by_class(run, parameters):
    """Where the other class is the positive one, its probabilities are read by their names."""
    first = run(parameters)
    parameters["source"]["positive"] = "no"
    second = run(parameters)
    (student,), staged = cards_of(first).students, cards_of(second).staged
    assert list(cards_of(second).classes) == ["yes", "no"]
    loss = student.quality.metrics["log_loss"].value
    assert staged.quality.metrics["log_loss"].value == pytest.approx(loss, abs=1e-5)


def test_two_runs_with_one_config_give_the_same_numbers(run, parameters):
    """Nothing but the config decides a number: training again, without cache, repeats them."""
    parameters["seed"] = 7  # no other test's run may answer from cache
    first = run(parameters)
    before = cards_of(first)
    Client().delete_pipeline_run(first.id)  # what is gone cannot come from cache
    second = run(parameters)
    assert second.steps["train_student_mlp"].status == "completed"
    after = cards_of(second)
    for role in ("teacher", "student", "control"):
        assert before.of_role(role)[0].quality == after.of_role(role)[0].quality


def test_a_better_student_replaces_the_staged_one(run, parameters, tracking):
    """The alias moves, and the version it left stays reachable."""
    run({**parameters, "students": [POOR_MLP]})
    record = run(parameters)
    verdict = verdict_of(record)
    assert verdict.action == "promote", verdict.reason
    model = f"{parameters['scenario']}-student"
    assert tracking.get_model_version_by_alias(model, STAGING).version == 2
    assert tracking.get_model_version_by_alias(model, "previous-staging").version == 1


def test_no_candidate_passes_and_the_run_ends_green(run, parameters, tracking):
    """The report says why, and the registry is untouched."""
    record = run({**parameters, "gates": {**parameters["gates"], "min_auc_retention": 1.5}})
    assert record.status == "completed"
    verdict = verdict_of(record)
    assert verdict.action == "refuse"
    assert "min_auc_retention" in verdict.reason
    assert not tracking.search_registered_models(f"name = '{parameters['scenario']}-student'")


def test_a_staged_model_that_cannot_read_these_columns_blocks_promotion(run, parameters, tracking, raw):
    """A gate fails with the reason; the alias stays where it was."""
    run(parameters)
    path = parameters["source"]["path"]
    raw.drop(columns="age").to_csv(path, index=False)
    verdict = verdict_of(run(parameters))
    assert verdict.action == "refuse"
    failed = [g for g in verdict.judgements[0].gates if not g.passed]
    assert [g.gate for g in failed] == ["not_worse_than_staged"]
    assert "age" in failed[0].text
    assert tracking.get_model_version_by_alias(f"{parameters['scenario']}-student", STAGING).version == 1


def test_a_changed_file_is_read_again(run, parameters, raw):
    """New rows in the same file are trained on; the cache does not answer for them."""
    run(parameters)
    raw.head(900).to_csv(parameters["source"]["path"], index=False)
    record = run(parameters)
    assert record.steps["train_teacher"].status == "completed"
    assert sum(record.steps["ingest"].outputs["table"][0].load().counts.values()) == 900


def test_three_classes_and_both_students(run, parameters, raw):
    """A multiclass table runs the same way."""
    three = raw.assign(churned=pd.qcut(raw.age + 10 * (raw.city == "Oslo"), 3, labels=["low", "mid", "high"]))
    three.to_csv(parameters["source"]["path"], index=False)
    record = run({**parameters, "students": [{"kind": "logistic_regression"}, *parameters["students"]]})
    cards = cards_of(record)
    assert cards.classes == ("high", "low", "mid")
    assert len(cards.students) == 2
    assert all(card.quality.metrics["auc_roc"].value > 0.7 for card in cards.students)


def test_in_sample_labels_are_marked_in_the_report(run, parameters):
    """Labels of rows the teacher had seen come with a warning."""
    record = run({**parameters, "soft_labels": {"method": "in_sample"}})
    report = record.steps["compression_report"].outputs["report"][0].load().report
    assert report.soft_labels.method == "in_sample"
    assert any("in sample" in warning for warning in report.warnings)


def test_a_report_holds_what_was_looked_at(run, parameters):
    """Answers of every model, slices, importances, gate paths, factors and training histories."""
    small = {"kind": "factorized_mlp", "widths": [16], "rank": 2, "epochs": 3, "batch_size": 128, "quantize": "int8"}
    small["features"] = {"at_most": 3, "epochs": 3}
    teacher = {"kind": "mlp", "widths": [16], "epochs": 3, "batch_size": 128}
    record = run({**parameters, "teacher": teacher, "students": [small]})
    report = record.steps["compression_report"].outputs["report"][0].load().report
    cards, student = report.scorecards, record.steps["train_student_factorized_mlp"].outputs["student"][0].load()
    test = record.steps["ingest"].outputs["table"][0].load().rows("test")

    predictions = record.steps["evaluate"].outputs["predictions"][0].load()
    assert set(predictions.proba) == {(card.role, card.name) for card in cards.cards}
    for card in cards.cards:
        hit = predictions.of(card.role, card.name).argmax(axis=1) == predictions.y
        assert hit.mean() == pytest.approx(card.quality.metrics["accuracy"].value)
    deployed = student.exported().predict_proba(test.features)  # what is quantized answers by its file
    np.testing.assert_allclose(predictions.of("student", "factorized_mlp"), deployed, atol=1e-6)

    assert cards.students[0].slices.looked_at > 0
    needed = {one.name for one in cards.students[0].importance.columns if one.rises}
    assert needed <= set(student.schema.names)
    assert len(cards.students[0].importance.columns) == 5
    assert report.gate_paths == {"factorized_mlp": student.gate_path}
    assert np.shape(report.factors[0].weights) == (2, 3)
    assert [(one.role, len(one.history)) for one in report.training] == [
        ("teacher", 3),
        ("student", 3),
        ("control", 3),
    ]


def test_privileged_columns_reach_the_teacher_only(run, parameters, tracking, tmp_path):
    """Student and signature do without them; what they are worth is measured, and rows are ranked in their query."""
    source = {**parameters["source"], "privileged": ["age"], "query": "household"}
    record = run({**parameters, "source": source, "evaluation": {"replicates": 20, "cost": False, "ranking_k": 2}})
    models = {
        role: record.steps[f"train_{step}"].outputs[output][0].load()
        for role, step, output in (
            ("teacher", "teacher", "teacher"),
            ("regular", "regular_teacher", "teacher"),
            ("student", "student_mlp", "student"),
        )
    }
    assert {role for role, model in models.items() if "age" in model.schema.names} == {"teacher"}
    cards = cards_of(record)
    assert {card.role for card in cards.cards} == {"teacher", "regular_teacher", "student", "control"}
    regular = cards.of_role("regular_teacher")[0]
    assert regular.versus_teacher["auc_roc"].verdict == "worse"
    assert cards.students[0].versus_regular
    assert {card.ranking.k for card in cards.cards} == {2}
    assert cards.students[0].ranking.lift
    experiment = tracking.get_experiment_by_name(parameters["scenario"])
    runs = {r.info.run_name: r for r in tracking.search_runs([experiment.experiment_id])}
    names = {"test.gauc", "test.gauc_low", "test.ndcg_at_2", "test.recall_at_2"}
    assert names <= set(runs["regular teacher xgboost"].data.metrics)
    folder = tmp_path / "reports" / parameters["scenario"]
    found = {f["code"] for f in json.loads((folder / "report.json").read_text())["findings"]}
    assert {"privileged_teacher", "privileged_student"} <= found
    page = (folder / "report.md").read_text()
    assert "What the privileged columns gave" in page
    assert "Ranking within household" in page
    version = tracking.get_model_version_by_alias(f"{parameters['scenario']}-student", STAGING)
    mlflow.set_tracking_uri(tracking.tracking_uri)
    asked = mlflow.models.get_model_info(f"models:/{version.name}/{version.version}").signature.inputs.input_names()
    assert "age" not in asked


def test_the_teacher_without_privileged_columns_can_be_left_out(parameters):
    """It costs a second fit; where no column is privileged there is none to make."""
    plain = DistillConfig.parse(parameters)
    assert not plain.compares_privileged
    named = {**parameters, "source": {**parameters["source"], "privileged": ["income"]}}
    assert DistillConfig.parse(named).compares_privileged
    assert not DistillConfig.parse({**named, "compare_privileged": False}).compares_privileged


def test_a_failed_expectation_stops_before_training_and_is_kept(run, parameters, tracking):
    """The error names expectation, column, rows and values; the result is saved and logged."""
    wrong = {"type": "ExpectColumnValuesToBeInSet", "arguments": {"column": "city", "value_set": ["Oslo", "Lima"]}}
    with pytest.raises(
        InputError, match=r"ExpectColumnValuesToBeInSet on column 'city': \d+ of 1,200 rows, e.g. 'Kyiv'"
    ):
        run({**parameters, "validation": {"expectations": [wrong]}})
    record = Client().list_pipeline_runs(sort_by="desc:created", size=1).items[0]
    assert set(record.steps) == {"ingest", "validate"}
    kept = Client().list_artifact_versions(artifact="failed_validation_report", sort_by="desc:created").items[0].load()
    assert [r.column for r in kept.failures] == ["city"]
    experiment = tracking.get_experiment_by_name(parameters["scenario"])
    failed = tracking.search_runs([experiment.experiment_id])[0]
    assert failed.info.status == "FAILED"
    assert [f.path for f in tracking.list_artifacts(failed.info.run_id, "report")] == [
        "report/validation.html",
        "report/validation.json",
    ]


def test_drift_is_measured_shown_and_logged(run, parameters, tracking, raw, tmp_path):
    """The figures are the report's, the page is kept beside it, and both come from cache with the validation."""
    late = raw.assign(split=np.resize(["train"] * 3 + ["valid"] * 2 + ["test"] * 2, len(raw)))
    late["age"] += 30 * (late["split"] == "test")
    late.drop(columns="household").to_csv(parameters["source"]["path"], index=False)
    source = {key: value for key, value in parameters["source"].items() if key != "group"}
    changes = {"source": {**source, "split": {"column": "split"}}, "validation": {"drift": True}}
    record = run({**parameters, **changes})
    drift = record.steps["validate"].outputs["drift"][0].load()
    assert [[c.column for c in split.drifted] for split in drift.report.splits] == [[], ["age"]]
    folder = tmp_path / "reports" / parameters["scenario"]
    assert Report.model_validate_json((folder / "report.json").read_text()).drift == drift.report
    assert (folder / "drift.html").read_text() == drift.page
    held = record.steps["validate"].outputs["validation_report"][0].load()
    assert (folder / "validation.html").read_text() == held.to_html()
    experiment = tracking.get_experiment_by_name(parameters["scenario"])
    parent = next(r for r in tracking.search_runs([experiment.experiment_id]) if r.info.run_name == record.name)
    logged = {one.path for one in tracking.list_artifacts(parent.info.run_id, "report")}
    assert {"report/drift.html", "report/validation.html"} <= logged
    assert run({**parameters, **changes}).steps["validate"].status == "cached"


def test_drift_can_be_left_out(run, parameters, tmp_path):
    """Then there is neither a figure nor a page."""
    record = run(parameters)
    assert record.steps["validate"].outputs["drift"][0].load() == Drift.unmeasured()
    folder = tmp_path / "reports" / parameters["scenario"]
    assert json.loads((folder / "report.json").read_text())["drift"] is None
    assert not (folder / "drift.html").exists()


def test_the_default_config_is_fully_set():
    """ZenML's cache key holds only what was set: a default left out would be no part of it."""
    config = DistillConfig.parse({})
    for part in (config, config.source, config.source.split, config.teacher, *config.students, config.gates):
        assert part.model_fields_set == set(type(part).model_fields)
    assert config.students[0].control().model_fields_set == set(type(config.students[0]).model_fields)


def test_more_settings_than_one_request_takes_are_logged(run, parameters, tracking):
    """MLflow refuses more than 100 params at once; ten candidates have more."""
    students = [{**FAST_LINEAR, "name": f"c{i}", "c": 0.1 * (i + 1)} for i in range(12)]
    record = run({**parameters, "students": students})
    experiment = tracking.get_experiment_by_name(parameters["scenario"])
    parent = next(r for r in tracking.search_runs([experiment.experiment_id]) if r.info.run_name == record.name)
    assert len(parent.data.params) > 100
    assert parent.data.params["students.11.c"] == "1.2000000000000002"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_no_config_switches_the_cache_for_all_steps(path):
    """At the top of a YAML it would override the steps' own choice, and serve promotion from cache."""
    assert "enable_cache" not in yaml.safe_load(path.read_text())
