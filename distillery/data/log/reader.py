"""A log as every source hands it on: feature columns in chunks, bad rows left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

import pyarrow as pa

from distillery.data.build import Roles
from distillery.data.log.bad_rows import BadRows
from distillery.data.log.reading import LogFile, known
from distillery.data.log.values import number_column, text_column
from distillery.data.schema import ColumnKind


@final
@dataclass(frozen=True)
class Made:
    """A column made of others: ``hour`` and ``weekday`` of one stamp.

    Attributes:
        of: the raw column.
        make: from it to the new column.
    """

    of: str
    make: Callable[[pa.ChunkedArray], pa.ChunkedArray]


@final
@dataclass(frozen=True)
class LogReader:
    """Reads a log as features, target and what else the roles name.

    Attributes:
        file: the raw log.
        roles: which column plays which part, by the names of the columns handed on.
        kinds: of every feature column, in their order.
        made: columns that the raw log does not hold as they are, or at all.
        good: from the columns ``needs`` to booleans: which rows can be used.
        needs: the raw columns that tell it.
        rows: only the first so many good rows are handed on; None for all.
        split: the column that says which split a row is in, if there is one.
        ordered: whether the rows are in the order of time, without a column that says so.
    """

    file: LogFile
    roles: Roles
    kinds: dict[str, ColumnKind]
    made: dict[str, Made]
    good: Callable[[pa.Table], pa.Array]
    needs: tuple[str, ...]
    rows: int | None = None
    split: str | None = None
    ordered: bool = False

    @property
    def bad(self) -> BadRows:
        """What the last pass left out: ``count``, and the first as ``samples``."""
        return self.file.bad

    @property
    def columns(self) -> list[str]:
        """Every column handed on: the features, then target, group, time, weight and split."""
        apart = (self.roles.target, self.roles.group, self.roles.time, self.roles.weight, self.split)
        return list(dict.fromkeys([*self.kinds, *(name for name in apart if name is not None)]))

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the log in tables of a bounded number of rows, the same on every pass.

        Args:
            columns: these alone, in this order; None for `columns`.

        Returns:
            Categorical features as dictionary-encoded text (a dictionary may hold texts that no row of the chunk
            has), numeric ones as float64, missing values as null. Rows are the same whatever the columns.

        Raises:
            DataError: the log cannot be read, a column is not there, or too many rows are bad.
        """
        wanted = self._known(columns)
        raw = dict.fromkeys([*self.needs, *(self._of(name) for name in wanted)])
        left, first = self.rows, 0
        for chunk in self.file.chunks(list(raw)):
            told = chunk.select(self.needs)
            kept = self.bad.without(chunk, self.good(told), told, first)
            first += chunk.num_rows
            if kept.num_rows:
                yield self._columns(kept.slice(0, left), wanted)
            left = None if left is None else left - kept.num_rows
            if left is not None and left <= 0:
                self.bad.check(final=True)
                return

    def _known(self, columns: Sequence[str] | None) -> list[str]:
        return known(columns, self.columns, "column {} is not in the log")

    def _of(self, name: str) -> str:
        return self.made[name].of if name in self.made else name

    def _columns(self, chunk: pa.Table, names: list[str]) -> pa.Table:
        return pa.table({name: self._column(chunk, name) for name in names})

    def _column(self, chunk: pa.Table, name: str) -> pa.ChunkedArray:
        values = self.made[name].make(chunk[self._of(name)]) if name in self.made else chunk[name]
        kind = self.kinds.get(name)
        if kind is None:
            return values
        return text_column(values) if kind == "categorical" else number_column(values, name)
