"""Which split each row of a log belongs to, told chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa

from distillery.data.build import read_times
from distillery.data.log.reader import LogReader
from distillery.data.parts import SPLITS
from distillery.data.schema import as_text
from distillery.data.splits import SplitSpec, cut_blocks, read_splits
from distillery.errors import DataError

Splitter = Callable[[pa.Table], np.ndarray]
MOST_TIMES = 500_000  # points in time that are counted one by one
HASHES = 2.0**64


def splitter(reader: LogReader, spec: SplitSpec, *, seed: int) -> Splitter:
    """Return what tells the split of each row of a chunk ``(n,)``, as its place in `SPLITS`.

    By time the latest rows go into the test split, wherever they stand in the log; their order is looked up in a
    pass of its own. A log that has no clock but is in the order of time is cut by its rows' numbers. By group a
    group goes where its hash says.

    Args:
        reader: reads the log, and knows its roles.
        spec: shares, and what the split is by.
        seed: of random splits and of groups.

    Raises:
        DataError: the split is by a role that no column has, by time although there are groups, or there are too
            few points in time.
    """
    roles = reader.roles
    if reader.split is not None:
        return _ready(reader.split)
    in_time = roles.time is not None or reader.ordered
    by = spec.by if spec.by != "auto" else "time" if in_time else "group" if roles.group else "random"
    if by == "time" and roles.group is not None:
        raise DataError(
            f"a log with groups ({roles.group!r}) must not be split by time, which would cut them; set"
            " source.split.by to group, or leave out source.group"
        )
    if by == "time" and roles.time is None and reader.ordered:
        return _by_order(reader, spec)
    if by == "time":
        return _by_time(_named(roles.time, by), spec, reader)
    if by == "group":
        return _by_group(_named(roles.group, by), spec, seed)
    return _by_chance(spec, seed)


def _ready(name: str) -> Splitter:
    places = {split: i for i, split in enumerate(SPLITS)}
    return lambda chunk: read_splits(pd.Series(chunk[name].to_pandas(), name=name)).map(places).to_numpy(np.int64)


def _by_order(reader: LogReader, spec: SplitSpec) -> Splitter:
    total = sum(chunk.num_rows for chunk in reader.chunks([reader.roles.target]))
    borders, read = np.cumsum(spec.shares)[:2] * total, 0

    def of(chunk: pa.Table) -> np.ndarray:
        nonlocal read
        numbers = np.arange(read, read + chunk.num_rows)
        read += chunk.num_rows
        return np.searchsorted(borders, numbers, side="right")

    return of


def time_ranks(values: pa.ChunkedArray, name: str) -> np.ndarray:
    """Return points in time as numbers that sort alike ``(n,)``.

    Args:
        values: none is missing: the reader leaves such rows out.
        name: of their column.

    Raises:
        DataError: one is neither a number nor a date.
    """
    times = read_times(pd.Series(values.to_pandas(), name=name))
    dated = pd.api.types.is_datetime64_any_dtype(times.dtype)
    return times.to_numpy(np.int64 if dated else np.float64)


def _named(column: str | None, role: str) -> str:
    if column is None:
        raise DataError(f"split by {role} must know the {role} column, got none; set source.{role}")
    return column


def _by_time(name: str, spec: SplitSpec, reader: LogReader) -> Splitter:
    sizes = pd.Series(dtype=np.int64)
    for chunk in reader.chunks([name]):
        sizes = sizes.add(pd.Series(time_ranks(chunk[name], name)).value_counts(), fill_value=0)
        if len(sizes) > MOST_TIMES:
            sizes = _thinned(sizes)
    sizes = sizes.sort_index()
    splits = cut_blocks(sizes.to_numpy(np.int64), spec)
    first = [sizes.index[int(np.searchsorted(splits, k))] for k in (1, 2)]
    borders = np.array(first)
    return lambda chunk: np.searchsorted(borders, time_ranks(chunk[name], name), side="right")


def _thinned(sizes: pd.Series) -> pd.Series:
    """Count every two neighbouring points in time as the earlier of them."""
    ordered = sizes.sort_index()
    pair = np.arange(len(ordered)) // 2
    return ordered.groupby(pair).sum().set_axis(ordered.index[::2])


def _by_group(name: str, spec: SplitSpec, seed: int) -> Splitter:
    borders = np.cumsum(spec.shares)[:2]

    def of(chunk: pa.Table) -> np.ndarray:
        texts = as_text(pd.Series(chunk[name].to_pandas())).fillna("")
        hashed = pd.util.hash_pandas_object(texts, index=False, hash_key=f"{seed:016d}")
        return np.searchsorted(borders, hashed.to_numpy() / HASHES, side="right")

    return of


def _by_chance(spec: SplitSpec, seed: int) -> Splitter:
    borders, rng = np.cumsum(spec.shares)[:2], np.random.default_rng([seed, 1])
    return lambda chunk: np.searchsorted(borders, rng.random(chunk.num_rows), side="right")
