"""Costs of a model whose every cost is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distillery.errors import InputError
from distillery.evaluation import COSTS, Cost, compression, cost, measure_cost


@pytest.fixture(autouse=True)
def _few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "LATENCY_CALLS", 20)


def made_cost(**changes: Any) -> Cost:
    base: dict[str, Any] = {
        "params": 100,
        "learnable_params": 80,
        "flops_per_row": 200.0,
        "bytes": 1000,
        "peak_memory_bytes": None,
        "latency_p50_us": 50.0,
        "latency_p99_us": 90.0,
        "rows_per_second": 1e6,
        "native_latency_p50_us": 900.0,
        "native_rows_per_second": 1e4,
        "raw_columns": 10,
    }
    return Cost(**base | changes)


def test_counts_are_the_models_own(fake_model: Callable[..., Any], features: pd.DataFrame) -> None:
    """Parameters, FLOPs, file sizes and raw columns are counted, not timed."""
    measured = measure_cost(fake_model(), features)
    assert (measured.params, measured.learnable_params) == (50, 40)
    assert (measured.table_params, measured.network_params) == (0, 50)
    assert measured.flops_per_row == 7
    assert measured.bytes == 100
    assert measured.raw_columns == 2


def test_what_is_only_known_by_its_answers_has_no_counts(
    fake_model: Callable[..., Any], features: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its parameters and operations are unknown, not zero; its files are weighed where they lie."""
    model = fake_model()
    monkeypatch.setattr(model, "parameter_count", lambda: None)
    monkeypatch.setattr(model, "flops_per_row", lambda _: None)
    model.bytes_elsewhere = 5000
    measured = measure_cost(model, features)
    assert (measured.params, measured.learnable_params, measured.flops_per_row) == (None, None, None)
    assert (measured.table_params, measured.network_params) == (None, None)
    assert measured.bytes == 5100


def test_times_are_positive_and_ordered(fake_model: Callable[..., Any], features: pd.DataFrame) -> None:
    """The median is not above the 99th percentile; there is some throughput."""
    measured = measure_cost(fake_model(), features)
    assert 0 < measured.latency_p50_us <= measured.latency_p99_us
    assert 0 < measured.rows_per_second < float("inf")


def test_calls_are_bounded_by_count(fake_model: Callable[..., Any], features: pd.DataFrame) -> None:
    """Ten single rows to warm up, twenty timed; one batch for memory, three timed."""
    model = fake_model()
    measure_cost(model, features)
    assert model.batches == [1] * 30 + [60] * 4


def test_calls_are_bounded_by_time(
    fake_model: Callable[..., Any], features: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model slower than the time allowed is called once per measurement."""
    for bound in ("WARM_UP_SECONDS", "LATENCY_SECONDS", "BATCH_SECONDS"):
        monkeypatch.setattr(cost, bound, 0.0)
    model = fake_model()
    measure_cost(model, features)
    assert model.batches == [1, 1, 60, 60]


def test_a_batch_is_bounded_in_rows(
    fake_model: Callable[..., Any], features: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more rows than a batch holds, the first are used."""
    monkeypatch.setattr(cost, "BATCH_ROWS", 25)
    model = fake_model()
    measure_cost(model, features)
    assert max(model.batches) == 25


def test_peak_memory_sees_what_the_batch_needs() -> None:
    """Sixty-four megabytes touched and freed again are found, to within a few."""
    found = cost._peak_memory_bytes(lambda: np.ones(8_000_000).sum())
    if found is None:
        pytest.skip("this system does not tell the peak of resident memory")
    assert 55e6 < found < 90e6


def test_peak_memory_is_unknown_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere than on Linux there is nothing to read: None, and the call is still made."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(Path, "write_text", refuse)
    monkeypatch.setattr(Path, "read_text", refuse)
    calls: list[int] = []
    assert cost._peak_memory_bytes(lambda: calls.append(1)) is None
    assert calls == [1]


def test_every_cost_is_described() -> None:
    """The table has an entry for each field, with unit and definition."""
    assert ["runtime", *COSTS] == list(Cost.model_fields)
    assert all(name == info.name and info.unit and info.definition.endswith(".") for name, info in COSTS.items())
    assert [name for name, info in COSTS.items() if info.bigger_is_better] == [
        "rows_per_second",
        "native_rows_per_second",
    ]


def test_compression_is_the_share_saved() -> None:
    """A tenth of the parameters saves 0.9; double the bytes saves -1; equal columns save 0."""
    saved = compression(made_cost(params=10, bytes=2000, latency_p50_us=25.0), made_cost())
    expected = {"params": 0.9, "flops_per_row": 0, "bytes": -1, "latency_p50_us": 0.5, "raw_columns": 0}
    assert saved == pytest.approx(expected)


def test_compression_over_nothing_is_left_out() -> None:
    """A teacher without FLOPs leaves no share to save."""
    assert "flops_per_row" not in compression(made_cost(), made_cost(flops_per_row=0.0))


@pytest.mark.parametrize("unknown_of", ["student", "teacher"])
def test_compression_of_the_unknown_is_left_out(unknown_of: str) -> None:
    """Nothing is said of a kind that either is not known by."""
    unknown = made_cost(params=None, flops_per_row=None)
    pair = (unknown, made_cost()) if unknown_of == "student" else (made_cost(), unknown)
    assert set(compression(*pair)) == {"bytes", "latency_p50_us", "raw_columns"}


def test_no_rows_are_refused(fake_model: Callable[..., Any], features: pd.DataFrame) -> None:
    """There is nothing to time."""
    with pytest.raises(InputError, match=r"at least one row, got a frame of shape \(0, 2\)"):
        measure_cost(fake_model(), features.iloc[:0])


def test_what_runs_elsewhere_is_not_compared_in_time() -> None:
    """Latency in Python against latency in ONNX Runtime would say more of the runtimes than of the models."""
    found = compression(made_cost(runtime="onnx"), made_cost(runtime="python", latency_p50_us=5000.0))
    assert "latency_p50_us" not in found
    assert "bytes" in found
