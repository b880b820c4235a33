"""What a log's rows go into while it is read: files of one split each, and an even sample in memory."""

from __future__ import annotations

from pathlib import Path
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from distillery.data.parts import PIECES, Split, part_name

SLACK = 2  # times the sample's rows may be held before the surplus goes


@final
class PartWriter:
    """Writes the rows of one split into files of so many rows, each in pieces that are read by themselves.

    Attributes:
        rows: of each file, in order.
    """

    def __init__(self, folder: Path, split: Split, file_rows: int) -> None:
        self._folder, self._split, self._file_rows = folder, split, file_rows
        self._writer: pq.ParquetWriter | None = None
        self.rows: list[int] = []

    def add(self, rows: pa.Table) -> None:
        """Append rows; a full file is closed and the next one begun."""
        while rows.num_rows:
            if self._writer is None:
                path = self._folder / part_name(self._split, len(self.rows))
                self._writer = pq.ParquetWriter(path, rows.schema)
                self.rows.append(0)
            room = self._file_rows - self.rows[-1]
            piece = rows.slice(0, min(room, -(-self._file_rows // PIECES)))
            self._writer.write_table(_own_texts(piece))
            self.rows[-1] += piece.num_rows
            rows = rows.slice(piece.num_rows)
            if self.rows[-1] == self._file_rows:
                self.close()

    def close(self) -> None:
        """Complete the file that is open."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


@final
class Sample:
    """Holds at most so many rows, each row of all with the same chance; whatever the chunks, the same rows.

    Every row draws a number; those with the smallest are kept (Vitter 1985 calls it a reservoir).
    """

    def __init__(self, rows: int, rng: np.random.Generator) -> None:
        self._most, self._rng = rows, rng
        self._drawn, self._positions = np.empty(0), np.empty(0, dtype=np.int64)
        self._held: list[pa.Table] = []
        self._bound, self._seen = 1.0, 0

    def add(self, rows: pa.Table) -> None:
        """Offer rows."""
        drawn = self._rng.random(rows.num_rows)
        near = np.flatnonzero(drawn < self._bound)
        # As plain text: a piece of a chunk would keep the whole chunk's dictionary.
        self._held.append(_decoded(rows.take(near)))
        self._drawn = np.append(self._drawn, drawn[near])
        self._positions = np.append(self._positions, self._seen + near)
        self._seen += rows.num_rows
        if len(self._drawn) > SLACK * self._most:
            self._shrink()

    def drawn(self) -> tuple[np.ndarray, pa.Table]:
        """Return the positions ``(m,)`` of the rows held, ascending, and the rows."""
        self._shrink()
        return self._positions, pa.concat_tables(self._held)

    def _shrink(self) -> None:
        if len(self._drawn) > self._most:
            kept = np.sort(np.argpartition(self._drawn, self._most)[: self._most])
            self._bound = float(self._drawn[kept].max())
            self._held = [pa.concat_tables(self._held).take(kept).combine_chunks()]
            self._drawn, self._positions = self._drawn[kept], self._positions[kept]


def _own_texts(rows: pa.Table) -> pa.Table:
    """Return the same rows; columns with more texts than rows keep those that are used.

    A Parquet row group has all texts of what it was cut from, and whoever reads it would spell them all.
    """
    for i, field in enumerate(rows.schema):
        column = rows.column(i)
        if pa.types.is_dictionary(field.type) and max(len(part.dictionary) for part in column.chunks) > len(rows):
            own = column.cast(field.type.value_type).dictionary_encode()
            rows = rows.set_column(i, field, own.cast(field.type))
    return rows


def _decoded(rows: pa.Table) -> pa.Table:
    plain = [pa.field(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type) for f in rows.schema]
    return rows.cast(pa.schema(plain))
