"""From raw rows to a table: kinds, roles, classes, and what is refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distillery.data import Column, Table
from distillery.data.build import Roles, build_table, describe, infer_kind, read_column, schema_table
from distillery.data.splits import SplitSpec
from distillery.errors import DataError

Raw = Callable[..., pd.DataFrame]


def build(raw: pd.DataFrame, *, target: str = "sold", rows: int | None = None, seed: int = 0, **roles: Any) -> Table:
    return build_table(raw, Roles(target, **roles), SplitSpec(), seed=seed, rows=rows)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pd.Series([1, 2]), "numeric"),
        (pd.Series([1.5, None]), "numeric"),
        (pd.Series([True, False]), "numeric"),
        (pd.Series([True, None], dtype=object), "numeric"),
        (pd.Series([1, pd.NA], dtype="Int64"), "numeric"),
        (pd.Series(["1", " 2.5 ", "-1e3", None]), "numeric"),
        (pd.Series(["1", pd.NA], dtype="string"), "numeric"),
        (pd.Series([Decimal("1.5"), None]), "numeric"),
        (pd.Series(["1", "x"]), "categorical"),
        (pd.Series(["a", None]), "categorical"),
        (pd.Series([1, 2], dtype="category"), "categorical"),
        (pd.Series(["1", ""]), "categorical"),
    ],
)
def test_kinds_are_inferred(values: pd.Series, kind: str) -> None:
    """Numbers, booleans and text that is all numbers are numeric, everything else is categorical."""
    assert infer_kind(values) == kind


def test_kinds_can_be_overridden(raw: Raw) -> None:
    """Numbers that are codes become categories, spelled as whole numbers."""
    table = build(raw(), kinds={"rooms": "categorical"})
    column = next(c for c in table.schema.columns if c.name == "rooms")
    assert column.kind == "categorical"
    assert column.categories == tuple("12345678")


def test_an_override_that_cannot_be_is_refused(raw: Raw) -> None:
    """The column and its first offending row are named."""
    with pytest.raises(DataError, match=r"column 'colour' must be numeric, got '\w+' in row \d+ \(\d+ such rows\)"):
        build(raw(), kinds={"colour": "numeric"})


def test_roles_decide_what_is_a_feature(raw: Raw) -> None:
    """Target, group, time, weight and dropped columns are none; privileged ones are marked."""
    frame = raw().assign(w=1.0, noise=1.0)
    table = build(frame, group="house", time="day", weight="w", drop=["noise"], privileged=["rooms"])
    assert table.schema.names == ["size", "rooms", "colour"]
    assert table.schema.regular.names == ["size", "colour"]
    assert (table.schema.group, table.schema.time, table.schema.weight) == ("house", "day", "w")
    assert "noise" not in table.frame
    assert table.frame["w"].dtype == np.float64


def test_a_query_is_no_feature_and_splits_nothing(raw: Raw) -> None:
    """Rows of a user may lie in every split; without a group they are resampled together."""
    table = build(raw(), query="house")
    assert "house" not in table.schema.names
    assert (table.schema.query, table.schema.unit, table.groups("test")) == ("house", "house", None)
    queries = table.queries("test")
    assert queries is not None
    assert len(np.unique(queries)) == table.split("test")["house"].nunique()
    assert table.frame.groupby("house")["__split__"].nunique().max() > 1
    both = build(raw(), query="house", group="house")
    assert both.schema.unit == "house"
    assert both.frame.groupby("house")["__split__"].nunique().max() == 1


@pytest.mark.parametrize(
    ("target", "classes"),
    [
        (["yes", "no"], ("no", "yes")),
        ([1, 0], (0, 1)),
        ([1.0, 0.0, None], (0, 1)),
        ([True, False], (False, True)),
        (["b", "c", "a"], ("a", "b", "c")),
        ([2.5, 1.5], (1.5, 2.5)),
    ],
)
def test_classes_are_the_targets_values_in_order(raw: Raw, target: list[Any], classes: tuple[Any, ...]) -> None:
    """Whole floats, as gaps make them in a CSV, are whole numbers."""
    found = build(raw().assign(sold=pd.Series(target * 200)[:400])).schema.classes
    assert found == classes
    assert list(map(type, found)) == list(map(type, classes))


@pytest.mark.parametrize(("positive", "classes"), [("no", ("yes", "no")), ("yes", ("no", "yes"))])
def test_positive_comes_last(raw: Raw, positive: str, classes: tuple[str, str]) -> None:
    """With two classes the last one's probability counts."""
    assert build(raw(), positive=positive).schema.classes == classes


def test_positive_keeps_the_targets_own_type(raw: Raw) -> None:
    """``true`` of a config means the 1 of the table."""
    found = build(raw().assign(sold=[0, 1] * 200), positive=True).schema.classes
    assert list(map(type, found)) == [int, int]


@pytest.mark.parametrize(("positive", "values"), [("maybe", ["yes", "no"]), ("a", ["a", "b", "c"])])
def test_positive_must_be_one_of_two_classes(raw: Raw, positive: str, values: list[str]) -> None:
    """The classes found are listed."""
    frame = raw().assign(sold=np.resize(values, 400))
    with pytest.raises(DataError, match=f"positive must be one of two classes, got '{positive}' among '"):
        build(frame, positive=positive)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": None}, "column 'size' must hold values, got only missing ones; list it under `drop`"),
        ({"size": np.inf}, r"column 'size' must be finite, got 400 infinite values \(rows 0, 1, 2, 3, 4 \(\+395"),
        ({"size": "-inf"}, "column 'size' must be finite, got 400 infinite values"),
        ({"size": pd.Timestamp("2020-01-01")}, "column 'size' holds dates; name it as `time`, drop it, or derive"),
        ({"size": dt.date(2020, 1, 1)}, "column 'size' holds dates"),
        ({"size": pd.Timedelta("1s")}, "column 'size' holds dates"),
        ({"size": pd.Timestamp("2020-01-01", tz="UTC")}, "column 'size' holds dates"),
        ({"sold": "yes"}, "target 'sold' must have at least two classes, got 'yes'"),
        ({"sold": None}, "target 'sold' must have at least two classes, got none"),
        ({"sold": pd.Timestamp("2020-01-01")}, "target 'sold' must hold classes, got dates"),
    ],
    ids=str,
)
def test_a_column_that_cannot_be_used_is_refused(raw: Raw, change: dict[str, Any], message: str) -> None:
    """The message names the column and what to do."""
    with pytest.raises(DataError, match=message):
        build(raw().assign(**change))


@pytest.mark.parametrize("values", [[[1, 2], [1]], [np.array([1, 2]), None], [(1,), (2, 3)]], ids=str)
def test_lists_are_refused(values: list[Any]) -> None:
    """A cell holds one value."""
    with pytest.raises(DataError, match="column 'c' must hold single values, got lists"):
        read_column(pd.Series(values, name="c", dtype=object))


@pytest.mark.parametrize(
    "target",
    [np.linspace(0, 1, 400), np.arange(400), np.arange(400) / 2],
    ids=["floats", "whole numbers", "halves"],
)
def test_a_measured_target_is_refused(raw: Raw, target: np.ndarray) -> None:
    """Regression is not supported, and the message says what to do."""
    with pytest.raises(DataError, match="must hold classes, got 400 different numbers; regression is not supported"):
        build(raw().assign(sold=target))


def test_an_absent_target_names_the_nearest_and_lists_the_columns(raw: Raw) -> None:
    """The user sees what there is to choose from."""
    expected = (
        "target column 'slod' is not in the table; did you mean 'sold'?"
        " The columns are size, rooms, colour, house, day, sold"
    )
    with pytest.raises(DataError) as caught:
        build(raw(), target="slod")
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    "roles",
    [
        {"group": "hause"},
        {"time": "hause"},
        {"weight": "hause"},
        {"drop": ["hause"]},
        {"privileged": ["hause"]},
        {"kinds": {"hause": "numeric"}},
    ],
    ids=lambda r: next(iter(r)),
)
def test_every_column_a_role_names_must_be_there(raw: Raw, roles: dict[str, Any]) -> None:
    """A typo in a role is no silent nothing."""
    with pytest.raises(DataError, match=r"column 'hause' is not in the table; did you mean 'house'\?"):
        build(raw(), **roles)


def test_a_table_needs_rows_and_features(raw: Raw) -> None:
    """Neither a header alone nor a target alone is a table."""
    with pytest.raises(DataError, match="the table must have rows, got none"):
        build(raw().head(0))
    with pytest.raises(DataError, match="at least one feature column, got none"):
        build(raw()[["sold"]])


@pytest.mark.parametrize(
    ("names", "message"), [(["a", 0], "must be text, got 0"), (["a", "a"], "must differ, got 'a'")]
)
def test_column_names_are_text_and_differ(names: list[Any], message: str) -> None:
    """A role could not tell which column it names."""
    with pytest.raises(DataError, match=f"column names {message}"):
        build(pd.DataFrame([[1, 0], [2, 1]], columns=names), target="a")


def test_rows_may_come_with_their_split(raw: Raw) -> None:
    """Nothing is drawn then, and a split may be empty."""
    splits = np.array(["train", "valid"], dtype=object)[np.arange(400) % 2]
    table = build_table(raw(), Roles("sold"), splits, seed=0)
    assert (table.frame["__split__"] == splits).all()
    assert table.counts == {"train": 200, "valid": 200, "test": 0}


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_weights_are_finite_and_not_negative(raw: Raw, weight: float) -> None:
    """The column is named."""
    with pytest.raises(DataError, match="weight column 'w' must hold finite numbers of at least 0"):
        build(raw().assign(w=[weight] + [1.0] * 399), weight="w")


def test_the_rows_cap_samples_by_the_seed(raw: Raw) -> None:
    """The same seed keeps the same rows, in their order; another keeps others; no cap keeps all."""
    frame = raw().assign(row=np.arange(400))
    kept = build(frame, rows=100).frame["row"]
    assert len(kept) == 100
    assert kept.is_monotonic_increasing
    assert kept.tolist() == build(frame, rows=100).frame["row"].tolist()
    assert kept.tolist() != build(frame, rows=100, seed=1).frame["row"].tolist()
    assert len(build(frame, rows=400).frame) == len(build(frame, rows=10**9).frame) == 400


def test_the_schema_is_described_on_training_rows_only(raw: Raw) -> None:
    """A category or an extreme value that only other splits hold is unknown to the schema."""
    frame = raw().assign(part=np.resize(["train", "valid", "test"], 400))
    frame.loc[1, ["size", "colour"]] = [1000.0, "violet"]
    table = build_table(frame, Roles("sold"), SplitSpec(column="part"), seed=0)
    size, _, colour = table.schema.columns[:3]
    train = table.split("train")
    assert (size.lower, size.upper) == (train["size"].min(), train["size"].max())
    assert colour.categories == ("blue", "green", "red")
    assert size.missing == pytest.approx(train["size"].isna().mean())
    assert "part" not in table.schema.names


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ([1.0, 2.0, None], {"integer": True, "lower": 1, "upper": 2, "missing": 1 / 3}),
        ([1.5, -2.0], {"integer": False, "lower": -2, "upper": 1.5, "missing": 0}),
        ([None, None], {"integer": True, "lower": None, "upper": None, "missing": 1}),
    ],
)
def test_a_numeric_column_is_described(values: list[float | None], column: dict[str, Any]) -> None:
    """Range, wholeness and missing share; no range where nothing is present."""
    described = describe(pd.Series(values, name="c", dtype=np.float64), privileged=False)
    assert described.model_dump(include=set(column)) == pytest.approx(column)
    assert (described.name, described.kind, described.categories) == ("c", "numeric", ())


def test_features_are_as_conform_reads_them(raw: Raw) -> None:
    """Training sees what serving will see."""
    frame = raw()
    table = build(frame)
    pd.testing.assert_frame_equal(table.schema.conform(frame), table.frame[table.schema.names])


@pytest.mark.parametrize("column", ["sold", "house", "day"])
def test_a_pandas_category_means_its_values(raw: Raw, column: str) -> None:
    """Parquet dictionaries make the same table as plain values."""
    frame = raw()
    plain = build(frame, group="house", time="day")
    coded = build(frame.astype({column: "category"}), group="house", time="day")
    assert coded.counts == plain.counts
    assert coded.rows("test").labels.tolist() == plain.rows("test").labels.tolist()


def test_the_schema_table_has_a_row_per_feature(raw: Raw) -> None:
    """It is what the dashboard shows."""
    shown = schema_table(build(raw(), privileged=["rooms"]).schema)
    assert shown["column"].tolist() == ["size", "rooms", "colour", "house", "day"]
    assert shown["privileged"].tolist() == ["", "yes", "", "", ""]
    assert shown["in training"][2] == "3 categories"


def test_a_column_is_what_its_name_says() -> None:
    """A described column is a plain value: equal if its parts are."""
    values = pd.Series(["b", None, "a"], name="c", dtype=object)
    expected = Column(name="c", kind="categorical", categories=("a", "b"), privileged=True, missing=1 - 2 / 3)
    assert describe(values, privileged=True) == expected


def test_dates_written_otherwise_than_iso_are_refused_as_time():
    """Sorted as text, 1/10/2013 would come before 1/2/2013 and the test split would not be the latest."""
    raw = pd.DataFrame({"x": np.arange(30.0), "y": [0, 1] * 15, "day": [f"1/{i % 12 + 1}/2013" for i in range(30)]})
    with pytest.raises(DataError, match=r"time column 'day' must hold numbers or ISO 8601 dates .* got '1/1/2013'"):
        build_table(raw, Roles(target="y", time="day"), SplitSpec(), seed=0)


@pytest.mark.parametrize(
    ("clock", "message"),
    [
        (["2013-01-01", 5], "time column 'day' must hold numbers or ISO 8601 dates such as 2013-01-31, got 5"),
        (["2013-01-01", "yesterday"], "time column 'day' must hold numbers or ISO 8601 dates .* got 'yesterday'"),
        (["12:30", "01:15"], "time column 'day' must hold numbers or ISO 8601 dates .* got '12:30', '01:15'"),
        ([1.0, np.inf], "time column 'day' must hold finite numbers, got 15 infinite"),
        (["2013-01-01", None], "time column 'day' must not be missing, got 15 empty rows"),
    ],
    ids=["mixed", "unparsable", "hours alone", "infinite", "missing"],
)
def test_a_clock_that_cannot_order_rows_is_refused(clock: list[Any], message: str) -> None:
    """By what is wrong with it."""
    raw = pd.DataFrame({"x": np.arange(30.0), "y": [0, 1] * 15, "day": clock * 15})
    with pytest.raises(DataError, match=message):
        build_table(raw, Roles(target="y", time="day"), SplitSpec(), seed=0)


def test_times_before_the_epoch_and_of_other_zones_are_in_order():
    """Negative seconds come first; a zone's offset counts."""
    seconds = np.arange(-30, 30)
    hours = [f"2013-01-01T12:00+{h:02d}:00" for h in range(12)]  # further east is earlier
    for clock, earliest in ((seconds, 0), (hours * 5, 11)):
        raw = pd.DataFrame({"x": np.arange(60.0), "y": [0, 0, 1, 1] * 15, "day": clock})
        table = build_table(raw, Roles(target="y", time="day"), SplitSpec(), seed=0)
        assert table.frame["__split__"][earliest] == "train"
        assert table.split("train")["day"].max() < table.split("test")["day"].min()


def test_iso_dates_order_the_splits():
    """The latest rows are the test split, whatever their place in the file."""
    days = pd.date_range("2013-01-01", periods=60).strftime("%Y-%m-%d").to_numpy()
    raw = pd.DataFrame({"x": np.arange(60.0), "y": [0, 1] * 30, "day": days}).sample(frac=1, random_state=0)
    table = build_table(raw, Roles(target="y", time="day"), SplitSpec(), seed=0)
    assert table.split("train")["day"].max() < table.split("valid")["day"].min()
    assert table.split("valid")["day"].max() < table.split("test")["day"].min()
