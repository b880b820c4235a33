"""One's own log: Parquet files, read in chunks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import model_validator

from distillery.data.build import Roles
from distillery.data.log.reader import LogReader
from distillery.data.log.reading import ParquetLog, known
from distillery.data.log.spec import LogFileSpec
from distillery.data.log.values import infer_log_kind
from distillery.data.schema import ColumnKind, Label
from distillery.errors import DataError, shortlist


class ParquetLogSpec(LogFileSpec):
    """A Parquet file, or a folder of them, in the order of their names.

    Kinds follow from the files' types: text is categorical, even where it is all digits. Rows without target
    or time are bad ones.

    Attributes:
        target: the column to predict.
        positive: with two classes, the one whose probability counts; by default the last in order.
        drop: columns to leave out.
        group: rows with one value of it stay in one split.
        time: orders the rows; the latest become the test split.
        weight: row weights.
        privileged: columns the teacher may use and the student may not.
        numeric, categorical: overrides of the kinds.
    """

    kind: Literal["parquet_log"] = "parquet_log"
    target: str
    positive: Label | None = None
    drop: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    privileged: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_role_each(self) -> ParquetLogSpec:
        single = [c for c in (self.target, self.group, self.time, self.weight, self.split.column) if c]
        twice = [name for name, n in Counter([*single, *self.drop, *self.privileged]).items() if n > 1]
        twice += sorted(set(self.numeric) & set(self.categorical))
        if twice:
            raise ValueError(f"a column must have one role, got several for {shortlist(map(repr, twice))}")
        return self

    @property
    def roles(self) -> Roles:
        """Which column plays which part."""
        forced: dict[str, ColumnKind] = dict.fromkeys(self.numeric, "numeric")
        return Roles(
            target=self.target,
            positive=self.positive,
            group=self.group,
            time=self.time,
            weight=self.weight,
            drop=self.drop,
            privileged=self.privileged,
            kinds=forced | dict.fromkeys(self.categorical, "categorical"),
        )

    def reader(self) -> LogReader:
        file = ParquetLog(Path(self.path), chunk_rows=self.chunk_rows, max_bad_rows=self.max_bad_rows)
        roles, schema = self.roles, file.schema
        named = [*roles.named, *([self.split.column] if self.split.column else [])]
        known(named, schema.names, f"{self.path}: column {{}} is not in the log")
        apart = {roles.target, roles.group, roles.time, roles.weight, self.split.column, *roles.drop}
        kinds = {
            field.name: roles.kinds.get(field.name) or infer_log_kind(field)
            for field in schema
            if field.name not in apart
        }
        if not kinds:
            raise DataError(f"{self.path}: a log must have at least one feature column, got none")
        needs = tuple(name for name in (roles.target, roles.time) if name is not None)
        return LogReader(file, roles, kinds, {}, _without_gaps, needs, self.rows, self.split.column)


def _without_gaps(chunk: pa.Table) -> pa.Array:
    good = pa.array(np.ones(chunk.num_rows, dtype=bool))
    for column in chunk.columns:
        good = pc.and_(good, pc.is_valid(column))
        if pa.types.is_floating(column.type):  # a NaN is no gap to Arrow
            good = pc.and_(good, pc.invert(pc.is_nan(column).fill_null(False)))
    return good
