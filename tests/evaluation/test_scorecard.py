"""Scorecards: names, lookups, JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from distillery.errors import InputError
from distillery.evaluation import (
    METRICS,
    Agreement,
    Comparison,
    Cost,
    Estimate,
    Resamples,
    Scorecard,
    Scorecards,
    measure_quality,
)


@pytest.fixture
def card(case: Callable[..., Any]) -> Callable[..., Scorecard]:
    """Return a maker of scorecards that differ in what the test names."""
    y, proba = case(30, 2, 0)
    quality, _ = measure_quality(y, proba, Resamples.draw(30, 20, 0), 0.9)

    def make(role: str, name: str, **fields: Any) -> Scorecard:
        base = {"kind": "mlp", "label": f"{role} mlp", "rows": 30, "quality": quality}
        return Scorecard.model_validate({"role": role, "name": name} | base | fields)

    return make


@pytest.fixture
def full(card: Callable[..., Scorecard]) -> Scorecard:
    one = Estimate(value=0.9, low=0.8, high=1.0)
    return card(
        "student",
        "small",
        settings={"hidden": [64, 32], "lr": 0.1, "loss": None},
        valid_log_loss=0.4,
        agreement=Agreement(rate=0.9, disagreement=0.1, kl=0.02, spearman=None, intervals={"rate": one}),
        cost=Cost(
            params=5,
            learnable_params=4,
            flops_per_row=3.0,
            bytes=2,
            peak_memory_bytes=None,
            latency_p50_us=1.0,
            latency_p99_us=2.0,
            rows_per_second=10.0,
            native_latency_p50_us=99.0,
            native_rows_per_second=9.0,
            raw_columns=2,
        ),
        retention={"auc_roc": one},
        lift={"auc_roc": Comparison(difference=one, verdict="better")},
        compression={"params": 0.95},
    )


def test_metrics_have_the_documented_names(full: Scorecard) -> None:
    """Every group is there; what is None is not."""
    metrics = full.metrics()
    expected = {f"test.{name}{end}" for name in (*METRICS, "calibration_ratio") for end in ("", "_low", "_high")}
    expected |= {"valid.log_loss", "agreement.rate", "agreement.disagreement", "agreement.kl"}
    expected |= {
        "cost.params",
        "cost.learnable_params",
        "cost.flops_per_row",
        "cost.bytes",
        "cost.raw_columns",
    }
    expected |= {"cost.latency_p50_us", "cost.latency_p99_us", "cost.rows_per_second"}
    expected |= {"cost.native_latency_p50_us", "cost.native_rows_per_second"}
    expected |= {"compression.params", "retention.auc_roc", "lift.auc_roc"}
    assert set(metrics) == expected
    assert all(type(value) is float for value in metrics.values())
    assert metrics["cost.params"] == 5


def test_a_bare_card_has_its_quality_only(card: Callable[..., Scorecard]) -> None:
    """A teacher without costs gives the test metrics, under the same names."""
    assert {name.split(".")[0] for name in card("teacher", "t").metrics()} == {"test"}


def test_a_scorecard_survives_json(full: Scorecard) -> None:
    """What is written is read back, settings included."""
    assert Scorecard.model_validate_json(full.model_dump_json()) == full


def test_scorecards_are_found_by_role_and_name(card: Callable[..., Scorecard]) -> None:
    """Teacher, students, a student's control, and the staged model."""
    teacher, a, b = card("teacher", "big"), card("student", "a"), card("student", "b")
    control, staged = card("control", "a"), card("staged", "now")
    cards = Scorecards(
        scenario="toy",
        cards=(a, control, teacher, b, staged),
        classes=(False, True),
        confidence=0.9,
        replicates=20,
        seed=0,
    )
    assert cards.teacher is teacher
    assert cards.students == (a, b)
    assert cards.staged is staged
    assert cards.control_of("a") is control
    assert cards.control_of("b") is None
    assert cards.get("student", "b") is b
    assert Scorecards.model_validate_json(cards.model_dump_json()) == cards
    with pytest.raises(InputError, match=r"student must be one of those measured \('a', 'b'\), got 'c'"):
        cards.get("student", "c")
    with pytest.raises(InputError, match=r"baseline must be one of those measured \(none\), got 'c'"):
        cards.get("baseline", "c")


def test_there_may_be_no_staged_model(card: Callable[..., Scorecard]) -> None:
    """The first run of a scenario has none."""
    cards = Scorecards(
        scenario="toy",
        cards=(card("teacher", "big"),),
        classes=("no", "yes"),
        confidence=0.9,
        replicates=20,
        seed=0,
    )
    assert cards.staged is None
    assert cards.students == ()


def test_a_scorecard_cannot_be_changed(full: Scorecard) -> None:
    """Measured is measured."""
    with pytest.raises(ValidationError, match="frozen"):
        full.rows = 1
