from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from distillery.config import DistillConfig
from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.library import measure, score, teacher_entry
from tests.library.conftest import TEACHER


def test_a_table_is_distilled_and_measured_in_one_call(frame):
    """Every model on the test rows, groups resampled as one, beside what the training rows' class shares get."""
    table = build_table(frame, Roles(target="late", group="day"), SplitSpec(), seed=0)
    evaluation = {"replicates": 20, "cost": False}
    config = DistillConfig.parse(
        {"teacher": TEACHER, "students": [{"kind": "decision_tree"}], "evaluation": evaluation}
    )
    told: list[str] = []
    outcome, cards = measure(table, config, progress=told.append)
    assert [card.label for card in cards.cards] == ["teacher xgboost", "student decision_tree", "control decision_tree"]
    assert [line.split(" fitted")[0] for line in told[-2:]] == [card.label for card in cards.cards[1:]]
    test, shares = table.rows("test"), table.rows("train").class_shares(2)
    losses = [log_loss(test.labels, m.predict_proba(test.features)) for m in (outcome.teacher, *outcome.students)]
    assert [card.quality.metrics["log_loss"].value for card in cards.cards[:2]] == pytest.approx(losses)
    assert cards.prior_log_loss == pytest.approx(log_loss(test.labels, np.tile(shares, (len(test), 1))))
    models = teacher_entry(outcome.teacher), outcome.students, outcome.controls
    days = {"rows": test, "classes": table.schema.classes, "config": config, "groups": table.groups("test")}
    assert score(*models, **days).teacher.quality == cards.teacher.quality


def test_several_targets_are_measured_one_by_one():
    """As in the pipeline."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    click = (x + rng.normal(size=300) > 0).astype(int)
    raw = pd.DataFrame({"x": x, "click": click, "sale": click * rng.integers(0, 2, 300)})
    table = build_table(raw, Roles(targets=("click", "sale")), SplitSpec(), seed=0)
    evaluation = {"replicates": 20, "cost": False, "importance": False}
    config = DistillConfig.parse(
        {"teacher": TEACHER, "students": [{"kind": "decision_tree"}], "evaluation": evaluation}
    )
    assert [list(card.targets) for card in measure(table, config)[1].cards] == [["click", "sale"]] * 3
