"""Rows of a log that cannot be read: left out, counted, shown, and an error when they are many."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator
from typing import final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from distillery.errors import DataError, one_line

SHOWN = 5
GRACE_ROWS = 1_000_000  # a share is of at least so many rows, until the log has ended


@final
class BadRows:
    """What one pass over a log left out.

    Attributes:
        limit: how many may be: a count, or below 1 a share of all rows.
        count: how many there were so far.
        samples: the first five found, as (line or row, from 1; text), in order.
        seen: rows read so far, good and bad.
    """

    def __init__(self, limit: float, *, where: str, header: bool = False) -> None:
        self.limit, self.count, self.seen = limit, 0, 0
        self.samples: list[tuple[int, str]] = []
        self._where, self._header = where, header
        self._refused: list[int] = []  # lines that never became rows

    def refuse(self, row: csv.InvalidRow) -> str:
        """Leave out a line with too few or too many fields; pyarrow's handler.

        Returns:
            ``skip``, or ``error`` when there are too many.
        """
        insort(self._refused, row.number)
        self.seen += 1
        self.count += 1
        self._show(row.number, f"{row.text} ({row.actual_columns} fields instead of {row.expected_columns})")
        return "error" if self._too_many(final=False) else "skip"

    def without(self, chunk: pa.Table, good: pa.Array, why: pa.Table, first: int) -> pa.Table:
        """Return a chunk's good rows; the others are counted.

        Args:
            chunk: some rows.
            good: which of them are, booleans.
            why: the columns that say so, to be shown.
            first: how many rows came before the chunk.
        """
        bad = pc.indices_nonzero(pc.invert(good))
        if not len(bad):
            return chunk
        self.count += len(bad)
        for i in bad[: SHOWN - len(self.samples)].to_pylist():
            self._show(self._line(first + i), ", ".join(f"{n}={why[n][i].as_py()!r}" for n in why.column_names))
        return chunk.filter(good)

    def checked(self, chunks: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Hand chunks on, until too many rows of them are bad.

        Raises:
            DataError: as `check`.
        """
        for chunk in chunks:
            self.seen += chunk.num_rows
            yield chunk
            self.check(final=False)
        self.check(final=True)

    def check(self, *, final: bool) -> None:
        """Refuse a log with too many bad rows.

        Raises:
            DataError: there are more than the limit; says how many, and shows the first.
        """
        if self._too_many(final=final):
            most = f"{self.limit:.4g} of its rows" if self.limit < 1 else f"{self.limit:g} rows"
            of = f"of {self.seen}" if final else "before its end"
            shown = "; ".join(f"line {line}: {text}" for line, text in self.samples)
            raise DataError(
                f"{self._where} must be readable but for {most}, got {self.count} bad ones {of}"
                f" ({shown}); mend the log or raise source.max_bad_rows"
            )

    def _too_many(self, *, final: bool) -> bool:
        rows = self.seen if final else max(self.seen, GRACE_ROWS)
        return self.count > (self.limit if self.limit >= 1 else self.limit * rows)

    def _show(self, line: int, text: str) -> None:
        if len(self.samples) < SHOWN:
            insort(self.samples, (line, one_line(text, 200)))

    def _line(self, row: int) -> int:
        """Return the line of the row with this index among those with all fields."""
        line = row + 1 + self._header
        for refused in self._refused:
            line += refused <= line
        return line
