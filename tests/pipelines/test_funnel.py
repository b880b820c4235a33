"""Two targets through the whole pipeline, and the student that is staged scores a file."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from pipelines import score_pipeline

FEW = {"epochs": 4, "batch_size": 128, "widths": [8], "tower": [8], "bins": 8}
TARGETS = ["churned", "returned"]


@pytest.fixture
def funnel(parameters, raw, tmp_path):
    """A run on rows of which some that churned came back."""
    back = (raw["churned"] == "yes") & (raw["balance"] > 0)
    raw.assign(returned=back.astype(int)).to_csv(tmp_path / "churn.csv", index=False)
    source = {**parameters["source"], "targets": TARGETS}
    del source["target"]
    student = {"kind": "multi_task", "architecture": "esmm", **FEW}
    return {
        **parameters,
        "source": source,
        "teacher": {"kind": "multi_task", **FEW},
        "soft_labels": {"method": "in_sample"},
        "students": [student],
    }


def test_two_targets_end_in_a_student_that_scores_both(run, funnel, tracking, tmp_path):
    """Tracker and report know each target; a staged ESMM is never surer of the second than of the first."""
    record = run(funnel)
    assert record.status == "completed"
    report = json.loads((tmp_path / "reports" / funnel["scenario"] / "report.json").read_text())
    teacher, student, control = report["scorecards"]["cards"]
    assert [list(card["targets"]) for card in (teacher, student, control)] == [TARGETS] * 3
    page = (tmp_path / "reports" / funnel["scenario"] / "report.md").read_text()
    assert "The target returned by itself" in page

    experiment = tracking.get_experiment_by_name(funnel["scenario"])
    (parent,) = [r for r in tracking.search_runs([experiment.experiment_id]) if r.info.run_name == record.name]
    told = student["targets"]["returned"]["quality"]["metrics"]["auc_roc"]["value"]
    assert parent.data.metrics["test.returned.auc_roc"] == pytest.approx(told)

    output = tmp_path / "scores.parquet"
    config = {"scenario": funnel["scenario"], "input": str(tmp_path / "churn.csv"), "output": str(output)}
    score_pipeline(**config)
    scores = pd.read_parquet(output)
    assert (scores["target_returned"] <= scores["target_churned"]).all()
    assert set(scores["prediction"]) <= {"none", "churned", "churned+returned"}
