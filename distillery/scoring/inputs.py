"""The files to be scored, each read a few rows at a time, however long it is."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Protocol, final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv
from pydantic import BaseModel, ConfigDict

from distillery.errors import DataError, one_line, shortlist

ENDINGS = (".csv", ".csv.gz", ".parquet", ".pq")
READ_ROWS, BUFFER_BYTES = 16_384, 1 << 20
GZIP = 16 + zlib.MAX_WBITS  # how zlib is told that a gzip header comes first


class FileStamp(BaseModel):
    """What tells whether a file is still the one it was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    size: int
    mtime_ns: int


class Reader(Protocol):
    """A file format."""

    def schema(self) -> pa.Schema:
        """Return the columns and their types."""
        ...

    def rows(self) -> int:
        """Return how many rows there are, or about how many."""
        ...

    def batches(self, names: list[str], skip: int) -> Iterator[pa.RecordBatch]:
        """Yield these columns of the rows behind the first ``skip``."""
        ...


@final
class ParquetReader:
    """Parquet; row groups of any size are read page by page."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def schema(self) -> pa.Schema:
        return pq.read_schema(self._path)

    def rows(self) -> int:
        return int(pq.read_metadata(self._path).num_rows)

    def batches(self, names: list[str], skip: int) -> Iterator[pa.RecordBatch]:
        # Without these two, whole column chunks are held in memory.
        with pq.ParquetFile(self._path, pre_buffer=False, buffer_size=BUFFER_BYTES) as file:
            groups = range(file.num_row_groups)
            sizes = [file.metadata.row_group(i).num_rows for i in groups]
            first = 0
            while first < len(sizes) and sizes[first] <= skip:
                skip -= sizes[first]
                first += 1
            found = file.iter_batches(READ_ROWS, row_groups=list(groups[first:]), columns=names, use_threads=False)
            yield from behind(found, skip)


@final
class CsvReader:
    """CSV, gzipped or not; every value comes as the text that stands there."""

    def __init__(self, path: Path, separator: str) -> None:
        self._path, self._separator = path, separator

    def schema(self) -> pa.Schema:
        return pa.schema([pa.field(name, pa.string()) for name in self._open(None).schema.names])

    def rows(self) -> int:
        """Guess from the lines in the first megabyte; quoted line breaks count as lines."""
        with self._path.open("rb") as file:
            head = file.read(BUFFER_BYTES)
        text, unread = head, b""
        if self._path.name.endswith(".gz"):
            member = zlib.decompressobj(GZIP)
            text, unread = member.decompress(head), member.unused_data
        return max(text.count(b"\n") * self._path.stat().st_size // (len(head) - len(unread)) - 1, 1)

    def batches(self, names: list[str], skip: int) -> Iterator[pa.RecordBatch]:
        yield from behind(self._open(names), skip)

    def _open(self, names: list[str] | None) -> csv.CSVStreamingReader:
        return csv.open_csv(
            self._path,
            read_options=csv.ReadOptions(block_size=BUFFER_BYTES),
            parse_options=csv.ParseOptions(delimiter=self._separator, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                include_columns=names, column_types={name: pa.string() for name in names or ()}
            ),
        )


@final
class InputFile:
    """A file to be scored, as it was when the run began.

    Attributes:
        path: where it is.
        stamp: its size and time of change.
        is_csv: whether its values are text without types.

    Raises:
        DataError: the file is empty.
    """

    def __init__(self, path: Path, separator: str) -> None:
        self.path, self.stamp = path, stamp_of(path)
        if self.stamp.size == 0:
            raise DataError(f"{path} must hold a table, got an empty file")
        self.is_csv = not path.name.endswith((".parquet", ".pq"))
        self._reader: Reader = CsvReader(path, separator) if self.is_csv else ParquetReader(path)

    @cached_property
    def schema(self) -> pa.Schema:
        """Its columns and their types.

        Raises:
            DataError: it is not of the format that its name says.
        """
        with self._reading():
            return self._reader.schema()

    @property
    def rows(self) -> int:
        """How many rows it has, of CSV about how many.

        Raises:
            DataError: it is not of the format that its name says.
        """
        with self._reading():
            return self._reader.rows()

    def batches(self, names: list[str], skip: int = 0) -> Iterator[pa.RecordBatch]:
        """Yield these columns of the rows behind the first ``skip``.

        Raises:
            DataError: the file cannot be read, or was changed meanwhile.
        """
        with self._reading():
            yield from self._reader.batches(names, skip)

    def refuse_change(self) -> None:
        """Check that the file is still the one that the run began with.

        Raises:
            DataError: it was changed, or is gone.
        """
        if not self.path.exists() or stamp_of(self.path) != self.stamp:
            raise DataError(
                f"{self.path} must not change while it is scored, got another size or time of change;"
                " run again when it is at rest"
            )

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, UnicodeDecodeError, zlib.error) as error:
            self.refuse_change()
            kind = "a CSV table in UTF-8" if self.is_csv else "Parquet"
            raise DataError(f"{self.path} must be {kind}, got: {one_line(error)}") from error


def stamp_of(path: Path) -> FileStamp:
    """Return a file's size and time of change."""
    found = path.stat()
    return FileStamp(path=str(path.absolute()), size=found.st_size, mtime_ns=found.st_mtime_ns)


def find_inputs(path: Path, separator: str) -> list[InputFile]:
    """Return the files at a path: itself, or a folder's in name order.

    Hidden files and those that begin with an underscore are no data.

    Raises:
        DataError: there are none, one is empty, or the folder holds folders.
    """
    if not path.exists():
        raise DataError(f"the input {path} does not exist (looked in {path.absolute().parent}); check `input`")
    if not path.is_dir():
        if not path.name.endswith(ENDINGS):
            raise DataError(f"{path} must end with one of {', '.join(ENDINGS)}")
        return [InputFile(path, separator)]
    inside = sorted(entry for entry in path.iterdir() if not entry.name.startswith((".", "_")))
    folders = [entry.name for entry in inside if entry.is_dir()]
    if folders:
        raise DataError(f"{path} must hold files only, got the folders {shortlist(folders)}; score each by itself")
    files = [InputFile(entry, separator) for entry in inside if entry.name.endswith(ENDINGS)]
    if not files:
        raise DataError(f"{path} must hold files that end with one of {', '.join(ENDINGS)}, got none")
    return files


def behind(batches: Iterator[pa.RecordBatch], skip: int) -> Iterator[pa.RecordBatch]:
    """Yield what is behind the first ``skip`` rows."""
    for batch in batches:
        if skip < len(batch):
            yield batch.slice(skip)
        skip = max(skip - len(batch), 0)


def cut(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Yield the same rows in tables of ``rows`` each; only the last is shorter.

    >>> batches = pa.table({"x": [1, 2, 3, 4, 5]}).to_batches(max_chunksize=2)
    >>> [table["x"].to_pylist() for table in cut(iter(batches), 3)]
    [[1, 2, 3], [4, 5]]
    """
    held: list[pa.RecordBatch] = []
    wanted = rows
    for batch in batches:
        rest = batch
        while len(rest) >= wanted:
            yield pa.Table.from_batches([*held, rest.slice(0, wanted)])
            held, rest, wanted = [], rest.slice(wanted), rows
        if len(rest):
            held.append(rest)
            wanted -= len(rest)
    if held:
        yield pa.Table.from_batches(held)
