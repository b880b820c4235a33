"""The checks that are no property of one column; each lists its offenders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from distillery.data.table import SPLIT_COLUMN, SPLITS, Table
from distillery.data.validation.plan import Plan
from distillery.data.validation.screen import present_columns, with_gaps, wrong_kind
from distillery.data.validation.spec import ValidationSpec
from distillery.errors import shortlist

MOST = 0.5  # a column repeats the target if it does so where it is present, and that in most rows


def add_derived_checks(plan: Plan, table: Table, spec: ValidationSpec, folds: int | None) -> None:
    """Add those that the table's columns allow."""
    schema, there = table.schema, table.frame.columns
    _add_kinds(plan, table)
    _add_gaps(plan, table)
    if len(plan.frames["train"]):
        _add_constants(plan, table, spec)
    if schema.target in there:
        _add_absent_classes(plan, table)
        _add_twins(plan, table)
        if folds is not None:
            _add_small_classes(plan, table, folds)
    if schema.group is not None and schema.group in there:
        _add_groups(plan, table.frame[schema.group], table.frame[SPLIT_COLUMN])
        if folds is not None:
            _add_few_groups(plan, schema.group, folds)
    if {*schema.names, schema.target} <= set(there):
        _add_shared(plan, table, spec)


def _add_kinds(plan: Plan, table: Table) -> None:
    plan.add_derived(
        "ExpectColumnsToBeOfTheirKind",
        [wrong_kind(table.frame[column.name], column) for column in present_columns(table)],
        unit="columns",
        repair="mend the values, or name the column's kind (source.numeric or source.categorical)",
    )


def _add_gaps(plan: Plan, table: Table) -> None:
    """Record which columns have missing values; each of these is held to a bound by itself."""
    columns = present_columns(table)
    gaps = with_gaps(table, columns)
    plan.add_derived(
        "ExpectNoColumnToHaveGaps",
        [column.name if column.name in gaps else None for column in columns],
        unit="columns",
        repair="none needed: each of them is held to validation.max_missing",
        mostly=0.0,
    )


def _add_constants(plan: Plan, table: Table, spec: ValidationSpec) -> None:
    train = plan.frames["train"]
    names = [column.name for column in present_columns(table)]
    # that a value is missing tells rows apart, too
    constant = [name if train[name].nunique(dropna=False) < 2 else None for name in names]
    plan.add_derived(
        "ExpectNoColumnToBeConstant",
        constant,
        unit="columns",
        repair="constant in training, so nothing can be learnt from them: drop them"
        f" (source.drop: [{shortlist(filter(None, constant))}]), or set validation.constant_columns: allow",
        mostly=0.0 if spec.constant_columns == "allow" else 1.0,
    )


def _add_absent_classes(plan: Plan, table: Table) -> None:
    """Record classes that a split lacks; no failure, as a rare class may well miss the test split."""
    target, pairs = table.schema.target, [(label, name) for name in SPLITS for label in table.schema.classes]
    found = {pair: plan.frames[pair[1]][target].isin([pair[0]]).any() for pair in pairs}
    plan.add_derived(
        "ExpectEveryClassInEverySplit",
        [None if found[pair] else f"class {pair[0]!r} in {pair[1]}" for pair in pairs],
        unit="classes of a split",
        repair="stratify the split, or merge rare classes",
        column=target,
        mostly=0.0,
    )


def _add_small_classes(plan: Plan, table: Table, folds: int) -> None:
    target = plan.frames["train"][table.schema.target]
    sizes = {label: int(target.isin([label]).sum()) for label in table.schema.classes}
    plan.add_derived(
        "ExpectClassesToFillTheFolds",
        [f"class {k!r} has {n} training rows" if n < folds else None for k, n in sizes.items()],
        unit="classes",
        repair=f"{folds} folds need {folds} training rows of every class: merge or drop the class,"
        " or lower soft_labels.folds",
        column=table.schema.target,
    )


def _add_few_groups(plan: Plan, group: str, folds: int) -> None:
    n = plan.frames["train"][group].nunique(dropna=False)
    plan.add_derived(
        "ExpectGroupsToFillTheFolds",
        [f"{n} groups in training" if n < folds else None],
        unit="splits",
        repair=f"{folds} folds need {folds} groups: lower soft_labels.folds, or leave out source.group",
        column=group,
    )


def _add_twins(plan: Plan, table: Table) -> None:
    train = plan.frames["train"]
    train = train[train[table.schema.target].notna()]
    target = train[table.schema.target]
    names = [column.name for column in present_columns(table)]
    plan.add_derived(
        "ExpectNoColumnToRepeatTheTarget",
        [name if repeats(train[name], target) else None for name in names],
        unit="columns",
        repair="the column is the target under another name: drop it (source.drop)",
    )


def repeats(values: pd.Series, target: pd.Series) -> bool:
    """Whether each value belongs to one class and each class to one value.

    A missing value may stand for a class; or else the rows without a value are left out.

    >>> repeats(pd.Series(["a", None, "a"]), pd.Series([1, 0, 1]))
    True
    >>> repeats(pd.Series(["a", "b", "c"]), pd.Series([1, 0, 1]))
    False
    """
    there = values.notna().to_numpy()
    if _one_to_one(values, target):
        return True
    return not there.all() and bool(there.mean() > MOST) and _one_to_one(values[there], target[there])


def _one_to_one(values: pd.Series, target: pd.Series) -> bool:
    codes, states = pd.factorize(values, use_na_sentinel=False)
    labels, classes = pd.factorize(target)
    if len(classes) < 2 or len(states) != len(classes):
        return False
    return len(np.unique(codes * len(classes) + labels)) == len(classes)


def _add_groups(plan: Plan, groups: pd.Series, splits: pd.Series) -> None:
    # rows without a group are one group, as when splitting
    counts = splits.groupby(groups, dropna=False).nunique()
    plan.add_derived(
        "ExpectGroupsToLieInOneSplit",
        # named, since an offender that is missing itself would count as none
        _where((counts > 1).to_numpy(), ["none given" if pd.isna(one) else one for one in counts.index]),
        unit="groups",
        repair="a group must lie in one split: mend the split column, or let source.split split by group",
        column=str(groups.name),
    )


def _add_shared(plan: Plan, table: Table, spec: ValidationSpec) -> None:
    columns = [*table.schema.names, table.schema.target]
    keys = pd.util.hash_pandas_object(table.frame[columns], index=False)
    split = table.frame[SPLIT_COLUMN]
    for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        held_out = keys[(split == other).to_numpy()]
        known = keys[(split == one).to_numpy()]
        plan.add_derived(
            f"ExpectFewRowsInBoth{one.title()}And{other.title()}",
            _where(held_out.isin(known).to_numpy(), held_out.index.map("row {}".format)),
            unit=f"{other} rows",
            repair=f"they stand in {one} too: remove repeated rows, name their group (source.group), or raise"
            " validation.max_shared_rows",
            mostly=1 - spec.max_shared_rows,
        )


def _where(offends: np.ndarray, names: Iterable[Any]) -> list[Any]:
    """Return the names of the units that offend, None for the rest."""
    return [name if bad else None for bad, name in zip(offends, names, strict=True)]
