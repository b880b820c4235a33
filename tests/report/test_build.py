"""What is gathered from a run."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from distillery.report.build import _sampled
from distillery.report.model import Report
from distillery.students import LogisticRegressionSpec, MLPSpec
from distillery.teachers import DeepFMSpec, LightGBMSpec, XGBoostSpec

ALL = {"train": 900, "valid": 90, "test": 90}


@pytest.mark.parametrize(
    ("spec", "held", "named"),
    [
        (XGBoostSpec(), 100, ("xgboost", "regular teacher big", "baseline lightgbm")),
        (DeepFMSpec(), 100, ("baseline lightgbm",)),
        (XGBoostSpec(), 900, ()),
    ],
)
def test_whatever_learnt_from_a_sample_is_named(
    spec: Any, held: int, named: tuple[str, ...], report: Callable[..., Report]
) -> None:
    """Baseline and regular teacher too; networks read the rows on disk."""
    cards, base = report().scorecards, report().scorecards.cards[0]
    beside = [
        base.model_copy(update={"role": role, "name": name, "label": f"{role.replace('_', ' ')} {name}"})
        for role, name in (("regular_teacher", "big"), ("baseline", "lightgbm"))
    ]
    cards = cards.model_copy(update={"cards": (*cards.cards, *beside)})
    table: Any = SimpleNamespace(held={**ALL, "train": held}, counts=ALL)
    teacher: Any = SimpleNamespace(spec=spec)
    students: Any = [SimpleNamespace(spec=MLPSpec()), SimpleNamespace(spec=LogisticRegressionSpec())]
    streamed = {"mlp": MLPSpec.streams, "logistic_regression": LogisticRegressionSpec.streams}
    alone = tuple(name for name, streams in streamed.items() if not streams and held < 900)
    found = _sampled(table, teacher, students, LightGBMSpec(), cards)
    assert sorted(found) == sorted((*named, *alone))
