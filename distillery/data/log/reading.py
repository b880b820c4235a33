"""Raw logs a chunk at a time: delimited text, gzipped or not, and Parquet. No log is ever held whole."""

from __future__ import annotations

import csv as stdlib_csv
import gzip
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, final

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import csv

from distillery.data.log.bad_rows import BadRows
from distillery.data.log.values import CATEGORY
from distillery.errors import DataError, did_you_mean, one_line, shortlist

CHUNK_ROWS = 250_000
BLOCK_BYTES = 1 << 20  # larger blocks parse slower
PARQUET_ROWS = 1 << 16
GZIP_START = b"\x1f\x8b"
UNREADABLE = (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, stdlib_csv.Error)


class LogFile(Protocol):
    """A raw log, wherever it lies.

    Attributes:
        bad: what the last pass left out, and how much of it.
    """

    bad: BadRows

    @property
    def schema(self) -> pa.Schema:
        """The columns and their types.

        Raises:
            DataError: the log is absent, empty or unreadable.
        """
        ...

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield tables of so many rows (the last may have fewer), in the log's order, the same on every pass.

        Args:
            columns: these alone, in this order; None for all.

        Raises:
            DataError: the log is absent, empty or unreadable, a column is not there, or too many rows are bad.
        """
        ...


@final
class TextLog:
    """A delimited text file, one row a line; every value comes as text unless ``types`` says more.

    A header is known by its names: without any of ``layout``, the first line is a row and the names are those of
    ``layout``. An empty field is a missing value. Rows with too few or too many fields are left out and counted.
    """

    def __init__(
        self,
        path: Path,
        *,
        separator: str,
        layout: Sequence[str],
        types: Mapping[str, pa.DataType],
        chunk_rows: int = CHUNK_ROWS,
        max_bad_rows: float = 0,
    ) -> None:
        self.path, self._separator, self._layout, self._types = path, separator, list(layout), types
        self._chunk_rows, self._max_bad_rows = chunk_rows, max_bad_rows
        self.bad = BadRows(max_bad_rows, where=str(path))
        self._names: list[str] | None = None

    @property
    def header(self) -> bool:
        """Whether the first line holds names."""
        return not set(self._first_line()).isdisjoint(self._layout)

    @property
    def schema(self) -> pa.Schema:
        first = self._first_line()
        names = self._layout if set(first).isdisjoint(self._layout) else first
        repeated = [name for name, n in Counter(names).items() if n > 1]
        if repeated:
            raise DataError(
                f"{self.path}: column names must differ, got {shortlist(map(repr, repeated))} more than once"
            )
        return pa.schema([pa.field(name, self._types.get(name, CATEGORY)) for name in names])

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        schema = self.schema
        names = known(columns, schema.names, f"{self.path}: column {{}} is missing")
        self.bad = BadRows(self._max_bad_rows, where=str(self.path), header=self.header)
        with _reading(self.path, "a text table in UTF-8 (gzipped or not)", self.bad):
            yield from self.bad.checked(regroup(self._batches(schema, names), self._chunk_rows))

    def _batches(self, schema: pa.Schema, names: list[str]) -> Iterator[pa.RecordBatch]:
        with (
            pa.input_stream(str(self.path), compression="gzip" if _gzipped(self.path) else None) as stream,
            csv.open_csv(
                stream,
                # One thread: with more, a bad row does not know its line.
                read_options=csv.ReadOptions(
                    use_threads=False,
                    block_size=BLOCK_BYTES,
                    column_names=schema.names,
                    skip_rows=int(self.header),
                ),
                parse_options=csv.ParseOptions(
                    delimiter=self._separator, quote_char=False, invalid_row_handler=self.bad.refuse
                ),
                convert_options=csv.ConvertOptions(
                    include_columns=names,
                    column_types={name: schema.field(name).type for name in names},
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            ) as reader,
        ):
            yield from reader

    def _first_line(self) -> list[str]:
        if self._names is None:
            _refuse_absent(self.path)
            with _reading(self.path, "a text table in UTF-8 (gzipped or not)", self.bad):
                opener = gzip.open if _gzipped(self.path) else open
                with opener(self.path, "rb") as file:
                    line = file.readline(BLOCK_BYTES).decode("utf-8-sig").rstrip("\r\n")
            if not line:
                raise DataError(f"{self.path} must hold a log, got an empty first line")
            self._names = line.split(self._separator)
        return self._names


@final
class ParquetLog:
    """A Parquet file, or a folder of them in the order of their names; types are those of the files."""

    def __init__(self, path: Path, *, chunk_rows: int = CHUNK_ROWS, max_bad_rows: float = 0) -> None:
        self.path, self._chunk_rows, self._max_bad_rows = path, chunk_rows, max_bad_rows
        self.bad = BadRows(max_bad_rows, where=str(path))

    @property
    def schema(self) -> pa.Schema:
        return self._dataset().schema

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        dataset = self._dataset()
        names = known(columns, dataset.schema.names, f"{self.path}: column {{}} is missing")
        self.bad = BadRows(self._max_bad_rows, where=str(self.path))
        with _reading(self.path, "Parquet or a folder of Parquet files", self.bad):
            yield from self.bad.checked(regroup(_parquet_batches(dataset, names), self._chunk_rows))

    def _dataset(self) -> ds.Dataset:
        _refuse_absent(self.path)
        files = [self.path] if self.path.is_file() else sorted(self.path.rglob("*.parquet"))
        if not files:
            raise DataError(f"{self.path} must hold Parquet files (*.parquet), got none")
        with _reading(self.path, "Parquet or a folder of Parquet files", self.bad):
            dataset = ds.dataset(
                [str(file) for file in files],
                format=_parquet_format(),
                partitioning=ds.partitioning(flavor="hive"),
                partition_base_dir=str(self.path) if self.path.is_dir() else None,
            )
            # A folder's schema is its first file's; later files may hold further columns.
            schemas = [dataset.schema, *(fragment.physical_schema for fragment in dataset.get_fragments())]
            return dataset.replace_schema(pa.unify_schemas([schema.remove_metadata() for schema in schemas]))


def _parquet_format() -> ds.ParquetFileFormat:
    # Without these, whole column chunks are held in memory.
    options = ds.ParquetFragmentScanOptions(pre_buffer=False, use_buffered_stream=True, buffer_size=BLOCK_BYTES)
    return ds.ParquetFileFormat(default_fragment_scan_options=options)


def _parquet_batches(dataset: ds.Dataset, names: list[str]) -> Iterator[pa.RecordBatch]:
    yield from dataset.to_batches(
        columns=names, batch_size=PARQUET_ROWS, batch_readahead=2, fragment_readahead=1, use_threads=False
    )


def regroup(batches: Iterable[pa.RecordBatch | pa.Table], rows: int) -> Iterator[pa.Table]:
    """Yield tables of exactly ``rows`` rows (the last may have fewer), each column in one piece.

    >>> batches = [pa.record_batch({"a": [1, 2, 3]}), pa.record_batch({"a": [4]})]
    >>> [table["a"].to_pylist() for table in regroup(batches, 2)]
    [[1, 2], [3, 4]]
    """
    held: list[pa.Table] = []
    count = 0
    for batch in batches:
        rest = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
        while count + rest.num_rows >= rows:
            yield _one_piece([*held, rest.slice(0, rows - count)])
            rest, held, count = rest.slice(rows - count), [], 0
        if rest.num_rows:
            held.append(rest)
            count += rest.num_rows
    if held:
        yield _one_piece(held)


def _one_piece(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def known(columns: Sequence[str] | None, names: Sequence[str], absent: str) -> list[str]:
    """Return the columns named, or all of a log's.

    Args:
        columns: those named; None for all.
        names: all that there are.
        absent: what is said of one that is not there; ``{}`` stands for it.

    Raises:
        DataError: one is not there.
    """
    for name in columns or ():
        if name not in names:
            said = absent.replace("{}", repr(name))
            raise DataError(f"{said}{did_you_mean(name, names) or ';'} The columns are {shortlist(names, 60)}")
    return list(names if columns is None else columns)


def _refuse_absent(path: Path) -> None:
    if not path.exists():
        raise DataError(f"{path} does not exist (looked in {path.absolute().parent}); check source.path")
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{path} must hold a log, got an empty file")


def _gzipped(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP_START


@contextmanager
def _reading(path: Path, form: str, bad: BadRows) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        bad.check(final=False)  # where it was too many of them that ended the reading, it says so
        raise DataError(
            f"{path} must be {form}, got: {one_line(error)}; nothing of it was kept, mend or fetch it again"
        ) from error
