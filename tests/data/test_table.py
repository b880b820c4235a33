"""The table: its splits, its digest, its files."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from distillery.data import Rows, Table
from distillery.data.table import SPLIT_COLUMN, SPLITS
from tests.data.conftest import make_raw

ODD = ["a|b", "<script>", "new\nline", 'quo"te', "ümlaut", " space ", "a,b", "offender"]


def test_every_row_belongs_to_one_split(make_table: Callable[..., Table]) -> None:
    """The counts add up and `rows` gives each split's rows."""
    table = make_table()
    assert sum(table.counts.values()) == len(table.frame) == 400
    for name in SPLITS:
        rows = table.rows(name)
        assert len(rows) == len(rows.labels) == table.counts[name]
        assert list(rows.features.columns) == table.schema.names
        assert rows.weights is None


def test_take_keeps_features_labels_and_weights_together(
    make_table: Callable[..., Table], raw: Callable[..., pd.DataFrame]
) -> None:
    """Rows come at the positions asked for, in that order."""
    table = make_table(raw().assign(w=np.arange(400.0)), weight="w")
    rows = table.rows("train")
    taken = rows.take(np.array([5, 0, 5]))
    assert len(taken) == 3
    pd.testing.assert_frame_equal(taken.features, rows.features.iloc[[5, 0, 5]])
    assert taken.labels.tolist() == rows.labels[[5, 0, 5]].tolist()
    assert rows.weights is not None
    assert taken.weights is not None
    assert taken.weights.tolist() == rows.weights[[5, 0, 5]].tolist()


def test_class_shares_are_by_weight() -> None:
    """A class without rows has none of them."""
    rows = Rows(pd.DataFrame({"x": [0, 1, 2, 3]}), np.array([0, 0, 2, 0]))
    assert rows.class_shares(3).tolist() == [0.75, 0, 0.25]
    weighted = Rows(rows.features, rows.labels, np.array([1.0, 0.0, 3.0, 0.0]))
    assert weighted.class_shares(4).tolist() == [0.25, 0, 0.75, 0]


def test_regular_rows_lack_privileged_columns(make_table: Callable[..., Table]) -> None:
    """Labels stay as they are."""
    table = make_table(privileged=["size"])
    rows = table.rows("valid")
    regular = rows.regular(table.schema)
    assert "size" in rows.features
    assert list(regular.features.columns) == ["rooms", "colour"]
    assert isinstance(regular, Rows)
    assert regular.labels is rows.labels


def test_groups_and_times_are_none_without_such_columns(make_table: Callable[..., Table]) -> None:
    """Neither is invented."""
    table = make_table()
    assert table.groups("train") is None
    assert table.times("train") is None


def test_groups_and_times_tell_rows_apart_as_their_columns_do(make_table: Callable[..., Table]) -> None:
    """Equal values share a number; times keep their order."""
    table = make_table(group="house", time="day")
    part = table.split("train")
    groups, times = table.groups("train"), table.times("train")
    assert groups is not None
    assert times is not None
    assert len(np.unique(groups)) == part["house"].nunique()
    assert (np.argsort(times, kind="stable") == np.argsort(part["day"].to_numpy(), kind="stable")).all()


def test_a_row_without_a_query_depends_on_no_other(make_table: Callable[..., Table]) -> None:
    """It is resampled by itself; the others with those of their query."""
    raw = make_raw()
    table = make_table(raw.assign(house=raw["house"].where(raw["house"] % 2 == 0)), query="house")
    houses, units = table.split("test")["house"], table.units("test")
    assert units is not None
    alone = houses.isna().to_numpy()
    assert len(np.unique(units[alone])) == alone.sum() > 1
    assert not set(units[alone]) & set(units[~alone])
    assert len(np.unique(units[~alone])) == houses.nunique()


@pytest.mark.parametrize("name", ODD)
def test_files_bring_a_table_back(
    make_table: Callable[..., Table], raw: Callable[..., pd.DataFrame], name: str
) -> None:
    """Values, gaps, types, schema and digest are the same, whatever a column is called."""
    table = make_table(raw().rename(columns={"colour": name}), group="house", time="day")
    back = Table.from_files(table.to_files())
    pd.testing.assert_frame_equal(back.frame, table.frame.reset_index(drop=True))
    assert back.schema == table.schema
    assert back.digest == table.digest


@pytest.mark.parametrize(
    "target",
    [[0, 1], [True, False], ["a", "b"], [0.5, 1.5], [10, 20, 30]],
    ids=str,
)
def test_labels_of_any_type_come_back(
    make_table: Callable[..., Table], raw: Callable[..., pd.DataFrame], target: list[object]
) -> None:
    """The class indices are the same after saving."""
    table = make_table(raw().assign(sold=np.resize(np.array(target), 400)))
    back = Table.from_files(table.to_files())
    assert back.rows("test").labels.tolist() == table.rows("test").labels.tolist()


def test_the_digest_is_stable(make_table: Callable[..., Table]) -> None:
    """The same rows give the same digest; it is 16 hex digits."""
    assert make_table().digest == make_table().digest
    assert len(bytes.fromhex(make_table().digest)) == 8


@pytest.mark.parametrize(
    ("column", "value"),
    [("size", 99.0), ("size", np.nan), ("colour", "red "), ("sold", None), (SPLIT_COLUMN, "moved")],
)
def test_the_digest_changes_with_one_value(make_table: Callable[..., Table], column: str, value: object) -> None:
    """Any cell counts, the split of a row included."""
    table = make_table()
    changed = table.frame.copy()
    row = int(changed["size"].notna().to_numpy().argmax())
    changed.loc[row, column] = value
    assert Table(table.schema, changed).digest != table.digest


def test_the_digest_changes_with_row_order_and_schema(make_table: Callable[..., Table]) -> None:
    """Rows are numbered, and what they mean counts."""
    table = make_table()
    assert Table(table.schema, table.frame.iloc[::-1]).digest != table.digest
    assert Table(table.schema.model_copy(update={"weight": "rooms"}), table.frame).digest != table.digest
