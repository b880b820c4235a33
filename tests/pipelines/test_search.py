"""A candidate whose settings are searched, through the whole pipeline on real stores."""

from __future__ import annotations

import json

from zenml.client import Client

from distillery.students import Trial


def children(tracking, parent):
    """The runs under a run, by name."""
    wanted = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    return {r.info.run_name: r for r in tracking.search_runs([parent.info.experiment_id], filter_string=wanted)}


def candidate_of(tracking, record, parameters):
    """The run of the candidate in MLflow."""
    experiment = tracking.get_experiment_by_name(parameters["scenario"])
    runs = tracking.search_runs([experiment.experiment_id])
    (parent,) = [r for r in runs if r.info.run_name == record.name]
    return children(tracking, parent)["student logistic_regression searched"]


def trials_of(record):
    return record.steps["train_student_logistic_regression"].outputs["student"][0].load().trials


def test_trials_are_nested_runs_and_lines_of_the_report(run, parameters, tracking, tmp_path):
    """Each with its settings and metric, below a candidate that states what was chosen; also from cache and storage."""
    storage = f"sqlite:///{tmp_path}/searches.db"
    search = {"alpha": [0.1, 0.9], "max_iterations": [1, 500], "budget": "4 trials", "storage": storage}
    searched = {**parameters, "students": [{"kind": "logistic_regression", "search": search}]}
    first = run(searched)
    trials = trials_of(first)
    assert [t.params for t in trials] == [{"alpha": a, "max_iterations": n} for a in (0.1, 0.9) for n in (1, 500)]

    candidate = candidate_of(tracking, first, parameters)
    best = min((t for t in trials if not t.refused), key=lambda t: t.valid_log_loss)
    assert {name: candidate.data.params[name] for name in best.params} == {k: str(v) for k, v in best.params.items()}
    nested = children(tracking, candidate)
    assert set(nested) == {f"trial logistic_regression {t.number}" for t in trials}
    for trial in trials:
        logged = nested[f"trial logistic_regression {trial.number}"].data
        assert logged.params == {name: str(value) for name, value in trial.params.items()}
        assert logged.metrics == ({} if trial.refused else {"valid.log_loss": trial.valid_log_loss})
        assert logged.tags["distillery.role"] == "trial"
        assert logged.tags["distillery.resumed"] == "false"
        assert logged.tags.get("distillery.refused", "") == trial.refused
        assert logged.tags["distillery.scenario"] == parameters["scenario"]
        assert logged.tags["distillery.zenml_run"] == first.name

    report = json.loads((tmp_path / "reports" / parameters["scenario"] / "report.json").read_text())
    (facts,) = report["searches"]
    assert (facts["name"], facts["chosen"]) == ("logistic_regression", best.number)
    assert {Trial.model_validate(t).key for t in facts["trials"]} == {t.key for t in trials}

    cached = run(searched)
    assert cached.steps["train_student_logistic_regression"].status == "cached"
    again = children(tracking, candidate_of(tracking, cached, parameters))
    assert set(again) == set(nested)

    Client().delete_pipeline_run(first.id)
    Client().delete_pipeline_run(cached.id)
    anew = run(searched)
    assert anew.steps["train_student_logistic_regression"].status == "completed"
    assert trials_of(anew) == trials
    kept = children(tracking, candidate_of(tracking, anew, parameters))
    assert {r.data.tags["distillery.resumed"] for r in kept.values()} == {"true"}
