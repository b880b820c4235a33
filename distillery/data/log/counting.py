"""What the values of a column are, counted over chunks in bounded memory."""

from __future__ import annotations

import math
from typing import final

import pyarrow as pa
import pyarrow.compute as pc

MOST_DISTINCT = 1_000_000
UNIQUE_SHARE = 0.9


@final
class ValueCounts:
    """How often each text of a categorical column occurs.

    Exact up to ``limit`` different values. Beyond, lossy counting with ε = 1 / limit: rare values are forgotten
    from time to time, and no count is short by more than ε times the rows; Manku & Motwani (2002), "Approximate
    frequency counts over data streams", algorithm 4.2.

    Attributes:
        limit: 1 / ε.
        total: values seen, missing ones aside.
        missing: missing values seen.
        exact: whether nothing was forgotten.

    >>> counts = ValueCounts()
    >>> counts.add(pa.array(["a", "b", "a", None]))
    >>> counts.most_common(1), counts.vocabulary(min_count=1, most=10), counts.missing
    ([('a', 2)], ['a', 'b'], 1)
    """

    def __init__(self, limit: int = MOST_DISTINCT) -> None:
        self.limit, self.total, self.missing, self.exact = limit, 0, 0, True
        self._forgotten = 0  # no value forgotten had more rows: the paper's bucket number
        self._held = _no_counts()
        self._new: list[pa.Table] = []
        self._at_least = 0
        self._was_unique = False

    def add(self, values: pa.Array | pa.ChunkedArray) -> None:
        """Count some values."""
        gaps = values.null_count
        self.missing += gaps
        self.total += len(values) - gaps
        found = pc.value_counts(values.drop_null() if gaps else values)
        texts = found.field("values")
        if pa.types.is_dictionary(texts.type):
            texts = texts.dictionary_decode()
        # A value that is new may have been forgotten before, so often at most.
        slack = pa.repeat(pa.scalar(self._forgotten, pa.int64()), len(texts))
        self._new.append(pa.table({"value": texts.cast(pa.string()), "count": found.field("counts"), "slack": slack}))
        if sum(map(len, self._new)) >= max(len(self._held), self.limit // 8):
            self._merge()

    @property
    def distinct(self) -> int:
        """How many different values there are; at least so many, unless `exact`."""
        return max(len(self._counts), self._at_least)

    @property
    def short_by(self) -> int:
        """No count is short by more than so many rows; 0 when `exact`."""
        self._merge()
        return self._forgotten

    @property
    def looks_unique(self) -> bool:
        """Whether most values occur once, as a row number's do; judged as long as counts are exact."""
        counts = self._counts
        return self._was_unique if not self.exact else len(counts) > UNIQUE_SHARE * self.total > 0

    def most_common(self, n: int) -> list[tuple[str, int]]:
        """Return the ``n`` most frequent values with their counts; ties in the order of the values."""
        top = self._top(self._counts, n)
        return list(zip(top["value"].to_pylist(), top["count"].to_pylist(), strict=True))

    def vocabulary(self, *, min_count: int, most: int) -> list[str]:
        """Return the values that occur often enough, sorted.

        Args:
            min_count: fewest rows of a value; with counts that are short, some that just have them are missed.
            most: at most so many values, the most frequent.
        """
        counts = self._counts
        frequent = counts.filter(pc.greater_equal(counts["count"], min_count))
        texts: list[str] = self._top(frequent, most)["value"].to_pylist()
        return sorted(texts)

    @property
    def _counts(self) -> pa.Table:
        self._merge()
        return self._held

    def _top(self, counts: pa.Table, n: int) -> pa.Table:
        return counts.sort_by([("count", "descending"), ("value", "ascending")]).slice(0, n)

    def _merge(self) -> None:
        if not self._new:
            return
        joined = pa.concat_tables([self._held, *self._new]).combine_chunks()
        grouped = joined.group_by("value", use_threads=False).aggregate([("count", "sum"), ("slack", "min")])
        self._held, self._new = grouped.rename_columns(["value", "count", "slack"]), []
        if len(self._held) > self.limit or not self.exact:
            self._forget()

    def _forget(self) -> None:
        """Drop what may be rare: values whose count and slack are within ε times the rows."""
        if self.exact:
            self._was_unique = len(self._held) > UNIQUE_SHARE * self.total
        self.exact = False
        self._at_least = max(self._at_least, len(self._held))
        self._forgotten = math.ceil(self.total / self.limit)
        reach = pc.add(self._held["count"], self._held["slack"])
        self._held = self._held.filter(pc.greater(reach, self._forgotten))


def _no_counts() -> pa.Table:
    return pa.table(
        {"value": pa.array([], pa.string()), "count": pa.array([], pa.int64()), "slack": pa.array([], pa.int64())}
    )


@final
class NumberStats:
    """The range of a numeric column.

    Attributes:
        total: values seen, missing ones aside.
        missing: missing values seen.
        lower, upper: the smallest and the largest; None without values.
        integer: whether all are whole numbers.

    >>> stats = NumberStats()
    >>> stats.add(pa.array([3.0, None, -1.0]))
    >>> stats.lower, stats.upper, stats.integer, stats.missing
    (-1.0, 3.0, True, 1)
    """

    def __init__(self) -> None:
        self.total = self.missing = 0
        self.lower: float | None = None
        self.upper: float | None = None
        self.integer = True

    def add(self, values: pa.Array | pa.ChunkedArray) -> None:
        """Look at some numbers."""
        gaps = values.null_count
        self.missing += gaps
        self.total += len(values) - gaps
        if gaps == len(values):
            return
        ends = pc.min_max(values).as_py()
        self.lower = ends["min"] if self.lower is None else min(self.lower, ends["min"])
        self.upper = ends["max"] if self.upper is None else max(self.upper, ends["max"])
        self.integer = self.integer and pc.all(pc.equal(values, pc.round(values))).as_py()
