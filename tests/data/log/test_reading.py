"""Raw logs in chunks: the same on every pass, bad rows counted, broken files refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distillery.data.log import ParquetLog, TextLog
from distillery.data.log import bad_rows as module
from distillery.data.log.reading import regroup
from distillery.errors import DataError

LINES = [f"{i},c{i % 7}" for i in range(1_000)]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a writer of lines, gzipped where the name says so."""

    def write_lines(lines: list[str], name: str = "log.csv") -> Path:
        path, content = tmp_path / name, ("\n".join(lines) + "\n").encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write_lines


def text_log(path: Path, **options: Any) -> TextLog:
    return TextLog(path, separator=",", layout=("a", "b"), types={}, **options)


def rows_of(log: TextLog | ParquetLog, columns: list[str] | None = None) -> list[dict[str, Any]]:
    return [row for chunk in log.chunks(columns) for row in chunk.to_pylist()]


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz", "log"])
@pytest.mark.parametrize("header", [True, False])
def test_a_log_is_read_with_a_header_or_without_gzipped_or_plain(write: Write, header: bool, name: str) -> None:
    """The first line is a row where it holds none of the names."""
    log = text_log(write([*(["b,a"] if header else []), *LINES], name), chunk_rows=300)
    rows = rows_of(log)
    assert (log.header, log.schema.names) == (header, ["b", "a"] if header else ["a", "b"])
    assert [tuple(row.values()) for row in rows] == [tuple(line.split(",")) for line in LINES]


def test_chunks_have_the_same_rows_on_every_pass(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their length does not depend on how much is read from the disk at a time, nor on the columns."""
    monkeypatch.setattr("distillery.data.log.reading.BLOCK_BYTES", 100)
    log = text_log(write(LINES), chunk_rows=300)
    assert [c.num_rows for c in log.chunks()] == [c.num_rows for c in log.chunks(["b"])] == [300, 300, 300, 100]
    assert rows_of(log) == rows_of(log)
    assert [row["b"] for row in rows_of(log)] == [row["b"] for row in rows_of(log, ["b"])]
    assert all(column.num_chunks == 1 for chunk in log.chunks() for column in chunk.columns)


def test_a_log_is_never_held_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is that of some blocks and a chunk, not of the file; whoever stops early reads no more."""
    monkeypatch.setattr("distillery.data.log.reading.BLOCK_BYTES", 1 << 16)
    path = tmp_path / "log.csv"
    path.write_bytes(b"1234567890123456789,x\n" * 1_000_000)
    log = text_log(path, chunk_rows=1_000)
    before, most = pa.total_allocated_bytes(), 0
    chunks = log.chunks()
    for _ in zip(range(300), chunks, strict=False):
        most = max(most, pa.total_allocated_bytes() - before)
    assert log.bad.seen == 300_000
    assert most < path.stat().st_size / 3


def test_an_empty_field_is_missing(write: Write) -> None:
    """Other spellings are texts like any other."""
    assert rows_of(text_log(write(["1,", ",NA"]))) == [{"a": "1", "b": None}, {"a": None, "b": "NA"}]


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
def test_rows_with_too_few_or_too_many_fields_are_left_out_and_counted(write: Write, name: str) -> None:
    """The first five are shown with their lines."""
    log = text_log(write(["a,b", *LINES[:9], "1", *LINES[9:], *["1,2,3"] * 7], name), max_bad_rows=8)
    for _ in range(2):  # counted anew on each pass
        assert len(rows_of(log)) == 1_000
        assert (log.bad.count, log.bad.seen) == (8, 1_008)
        assert log.bad.samples[0] == (11, "1 (1 fields instead of 2)")
        assert log.bad.samples[1:] == [(1_003 + i, "1,2,3 (3 fields instead of 2)") for i in range(4)]


@pytest.mark.parametrize(("limit", "bad", "fits"), [(2, 2, True), (2, 3, False), (0.01, 10, True), (0.01, 11, False)])
def test_more_bad_rows_than_the_limit_are_refused(write: Write, limit: float, bad: int, fits: bool) -> None:
    """The limit is a count, or a share of all rows; the message says how many there were and shows some."""
    log = text_log(write([*LINES[: 1_000 - bad], *["broken"] * bad]), max_bad_rows=limit)
    if fits:
        assert len(rows_of(log)) == 1_000 - bad
        return
    message = rf"log.csv must be readable but for .* got {bad} bad ones (of 1000|before its end) \(line \d+: broken"
    with pytest.raises(DataError, match=message) as raised:
        rows_of(log)
    assert "raise source.max_bad_rows" in str(raised.value)


def test_a_log_of_bad_rows_is_not_read_to_its_end(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share is taken of so many rows at least, and what is more ends it at once."""
    monkeypatch.setattr(module, "GRACE_ROWS", 1_000)
    log = text_log(write(["x"] * 100_000), max_bad_rows=0.01)
    with pytest.raises(DataError, match=r"must be readable but for 0\.01 of its rows, got 11 bad ones before its end"):
        rows_of(log)


def test_a_truncated_gzip_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came before the break was good; the error says that nothing is kept."""
    monkeypatch.setattr("distillery.data.log.reading.BLOCK_BYTES", 1 << 12)
    rng = np.random.default_rng(0)
    path = write([f"{i},{n}" for i, n in enumerate(rng.integers(1 << 60, size=20_000))], "log.csv.gz")
    path.write_bytes(path.read_bytes()[:-50_000])
    chunks = text_log(path, chunk_rows=1_000).chunks()
    assert next(chunks).num_rows == 1_000
    with pytest.raises(DataError, match=r"log.csv.gz must be a text table .* got: .*[Tt]runcated.*nothing of it was"):
        list(chunks)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must hold a log, got an empty file"),
        (b"\n", "must hold a log, got an empty first line"),
        (b"a,b\n1,\xff\xfe\n", "must be a text table in UTF-8 .* invalid UTF8"),
        (b"\xff\xfe,b\n", "must be a text table in UTF-8"),
        (b"\x1f\x8bnonsense", "must be a text table in UTF-8"),
        (b"a,b,a\n1,2,3\n", "column names must differ, got 'a' more than once"),
    ],
    ids=["empty", "blank", "not UTF-8", "names not UTF-8", "not gzip", "repeated name"],
)
def test_what_is_no_log_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """One sentence says what must hold."""
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        rows_of(text_log(path))


@pytest.mark.parametrize("make", [text_log, ParquetLog])
def test_an_absent_log_is_named(tmp_path: Path, make: Any) -> None:
    """With the folder that was searched."""
    with pytest.raises(DataError, match=r"log does not exist \(looked in .*check source.path"):
        rows_of(make(tmp_path / "log"))


def test_an_absent_column_is_named(write: Write) -> None:
    """With the nearest one that there is."""
    with pytest.raises(DataError, match="column 'colour' is missing; did you mean 'color'"):
        rows_of(text_log(write(["a,color", "1,2"])), ["colour"])


def test_a_folder_of_parquet_files_is_one_log(tmp_path: Path) -> None:
    """In the order of their names; chunks cross files, and only the columns asked for are read."""
    whole = pa.table({"a": range(1_000), "b": [f"c{i % 7}" for i in range(1_000)]})
    for i in range(4):
        pq.write_table(whole.slice(i * 250, 250), tmp_path / f"part-{i}.parquet")
    log = ParquetLog(tmp_path, chunk_rows=300)
    assert rows_of(log) == rows_of(log) == whole.to_pylist()
    assert [chunk.num_rows for chunk in log.chunks(["b"])] == [300, 300, 300, 100]
    assert rows_of(log, ["b"]) == whole.select(["b"]).to_pylist()


def test_partitions_and_further_columns_of_later_files_are_read(tmp_path: Path) -> None:
    """A folder's name may hold a column's value; what a file has not is missing."""
    for day, table in [("1", pa.table({"a": [1, 2]})), ("2", pa.table({"a": [3], "b": ["x"]}))]:
        (tmp_path / f"day={day}").mkdir()
        pq.write_table(table, tmp_path / f"day={day}" / "part.parquet")
    rows = [{"a": 1, "day": 1, "b": None}, {"a": 2, "day": 1, "b": None}, {"a": 3, "day": 2, "b": "x"}]
    assert rows_of(ParquetLog(tmp_path)) == rows


def test_gzip_may_have_several_members(tmp_path: Path) -> None:
    """As logs have that were joined."""
    (tmp_path / "log.gz").write_bytes(gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n"))
    assert [row["a"] for row in rows_of(text_log(tmp_path / "log.gz"))] == ["1", "3"]


def test_a_folder_without_parquet_or_with_broken_files_is_refused(tmp_path: Path) -> None:
    """Nothing is guessed."""
    with pytest.raises(DataError, match=r"must hold Parquet files \(\*.parquet\), got none"):
        rows_of(ParquetLog(tmp_path))
    (tmp_path / "a.parquet").write_text("no")
    with pytest.raises(DataError, match="must be Parquet or a folder of Parquet files, got: "):
        rows_of(ParquetLog(tmp_path))


@pytest.mark.parametrize("rows", [1, 3, 4, 100])
def test_regrouping_keeps_rows_and_their_order(rows: int) -> None:
    """Whatever the batches, every table but the last has so many rows, and one dictionary."""
    texts = ["a", "b", "c", "a", None, "d", "c"]
    batches = [pa.table({"x": pa.array(texts[i:j]).dictionary_encode()}) for i, j in [(0, 2), (2, 2), (2, 7)]]
    tables = list(regroup(batches, rows))
    assert [value for table in tables for value in table["x"].to_pylist()] == texts
    assert {table.num_rows for table in tables[:-1]} <= {rows}
    assert all(len(table["x"].chunk(0).dictionary.unique()) == len(table["x"].chunk(0).dictionary) for table in tables)
