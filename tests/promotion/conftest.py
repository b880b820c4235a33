"""Hand-made scorecards: what a test does not name is good enough for every gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from distillery.evaluation import METRICS, Agreement, Comparison, Cost, Estimate, Quality, Scorecard, Scorecards
from distillery.export import Parity


def make_estimate(value: float | None, width: float = 0.01) -> Estimate:
    ends = (None, None) if value is None else (value - width, value + width)
    return Estimate(value=value, low=ends[0], high=ends[1])


def make_comparison(value: float | None, verdict: str) -> Comparison:
    return Comparison.model_validate({"difference": make_estimate(value), "verdict": verdict})


def make_cost(**changes: Any) -> Cost:
    base = {
        "params": 1000,
        "learnable_params": 900,
        "flops_per_row": 2000.0,
        "bytes": 10_000,
        "peak_memory_bytes": None,
        "latency_p50_us": 100.0,
        "latency_p99_us": 200.0,
        "rows_per_second": 1e5,
        "native_latency_p50_us": 900.0,
        "native_rows_per_second": 1e4,
        "raw_columns": 20,
    }
    return Cost.model_validate(base | changes)


def make_card(role: str, name: str, *, loss: float | None = 0.4, **fields: Any) -> Scorecard:
    metrics = dict.fromkeys(METRICS, make_estimate(0.7)) | {"log_loss": make_estimate(loss)}
    base: dict[str, Any] = {"kind": "mlp", "label": f"{role} {name}", "rows": 5000}
    sure = Estimate(value=0.001, low=-0.002, high=0.003)
    quality = Quality(metrics=metrics, per_class=(), overconfidence=sure)
    base |= {"quality": quality, "cost": make_cost(), "valid_log_loss": loss}
    if role == "student":
        base["agreement"] = Agreement(rate=0.95, disagreement=0.05, kl=0.01, spearman=0.9)
        base["retention"] = {"auc_roc": make_estimate(0.995)}
        base["parity"] = Parity(max_difference=2e-7, rows=1000, edge_rows=40)
        base["lift"] = {"log_loss": make_comparison(-0.02, "better")}
    return Scorecard.model_validate({"role": role, "name": name} | base | fields)


def make_cards(*students: Scorecard, staged: Scorecard | None = None, teacher: Scorecard | None = None) -> Scorecards:
    teacher = teacher or make_card("teacher", "big", cost=make_cost(bytes=1_000_000))
    rest = (staged,) if staged else ()
    return Scorecards(
        scenario="toy", cards=(teacher, *students, *rest), classes=(0, 1), confidence=0.95, replicates=200, seed=0
    )


@pytest.fixture
def card() -> Callable[..., Scorecard]:
    return make_card


@pytest.fixture
def cards() -> Callable[..., Scorecards]:
    return make_cards


@pytest.fixture
def cost() -> Callable[..., Cost]:
    return make_cost


@pytest.fixture
def estimate() -> Callable[..., Estimate]:
    return make_estimate


@pytest.fixture
def comparison() -> Callable[..., Comparison]:
    return make_comparison
