"""A table that is larger than memory: Parquet files, each of one split, in the log's order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from distillery.data.saved import digest

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
PIECES = 8  # of a full file, at least; as many from anywhere, shuffled together, are much like all rows
PART = "part-"  # begins the name of every file that is read in parts
KEPT, FACTS = "kept.safetensors", "log.json"


class LogFacts(BaseModel):
    """What happened while a log was read.

    Attributes:
        rows: that were read.
        bad_rows: that could not be, and are left out; ``bad_samples`` shows the first.
        dropped_negatives: training rows of the other class that were left out, of ``negatives`` there were.
        hashed: columns whose values hardly repeat; all of their values share vectors by hashing.
        rare: per column at least how many of its values have no vector of their own, for they are too rare or too
            many; counts of columns with very many values lose some.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    bad_rows: int = 0
    bad_samples: tuple[tuple[int, str], ...] = ()
    negatives: int = 0
    dropped_negatives: int = 0
    hashed: tuple[str, ...] = ()
    rare: dict[str, int] = Field(default_factory=dict)


@final
@dataclass(frozen=True)
class Piece:
    """Neighbouring rows, the least that is read.

    Attributes:
        file: of its split, from 0.
        group: the file's row group.
        start: position of the first row among its split's.
        rows: how many.
    """

    file: int
    group: int
    start: int
    rows: int

    @property
    def positions(self) -> np.ndarray:
        """Where its rows stand among all of the split's ``(rows,)``."""
        return np.arange(self.start, self.start + self.rows)


@final
@dataclass(frozen=True)
class Parts:
    """All rows of a table, on disk.

    Attributes:
        folder: where the files lie.
        rows: per split how many rows each of its files holds, in order.
        kept: per split the positions, among all of its rows, of those in memory ``(m,)``, ascending.
        facts: how they were read.
        lease: what keeps a temporary folder alive, if it is one.
    """

    folder: Path
    rows: Mapping[Split, tuple[int, ...]]
    kept: Mapping[Split, np.ndarray]
    facts: LogFacts
    lease: object = None

    def count(self, split: Split) -> int:
        """Return how many rows a split has."""
        return sum(self.rows[split])

    @cached_property
    def pieces(self) -> dict[Split, list[Piece]]:
        """What each split is read in, in order."""
        return {split: self._pieces(split) for split in SPLITS}

    def _pieces(self, split: Split) -> list[Piece]:
        pieces, start = [], 0
        for file in range(len(self.rows[split])):
            about = pq.read_metadata(self.folder / part_name(split, file))
            for group in range(about.num_row_groups):
                pieces.append(Piece(file, group, start, about.row_group(group).num_rows))
                start += pieces[-1].rows
        return pieces

    def read(self, split: Split, pieces: Sequence[Piece]) -> pd.DataFrame:
        """Read some pieces, one after the other; text columns are pandas categories."""
        frame: pd.DataFrame = pa.concat_tables([self._read(split, piece) for piece in pieces]).to_pandas()
        return frame

    def _read(self, split: Split, piece: Piece) -> pa.Table:
        with pq.ParquetFile(self.folder / part_name(split, piece.file)) as file:
            return file.read_row_group(piece.group)

    @property
    def paths(self) -> dict[str, Path]:
        """Every file by its name."""
        names = [part_name(split, i) for split in SPLITS for i in range(len(self.rows[split]))]
        return {name: self.folder / name for name in names}

    @cached_property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of all files."""
        whole = "".join(digest(path) for path in self.paths.values())
        return hashlib.sha256(whole.encode()).hexdigest()[:16]

    def to_files(self) -> dict[str, bytes | Path]:
        """Return every part, which rows are in memory, and ``log.json``."""
        kept = save_arrays({split: np.ascontiguousarray(self.kept[split]) for split in SPLITS})
        about = {"rows": dict(self.rows), "facts": self.facts.model_dump(mode="json")}
        return {**self.paths, KEPT: kept, FACTS: json.dumps(about).encode()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes | Path]) -> Parts | None:
        """Read what `to_files` gave; None where a table has no parts."""
        if FACTS not in files:
            return None
        about, first = json.loads(_content(files[FACTS])), files[part_name("train", 0)]
        assert isinstance(first, Path), "parts are handed over as paths"
        rows: dict[Split, tuple[int, ...]] = {split: tuple(about["rows"][split]) for split in SPLITS}
        kept = load_arrays(_content(files[KEPT]))
        return cls(first.parent, rows, {s: kept[s] for s in SPLITS}, LogFacts.model_validate(about["facts"]))


def part_name(split: Split, file: int) -> str:
    """Return the name of a split's file.

    >>> part_name("train", 3)
    'part-train-00003.parquet'
    """
    return f"{PART}{split}-{file:05d}.parquet"


def _content(file: bytes | Path) -> bytes:
    return file.read_bytes() if isinstance(file, Path) else file
