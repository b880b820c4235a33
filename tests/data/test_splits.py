"""Which row belongs to which split and fold."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillery.data.splits import SplitSpec, assign_folds, assign_splits
from distillery.data.table import SPLITS
from distillery.errors import DataError

Raw = Callable[..., pd.DataFrame]


def assign(
    frame: pd.DataFrame, *, group: str | None = None, time: str | None = None, seed: int = 0, **spec: Any
) -> np.ndarray:
    return assign_splits(frame, SplitSpec(**spec), target="sold", group=group, time=time, seed=seed)


def shares(splits: np.ndarray) -> list[float]:
    return [float((splits == name).mean()) for name in SPLITS]


def whole(parts: np.ndarray, groups: Any) -> bool:
    return len(pd.DataFrame({"part": parts, "group": groups}).drop_duplicates()) == len(pd.unique(groups))


@pytest.mark.parametrize("roles", [{}, {"group": "house"}, {"time": "day"}, {"group": "house", "time": "day"}], ids=str)
@pytest.mark.parametrize("wanted", [(0.6, 0.15, 0.25), (0.8, 0.1, 0.1), (0.34, 0.33, 0.33)], ids=str)
def test_shares_hold_about(raw: Raw, roles: dict[str, str], wanted: tuple[float, float, float]) -> None:
    """Whatever keeps rows together, the shares come near to those asked for."""
    splits = assign(raw(2000), **roles, **dict(zip(SPLITS, wanted, strict=True)))
    assert shares(splits) == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize("roles", [{"group": "house"}, {"group": "house", "time": "day"}], ids=str)
def test_groups_stay_whole(raw: Raw, roles: dict[str, str]) -> None:
    """No group has rows in two splits, with a time column or without."""
    frame = raw()
    assert whole(assign(frame, **roles), frame["house"])


def test_rows_without_a_group_stay_together(raw: Raw) -> None:
    """A missing group is one group: nothing is known that would let its rows be parted."""
    frame = raw()
    frame["house"] = frame["house"].where(frame["house"] > 2).astype(float)
    splits = assign(frame, group="house")
    assert len(set(splits[frame["house"].isna()])) == 1


@pytest.mark.parametrize("make", [lambda d: d, lambda d: pd.Timestamp("2020-01-01") + pd.to_timedelta(d, "D")])
def test_the_latest_rows_are_the_test_split(raw: Raw, make: Callable[..., Any]) -> None:
    """Training lies before validation, validation before test; equal times stay together."""
    frame = raw()
    frame["day"] = make(frame["day"])
    splits = assign(frame, time="day")
    train, valid, test = (frame["day"][splits == name] for name in SPLITS)
    assert train.max() < valid.min()
    assert valid.max() < test.min()


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=3, max_size=8),
    parts=st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20)),
)
def test_time_order_holds_whatever_the_sizes(sizes: list[int], parts: tuple[int, int, int]) -> None:
    """However unequal the blocks, no split is empty and none lies before an earlier one."""
    frame = pd.DataFrame({"day": np.repeat(np.arange(len(sizes)), sizes)})
    train, valid, test = (part / sum(parts) for part in parts)
    splits = assign(frame, time="day", train=train, valid=valid, test=test)
    order = pd.Series(splits).map({"train": 0, "valid": 1, "test": 2})
    assert order.is_monotonic_increasing
    assert set(splits) == set(SPLITS)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=30, max_size=120), st.integers(0, 2**31 - 1))
def test_any_groups_stay_whole(groups: list[int], seed: int) -> None:
    """Groups of any size lie in one split, or the split is refused for want of groups."""
    frame = pd.DataFrame({"house": groups})
    if len(set(groups)) < 3:
        with pytest.raises(DataError, match="a split needs at least 3 groups or points in time, got"):
            assign(frame, group="house", seed=seed)
        return
    splits = assign(frame, group="house", seed=seed)
    assert whole(splits, frame["house"])
    assert set(splits) == set(SPLITS)


def test_a_random_split_keeps_the_class_shares(raw: Raw) -> None:
    """Each split has the table's share of each class."""
    frame = raw(2000)
    splits = assign(frame)
    for name in SPLITS:
        assert (frame["sold"][splits == name] == "yes").mean() == pytest.approx(
            (frame["sold"] == "yes").mean(), abs=0.01
        )


def test_a_class_of_one_row_does_not_stop_a_split(raw: Raw) -> None:
    """Nor does a row without a target; validation tells of both."""
    frame = raw()
    frame.loc[3, "sold"], frame.loc[5, "sold"] = "rare", None
    assert shares(assign(frame)) == pytest.approx([0.6, 0.15, 0.25], abs=0.01)


def test_too_few_rows_for_a_random_split_are_refused(raw: Raw) -> None:
    """The rows and classes are counted."""
    with pytest.raises(DataError, match="every split must have room for a row of each class, got 4 rows of 2 classes"):
        assign(raw().groupby("sold").head(2))


@pytest.mark.parametrize("roles", [{}, {"group": "house"}], ids=str)
def test_the_seed_decides_a_split(raw: Raw, roles: dict[str, str]) -> None:
    """The same seed gives the same split, another seed another."""
    frame = raw()
    assert (assign(frame, **roles, seed=1) == assign(frame, **roles, seed=1)).all()
    assert (assign(frame, **roles, seed=1) != assign(frame, **roles, seed=2)).any()


def test_time_needs_no_seed(raw: Raw) -> None:
    """Order alone decides."""
    frame = raw()
    assert (assign(frame, time="day", seed=1) == assign(frame, time="day", seed=2)).all()


@pytest.mark.parametrize(
    ("by", "roles", "like"),
    [
        ("auto", {"group": "house", "time": "day"}, {"group": "house", "time": "day", "by": "time"}),
        ("auto", {"group": "house"}, {"group": "house", "by": "group"}),
        ("auto", {}, {"by": "random"}),
        ("group", {"group": "house", "time": "day"}, {"group": "house"}),
        ("random", {"group": "house"}, {}),
    ],
)
def test_by_auto_takes_time_then_group_then_chance(
    raw: Raw, by: str, roles: dict[str, str], like: dict[str, str]
) -> None:
    """What the source names decides, unless the config says otherwise."""
    frame = raw()
    assert (assign(frame, by=by, **roles) == assign(frame, **like)).all()


@pytest.mark.parametrize("role", ["group", "time"])
def test_a_split_by_a_column_needs_its_name(raw: Raw, role: str) -> None:
    """The message says which setting is missing."""
    with pytest.raises(DataError, match=f"split by {role} must know the {role} column, got none; set source.{role}"):
        assign(raw(), by=role)


def test_a_missing_time_is_refused(raw: Raw) -> None:
    """A row without a time has no place in the order."""
    frame = raw()
    frame["day"] = frame["day"].where(frame["day"] > 2).astype(float)
    with pytest.raises(DataError, match=r"time column 'day' must not be missing, got \d+ empty rows"):
        assign(frame, time="day")


@pytest.mark.parametrize(
    "names", [("train", "valid", "test"), ("Training", "val", "TEST "), ("train", "validation", "test")]
)
def test_a_ready_split_is_taken_as_it_is(raw: Raw, names: tuple[str, str, str]) -> None:
    """Usual spellings are understood, whatever their case."""
    frame = raw().assign(part=np.resize(names, 400))
    assert assign(frame, column="part").tolist() == np.resize(SPLITS, 400).tolist()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("train", "valid", "test", "holdout"), "'part' must hold train, valid .or val. and test, got 'holdout'"),
        (("train", "valid", "test", None), "must hold train, valid .or val. and test, got None"),
        ((0, 1, 2), "must hold train, valid .or val. and test, got "),
        (("train", "test"), "'part' must hold rows of every split, got none of valid"),
    ],
)
def test_a_ready_split_must_be_complete_and_understood(raw: Raw, values: tuple[Any, ...], message: str) -> None:
    """Strange values and empty splits are named."""
    frame = raw().assign(part=np.resize(np.array(values, dtype=object), 400))
    with pytest.raises(DataError, match=message):
        assign(frame, column="part")


def test_a_ready_split_must_follow_the_clock(raw: Raw) -> None:
    """Rows of the future must not lie in training; equal times at a border may, as their order is unknown."""
    frame = raw().sort_values("day")
    frame["part"] = np.repeat(["train", "valid", "test"], [240, 60, 100])
    assert shares(assign(frame, column="part", time="day")) == [0.6, 0.15, 0.25]
    frame["part"] = frame["part"].to_numpy()[::-1]
    message = (
        r"split column 'part' must put later rows of 'day' into later splits, got rows until \d+ before valid, which"
    )
    with pytest.raises(DataError, match=message):
        assign(frame, column="part", time="day")
    assert shares(assign(frame, column="part")) == [0.6, 0.15, 0.25]


def test_a_ready_split_with_a_missing_time_is_refused(raw: Raw) -> None:
    """Such a row might be of the future."""
    frame = raw().sort_values("day")
    frame["part"] = np.repeat(["train", "valid", "test"], [240, 60, 100])
    frame["day"] = frame["day"].where(frame["day"] > 2).astype(float)
    with pytest.raises(DataError, match=r"time column 'day' must not be missing, got \d+ empty rows"):
        assign(frame, column="part", time="day")


def test_an_absent_split_column_is_named(raw: Raw) -> None:
    """The columns there are, are listed."""
    with pytest.raises(DataError, match="split column 'part' is missing; the columns are size, rooms, colour"):
        assign(raw(), column="part")


def test_a_group_spread_over_ready_splits_is_refused(raw: Raw) -> None:
    """The number of such groups and some of them are given."""
    frame = raw().assign(part=np.resize(SPLITS, 400), house=np.repeat(np.arange(200), 2))
    with pytest.raises(
        DataError, match=r"group of 'house' must lie in one split, got 200 groups spread .* e\.g\. 0, 1, 2"
    ):
        assign(frame, column="part", group="house")


LABELS = np.resize([0, 0, 1], 300)


@pytest.mark.parametrize("folds", [2, 5, 20])
@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(60), 5)], ids=["rows", "groups"])
@pytest.mark.parametrize("times", [None, np.resize(np.arange(40), 300)], ids=["any order", "times"])
def test_every_row_has_one_fold(folds: int, groups: np.ndarray | None, times: np.ndarray | None) -> None:
    """No fold is empty, whatever keeps rows together."""
    if groups is not None and times is not None:
        times = groups // 2
    fold = assign_folds(LABELS, folds, groups=groups, times=times, seed=0)
    assert fold.shape == (300,)
    assert set(fold) == set(range(folds))


def test_groups_share_a_fold() -> None:
    """A row is not labelled by a teacher that saw its group."""
    groups = np.random.default_rng(0).integers(0, 40, 300)
    fold = assign_folds(LABELS, 5, groups=groups, times=None, seed=0)
    assert whole(fold, groups)


def test_time_folds_are_consecutive_blocks() -> None:
    """Fold k lies wholly before fold k + 1; equal times share a fold; sizes are about equal."""
    times = np.random.default_rng(0).integers(0, 100, 300)
    fold = assign_folds(LABELS, 5, groups=None, times=times, seed=0)
    ends = [(times[fold == k].min(), times[fold == k].max()) for k in range(5)]
    assert all(before[1] < after[0] for before, after in pairwise(ends))
    assert np.bincount(fold).min() > 40


@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.integers(5, 80), min_size=2, max_size=9), folds=st.integers(2, 6))
def test_time_folds_are_never_empty(sizes: list[int], folds: int) -> None:
    """However unequal the points in time, every fold has rows; too few points are refused."""
    times = np.repeat(np.arange(len(sizes)), sizes)
    labels = np.resize([0, 1], len(times))
    if len(labels) < 2 * folds:
        return
    if len(sizes) < folds:
        with pytest.raises(DataError, match="at most the number of points in time in training, got"):
            assign_folds(labels, folds, groups=None, times=times, seed=0)
        return
    fold = assign_folds(labels, folds, groups=None, times=times, seed=0)
    assert (np.diff(fold) >= 0).all()
    assert set(fold) == set(range(folds))


def test_time_folds_keep_groups_whole() -> None:
    """A group counts from its first row."""
    rng = np.random.default_rng(0)
    groups, times = rng.integers(0, 60, 300), rng.integers(0, 1000, 300)
    fold = assign_folds(LABELS, 4, groups=groups, times=times, seed=0)
    assert whole(fold, groups)


def test_folds_keep_the_class_shares() -> None:
    """Every fold has the training split's share of each class."""
    fold = assign_folds(LABELS, 5, groups=None, times=None, seed=0)
    assert [float(LABELS[fold == k].mean()) for k in range(5)] == pytest.approx([1 / 3] * 5, abs=0.01)


def test_the_seed_decides_the_folds() -> None:
    """The same seed gives the same folds, another seed others."""
    one, same, other = (assign_folds(LABELS, 5, groups=None, times=None, seed=s) for s in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_a_class_smaller_than_the_folds_is_refused() -> None:
    """The class, its rows and the way out are named."""
    labels = np.array([0] * 20 + [1] * 3)
    with pytest.raises(DataError, match="class number 1 must have at least 5 training rows for 5 folds, got 3; merge"):
        assign_folds(labels, 5, groups=None, times=None, seed=0)


def test_fewer_groups_than_folds_are_refused() -> None:
    """A fold must have a group of its own."""
    with pytest.raises(DataError, match=r"soft_labels\.folds must be at most the number of groups, got 5 folds"):
        assign_folds(LABELS, 5, groups=np.resize([0, 1, 2], 300), times=None, seed=0)


def test_groups_that_recur_over_time_are_refused():
    """Kept whole they would carry the future into training; the error says what to choose."""
    frame = pd.DataFrame({"t": np.arange(200), "g": np.arange(200) % 20, "y": np.arange(200) % 2})
    with pytest.raises(
        DataError, match=r"groups of 'g' must end before the next split begins, .* source.split.by to group"
    ):
        assign_splits(frame, SplitSpec(), target="y", group="g", time="t", seed=0)
    assert set(assign_splits(frame, SplitSpec(by="group"), target="y", group="g", time="t", seed=0)) == set(SPLITS)
