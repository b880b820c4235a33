"""Labelled rows, in memory or streamed from disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import pandas as pd

from distillery.data.parts import Parts, Piece, Split
from distillery.data.schema import Schema


@final
@dataclass(frozen=True)
class Rows:
    """Some rows, as a model is fitted on them.

    Attributes:
        features: raw feature columns, ``(n, d)``.
        labels: class indices, ``(n,)`` int64.
        weights: row weights, ``(n,)``, or None for equal ones.
        stream: all rows, where these are but a sample of them; kinds that learn from batches read it.
    """

    features: pd.DataFrame
    labels: np.ndarray
    weights: np.ndarray | None = None
    stream: Stream | None = None

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
        return self.only(schema.regular)

    def spread(self, schema: Schema) -> Rows:
        """Return the same rows as a schema reads them whose texts are spread over numbers; see `Schema.spread`."""
        return replace(self, features=schema.conform(self.features)) if schema.texts else self

    def only(self, schema: Schema) -> Rows:
        """Return the same rows with a schema's columns alone."""
        stream = None if self.stream is None else replace(self.stream, schema=schema)
        return Rows(self.features[schema.names], self.labels, self.weights, stream)


@final
@dataclass(frozen=True)
class Fold:
    """One of K parts of a stream: consecutive rows, so that it is labelled by a teacher that saw few neighbours.

    Attributes:
        number: which, from 0.
        of: K.
        inside: its own rows, or all others.
    """

    number: int
    of: int
    inside: bool

    def holds(self, positions: np.ndarray, n: int) -> np.ndarray:
        """Return which of these positions among n it holds ``(m,)``.

        >>> Fold(0, of=2, inside=True).holds(np.array([0, 1, 2, 3]), 4).tolist()
        [True, True, False, False]
        """
        held: np.ndarray = (positions * self.of // n == self.number) == self.inside
        return held


@final
@dataclass(frozen=True)
class Stream:
    """A split's rows, or those of a fold of them; as many are read at once as one file holds.

    Attributes:
        parts: the files.
        schema: the columns that are read as features.
        split: which split.
        fold: which of its rows; None for all.
    """

    parts: Parts
    schema: Schema
    split: Split
    fold: Fold | None = None

    def __len__(self) -> int:
        if self.fold is None:
            return self.total
        return sum(len(self.positions([piece])) for piece in self.parts.pieces[self.split])

    @property
    def total(self) -> int:
        """How many rows the whole split has."""
        return self.parts.count(self.split)

    @property
    def pieces(self) -> list[Piece]:
        """Those that hold some of the rows, in order."""
        all_ = self.parts.pieces[self.split]
        return all_ if self.fold is None else [piece for piece in all_ if len(self.positions([piece]))]

    def loads(self, pieces: Sequence[Piece]) -> list[list[Piece]]:
        """Return pieces as they are read at once, in their order: about as many rows each, those of one full file."""
        rows = np.array([piece.rows for piece in pieces])
        n = -(-rows.sum() // max(self.parts.rows[self.split]))
        load_of = (rows.cumsum() - rows / 2) * n // rows.sum()
        loads = [[piece for piece, load in zip(pieces, load_of, strict=True) if load == k] for k in range(n)]
        return [load for load in loads if load]

    def positions(self, pieces: Sequence[Piece]) -> np.ndarray:
        """Return where the rows of some pieces stand among all of the split's ``(m,)``."""
        positions = np.concatenate([piece.positions for piece in pieces])
        return positions if self.fold is None else positions[self.fold.holds(positions, self.total)]

    def read(self, pieces: Sequence[Piece]) -> Rows:
        """Read the rows of some pieces; text columns are pandas categories.

        Raises:
            DataError: a target value is missing or none of the classes.
        """
        frame = self.parts.read(self.split, pieces)
        if self.fold is not None:
            frame = frame[self.fold.holds(replace(self, fold=None).positions(pieces), self.total)]
        schema = self.schema
        weights = None if schema.weight is None else frame[schema.weight].to_numpy(np.float64)
        return Rows(frame[schema.names].reset_index(drop=True), schema.encode_labels(frame[schema.target]), weights)

    def __iter__(self) -> Iterator[tuple[np.ndarray, Rows]]:
        """Yield positions and rows, as many at once as are read, in order."""
        for load in self.loads(self.pieces):
            yield self.positions(load), self.read(load)

    def folded(self, number: int, of: int, *, inside: bool) -> Stream:
        """Return the rows of one of K folds, or all others."""
        return replace(self, fold=Fold(number, of, inside))
