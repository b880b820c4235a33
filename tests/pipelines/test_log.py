"""A log through the whole pipeline: read in chunks, learnt from on disk, measured in one pass; and files are scored."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from zenml.enums import ExecutionStatus

from distillery.data.sources import CtrLogSpec
from pipelines import score_pipeline

FEW = {"epochs": 1, "batch_size": 128, "widths": [8]}
ROWS = 4_000


@pytest.fixture
def log(parameters):
    """A run on a log of which little is held in memory, with a teacher whose vectors are inherited compressed."""
    source = {"kind": "ctr_log", "rows": ROWS, "chunk_rows": 600, "sample": 250, "min_count": 5, "buckets": 20}
    student = {"kind": "light_ctr", "inherit": "compressed", "embedding": 2, "most_ids": 30, "buckets": 10, **FEW}
    return {
        **parameters,
        "source": source,
        "validation": {"drift": False, "max_shared_rows": 1.0},
        "teacher": {"kind": "deepfm", "embedding": 4, **FEW},
        "baseline": {"kind": "lightgbm", "trees": 5, "threads": 1},
        "soft_labels": {"folds": 2},
        "students": [student],
    }


def test_a_log_ends_in_a_student_that_scores_files(run, log, tracking, tmp_path):
    """The report says what rests on which rows; a second run takes training from cache."""
    record = run(log)
    assert record.status == "completed"
    folder = tmp_path / "reports" / log["scenario"]
    report = json.loads((folder / "report.json").read_text())
    data, cards = report["data"], {card["role"]: card for card in report["scorecards"]["cards"]}
    assert sum(data["rows"].values()) == data["log"]["rows"] == ROWS
    assert data["held"] == {"train": 250, "valid": 250, "test": 250}
    for role in ("teacher", "student", "control", "baseline"):
        assert cards[role]["whole"]["rows"] == data["rows"]["test"] > cards[role]["rows"] == 250
    assert "lightgbm" in " ".join(report["sampled"])
    assert report["inherited"][0]["took"]["got"] == "compressed"
    said = {finding["code"] for finding in report["findings"]}
    assert {"measured_on_sample", "sampled"} <= said
    assert "All test rows" in (folder / "report.md").read_text()

    experiment = tracking.get_experiment_by_name(log["scenario"])
    (parent,) = [r for r in tracking.search_runs([experiment.experiment_id]) if r.info.run_name == record.name]
    assert parent.data.metrics["whole.auc_roc"] == pytest.approx(cards["student"]["whole"]["auc_roc"])
    again = run(log)
    cached = {name for name, step in again.steps.items() if step.status == ExecutionStatus.CACHED}
    assert {"train_teacher", "generate_soft_labels", "train_student_light_ctr", "train_control_light_ctr"} <= cached

    rows = CtrLogSpec(rows=900, seed=1).load(0).frame
    rows.to_parquet(tmp_path / "rows.parquet")
    output = tmp_path / "scores.parquet"
    config = {"scenario": log["scenario"], "input": str(tmp_path / "rows.parquet"), "output": str(output)}
    score_pipeline(**config)
    scores = pd.read_parquet(output)
    assert len(scores) == 900
    assert scores["probability_1"].between(0, 1).all()
