"""Reports of real small runs whose tables are odd: they are written whole, in both languages."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distillery.config import DistillConfig
from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.data.validation import ValidationReport
from distillery.evaluation.entries import gathered, predicted
from distillery.library.memory import distil_table, score_on_test, student_entry, teacher_entry
from distillery.promotion import StagedModel, judge
from distillery.report.build import build_report
from distillery.report.illustrate import illustrate
from distillery.report.model import Origin
from distillery.report.render import IllustratedReport, to_html, to_markdown
from distillery.report.scene import Scene
from distillery.report.spec import ReportSpec

QUICK: dict[str, Any] = {
    "teacher": {"kind": "xgboost", "trees": 8, "threads": 1},
    "soft_labels": {"method": "in_sample"},
    "students": [{"kind": "mlp", "epochs": 2, "widths": [4], "augment": None}],
    "evaluation": {"replicates": 20, "cost": False},
}
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")


def report_of(frame: pd.DataFrame, **config: Any) -> IllustratedReport:
    """Distil the frame's column ``y`` and report on it."""
    table = build_table(frame, Roles("y"), SplitSpec(), seed=0)
    parsed = DistillConfig.parse({"scenario": "odd", **QUICK, **config})
    run = distil_table(table, parsed)
    teacher = teacher_entry(run.teacher, run.soft_labels.proba("valid"), export=False)
    cards = score_on_test(teacher, run.students, run.controls, table=table, config=parsed)
    models = [student_entry("student", s) for s in run.students] + [student_entry("control", c) for c in run.controls]
    test = table.rows("test")
    entries = predicted([teacher, *models], test.features)
    predictions = gathered(entries, test.features, test.labels, test.weights, table.schema.n_classes)
    report = build_report(
        scenario="odd",
        table=table,
        validation=ValidationReport(results=(), rows=len(frame), columns=len(frame.columns)),
        soft_labels=run.soft_labels,
        ready_made="",
        scorecards=cards,
        verdict=judge(cards, parsed.gates, StagedModel()),
        teacher=run.teacher,
        students=run.students,
        controls=run.controls,
        origin=Origin(created="2026-01-01T00:00", run="r", git_commit=None, versions={}, settings={}),
        spec=ReportSpec(),
    )
    students = {student.spec.title: student for student in run.students}
    return illustrate(Scene(report, table, predictions, run.soft_labels, run.teacher, students), ReportSpec())


def numbers(n: int, d: int, classes: tuple[Any, ...] = ("no", "yes")) -> pd.DataFrame:
    """Numbers the target depends on."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n, d)), columns=[f"x{i}" for i in range(d)])
    rank = (frame.x0 + rng.normal(scale=0.3, size=n)).rank(pct=True, method="first")
    return frame.assign(y=np.array(classes, dtype=object)[((rank - 1e-9) * len(classes)).astype(int)])


def texts(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"city": rng.choice(["Oslo", "利马", None], n), "plan": rng.choice(["a|b", "<i>c</i>"], n)})
    return frame.assign(y=np.where(rng.random(n) < np.where(frame.city == "Oslo", 0.8, 0.2), "yes", "no"))


def constant(n: int) -> pd.DataFrame:
    """Nothing can be learned."""
    frame = numbers(n, 2)
    return frame.assign(y=np.random.default_rng(1).permutation(frame["y"]))


ODD = {
    "no numeric column": (texts(400), {}),
    "one column": (numbers(400, 1), {}),
    "26 classes": (numbers(1600, 3, LETTERS), {}),
    "20 test rows": (numbers(80, 3), {}),
    "nothing to learn": (constant(300), {"students": [{"kind": "decision_tree", "max_leaves": 2}]}),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_table_is_reported_on(name: str) -> None:
    """Every file is there and whole; what must be known is said first."""
    frame, config = ODD[name]
    one = report_of(frame, **config)
    report = one.report
    assert {"report.md", "report.html", "report.json", "model_card.md"} <= set(one.files)
    assert len(one.drawings) >= 5
    assert json.loads(one.files["report.json"])["scenario"] == "odd"
    assert "few_rows" in {finding.code for finding in report.findings}  # all these test splits are small
    for card in report.scorecards.cards:
        auc = card.quality.metrics["auc_roc"]
        assert auc.low is not None
        assert auc.high is not None
        if name == "20 test rows" and card.role == "student":
            assert auc.high - auc.low > 0.05, "wide"
    chinese = report.model_copy(update={"language": "zh"})
    assert "裁定" in to_markdown(chinese)
    assert "<i>c</i>" not in to_html(chinese)


KNOWS_NOTHING = {"kind": "xgboost", "trees": 1, "depth": 1, "learning_rate": 1e-9}


@pytest.mark.parametrize(
    ("config", "role"),
    [
        ({"students": [{"kind": "logistic_regression", "c": 1e-300}]}, "student"),
        ({"teacher": KNOWS_NOTHING}, "teacher"),
    ],
    ids=["student", "teacher"],
)
def test_the_one_that_is_constant_is_named(config: dict[str, Any], role: str) -> None:
    """Ranks are undefined either way; only the one that gives every row the same probability is told of."""
    report = report_of(numbers(300, 2), **config).report
    said = [finding for finding in report.findings if finding.code == "constant"]
    assert [(one.severity, one.values["role"]) for one in said] == [("warning", role)]
    assert said[0].text.startswith(f"The {role} ")
    assert {c.role for c in (report.teacher, report.focus) if c.quality.constant} == {role}
    assert report.focus.agreement is not None
    assert report.focus.agreement.spearman is None
