"""Which row belongs to which split, and to which fold within training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, train_test_split

from distillery.data.table import SPLITS, Split
from distillery.errors import DataError, shortlist
from distillery.spec import Spec

_SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "test": "test",
}


class SplitSpec(Spec):
    """How rows are split into train, valid and test.

    Attributes:
        column: a column that already says so (``train``, ``val``/``valid``, ``test``); the
            shares below are then unused.
        train, valid, test: shares of the rows; they must sum to 1.
        by: ``group`` keeps the groups whole, ``time`` puts the latest rows into test,
            ``random`` stratifies by class; ``auto`` takes time or group where the source
            names such a column.
    """

    column: str | None = None
    train: float = Field(0.6, gt=0, lt=1)
    valid: float = Field(0.15, gt=0, lt=1)
    test: float = Field(0.25, gt=0, lt=1)
    by: Literal["auto", "random", "group", "time"] = "auto"

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> SplitSpec:
        total = self.train + self.valid + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + valid + test must be 1, got {total:g}")
        return self

    @property
    def shares(self) -> tuple[float, float, float]:
        return self.train, self.valid, self.test


def assign_splits(
    frame: pd.DataFrame, spec: SplitSpec, *, target: str, group: str | None, time: str | None, seed: int
) -> np.ndarray:
    """Return ``train``, ``valid`` or ``test`` for each row, ``(n,)``.

    Raises:
        DataError: the ready split column holds something else, a group lies in two of its
            splits, it is not in the order of the time column, or a group or time column that
            `spec.by` needs is not named.
    """
    if spec.column is not None:
        splits = _ready_splits(frame, spec.column, group)
        if time is not None:
            _refuse_timeless(frame[time])
            _refuse_disorder(frame[time], splits, spec.column)
        return splits
    by = spec.by if spec.by != "auto" else "time" if time else "group" if group else "random"
    if by == "time":
        return _by_time(frame, spec, _named(time, "time"), group)
    if by == "group":
        return _by_group(frame[_named(group, "group")], spec, seed)
    return _random(frame[target], spec, seed)


def _named(column: str | None, role: str) -> str:
    if column is None:
        raise DataError(f"split by {role} must know the {role} column, got none; set source.{role}")
    return column


def _ready_splits(frame: pd.DataFrame, column: str, group: str | None) -> np.ndarray:
    if column not in frame.columns:
        raise DataError(f"split column {column!r} is missing; the columns are {shortlist(frame.columns, 40)}")
    splits = read_splits(frame[column])
    absent = [name for name in SPLITS if not (splits == name).any()]
    if absent:
        raise DataError(f"split column {column!r} must hold rows of every split, got none of {shortlist(absent)}")
    if group is not None:
        _refuse_spread_groups(frame[group], splits, column)
    return splits.to_numpy(dtype=object)


def read_splits(values: pd.Series) -> pd.Series:
    """Read a column that says which split a row is in, in any usual spelling.

    Raises:
        DataError: it holds something else.
    """
    splits = values.astype(str).str.strip().str.lower().map(_SPLIT_NAMES)
    if splits.isna().any():
        bad = values[splits.isna()].unique()
        raise DataError(
            f"split column {values.name!r} must hold train, valid (or val) and test, got {shortlist(map(repr, bad))}"
        )
    return splits


def _refuse_spread_groups(groups: pd.Series, splits: pd.Series, column: str) -> None:
    spread = splits.groupby(groups).nunique()
    spread = spread[spread > 1]
    if len(spread):
        raise DataError(
            f"a group of {groups.name!r} must lie in one split, got {len(spread)} groups spread over"
            f" several by column {column!r}, e.g. {shortlist(map(repr, spread.index))}; move their rows"
            " into one split, or leave out source.split.column to have the groups split for you"
        )


def _random(target: pd.Series, spec: SplitSpec, seed: int) -> np.ndarray:
    splits = np.full(len(target), "train", dtype=object)
    rows = np.arange(len(target))
    strata = pd.factorize(target)[0]
    try:
        kept, test = _stratified(rows, strata, spec.test, seed)
        _, valid = _stratified(kept, strata[kept], spec.valid / (spec.train + spec.valid), seed + 1)
    except ValueError as error:
        raise DataError(
            f"every split must have room for a row of each class, got {len(target)} rows of"
            f" {target.nunique()} classes: {error}"
        ) from error
    splits[test], splits[valid] = "test", "valid"
    return splits


def _stratified(rows: np.ndarray, strata: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    # A class of one row cannot be in both parts: such rows are drawn together, as one stratum.
    sizes = np.bincount(strata + 1)
    strata = np.where(sizes[strata + 1] < 2, -2, strata)
    if (strata == -2).sum() == 1:
        strata = np.where(strata == -2, np.bincount(strata[strata >= 0]).argmax(), strata)
    first, second = train_test_split(rows, test_size=share, random_state=seed, stratify=strata)
    return first, second


def _by_group(groups: pd.Series, spec: SplitSpec, seed: int) -> np.ndarray:
    order = np.random.default_rng(seed).permutation(groups.nunique(dropna=False))
    codes = pd.factorize(groups, use_na_sentinel=False)[0]
    return _cut(np.argsort(order)[codes], spec)


def _by_time(frame: pd.DataFrame, spec: SplitSpec, time: str, group: str | None) -> np.ndarray:
    _refuse_timeless(frame[time])
    times = frame[time] if group is None else frame.groupby(group, dropna=False)[time].transform("min")
    ranks = times.rank(method="dense").to_numpy()
    if group is not None:  # groups that start together stay whole, one after the other
        ranks = pd.Series(list(zip(ranks, pd.factorize(frame[group])[0], strict=True))).rank(method="dense").to_numpy()
    splits = _cut(ranks.astype(np.int64) - int(ranks.min()), spec)
    _refuse_overlap(frame[time], splits, group)
    return splits


def _refuse_timeless(times: pd.Series) -> None:
    if times.isna().any():
        raise DataError(f"time column {times.name!r} must not be missing, got {int(times.isna().sum())} empty rows")


def _refuse_overlap(times: pd.Series, splits: np.ndarray, group: str | None) -> None:
    """Groups that recur over time cannot stay whole and leave the latest rows to the test split."""
    for last, first, name in _overlaps(times, splits):
        raise DataError(
            f"groups of {group!r} must end before the next split begins, got one that reaches into {name}"
            f" (until {last}, {name} begins at {first}); set source.split.by to group, or leave out source.group"
        )


def _refuse_disorder(times: pd.Series, splits: np.ndarray, column: str) -> None:
    """A ready split whose earlier parts hold later rows would let models learn from the future."""
    for last, first, name in _overlaps(times, splits):
        raise DataError(
            f"split column {column!r} must put later rows of {times.name!r} into later splits, got rows until {last}"
            f" before {name}, which begins at {first}; leave out source.split.column to have them split by time,"
            " or source.time if their order does not matter"
        )


def _overlaps(times: pd.Series, splits: np.ndarray) -> Iterator[tuple[object, object, Split]]:
    """Yield where a split begins before the one ahead of it has ended: that end, that beginning, and the split."""
    spans = [(times[splits == name].min(), times[splits == name].max()) for name in SPLITS]
    for (_, last), (first, _), name in zip(spans, spans[1:], SPLITS[1:], strict=False):
        if last > first:
            yield last, first, name


def _cut(block: np.ndarray, spec: SplitSpec) -> np.ndarray:
    """Cut blocks of rows, in their order, at the shares' borders."""
    return np.asarray(np.array(SPLITS, dtype=object)[cut_blocks(np.bincount(block), spec)][block])


def cut_blocks(sizes: np.ndarray, spec: SplitSpec) -> np.ndarray:
    """Return the split of each block of rows ``(blocks,)``, as its place in `SPLITS`, given their sizes in order.

    A block goes where its middle lies; every split gets one.

    Raises:
        DataError: there are fewer blocks than splits.

    >>> cut_blocks(np.array([6, 1, 1, 2]), SplitSpec()).tolist()
    [0, 1, 2, 2]
    """
    if len(sizes) < len(SPLITS):
        raise DataError(f"a split needs at least 3 groups or points in time, got {len(sizes)}")
    middle = (np.cumsum(sizes) - sizes / 2) / sizes.sum()
    borders = np.cumsum(spec.shares)[:2]
    index = np.searchsorted(borders, middle, side="right")
    index[0], index[-1] = 0, 2
    if not (index == 1).any():  # the block at the border becomes the validation split, so that order is kept
        first = int(np.searchsorted(index, 2))
        index[first if first < len(index) - 1 else first - 1] = 1
    return np.asarray(index)


def assign_folds(
    labels: np.ndarray, folds: int, *, groups: np.ndarray | None, times: np.ndarray | None, seed: int
) -> np.ndarray:
    """Return the fold of each training row, ``(n,)`` in ``0 … folds - 1``.

    Rows of a group share a fold. With times the folds are consecutive blocks, so that (but at
    the blocks' borders) a row is labelled by a teacher that did not see its neighbours in time.

    Raises:
        DataError: a class has fewer rows than folds, or there are fewer groups than folds.
    """
    _check_classes(labels, folds)
    if groups is not None and len(np.unique(groups)) < folds:
        raise DataError(f"soft_labels.folds must be at most the number of groups, got {folds} folds")
    if times is not None:
        return _time_folds(times, folds, groups)
    splitter: StratifiedGroupKFold | StratifiedKFold
    if groups is None:
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    else:
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    fold = np.empty(len(labels), dtype=np.int64)
    for k, (_, held_out) in enumerate(splitter.split(np.zeros(len(labels)), labels, groups)):
        fold[held_out] = k
    return fold


def _check_classes(labels: np.ndarray, folds: int) -> None:
    sizes = np.bincount(labels)
    small = [(k, n) for k, n in enumerate(sizes) if 0 < n < folds]
    if small:
        k, n = small[0]
        raise DataError(
            f"class number {k} must have at least {folds} training rows for {folds} folds, got {n};"
            " merge or drop the class, or lower soft_labels.folds"
        )


def _time_folds(times: np.ndarray, folds: int, groups: np.ndarray | None) -> np.ndarray:
    starts = pd.Series(times)
    if groups is not None:  # groups stay whole: they count from their first row
        starts = starts.groupby(groups).transform("min")
    _, block = np.unique(starts.to_numpy(), return_inverse=True)  # equal times share a fold
    sizes = np.bincount(block)
    if len(sizes) < folds:
        raise DataError(
            f"soft_labels.folds must be at most the number of points in time in training, got {folds} folds"
            f" and {len(sizes)} points"
        )
    wanted = ((np.cumsum(sizes) - sizes / 2) * folds / len(times)).astype(np.int64)
    return _without_gaps(wanted, folds)[block]


def _without_gaps(wanted: np.ndarray, folds: int) -> np.ndarray:
    """Keep rising fold numbers as near as can be to those wanted, with no fold left empty.

    >>> _without_gaps(np.array([0, 2, 2, 2]), 3).tolist()
    [0, 1, 2, 2]
    """
    fold = np.empty_like(wanted)
    last = -1
    for i, one in enumerate(wanted):
        at_least = max(last, folds - (len(wanted) - i))
        last = fold[i] = min(max(int(one), at_least), last + 1)
    return fold
