"""From a log to a table on disk, in one pass; a second one before it where the split is by time."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from distillery.data.build import MOST_CLASSES, Roles, read_classes, read_times, read_weights
from distillery.data.lent import LentFolder
from distillery.data.log.counting import NumberStats, ValueCounts
from distillery.data.log.intake import PartWriter, Sample
from distillery.data.log.reader import LogReader
from distillery.data.log.spec import LogSpec
from distillery.data.log.splitting import splitter
from distillery.data.parts import SPLITS, LogFacts, Parts, Split
from distillery.data.schema import Column, Schema, as_text
from distillery.data.table import SPLIT_COLUMN, Table
from distillery.errors import DataError, shortlist
from distillery.progress import bar

logger = logging.getLogger(__name__)
WEIGHT = "__weight__"
HASHED_BUCKETS = 1_000  # of a column whose values hardly repeat, where the config names no number


def load_log(spec: LogSpec, seed: int) -> Table:
    """Read a log into files of one split each, an even sample of every split in memory.

    Args:
        spec: where the log is, and how it is read.
        seed: of the split, of dropped negatives and of the sample.

    Raises:
        DataError: the log is no such log, its split cannot be made, or its target has one class.
    """
    reader = spec.reader()
    split_of = splitter(reader, spec.split, seed=seed)
    folder = LentFolder()
    intake = _Intake(spec, reader, folder.path, seed)
    with bar(None, "reading", unit="row") as advance:
        for chunk in reader.chunks():
            intake.add(chunk, split_of(chunk))
            advance(chunk.num_rows)
    return intake.table(folder)


@final
class _Intake:
    """Takes in chunks, and gives the table they make."""

    def __init__(self, spec: LogSpec, reader: LogReader, folder: Path, seed: int) -> None:
        self.spec, self.reader, self.folder = spec, reader, folder
        self.weight = reader.roles.weight or (WEIGHT if spec.keep_negatives is not None else None)
        self._negatives = _Negatives(spec.keep_negatives, reader.roles, np.random.default_rng([seed, 2]))
        self._writers = {split: PartWriter(folder, split, spec.chunk_rows) for split in SPLITS}
        self._samples = {s: Sample(spec.sample, np.random.default_rng([seed, 3, i])) for i, s in enumerate(SPLITS)}
        self._counts: dict[str, ValueCounts | NumberStats] = {
            name: ValueCounts() if kind == "categorical" else NumberStats() for name, kind in reader.kinds.items()
        }
        self._classes: set[Any] = set()
        self._rows = 0

    def add(self, chunk: pa.Table, split_of: np.ndarray) -> None:
        self._rows += chunk.num_rows
        chunk = self._with_roles(chunk)
        for i, split in enumerate(SPLITS):
            rows = chunk.filter(pa.array(split_of == i))
            if split == "train":
                rows = self._negatives.thinned(rows, self.weight)
                for name, counts in self._counts.items():
                    counts.add(rows[name])
                self._learn_classes(rows[self.reader.roles.target])
            self._writers[split].add(rows)
            self._samples[split].add(rows)

    def _learn_classes(self, target: pa.ChunkedArray) -> None:
        self._classes |= set(pc.unique(target).to_pylist())
        if len(self._classes) > MOST_CLASSES:
            read_classes(pd.Series(list(self._classes), name=self.reader.roles.target), self.reader.roles)

    def _with_roles(self, chunk: pa.Table) -> pa.Table:
        """Return a chunk whose time can be sorted, and whose rows have weights where they count."""
        time, split = self.reader.roles.time, self.reader.split
        if split is not None:
            chunk = chunk.drop_columns([split])
        if time is not None:
            chunk = _put(chunk, time, pa.array(read_times(pd.Series(chunk[time].to_pandas(), name=time))))
        if self.weight is not None:
            given = self.reader.roles.weight
            weights = np.ones(chunk.num_rows) if given is None else read_weights(chunk[given].to_pandas().rename(given))
            chunk = _put(chunk, self.weight, pa.array(np.asarray(weights, dtype=np.float64)))
        return chunk

    def table(self, lease: object) -> Table:
        """Return the table of all chunks.

        Raises:
            DataError: a split has no rows, or the target one class.
        """
        for writer in self._writers.values():
            writer.close()
        rows: dict[Split, tuple[int, ...]] = {split: tuple(writer.rows) for split, writer in self._writers.items()}
        empty = [split for split in SPLITS if not rows[split]]
        if empty:
            raise DataError(f"every split must have rows, got none in {shortlist(empty)} of {self._rows} rows read")
        drawn = {split: sample.drawn() for split, sample in self._samples.items()}
        kept: dict[Split, np.ndarray] = {split: positions for split, (positions, _) in drawn.items()}
        frame = pd.concat([_frame(table, split) for split, (_, table) in drawn.items()], ignore_index=True)
        schema = self._schema()
        return Table(schema, frame, Parts(self.folder, rows, kept, self._facts(schema), lease))

    def _schema(self) -> Schema:
        roles = self.reader.roles
        return Schema(
            columns=tuple(self._column(name) for name in self.reader.kinds),
            target=roles.target,
            classes=read_classes(pd.Series(list(self._classes), name=roles.target), roles),
            group=roles.group,
            time=roles.time,
            weight=self.weight,
        )

    def _column(self, name: str) -> Column:
        counts, privileged = self._counts[name], name in self.reader.roles.privileged
        missing = counts.missing / max(counts.total + counts.missing, 1)
        if isinstance(counts, NumberStats):
            return Column(
                name=name,
                kind="numeric",
                integer=counts.integer,
                lower=counts.lower,
                upper=counts.upper,
                privileged=privileged,
                missing=missing,
            )
        unique = counts.looks_unique
        words = () if unique else counts.vocabulary(min_count=self.spec.min_count, most=self.spec.most_categories)
        return Column(
            name=name,
            kind="categorical",
            categories=tuple(words),
            buckets=self.spec.buckets or (HASHED_BUCKETS if unique else 0),
            privileged=privileged,
            missing=missing,
        )

    def _facts(self, schema: Schema) -> LogFacts:
        texts = {name: one for name, one in self._counts.items() if isinstance(one, ValueCounts)}
        hashed = tuple(name for name, one in texts.items() if one.looks_unique)
        rare = {c.name: texts[c.name].distinct - len(c.categories) for c in schema.categorical}
        for name in hashed:
            logger.warning("column %r hardly repeats a value, so all of it is hashed; drop it if it says nothing", name)
        return LogFacts(
            rows=self._rows,
            bad_rows=self.reader.bad.count,
            bad_samples=tuple(self.reader.bad.samples),
            negatives=self._negatives.seen,
            dropped_negatives=self._negatives.dropped,
            hashed=hashed,
            rare={name: n for name, n in rare.items() if n},
        )


@final
class _Negatives:
    """Keeps a share of the negative training rows; a kept one weighs 1 / share, so that probabilities stay true.

    He et al. (2014), section 6.3, correct the probabilities afterwards instead; weights do it for every kind of
    model alike, and a loss of weighted rows has the same minimum as that of all rows.

    Attributes:
        seen, dropped: negative rows.
    """

    def __init__(self, share: float | None, roles: Roles, rng: np.random.Generator) -> None:
        self._share, self._roles, self._rng = share, roles, rng
        self.seen = self.dropped = 0

    def thinned(self, rows: pa.Table, weight: str | None) -> pa.Table:
        if self._share is None or weight is None:
            return rows
        negative = self._negative(rows[self._roles.target])
        kept = ~negative | (self._rng.random(rows.num_rows) < self._share)
        self.seen += int(negative.sum())
        self.dropped += int((~kept).sum())
        weights = rows[weight].to_numpy() * np.where(negative, 1 / self._share, 1.0)
        return _put(rows, weight, pa.array(weights)).filter(pa.array(kept))

    def _negative(self, target: pa.ChunkedArray) -> np.ndarray:
        values = target.to_pandas().astype(object)
        positive = 1 if self._roles.positive is None else self._roles.positive
        if self._roles.positive is None and not values.isin([0, 1]).all():
            raise DataError(
                "keep_negatives must know the positive class of a target other than 0 and 1, got"
                f" {shortlist(map(repr, values[~values.isin([0, 1])].unique()))}; set source.positive"
            )
        negative: np.ndarray = (values != positive).to_numpy()
        return negative


def _put(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """Replace a column, or add it."""
    place = rows.schema.get_field_index(name)
    return rows.append_column(name, values) if place < 0 else rows.set_column(place, name, values)


def _frame(rows: pa.Table, split: Split) -> pd.DataFrame:
    frame: pd.DataFrame = rows.to_pandas()
    for name in rows.column_names:
        if frame[name].dtype == object:
            frame[name] = as_text(frame[name])
    frame[SPLIT_COLUMN] = split
    return frame
