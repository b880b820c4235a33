"""Scorecards of several targets: each is measured as if it were the only one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from distillery.data.schema import Task
from distillery.data.targets import Joint
from distillery.evaluation import METRICS, Entry, EvaluationSpec, Scorecards, evaluate_models

SPEC = EvaluationSpec(replicates=30, cost=False, importance=False, slices=False)
N = 120
FUNNEL = Joint.of(["click", "conversion"], funnel=True)


def answers(seed: int) -> np.ndarray:
    """Draw probabilities of three classes that know a little."""
    logits = np.random.default_rng(seed).normal(size=(N, 3)) + 2 * np.eye(3)[labels()]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def labels() -> np.ndarray:
    return np.arange(N) * 7 % 3


def entries(proba: dict[str, np.ndarray]) -> list[Entry]:
    roles: dict[str, Any] = {"big": "teacher", "small": "student", "alone": "control"}
    return [
        Entry(name="small" if n == "alone" else n, role=roles[n], kind="toy", label=n, proba=proba[n]) for n in roles
    ]


def measured(proba: dict[str, np.ndarray], y: np.ndarray, classes: Any, tasks: tuple[Task, ...] = ()) -> Scorecards:
    return evaluate_models(
        entries(proba),
        y=y,
        features=pd.DataFrame({"a": np.zeros(N)}),
        weights=np.linspace(1, 2, N),
        groups=np.arange(N) // 3,
        spec=SPEC,
        seed=0,
        scenario="toy",
        classes=classes,
        tasks=tasks,
    )


@pytest.fixture(scope="module")
def proba() -> dict[str, np.ndarray]:
    return {"big": answers(1), "small": answers(2), "alone": answers(3)}


def test_each_target_is_measured_as_if_it_were_alone(proba: dict[str, np.ndarray]) -> None:
    """Its own two-class quality, retention, lift and differences, on the same resamples."""
    joint = measured(proba, labels(), FUNNEL.classes, FUNNEL.tasks)
    for t, task in enumerate(FUNNEL.tasks):
        own = {name: p[:, t + 1 :].sum(axis=1) for name, p in proba.items()}
        alone = measured(
            {n: np.column_stack([1 - p, p]) for n, p in own.items()}, (labels() > t).astype(int), ("no", "yes")
        )
        for card, expected in zip(joint.cards, alone.cards, strict=True):
            score = card.targets[task.name]
            assert score.quality == expected.quality
            assert score.retention == expected.retention
            assert score.versus_teacher == expected.versus_teacher
            assert score.lift == expected.lift


def test_the_classes_are_measured_as_before(proba: dict[str, np.ndarray]) -> None:
    """Targets come on top."""
    with_targets = measured(proba, labels(), FUNNEL.classes, FUNNEL.tasks)
    without = measured(proba, labels(), FUNNEL.classes)
    assert [card.targets for card in without.cards] == [{}, {}, {}]
    assert [c.model_copy(update={"targets": {}}) for c in with_targets.cards] == list(without.cards)
    assert Scorecards.model_validate_json(with_targets.model_dump_json()) == with_targets


def test_a_tracker_is_told_of_each_target(proba: dict[str, np.ndarray]) -> None:
    """Under its name, with what a tracker cannot take replaced."""
    tasks = (FUNNEL.tasks[0], FUNNEL.tasks[1].model_copy(update={"name": "bought? (30 %)"}))
    teacher, student, _ = measured(proba, labels(), FUNNEL.classes, tasks).cards
    told = student.metrics()
    assert told["test.click.auc_roc"] == student.targets["click"].quality.metrics["auc_roc"].value
    ratio = student.targets["click"].quality.calibration_ratio
    assert [told[f"test.click.calibration_ratio{end}"] for end in ("", "_low", "_high")] == [
        ratio.value,
        ratio.low,
        ratio.high,
    ]
    assert told["retention.click.auc_roc"] == student.targets["click"].retention["auc_roc"].value
    assert told["lift.click.log_loss"] == student.targets["click"].lift["log_loss"].difference.value
    assert {f"test.bought___30___.{name}" for name in METRICS} <= set(told)
    assert not any(name.startswith(("retention.click", "lift.click")) for name in teacher.metrics())
