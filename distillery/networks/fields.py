"""What a network knows of its raw columns, for another network to start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import final

import numpy as np
import pandas as pd
import torch

from distillery.data import Column, RawEncoder, Schema
from distillery.data.schema import bucket_of
from distillery.networks.encoding import Scaler, quantile_bins
from distillery.networks.network import FieldEncoder
from distillery.networks.reading import Reading
from distillery.networks.training import PREDICT_ROWS


@final
@dataclass(frozen=True)
class FieldVectors:
    """A network's vectors of its raw columns, and how it reads these.

    Attributes:
        reading: gives the components and the codes that the vectors belong to.
        waves: learned frequencies of the numeric columns of many values ``(d_smooth, frequencies)``.
        vectors: by column, as `FittedNetwork.field_embeddings` says; columns without any begin afresh.
    """

    reading: Reading
    waves: np.ndarray
    vectors: dict[str, np.ndarray]

    @property
    def size(self) -> int:
        """Dimensions of a vector."""
        return int(next(iter(self.vectors.values())).shape[1])

    def of_columns(self, schema: Schema, frame: pd.DataFrame, *, min_count: int) -> FieldVectors:
        """Return the vectors as a student of these columns has them.

        Where its column keeps fewer categories, each of its buckets has the mean of the vectors that fall into
        it, by their rows. Columns that the network has not, such as the terms that a student finds in a text, have
        no vectors.

        Args:
            schema: columns of the network's own, with all their categories, or some of them and buckets, which divide
                its own buckets where it has any; and others.
            frame: raw training rows.
            min_count: categories of fewer rows count as unseen.

        Raises:
            DataError: the rows lack a column, or a numeric one holds text; see `Schema.conform`.
        """
        reading, theirs = self._read(schema, frame, min_count), self.reading.schema
        columns = {c.name: c for c in theirs.columns}
        codes = RawEncoder(theirs.only({c.name for c in schema.categorical}))
        counts = dict(zip((c.name for c in codes.schema.categorical), counted(codes, frame), strict=True))
        vectors = {
            c.name: self.vectors[c.name]
            if columns[c.name] == c or c.kind == "numeric"
            else merged(self.vectors[c.name], counts[c.name], columns[c.name], c)
            for c in schema.columns
            if c.name in columns
        }
        smooth = np.isin(self.reading.scaler.smooth, self._places(schema))
        return FieldVectors(reading, self.waves[smooth], vectors)

    def _places(self, schema: Schema) -> list[int]:
        """Return the place of each numeric column among the network's own; -1 where it is none of these."""
        places = {c.name: i for i, c in enumerate(self.reading.schema.numeric)}
        return [places.get(c.name, -1) for c in schema.numeric]

    def _read(self, schema: Schema, frame: pd.DataFrame, min_count: int) -> Reading:
        """Return how a student reads these columns: numbers as the network does, rare categories by its own count."""
        theirs, places = self.reading, np.array(self._places(schema), dtype=np.int64)
        own, known = Scaler.fit(schema, frame, min_count=min_count), places >= 0
        arrays = own.arrays()
        for name in ("median", "center", "scale"):
            arrays[name][known] = getattr(theirs.scaler, name)[places[known]]
        for name in ("indicated", "smooth"):
            arrays[name] = np.flatnonzero(np.isin(places, getattr(theirs.scaler, name)))
        edges = [theirs.edges[i] for i in places] if theirs.edges else []
        if edges and not known.all():  # one bin for a column that is the student's alone
            spans = quantile_bins(own(frame)[0].numpy(), 1)
            edges = [edge if k else span for edge, span, k in zip(edges, spans, known, strict=True)]
        return Reading(schema, Scaler(schema, arrays), edges, np.arange(len(schema.columns)))

    def encoder(self) -> FieldEncoder:
        """Return what gives each field its vector."""
        encoder = FieldEncoder(self.reading, frequencies=self.waves.shape[1], embedding=self.size)
        self.fill(encoder)
        return encoder

    def fill(self, encoder: FieldEncoder) -> None:
        """Put the vectors into an encoder of their columns and dimensions."""
        names = [column.name for column in self.reading.schema.encoded]
        tables = [self.vectors[name].astype(np.float32) if name in self.vectors else None for name in names]
        encoder.fill(self.reading.scaler, tables, self.waves)

    def reduced(self, size: int, frame: pd.DataFrame) -> FieldVectors:
        """Return vectors of at most so many dimensions: each column's own, turned into its main directions.

        The truncated singular value decomposition of the column's vectors of all these rows; of a category's that is
        the one of the table weighted by rows.

        Args:
            size: dimensions.
            frame: raw training rows.
        """
        if not self.vectors or size >= self.size:
            return self
        names = [column.name for column in self.reading.schema.encoded]
        turns = dict(zip(names, map(main_directions, self._moments(frame), [size] * len(names)), strict=True))
        return replace(self, vectors={name: table @ turns[name] for name, table in self.vectors.items()})

    def scaled(self, spread: float, frame: pd.DataFrame) -> FieldVectors:
        """Return all vectors times one factor, so that over these rows their root mean square is ``spread``."""
        if not self.vectors:
            return self
        own = [column.name in self.vectors for column in self.reading.schema.encoded]
        square = np.trace(self._moments(frame)[own], axis1=1, axis2=2).mean() / (len(frame) * self.size)
        factor = np.float32(spread / np.sqrt(square)) if square > 0 else np.float32(1)
        return replace(self, vectors={name: table * factor for name, table in self.vectors.items()})

    @torch.inference_mode()
    def _moments(self, frame: pd.DataFrame) -> np.ndarray:
        """Return ``Σ v vᵀ`` of each field over these rows ``(d, k, k)``, in the order of `Schema.encoded`."""
        encoder, fields = self.encoder(), len(self.reading.schema.columns)
        total = torch.zeros(fields, self.size, self.size, dtype=torch.float64)
        for start in range(0, len(frame), PREDICT_ROWS):
            rows = encoder(*self.reading.scaler(frame.iloc[start : start + PREDICT_ROWS])).double()
            vectors = rows.unflatten(1, (fields, self.size))
            total += torch.einsum("ndk,ndl->dkl", vectors, vectors)
        moments: np.ndarray = total.numpy()
        return moments


def counted(encode: RawEncoder, frame: pd.DataFrame) -> Sequence[np.ndarray]:
    """Return how many rows have each code, per categorical column."""
    sizes = encode.cardinalities
    if not sizes:
        return []
    offsets = np.cumsum([0, *sizes])
    rows = np.bincount((encode(frame)[1] + offsets[:-1]).ravel(), minlength=offsets[-1])
    return [rows[start:end] for start, end in pairwise(offsets)]


def main_directions(moments: np.ndarray, size: int) -> np.ndarray:
    """Return the first right singular vectors ``(k, size)`` of a matrix X, given ``XᵀX`` ``(k, k)``.

    Each points where its largest component is positive.

    >>> main_directions(np.array([[4.0, 0.0], [0.0, 9.0]]), 1).tolist()
    [[0.0], [1.0]]
    """
    turn = np.linalg.eigh(moments)[1][:, ::-1][:, :size]
    largest = np.abs(turn).argmax(axis=0)
    return np.asarray(turn * np.sign(turn[largest, np.arange(turn.shape[1])]))


def merged(vectors: np.ndarray, counts: np.ndarray, theirs: Column, ours: Column) -> np.ndarray:
    """Return a table for a column that keeps some of another's categories and hashes the rest.

    Args:
        vectors: by code of their column ``(codes, k)``.
        counts: rows of each ``(codes,)``; those of no row count next to nothing.
        theirs: a column.
        ours: the same with fewer categories; its buckets divide theirs, if these are any.

    Returns:
        By code of our column: where several of their codes meet the mean by rows, where none does the mean of all.
    """
    place = _places(theirs, ours)
    size = RawEncoder.FIRST + len(ours.words)
    weights = np.maximum(counts, 1e-6)
    mass = np.bincount(place, weights, minlength=size)
    total = np.stack([np.bincount(place, weights * v, minlength=size) for v in vectors.T], axis=1)
    table = np.full((size, vectors.shape[1]), np.average(vectors, axis=0, weights=weights))
    np.divide(total, mass[:, None], out=table, where=mass[:, None] > 0)
    return table


def _places(theirs: Column, ours: Column) -> np.ndarray:
    """Return which code of our column each code of theirs becomes ``(codes,)``."""
    first, known = RawEncoder.FIRST, {text: i for i, text in enumerate(ours.categories)}
    behind = first + len(ours.categories)
    hashed = bucket_of(theirs.categories, ours.buckets) if ours.buckets else np.zeros(len(theirs.categories))
    own = [
        first + known[text] if text in known else behind + int(b)
        for text, b in zip(theirs.categories, hashed, strict=True)
    ]
    buckets = behind + np.arange(theirs.buckets) % max(ours.buckets, 1)
    return np.array([RawEncoder.MISSING, RawEncoder.UNSEEN, *own, *buckets], dtype=np.int64)
