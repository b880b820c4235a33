"""A file's columns are read as the model's table was, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distillery.data import Column, Schema
from distillery.errors import DataError
from distillery.scoring.features import CSV_MISSING, features_of
from distillery.scoring.inputs import InputFile, cut
from tests.exported import raw_rows


def schema_of(**kinds):
    columns = tuple(Column(name=name, kind=kind) for name, kind in kinds.items())
    return Schema(columns=columns, target="y", classes=(0, 1))


def frame_of(path, schema, missing=(), chunk_rows=2):
    """The features of a file, read in chunks."""
    file, frames, row = InputFile(Path(path), ","), [], 0
    features = features_of(file, schema, missing)
    for chunk in cut(file.batches(schema.names), chunk_rows):
        frames.append(schema.conform(features.frame(chunk, row)))
        row += len(chunk)
    return pd.concat(frames, ignore_index=True)


COLUMNS = {
    "text": ["a", "b", "", "NA", "b"],
    "whole numbers": ["5", "07", "+3", "12", "0"],
    "whole numbers with a gap": ["5", "07", "", "12", "0"],
    "numbers": ["5.0", "07", "1.50", "1e3", ".5"],
    "numbers beside text": ["5.0", "07", "A1", "1e3", "x"],
    "numbers at first": ["5.0", "07", "1", "2", "A1"],
    "truths": ["True", "false", "TRUE", "False", "true"],
    "truths with a gap": ["True", "false", "", "False", "true"],
    "truths beside numbers": ["True", "1", "0", "False", "1"],
    "long names of digits": ["12345678901234567890123", "1", "2", "3", "4"],
    "large numbers": ["9007199254740993", "1", "2", "3", "4"],
    "hexadecimal": ["0x1A", "1", "2", "3", "4"],
    "spaces": [" a", "a ", " ", "  5", "5"],
    "spaces around numbers": [" 5", "6 ", "7", "8", "9"],
    "nothing": ["", "NA", "null", "", "nan"],
}


@pytest.mark.parametrize("name", COLUMNS, ids=lambda name: name.replace(" ", "_"))
def test_a_category_of_a_csv_is_what_pandas_would_read(tmp_path, name):
    """From the file at once, as the model's table was read: 5.0 and 05 are the category 5, but not beside text."""
    path = tmp_path / "a.csv"
    pd.DataFrame({"c": COLUMNS[name], "z": 1}).to_csv(path, index=False)
    schema = schema_of(c="categorical")
    pd.testing.assert_frame_equal(frame_of(path, schema), schema.conform(pd.read_csv(path, low_memory=False)))


def test_numbers_of_a_csv_are_those_of_pandas(tmp_path):
    """To the last bit, with all its spellings of a missing value."""
    path = tmp_path / "a.csv"
    rng = np.random.default_rng(0)
    numbers = [*map(repr, rng.normal(size=50).tolist()), " 7", "-1e-320", "+.5", "inf", "-Infinity"]
    pd.DataFrame({"n": [*numbers, *CSV_MISSING], "z": 1}).to_csv(path, index=False)
    schema = schema_of(n="numeric")
    expected = pd.read_csv(path, float_precision="round_trip")
    assert expected["n"].dtype == np.float64
    pd.testing.assert_frame_equal(frame_of(path, schema), schema.conform(expected))


TYPES = {
    "int8": pa.array([1, None, 3], pa.int8()),
    "large int64": pa.array([2**53 - 1, None, 3]),
    "float32": pa.array([0.1, None, 3], pa.float32()),
    "bool": pa.array([True, None, False]),
    "decimal": pa.array(["1.50", None, "2.00"]).cast(pa.decimal128(9, 2)),
    "text": pa.array(["1.5", None, "2"]),
    "large text": pa.array(["1.5", None, "2"], pa.large_string()),
    "text by code": pa.array(["1.5", None, "2"]).dictionary_encode(),
    "numbers by code": pa.array([4, None, 7]).dictionary_encode(),
    "nothing": pa.nulls(3),
}


@pytest.mark.parametrize("name", TYPES, ids=lambda name: name.replace(" ", "_"))
@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_a_column_of_parquet_is_what_the_schema_reads(tmp_path, name, kind):
    """Whatever its type, and whatever the chunk."""
    pq.write_table(pa.table({"c": TYPES[name]}), tmp_path / "a.parquet")
    schema = schema_of(c=kind)
    expected = schema.conform(pq.read_table(tmp_path / "a.parquet").to_pandas())
    pd.testing.assert_frame_equal(frame_of(tmp_path / "a.parquet", schema, chunk_rows=1), expected)


def test_whole_numbers_are_spelled_alike_in_every_chunk(tmp_path):
    """Beside a missing value pandas makes them decimals, and large ones others."""
    pq.write_table(pa.table({"c": [2**60 + 1, None, 5]}), tmp_path / "a.parquet")
    found = frame_of(tmp_path / "a.parquet", schema_of(c="categorical"), chunk_rows=3)
    assert found["c"].tolist() == [str(2**60 + 1), None, "5"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_own_spellings_of_a_missing_value(tmp_path, kind):
    """Text and numbers; as in the model's source."""
    raw = pd.DataFrame({"n": [1.0, -999.0, 3.0], "c": ["?", "a", "b"], "k": [1, -999, 2]})
    raw.to_csv(tmp_path / "in.csv", index=False)
    raw.to_parquet(tmp_path / "in.parquet", index=False)
    schema = schema_of(n="numeric", c="categorical", k="categorical")
    found = frame_of(tmp_path / f"in.{kind}", schema, missing=("?", "-999"))
    np.testing.assert_array_equal(found["n"], [1, np.nan, 3])
    assert found["c"].tolist() == [None, "a", "b"]
    assert found["k"].tolist() == ["1", None, "2"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_text_where_a_number_is_due(score, rows, tmp_path, kind):
    """The error names file, column and the first such row in the file; nothing is scored."""
    texts = rows["income"].map(lambda value: None if pd.isna(value) else repr(value))
    texts[[170, 222]] = "a lot"
    changed = rows.assign(income=texts)
    changed.to_csv(tmp_path / "in.csv", index=False)
    changed.to_parquet(tmp_path / "in.parquet", index=False)
    message = rf"in\.{kind}: column 'income' must be numeric, got 'a lot' in row 170 \(the first is row 0\)"
    with pytest.raises(DataError, match=message):
        score(f"in.{kind}")
    assert not (tmp_path / "out.parquet").exists()


def test_all_differences_are_listed(score, tmp_path):
    """Absent, repeated and of a type that is none of a feature's; absent keys, too."""
    raw = raw_rows(20)
    table = pa.Table.from_pandas(raw.drop(columns=["income", "age"]), preserve_index=False)
    table = table.append_column("incom", pa.array(raw["income"]))
    table = table.append_column("age", pa.array([0] * 20, pa.timestamp("ms")))
    pq.write_table(table.append_column("city", table["city"]), tmp_path / "in.parquet")
    with pytest.raises(DataError) as caught:
        score("in.parquet", keys=("idd",))
    assert [line.strip() for line in str(caught.value).splitlines()] == [
        f"{tmp_path / 'in.parquet'} does not fit toy-student version 7:",
        "column 'city' stands more than once",
        "column 'age' must hold numbers or text, got timestamp[ms]",
        "column 'income' is missing; did you mean 'incom'?",
        "key 'idd' is missing; did you mean 'id'?",
        "the columns are id, city, branch, member, note, incom, age, city",
    ]


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.binary(), pa.date32(), pa.duration("s")], ids=str)
def test_no_feature_is_a_date_bytes_or_a_list(score, tmp_path, kind):
    """Of either kind."""
    table = pa.Table.from_pandas(raw_rows(3).drop(columns="city"), preserve_index=False)
    pq.write_table(table.append_column("city", pa.nulls(3, kind)), tmp_path / "in.parquet")
    with pytest.raises(DataError, match="column 'city' must hold numbers or text, got "):
        score("in.parquet")


@pytest.mark.parametrize("name", ["in.csv", "in.parquet"])
def test_a_table_without_rows(score, rows, tmp_path, name):
    """Columns alone are not enough."""
    rows[:0].to_csv(tmp_path / "in.csv", index=False)
    rows[:0].to_parquet(tmp_path / "in.parquet", index=False)
    with pytest.raises(DataError, match=rf"{name} must have rows, got none"):
        score(name)
    assert not (tmp_path / "out.parquet").exists()


def test_a_key_has_one_type_in_all_files(score, rows, tmp_path):
    """Only a file without values in it has no say."""
    folder = tmp_path / "in"
    folder.mkdir()
    rows.assign(id=None).to_parquet(folder / "a.parquet", index=False)
    rows.to_parquet(folder / "b.parquet", index=False)
    score("in", keys=("id",))
    assert pq.read_table(tmp_path / "out.parquet")["id"].to_pylist() == [None] * len(rows) + list(rows["id"])
    rows.assign(id=1).to_parquet(folder / "c.parquet", index=False)
    with pytest.raises(DataError, match=r"key 'id' must have one type in all files, got .*int64 in c.parquet"):
        score("in", keys=("id",), overwrite=True)
