"""Counts of values over chunks: exact as long as they fit, short by a known bound beyond."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from distillery.data.log import NumberStats, ValueCounts


def counted(values: np.ndarray | list[str | None], *, limit: int = 1_000_000, chunk: int = 997) -> ValueCounts:
    counts = ValueCounts(limit)
    for start in range(0, len(values), chunk):
        counts.add(pa.array(values[start : start + chunk], pa.string()).dictionary_encode())
    return counts


def zipf(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).zipf(1.3, n).clip(max=10**6).astype(str).astype(object)


@pytest.mark.parametrize("chunk", [10, 997, 10_000])
def test_counts_are_those_of_pandas(chunk: int) -> None:
    """Whatever the chunks; ties in the order of the values."""
    values = zipf(10_000)
    values[::50] = None
    counts, expected = counted(values, chunk=chunk), pd.Series(values).value_counts()
    assert dict(counts.most_common(10**6)) == expected.to_dict()
    assert (counts.total, counts.missing, counts.distinct) == (expected.sum(), 200, len(expected))
    assert counts.exact
    assert counts.short_by == 0
    common = sorted(expected.items(), key=lambda pair: (-pair[1], pair[0]))
    assert counts.most_common(20) == common[:20]


def test_a_vocabulary_holds_frequent_values_in_order() -> None:
    """Those with enough rows, at most so many; the most frequent are kept."""
    counts = counted(["b"] * 3 + ["a"] * 2 + ["c"] * 2 + ["d"])
    assert counts.vocabulary(min_count=2, most=10) == ["a", "b", "c"]
    assert counts.vocabulary(min_count=1, most=2) == ["a", "b"]
    assert counts.vocabulary(min_count=9, most=2) == []


@pytest.mark.parametrize("limit", [20, 200])
def test_lossy_counts_are_short_by_no_more_than_their_bound(limit: int) -> None:
    """No count is too high; every value more frequent than ε N is there; memory stays near the limit."""
    values = zipf(30_000, seed=limit)
    counts, true = counted(values, limit=limit, chunk=100), pd.Series(values).value_counts()
    found = dict(counts.most_common(10**6))
    bound = counts.short_by
    assert not counts.exact
    assert bound == int(np.ceil(counts.total / limit))
    assert all(0 <= true[value] - n <= bound for value, n in found.items())
    assert set(true.index[true > bound]) <= set(found)
    assert len(found) < limit * np.log(counts.total / limit) < len(true)
    assert len(found) < counts.distinct <= len(true)


def test_a_column_of_row_numbers_looks_unique() -> None:
    """While counts are exact and after; a frequent id does not."""
    numbers = np.arange(5_000).astype(str).astype(object)
    assert counted(numbers).looks_unique
    assert counted(numbers, limit=500, chunk=100).looks_unique
    assert not counted(zipf(5_000)).looks_unique
    assert not counted(zipf(5_000), limit=500, chunk=100).looks_unique
    assert not ValueCounts().looks_unique


def test_numbers_have_a_range() -> None:
    """Over all chunks; missing values are counted apart, one fraction makes them no whole numbers."""
    stats = NumberStats()
    for values in ([3.0, None], [None, None], [-2.0, 7.0]):
        stats.add(pa.chunked_array([pa.array(values, pa.float64())]))
    assert (stats.lower, stats.upper, stats.total, stats.missing, stats.integer) == (-2.0, 7.0, 3, 3, True)
    stats.add(pa.array([0.5]))
    assert not stats.integer
