"""What each step took, as ZenML, MLflow and the report tell it."""

from __future__ import annotations

import inspect
import logging
from pathlib import Path

import pytest
from zenml.client import Client

from distillery import peak_memory, progress
from steps import _measured
from steps._measured import lines_above_bars, step_facts
from steps.evaluate import evaluate

LATER = {"compression_report", "promote"}  # not finished when the report is written


def facts_of(record):
    return record.steps["compression_report"].outputs["report"][0].load().report.steps


def parent_metrics(tracking, record, scenario):
    runs = tracking.search_runs([tracking.get_experiment_by_name(scenario).experiment_id])
    return next(run for run in runs if run.info.run_name == record.name).data.metrics


def test_every_step_says_what_it_took(run, parameters, tracking):
    """Seconds and peak memory stand in the step's metadata, in the report in run order, and on the parent run."""
    record = run({**parameters, "seed": 2311})
    taken = {step.name: step for step in step_facts(Client().get_pipeline_run(record.id))}
    assert set(taken) == set(record.steps)
    assert all(0 < step.seconds < 300 and not step.cached for step in taken.values())
    assert {name: step.run_metadata["seconds"] for name, step in record.steps.items()} == {
        name: step.seconds for name, step in taken.items()
    }
    reported = facts_of(record)
    assert {step.name for step in reported} == set(record.steps) - LATER
    assert [reported[0].name, reported[-1].name] == ["ingest", "evaluate"]
    assert reported == tuple(taken[step.name] for step in reported)
    metrics = parent_metrics(tracking, record, parameters["scenario"])
    assert metrics["step.evaluate.seconds"] == taken["evaluate"].seconds
    assert [m for m in metrics if m.startswith("step.promote")] == []
    if taken["ingest"].peak_memory_bytes is not None:  # Linux
        assert all(1e8 < step.peak_memory_bytes < 1e11 for step in taken.values())
        assert metrics["step.evaluate.peak_memory_bytes"] == taken["evaluate"].peak_memory_bytes


def test_a_cached_step_has_the_figures_of_the_run_that_made_it(run, parameters, tracking):
    """The cache still answers, and nothing is measured anew; when that run is gone its figures are, too."""
    parameters["seed"] = 2312
    first, second = run(parameters), run(parameters)
    made, again = ({step.name: step for step in facts_of(record)} for record in (first, second))
    assert {name for name, step in again.items() if step.cached} == set(made) - {"ingest", "evaluate"}
    for name, step in again.items():
        if step.cached:
            assert (step.seconds, step.peak_memory_bytes) == (made[name].seconds, made[name].peak_memory_bytes)
    metrics = parent_metrics(tracking, second, parameters["scenario"])
    assert metrics["step.train_student_mlp.seconds"] == made["train_student_mlp"].seconds
    Client().delete_pipeline_run(first.id)
    left = {step.name: step for step in step_facts(Client().get_pipeline_run(second.id))}
    assert left["train_student_mlp"].seconds is None
    assert left["evaluate"].seconds == again["evaluate"].seconds


def test_zenml_sees_the_step_itself():
    """Signature, outputs, source and place are those of the function below the decorator."""
    assert next(iter(inspect.signature(evaluate.entrypoint).parameters)) == "table"
    assert list(evaluate.entrypoint_definition.outputs) == ["scorecards", "verdict", "predictions"]
    assert evaluate.resolve().import_path == "steps.evaluate.evaluate"
    assert "evaluate_models(" in evaluate.source_code


@pytest.fixture
def logged(monkeypatch):
    """What is logged as a step's metadata."""
    found = {}
    monkeypatch.setattr(_measured, "log_metadata", found.update)
    return found


def test_without_proc_only_the_time_is_known(logged, monkeypatch):
    """Elsewhere than on Linux nothing breaks."""
    monkeypatch.setattr(peak_memory, "_reset_peak", lambda: None)
    assert _measured.measured(lambda x: x + 1)(1) == 2
    assert set(logged) == {"seconds"}


def test_a_failed_step_logs_nothing_and_its_error_stays(logged):
    """What it took until then is no measure of it."""

    def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        _measured.measured(fail)()
    assert logged == {}


def test_log_handlers_get_their_stream_back(monkeypatch, tmp_path):
    """Only where bars are shown do they write above them, and only meanwhile."""
    with Path(tmp_path / "log").open("w") as file:
        handler = logging.StreamHandler(file)
        monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
        with lines_above_bars():
            assert handler.stream is file
        monkeypatch.setattr(_measured, "shown", lambda: True)
        with lines_above_bars():
            assert isinstance(handler.stream, progress.AboveBars)
        assert handler.stream is file
