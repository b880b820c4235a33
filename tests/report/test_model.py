"""The report's facts, warnings and files."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distillery.data import Table
from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.data.table import SPLITS
from distillery.distillation import SoftLabels
from distillery.report.model import DataFacts, Report, SearchFacts, SoftLabelFacts
from distillery.students import LogisticRegressionSpec, Trial

Make = Callable[..., Report]


@pytest.fixture
def table() -> Table:
    rng = np.random.default_rng(0)
    raw = pd.DataFrame({"x": rng.normal(size=100), "y": np.resize(["a", "b", "b", "b"], 100)})
    return build_table(raw, Roles("y"), SplitSpec(), seed=0)


def test_the_table_is_counted(table: Table) -> None:
    """Rows and class shares per split, in class order."""
    facts = DataFacts.of(table)
    assert facts.rows == {"train": 60, "valid": 15, "test": 25}
    assert facts.digest == table.digest
    assert facts.classes["train"] == pytest.approx((0.25, 0.75), abs=0.01)
    assert all(sum(shares) == pytest.approx(1) for shares in facts.classes.values())


@pytest.mark.parametrize(("method", "folds"), [("cross_fitted", 3), ("in_sample", None)])
def test_soft_labels_are_scored_on_the_hard_ones(table: Table, method: Any, folds: int | None) -> None:
    """A teacher that says half and half has log 2 nats per row."""
    logits = {name: np.full((n, 2), np.log(0.5), np.float32) for name, n in table.counts.items()}
    fold = np.resize(np.arange(3), 60) if folds else np.full(60, -1)
    facts = SoftLabelFacts.of(SoftLabels({name: logits[name] for name in SPLITS}, fold, method), table)
    assert (facts.method, facts.folds) == (method, folds)
    assert facts.train_log_loss == pytest.approx(np.log(2))


def test_the_trials_of_a_search_are_ranked() -> None:
    """The best first, the earlier of equals before the later; what could not be trained comes last."""
    losses = (0.5, None, 0.4, 0.4)
    trials = tuple(Trial(number=i, params={"alpha": i / 4}, valid_log_loss=loss) for i, loss in enumerate(losses))
    student = SimpleNamespace(trials=trials, spec=LogisticRegressionSpec(name="small"))
    facts = SearchFacts.of(student)  # type: ignore[arg-type]  # all it looks at
    assert (facts.name, facts.chosen) == ("small", 2)
    assert [trial.number for trial in facts.trials] == [2, 3, 0, 1]


def test_a_report_survives_json(report: Make) -> None:
    """Every figure comes back."""
    one = report(classes=(0, 1, 2))
    assert Report.model_validate_json(one.model_dump_json()) == one
