"""What a model costs to keep and to run, preprocessing included.

Measured on the file that is deployed, from raw columns, through ONNX Runtime on one thread; beside it
through the model's own ``predict_proba`` on raw frames. Where there is no such file the latter stands for both.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, final

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from distillery.data.model import Model, saved_bytes
from distillery.errors import InputError
from distillery.export import OnnxModel
from distillery.peak_memory import peak_memory

BATCH_ROWS = 10_000
LATENCY_CALLS, LATENCY_SECONDS = 300, 1.5
WARM_UP_CALLS, WARM_UP_SECONDS = 10, 0.3
BATCH_REPEATS, BATCH_SECONDS = 3, 10.0


@final
@dataclass(frozen=True)
class CostInfo:
    """What a cost is called and means.

    Attributes:
        name: its key, as in ``cost.<name>``.
        title: its heading in a table.
        bigger_is_better: True of throughput only.
        unit: what it is counted in.
        definition: one sentence.
    """

    name: str
    title: str
    bigger_is_better: bool
    unit: str
    definition: str


COSTS: dict[str, CostInfo] = {
    c.name: c
    for c in (
        CostInfo(
            "params",
            "Parameters",
            False,
            "numbers",
            "All fitted numbers needed to predict, those of the preprocessing included; of a tree its split"
            " features, thresholds and leaf values. Unknown of a ready-made teacher.",
        ),
        CostInfo(
            "table_params",
            "Parameters in tables",
            False,
            "numbers",
            "Those of the parameters that are looked up by category: embeddings, and first-order weights.",
        ),
        CostInfo("network_params", "Other parameters", False, "numbers", "All parameters but those in tables."),
        CostInfo(
            "learnable_params",
            "Learnable parameters",
            False,
            "numbers",
            "The parameters found by gradient descent or boosting, without the preprocessing's.",
        ),
        CostInfo(
            "flops_per_row",
            "FLOPs per row",
            False,
            "operations",
            "Floating point operations to predict one row, averaged over rows; of trees the comparisons along"
            " the path and the additions. Unknown of a ready-made teacher.",
        ),
        CostInfo("bytes", "Size", False, "bytes", "Size of the deployed file; without one, of all its files."),
        CostInfo(
            "peak_memory_bytes",
            "Peak memory",
            False,
            "bytes",
            "Most resident memory above the start while the deployed file first predicts a batch of up to"
            f" {BATCH_ROWS:,} rows; measured on Linux only.",
        ),
        CostInfo(
            "latency_p50_us",
            "Latency, median",
            False,
            "microseconds",
            f"Median time of the deployed file to predict one raw row after warm-up, over up to {LATENCY_CALLS} calls"
            " on one thread.",
        ),
        CostInfo(
            "latency_p99_us",
            "Latency, p99",
            False,
            "microseconds",
            "99th percentile of these times.",
        ),
        CostInfo(
            "rows_per_second",
            "Throughput",
            True,
            "rows per second",
            f"Rows the deployed file predicts per second in a batch of up to {BATCH_ROWS:,} raw rows on one thread,"
            f" the best of {BATCH_REPEATS} after a warm-up.",
        ),
        CostInfo(
            "native_latency_p50_us",
            "Latency in Python, median",
            False,
            "microseconds",
            "Median time of the fitted model's own predict_proba on a frame of one raw row, on as many threads as"
            " it takes.",
        ),
        CostInfo(
            "native_rows_per_second",
            "Throughput in Python",
            True,
            "rows per second",
            "Rows per second through the fitted model's own predict_proba, in the same batch.",
        ),
        CostInfo("raw_columns", "Raw columns", False, "columns", "Raw columns a row must bring to be predicted."),
    )
}

COMPRESSED = ("params", "flops_per_row", "bytes", "latency_p50_us", "raw_columns")


class Cost(BaseModel):
    """The costs of one model; `COSTS` says what each is and its unit.

    Attributes:
        runtime: what latency, throughput and memory were measured through: ``onnx``, the deployed file,
            or ``python`` where there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    runtime: Literal["onnx", "python"] = "python"
    params: int | None
    table_params: int | None = None
    network_params: int | None = None
    learnable_params: int | None
    flops_per_row: float | None
    bytes: int
    peak_memory_bytes: int | None
    latency_p50_us: float
    latency_p99_us: float
    rows_per_second: float
    native_latency_p50_us: float
    native_rows_per_second: float
    raw_columns: int


def measure_cost(model: Model, frame: pd.DataFrame, deployed: OnnxModel | None = None) -> Cost:
    """Measure a model on raw rows; takes a few seconds at most unless one call takes longer.

    Args:
        model: as it was fitted.
        frame: raw rows ``(n >= 1, d)``; up to 10,000 of them are used.
        deployed: its file.

    Raises:
        InputError: there are no rows.
    """
    if not len(frame):
        raise InputError(f"cost must be measured on at least one row, got a frame of shape {frame.shape}")
    batch = frame.iloc[:BATCH_ROWS]
    singles = [batch.iloc[[i]] for i in range(min(len(batch), 50))]
    native = Speed.of(model.predict_proba, singles, batch, len(batch))
    speed = native
    if deployed is not None:
        deployed = OnnxModel(deployed.content)  # whose runtime holds no memory of earlier batches
        speed = Speed.of(deployed.run, [deployed.feeds(one) for one in singles], deployed.feeds(batch), len(batch))
    count, flops = model.parameter_count(), model.flops_per_row(batch)
    return Cost(
        runtime="python" if deployed is None else "onnx",
        params=None if count is None else count.total,
        table_params=None if count is None else count.tables,
        network_params=None if count is None else count.total - count.tables,
        learnable_params=None if count is None else count.learnable,
        flops_per_row=None if flops is None else float(flops),
        bytes=saved_bytes(model) if deployed is None else len(deployed.content),
        peak_memory_bytes=speed.peak_memory_bytes,
        latency_p50_us=speed.p50_us,
        latency_p99_us=speed.p99_us,
        rows_per_second=speed.rows_per_second,
        native_latency_p50_us=native.p50_us,
        native_rows_per_second=native.rows_per_second,
        raw_columns=len(model.schema.inputs.columns),
    )


X = TypeVar("X")


@final
@dataclass(frozen=True)
class Speed:
    """How fast something predicts, and what memory it takes."""

    p50_us: float
    p99_us: float
    rows_per_second: float
    peak_memory_bytes: int | None

    @classmethod
    def of(cls, predict: Callable[[X], object], singles: Sequence[X], batch: X, rows: int) -> Speed:
        """Time single rows, then a batch of so many rows."""
        # Latency first: it loads what loads lazily, which is no memory of the batch's.
        p50, p99 = np.percentile(_latencies_us(predict, singles), [50, 99])
        peak = _peak_memory_bytes(lambda: predict(batch))  # the batch's warm-up, too
        fastest = min(_timed(lambda: predict(batch), BATCH_REPEATS, BATCH_SECONDS))
        return cls(float(p50), float(p99), rows / fastest, peak)


def compression(student: Cost, teacher: Cost) -> dict[str, float]:
    """Return 1 - student / teacher per kind of cost; negative where the student costs more.

    A kind that is unknown of either, or that the teacher has none of, is left out; so is latency where
    only one of them runs in ONNX Runtime.
    """
    alike = student.runtime == teacher.runtime
    names = [name for name in COMPRESSED if alike or name != "latency_p50_us"]
    pairs = {name: (getattr(student, name), getattr(teacher, name)) for name in names}
    return {name: 1 - ours / theirs for name, (ours, theirs) in pairs.items() if ours is not None and theirs}


def _latencies_us(predict: Callable[[X], object], singles: Sequence[X]) -> np.ndarray:
    """Time single rows in microseconds, after warm-up."""
    rows = itertools.cycle(singles)

    def call() -> None:
        predict(next(rows))

    for _ in _timed(call, WARM_UP_CALLS, WARM_UP_SECONDS):
        pass
    return np.array(list(_timed(call, LATENCY_CALLS, LATENCY_SECONDS))) * 1e6


def _timed(call: Callable[[], object], calls: int, seconds: float) -> Iterator[float]:
    """Yield the seconds each call took, until either bound is reached; at least one call."""
    begin = time.perf_counter()
    for _ in range(calls):
        start = time.perf_counter()
        call()
        end = time.perf_counter()
        yield max(end - start, 1e-9)  # a clock too coarse to see the call must not give infinite speed
        if end - begin > seconds:
            return


def _peak_memory_bytes(call: Callable[[], object]) -> int | None:
    """Call once; return the most resident memory above the start, None where it cannot be known."""
    _release_free_memory()
    with peak_memory() as peak:
        call()
    return peak.rise_bytes


def _release_free_memory() -> None:
    """Hand freed memory back to the system; what the allocator keeps would hide the batch's needs."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
        if trim is not None:
            trim(0)
