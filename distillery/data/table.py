"""The table every step shares: rows, their schema and their split."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd

from distillery.data.parts import SPLITS as SPLITS
from distillery.data.parts import Parts
from distillery.data.parts import Split as Split
from distillery.data.rows import Rows as Rows
from distillery.data.rows import Stream
from distillery.data.schema import Schema

SPLIT_COLUMN = "__split__"


@final
@dataclass(frozen=True)
class Table:
    """A table with its schema; the column ``__split__`` says where each row belongs.

    Attributes:
        schema: what the columns mean.
        frame: features as `Schema.conform` reads them, target, group, time, weight, query and split.
        parts: all rows, where they are too many for memory; the frame then holds a sample of each split, drawn
            evenly from it.
    """

    schema: Schema
    frame: pd.DataFrame
    parts: Parts | None = None

    def split(self, name: Split) -> pd.DataFrame:
        """Return all columns of one split's rows."""
        return self.frame[self.frame[SPLIT_COLUMN] == name]

    def rows(self, name: Split) -> Rows:
        """Return one split as features (privileged ones included), labels and weights.

        Raises:
            DataError: a target value is missing.
        """
        part = self.split(name)
        labels = self.schema.encode_labels(part[self.schema.target])
        weight = self.schema.weight
        weights = None if weight is None else part[weight].to_numpy(np.float64)
        stream = None if self.parts is None else Stream(self.parts, self.schema, name)
        return Rows(part[self.schema.names].reset_index(drop=True), labels, weights, stream)

    def groups(self, name: Split) -> np.ndarray | None:
        """Return the group of each row of a split as integers ``(n,)``, or None without groups."""
        return self._codes(name, self.schema.group)

    def queries(self, name: Split) -> np.ndarray | None:
        """Return the query of each row of a split as integers ``(n,)``, -1 for missing; None without queries."""
        return self._codes(name, self.schema.query)

    def units(self, name: Split) -> np.ndarray | None:
        """Return which rows of a split are resampled together ``(n,)``, see `Schema.unit`; None for each alone.

        A row without a query is resampled by itself; rows without a group are one.
        """
        codes = self._codes(name, self.schema.unit)
        if codes is None or self.schema.group is not None:
            return codes
        alone = codes < 0
        return np.where(alone, codes.max(initial=-1) + np.cumsum(alone), codes)

    def _codes(self, name: Split, column: str | None) -> np.ndarray | None:
        return None if column is None else pd.factorize(self.split(name)[column])[0]

    def times(self, name: Split) -> np.ndarray | None:
        """Return the rank in time of each row of a split ``(n,)``, or None without a time column."""
        if self.schema.time is None:
            return None
        return self.split(name)[self.schema.time].rank(method="dense").to_numpy()

    @property
    def counts(self) -> dict[str, int]:
        """Rows per split, those on disk included."""
        if self.parts is not None:
            return {name: self.parts.count(name) for name in SPLITS}
        return self.held

    @property
    def held(self) -> dict[str, int]:
        """Rows per split that are in memory."""
        return {name: int((self.frame[SPLIT_COLUMN] == name).sum()) for name in SPLITS}

    @cached_property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of schema, values and split."""
        hashed = pd.util.hash_pandas_object(self.frame.reset_index(drop=True), index=True)
        parts = "" if self.parts is None else self.parts.digest
        total = hashlib.sha256(self.schema.digest.encode() + hashed.to_numpy().tobytes() + parts.encode())
        return total.hexdigest()[:16]

    def to_files(self) -> dict[str, bytes | Path]:
        """Return the table as ``schema.json`` and ``table.parquet``; what is on disk as the files it lies in."""
        buffer = io.BytesIO()
        self.frame.to_parquet(buffer, index=False)
        schema = self.schema.model_dump_json(indent=1).encode()
        parts = {} if self.parts is None else self.parts.to_files()
        return {"schema.json": schema, "table.parquet": buffer.getvalue(), **parts}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes | Path]) -> Table:
        """Read what `to_files` gave; parts as paths, all else as its content."""
        schema, frame = files["schema.json"], files["table.parquet"]
        assert isinstance(schema, bytes), "only parts are handed over as paths"
        assert isinstance(frame, bytes), "only parts are handed over as paths"
        return cls(Schema.model_validate_json(schema), pd.read_parquet(io.BytesIO(frame)), Parts.from_files(files))
