"""The expectations that follow from a table's schema.

Some (a group in two splits, a column that repeats the target) are no property of one column. For
these a small frame is derived whose column ``offender`` must be empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from distillery.data.schema import Column
from distillery.data.table import SPLIT_COLUMN, SPLITS, Table
from distillery.data.validation.spec import ExpectationSpec, ValidationSpec

OFFENDER = "offender"
ALL = "all"
FEW_ROWS = 100  # below this, many distinct categories say nothing


@dataclass(frozen=True)
class Check:
    """One expectation.

    Attributes:
        type: class name in Great Expectations.
        arguments: its arguments.
        frame: which frame it looks at: ``all``, a split, or a derived one.
        repair: what the user can do when it fails.
        title, column: how it is reported where these differ from type and arguments.
    """

    type: str
    arguments: Mapping[str, Any]
    frame: str
    repair: str
    title: str = ""
    column: str | None = None


@dataclass(frozen=True)
class Plan:
    """Checks and the frames they look at."""

    checks: list[Check] = field(default_factory=list)
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)

    def add_derived(self, title: str, offenders: pd.Series, repair: str, column: str | None, mostly: float) -> None:
        """Add a frame whose column of offenders must be empty."""
        self.frames[title] = pd.DataFrame({OFFENDER: offenders.astype(object).to_numpy()})
        arguments = {"column": OFFENDER, "mostly": mostly}
        self.checks.append(Check("ExpectColumnValuesToBeNull", arguments, title, repair, title, column))


def plan_checks(table: Table, spec: ValidationSpec, folds: int | None) -> Plan:
    """Return everything this table is held to."""
    plan = Plan(frames={ALL: table.frame, **{name: table.split(name) for name in SPLITS}})
    plan.checks.extend(_target_checks(table))
    for column in table.schema.columns:
        plan.checks.extend(_column_checks(column, spec, len(plan.frames["train"])))
    _add_classes(plan, table, folds)
    _add_twins(plan, table)
    _add_shared(plan, table, spec)
    plan.checks.extend(_named(one) for one in spec.expectations)
    return plan


def _target_checks(table: Table) -> Iterator[Check]:
    schema = table.schema
    names = [*schema.names, schema.target]
    yield Check("ExpectTableColumnsToMatchSet", {"column_set": names, "exact_match": False}, ALL, "add the columns")
    target = {"column": schema.target}
    yield Check("ExpectColumnValuesToNotBeNull", target, ALL, "drop the rows without a target")
    yield Check("ExpectColumnValuesToBeInSet", {**target, "value_set": list(schema.classes)}, ALL, "mend the target")
    for name in SPLITS:
        two = {**target, "min_value": 2}
        repair = "split so that every split holds at least two classes (source.split)"
        yield Check("ExpectColumnUniqueValueCountToBeBetween", two, name, repair)


def _column_checks(column: Column, spec: ValidationSpec, train_rows: int) -> Iterator[Check]:
    name, drop = {"column": column.name}, f"drop it (source.drop: [{column.name}])"
    present = {**name, "mostly": 1 - spec.max_missing}
    yield Check("ExpectColumnValuesToNotBeNull", present, ALL, f"{drop}, or raise validation.max_missing")
    constant = {**name, "min_value": 1 if column.missing else 2}  # that a value is missing tells rows apart too
    yield Check("ExpectColumnUniqueValueCountToBeBetween", constant, "train", f"the column is constant: {drop}")
    yield Check(
        "ExpectColumnValuesToBeOfType",
        {**name, "type_": "float64" if column.kind == "numeric" else "str"},
        ALL,
        "name its kind (source.numeric or source.categorical)",
    )
    if column.kind == "categorical":
        known = {**name, "value_set": list(column.categories), "mostly": spec.mostly_known}
        repair = f"too many categories unseen in training: check the split, {drop}, or lower validation.mostly_known"
        yield Check("ExpectColumnValuesToBeInSet", known, ALL, repair)
        if train_rows >= FEW_ROWS:
            unique = {**name, "max_value": spec.max_unique_categories}
            repair = f"the column looks like an identifier: {drop}"
            yield Check("ExpectColumnProportionOfUniqueValuesToBeBetween", unique, "train", repair)
    elif column.lower is not None and column.upper is not None:
        margin = spec.range_tolerance * (column.upper - column.lower)
        bounds = {"min_value": column.lower - margin, "max_value": column.upper + margin, "mostly": spec.mostly}
        repair = "values far outside the training range: mend them, or raise validation.range_tolerance"
        yield Check("ExpectColumnValuesToBeBetween", {**name, **bounds}, ALL, repair)


def _add_classes(plan: Plan, table: Table, folds: int | None) -> None:
    if folds is None:
        return
    sizes = plan.frames["train"][table.schema.target].value_counts()
    small = [f"class {label!r} with {sizes.get(label, 0)} rows" for label in table.schema.classes]
    offenders = pd.Series(small).where([sizes.get(label, 0) < folds for label in table.schema.classes], None)
    repair = (
        f"{folds} folds need {folds} training rows of every class: merge or drop the class, or lower soft_labels.folds"
    )
    plan.add_derived("ExpectClassesToFillTheFolds", offenders, repair, table.schema.target, 1.0)


def _add_twins(plan: Plan, table: Table) -> None:
    train, target = plan.frames["train"], table.schema.target
    names = [name for name in table.schema.names if _is_twin(train[name], train[target])]
    offenders = pd.Series(table.schema.names).where([n in names for n in table.schema.names], None)
    repair = "the column repeats the target under another name: drop it (source.drop)"
    plan.add_derived("ExpectNoColumnToRepeatTheTarget", offenders, repair, None, 1.0)


def _is_twin(values: pd.Series, target: pd.Series) -> bool:
    """Whether each value belongs to one class and each class to one value."""
    labels = target.nunique()
    if values.nunique() != labels or values.isna().any() or labels < 2:
        return False
    return len(pd.DataFrame({"value": values.to_numpy(), "label": target.to_numpy()}).drop_duplicates()) == labels


def _add_shared(plan: Plan, table: Table, spec: ValidationSpec) -> None:
    schema, frame = table.schema, table.frame
    if schema.group is not None:
        splits = frame.groupby(schema.group, dropna=False)[SPLIT_COLUMN].nunique()
        offenders = pd.Series(splits.index.astype(object)).where((splits > 1).to_numpy(), None)
        repair = "a group must lie in one split: mend the split column, or let source.split split by group"
        plan.add_derived("ExpectGroupsToLieInOneSplit", offenders, repair, schema.group, 1.0)
    keys = pd.util.hash_pandas_object(frame[[*schema.names, schema.target]], index=False)
    train = frame[SPLIT_COLUMN] == "train"
    held_out = keys[~train]
    offenders = pd.Series([f"row {i}" for i in held_out.index]).where(held_out.isin(keys[train]).to_numpy(), None)
    repair = "rows stand in training and held-out splits: remove repeated rows, or name their group (source.group)"
    plan.add_derived("ExpectFewRowsInTwoSplits", offenders, repair, None, 1 - spec.max_shared_rows)


def _named(one: ExpectationSpec) -> Check:
    repair = "mend the data, or the expectation in validation.expectations"
    return Check(_class_name(one.type), one.arguments, one.split or ALL, repair)


def _class_name(name: str) -> str:
    return name if "_" not in name else "".join(part.title() for part in name.split("_"))
