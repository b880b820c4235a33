"""Scores files with an exported model, in memory that does not grow with their length."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from distillery.data.schema import Label, Task
from distillery.errors import DataError, shortlist
from distillery.export import OnnxModel
from distillery.export.model import output_name
from distillery.progress import bar, shown
from distillery.scoring.config import ScoreConfig
from distillery.scoring.features import features_of, misfits
from distillery.scoring.inputs import InputFile, cut, find_inputs
from distillery.scoring.output import Manifest, Position, Unfinished

PREDICTION, VERSION = "prediction", "model_version"
MODEL_ROWS = 8192  # at a time through the model: more is slower, as it leaves the processor's cache


class Scored(BaseModel):
    """What a scoring run did.

    Attributes:
        model, version: the registered model.
        output: where the scores are.
        rows: of all input files.
        chunks: parts written, those of an earlier run included.
        resumed_chunks: parts that an earlier run had finished.
        seconds: wall time of this run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    version: str
    output: str
    rows: int
    chunks: int
    resumed_chunks: int
    seconds: float

    def __str__(self) -> str:
        """Say it in one line."""
        resumed = f" ({self.resumed_chunks} of them by an earlier run)" if self.resumed_chunks else ""
        return (
            f"{self.rows:,} rows scored by {self.model} version {self.version} in {self.chunks:,} chunks{resumed},"
            f" {self.seconds:.1f} s → {self.output}"
        )


def score_files(model: OnnxModel, config: ScoreConfig, *, version: str, progress: Callable[[str], None]) -> Scored:
    """Score the rows of `config.input` into `config.output`.

    The output has the key columns, ``probability_<class>`` (float32) for every class, of several targets
    ``target_<name>`` too (how likely each is 1), ``prediction`` (the most probable class) and ``model_version``;
    its rows stand as those of the input. It gets its name when it is complete. A run that was stopped goes on at
    its first unfinished chunk when it is started again, unless the model, the input or what else decides the
    output has changed.

    Args:
        model: what was exported.
        config: of the run.
        version: of the registered model.
        progress: takes a line about what is going on.

    Raises:
        DataError: the input is absent, empty or unreadable, does not fit the model, or was changed meanwhile.
        OutputError: the output exists, cannot be written, or is written by another run.
    """
    start = time.perf_counter()
    job = job_of(model, config, version)
    unused = job.unused
    if unused:
        progress(f"columns that are not needed are left out: {shortlist(unused, 20)}")
    unfinished = Unfinished(Path(config.output), overwrite=config.overwrite)
    with unfinished.opened(job.manifest, progress):
        resumed = unfinished.parts
        with bar(job.rows if shown() else None, "scoring", unit="row", done=unfinished.position.rows) as advance:
            for table, position in job.chunks(unfinished.position):
                unfinished.add(table, position)
                advance(len(table))
        for file in job.files:
            file.refuse_change()
        if not unfinished.parts:
            raise DataError(f"{config.input} must have rows, got none")
        unfinished.publish()
    return Scored(
        model=config.model_name,
        version=version,
        output=str(unfinished.output),
        rows=unfinished.position.rows,
        chunks=unfinished.parts,
        resumed_chunks=resumed,
        seconds=time.perf_counter() - start,
    )


@final
@dataclass(frozen=True)
class Job:
    """A model, and the files it is to score.

    Attributes:
        model: what was exported.
        config: of the run.
        version: of the registered model.
        files: in their order; each fits the model.
        key_types: of the key columns.
    """

    model: OnnxModel
    config: ScoreConfig
    version: str
    files: tuple[InputFile, ...]
    key_types: dict[str, pa.DataType]

    @property
    def manifest(self) -> Manifest:
        """What decides the output."""
        return Manifest(
            model=self.config.model_name,
            version=self.version,
            digest=hashlib.sha256(self.model.content).hexdigest(),
            inputs=tuple(file.stamp for file in self.files),
            keys=self.config.keys,
            chunk_rows=self.config.chunk_rows,
            missing=self.config.missing,
            separator=self.config.separator,
        )

    @property
    def rows(self) -> int:
        """How many rows there are, of CSV files about how many."""
        return sum(file.rows for file in self.files)

    @property
    def unused(self) -> list[str]:
        """Columns of the files that are neither features nor keys."""
        found = dict.fromkeys(name for file in self.files for name in file.schema.names)
        needed = set(self.columns)
        return [name for name in found if name not in needed]

    @cached_property
    def columns(self) -> list[str]:
        """What is read: keys and features, each once."""
        return [*dict.fromkeys([*self.config.keys, *self.model.schema.names])]

    def chunks(self, done: Position) -> Iterator[tuple[pa.Table, Position]]:
        """Yield the scores behind a position, a chunk at a time, and how far each reaches.

        A chunk has rows of one file.

        Raises:
            DataError: text where a number is due, or a file was changed since the job began.
        """
        rows = done.rows
        for i, file in enumerate(self.files[done.file :], start=done.file):
            features = features_of(file, self.model.schema, self.config.missing, self.model.texts)
            row = done.row if i == done.file else 0
            for chunk in cut(file.batches(self.columns, row), self.config.chunk_rows):
                try:
                    table = self.score(chunk, features.frame(chunk, row))
                except DataError as error:
                    raise DataError(f"{file.path}: {error}") from error
                file.refuse_change()
                row, rows = row + len(chunk), rows + len(chunk)
                yield table, Position(file=i, row=row, rows=rows)

    def score(self, chunk: pa.Table, frame: pd.DataFrame) -> pa.Table:
        """Return the keys and the scores of some rows."""
        proba = np.concatenate(
            [self.model.predict_proba(frame.iloc[i : i + MODEL_ROWS]) for i in range(0, len(frame), MODEL_ROWS)]
        )
        classes = self.model.schema.classes
        columns = {key: as_type(chunk[key], kind) for key, kind in self.key_types.items()}
        for k, label in enumerate(classes):
            columns[output_name(label)] = pa.array(proba[:, k].astype(np.float32))
        for task, p in zip(self.model.schema.tasks, self.model.schema.marginals(proba).T, strict=True):
            columns[target_name(task)] = pa.array(p.astype(np.float32))
        columns[PREDICTION] = labels_of(classes).take(pa.array(proba.argmax(axis=1)))
        columns[VERSION] = pa.repeat(self.version, len(frame))
        return pa.table(columns)


def job_of(model: OnnxModel, config: ScoreConfig, version: str) -> Job:
    """Find the files, and check the columns of them all before anything is scored.

    Raises:
        DataError: a file is absent, empty or unreadable, or does not fit the model; lists every difference.
    """
    outputs = {PREDICTION, VERSION, *map(output_name, model.schema.classes), *map(target_name, model.schema.tasks)}
    taken = sorted(outputs & set(config.keys))
    if taken:
        raise DataError(f"keys must not be named as the scores are, got {shortlist(map(repr, taken))}")
    files = find_inputs(Path(config.input), config.separator)
    for file in files:
        lines = misfits(file.schema, model.schema, config.keys)
        if lines:
            title = f"{file.path} does not fit {config.model_name} version {version}:"
            raise DataError("\n  ".join([title, *lines]))
    types = {key: type_of_key(key, files) for key in config.keys}
    return Job(model, config, version, tuple(files), types)


def type_of_key(key: str, files: list[InputFile]) -> pa.DataType:
    """Return the type of a key column; null where a file has no values in it, and so has no say."""
    types = {file.path.name: file.schema.field(key).type for file in files}
    said = {name: kind for name, kind in types.items() if kind != pa.null()}
    if len(set(said.values())) > 1:
        found = shortlist(f"{kind} in {name}" for name, kind in said.items())
        raise DataError(f"key {key!r} must have one type in all files, got {found}; write them alike")
    return next(iter(said.values()), pa.null())


def as_type(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Return values as they are; only those of a file that has none take a type."""
    return values if values.type == kind else values.cast(kind)


def target_name(task: Task) -> str:
    """Return what the column of a target's probability is called."""
    return f"target_{task.name}"


def labels_of(classes: tuple[Label, ...]) -> pa.Array:
    """Return the classes with their own type; where they have several, as text."""
    one_type = len({type(label) for label in classes}) == 1
    return pa.array(classes if one_type else map(str, classes))
