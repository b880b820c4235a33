"""The table every step shares: rows, their schema and their split."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, final

import numpy as np
import pandas as pd

from distillery.data.schema import Schema

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
SPLIT_COLUMN = "__split__"


@final
@dataclass(frozen=True)
class Rows:
    """Some rows, as a model is fitted on them.

    Attributes:
        features: raw feature columns, ``(n, d)``.
        labels: class indices, ``(n,)`` int64.
        weights: row weights, ``(n,)``, or None for equal ones.
    """

    features: pd.DataFrame
    labels: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.features)

    def class_shares(self, n_classes: int) -> np.ndarray:
        """Return the share of each class ``(K,)``, by weight."""
        counts = np.bincount(self.labels, self.weights, n_classes)
        return np.asarray(counts / counts.sum())

    def take(self, index: np.ndarray) -> Rows:
        """Return the rows at these positions, in this order."""
        weights = None if self.weights is None else self.weights[index]
        return Rows(self.features.iloc[index], self.labels[index], weights)

    def regular(self, schema: Schema) -> Rows:
        """Return the same rows without privileged columns."""
        return Rows(self.features[schema.regular.names], self.labels, self.weights)

    def spread(self, schema: Schema) -> Rows:
        """Return the same rows as a schema reads them whose texts are spread over numbers; see `Schema.spread`."""
        return Rows(schema.conform(self.features), self.labels, self.weights) if schema.texts else self


@final
@dataclass(frozen=True)
class Table:
    """A table with its schema; the column ``__split__`` says where each row belongs.

    Attributes:
        schema: what the columns mean.
        frame: features as `Schema.conform` reads them, target, group, time, weight and split.
    """

    schema: Schema
    frame: pd.DataFrame

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
        return Rows(part[self.schema.names].reset_index(drop=True), labels, weights)

    def groups(self, name: Split) -> np.ndarray | None:
        """Return the group of each row of a split as integers ``(n,)``, or None without groups."""
        if self.schema.group is None:
            return None
        return pd.factorize(self.split(name)[self.schema.group])[0]

    def times(self, name: Split) -> np.ndarray | None:
        """Return the rank in time of each row of a split ``(n,)``, or None without a time column."""
        if self.schema.time is None:
            return None
        return self.split(name)[self.schema.time].rank(method="dense").to_numpy()

    @property
    def counts(self) -> dict[str, int]:
        """Rows per split."""
        return {name: int((self.frame[SPLIT_COLUMN] == name).sum()) for name in SPLITS}

    @cached_property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of schema, values and split."""
        hashed = pd.util.hash_pandas_object(self.frame.reset_index(drop=True), index=True)
        total = hashlib.sha256(self.schema.digest.encode() + hashed.to_numpy().tobytes())
        return total.hexdigest()[:16]

    def to_files(self) -> dict[str, bytes]:
        """Return the table as ``schema.json`` and ``table.parquet``."""
        buffer = io.BytesIO()
        self.frame.to_parquet(buffer, index=False)
        return {"schema.json": self.schema.model_dump_json(indent=1).encode(), "table.parquet": buffer.getvalue()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Table:
        """Read what `to_files` gave."""
        schema = Schema.model_validate_json(files["schema.json"])
        return cls(schema, pd.read_parquet(io.BytesIO(files["table.parquet"])))
