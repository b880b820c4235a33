"""Files are read a few rows at a time, whole or not at all."""

from __future__ import annotations

import gzip
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.errors import DataError
from distillery.scoring.inputs import InputFile, behind, cut, find_inputs


def values(batches):
    return [value for batch in batches for value in batch["x"].to_pylist()]


@given(sizes=st.lists(st.integers(0, 9), max_size=8), done=st.integers(0, 40), rows=st.integers(1, 12))
def test_rows_are_cut_into_equal_pieces(sizes, done, rows):
    """However they come: all behind the skipped ones, in order, in full pieces but the last."""
    borders = np.cumsum([0, *sizes])
    batches = [pa.record_batch({"x": range(a, b)}) for a, b in pairwise(borders)]
    pieces = list(cut(behind(iter(batches), done), rows))
    assert values(pieces) == list(range(done, borders[-1]))
    assert [len(piece) for piece in pieces[:-1]] == [rows] * (len(pieces) - 1)
    assert all(0 < len(piece) <= rows for piece in pieces)


@pytest.mark.parametrize("group", [1, 7, 100])
@pytest.mark.parametrize("done", [0, 1, 7, 20, 49, 50])
def test_the_first_rows_of_a_file_are_skipped(tmp_path, group, done):
    """In Parquet of any row groups, and in CSV."""
    table = pa.table({"x": range(50), "y": range(50)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=group)
    table.to_pandas().to_csv(tmp_path / "a.csv", index=False)
    assert values(InputFile(tmp_path / "a.parquet", ",").batches(["x"], done)) == list(range(done, 50))
    texts = values(InputFile(tmp_path / "a.csv", ",").batches(["x"], done))
    assert texts == [str(i) for i in range(done, 50)]


def test_a_csv_is_read_as_it_is_written(tmp_path):
    """Quoted line ends and separators, a byte order mark, another separator."""
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbfx;y\n"a\nb;c";1\n" d ";2\n')
    file = InputFile(path, ";")
    assert file.schema.names == ["x", "y"]
    assert values(file.batches(["x"])) == ["a\nb;c", " d "]


BROKEN = {
    "empty": ("a.csv", b"", "must hold a table, got an empty file"),
    "empty Parquet": ("a.parquet", b"", "must hold a table, got an empty file"),
    "not Parquet": ("a.parquet", b"x,y\n1,2\n", "must be Parquet, got: "),
    "short row": ("a.csv", b"x,y\n1,2\n1\n", "must be a CSV table in UTF-8, got: .*Expected 2 columns, got 1"),
    "long row": ("a.csv", b"x,y\n1,2\n1,2,3\n", "must be a CSV table in UTF-8, got: .*Expected 2 columns, got 3"),
    "not UTF-8": ("a.csv", b"x,y\n1,2\n\xff,2\n", "must be a CSV table in UTF-8, got: .*UTF8"),
    "not gzip": ("a.csv.gz", b"x,y\n1,2\n", "must be a CSV table in UTF-8, got: "),
    "half gzip": ("a.csv.gz", gzip.compress(b"x,y\n1,2\n" * 99, mtime=0)[:-20], "must be a CSV table in UTF-8, got: "),
    "other kind": ("a.txt", b"x,y\n", r"must end with one of .csv, .csv.gz, .parquet, .pq"),
}


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.replace(" ", "_"))
def test_a_file_that_cannot_be_read(tmp_path, case):
    """The error names it."""
    name, content, message = BROKEN[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        values(find_inputs(tmp_path / name, ",")[0].batches(["x"]))
    assert str(tmp_path / name) in str(caught.value)


def test_an_input_must_be_there(tmp_path):
    """As a file, or as a folder with files that can be read and no folders."""
    with pytest.raises(DataError, match="does not exist"):
        find_inputs(tmp_path / "a.csv", ",")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"must hold files that end with one of .csv, .*, got none"):
        find_inputs(tmp_path, ",")
    (tmp_path / "month=1").mkdir()
    with pytest.raises(DataError, match="must hold files only, got the folders month=1; score each by itself"):
        find_inputs(tmp_path, ",")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "members.csv.gz"])
@pytest.mark.parametrize("n", [1, 1000, 60_000])
def test_the_number_of_rows_is_known_or_guessed(tmp_path, name, n):
    """Exactly for Parquet; of CSV to within a tenth, from its first megabyte."""
    path, x = tmp_path / name, np.random.default_rng(0).integers(10**12, 10**13, n)
    lines = ["x,y", *(f"{v},{v}" for v in x)]
    if name.endswith(".parquet"):
        pq.write_table(pa.table({"x": x, "y": x}), path)
    else:
        parts = [("\n".join(lines) + "\n").encode()]
        if name.startswith("members"):
            parts = [f"{line}\n".encode() for line in lines[:200]]
            parts.append("".join(f"{line}\n" for line in lines[200:]).encode())
        path.write_bytes(b"".join(gzip.compress(p) for p in parts) if name.endswith("gz") else parts[0])
    (file,) = find_inputs(path, ",")
    slack = 0 if name.endswith(".parquet") else 0.1 * n + 1
    if name.startswith("members"):
        assert file.rows >= 1  # short members say little of the rest
    else:
        assert abs(file.rows - n) <= slack
