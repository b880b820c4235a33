"""The expectations that follow from a table's schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from distillery.data.schema import Column
from distillery.data.table import SPLITS, Table
from distillery.data.validation import screen
from distillery.data.validation.derived import add_derived_checks
from distillery.data.validation.plan import ALL, Check, Plan
from distillery.data.validation.spec import ExpectationSpec, ValidationSpec
from distillery.errors import did_you_mean

FEW_ROWS = 100  # below this, many distinct categories say nothing


def plan_checks(table: Table, spec: ValidationSpec, folds: int | None) -> Plan:
    """Return everything this table is held to."""
    plan = Plan(frames={ALL: table.frame, **{name: table.split(name) for name in SPLITS}})
    plan.checks.extend(_table_checks(table))
    if table.schema.target in table.frame.columns:
        plan.checks.extend(_target_checks(table))
    plan.checks.extend(_shares(table, spec))
    if len(plan.frames["train"]):  # an empty one is reported once, not for every column
        plan.checks.extend(_training_checks(table, plan, spec))
    add_derived_checks(plan, table, spec, folds)
    plan.checks.extend(_named(one) for one in spec.expectations)
    return plan


def _table_checks(table: Table) -> Iterator[Check]:
    schema, there = table.schema, [str(name) for name in table.frame.columns]
    roles = (schema.target, schema.group, schema.time, schema.weight, schema.query)
    single = [name for name in roles if name is not None]
    for name in [*schema.names, *single]:
        hint = did_you_mean(name, there) if name not in there else ""
        yield Check("ExpectColumnToExist", {"column": name}, ALL, f"add the column, or mend its name{hint}")
    for split in SPLITS:
        repair = "give every split rows (source.split)"
        yield Check("ExpectTableRowCountToBeBetween", {"min_value": 1}, split, repair)


def _target_checks(table: Table) -> Iterator[Check]:
    name, classes = {"column": table.schema.target}, list(table.schema.classes)
    yield _narrow("ExpectColumnValuesToNotBeNull", name, ALL, "drop the rows without a target")
    yield _narrow("ExpectColumnValuesToBeInSet", {**name, "value_set": classes}, ALL, "mend the target")


def _shares(table: Table, spec: ValidationSpec) -> Iterator[Check]:
    """Missing, outlying and unseen values: over all rows, or per split where one breaks its bound."""
    columns = screen.present_columns(table)
    missing, gaps = screen.often_missing(table, columns, spec), screen.with_gaps(table, columns)
    for column in [c for c in columns if c.name in gaps]:
        arguments = {"column": column.name, "mostly": 1 - spec.max_missing}
        repair = f"{_drop(column)}, or raise validation.max_missing"
        yield from _per_split("ExpectColumnValuesToNotBeNull", arguments, repair, column.name in missing)
    right = [c for c in columns if screen.wrong_kind(table.frame[c.name], c) is None]
    # distance is measured in widths of the range, and neither an empty column nor a constant has one
    yield from _ranges(table, [c for c in right if c.kind == "numeric" and c.lower != c.upper], spec)
    # With buckets every text is known; a log leaves rare ones out on purpose.
    rare = table.parts.facts.rare if table.parts is not None else {}
    listed = [c for c in right if c.kind == "categorical" and not c.buckets and c.name not in rare]
    yield from _value_sets(table, listed, spec)


def _ranges(table: Table, columns: list[Column], spec: ValidationSpec) -> Iterator[Check]:
    outside = screen.often_outside(table, columns, spec)
    for column in columns:
        low, high = screen.bounds(column, spec)
        arguments = {"column": column.name, "min_value": low, "max_value": high, "mostly": spec.mostly}
        repair = (
            "values far outside the training range: mend them, raise validation.range_tolerance,"
            " or lower validation.mostly"
        )
        yield from _per_split("ExpectColumnValuesToBeBetween", arguments, repair, column.name in outside)


def _value_sets(table: Table, columns: list[Column], spec: ValidationSpec) -> Iterator[Check]:
    unseen = screen.often_unseen(table, columns, spec)
    for column in columns:
        known = list(column.categories)
        arguments = {"column": column.name, "value_set": known, "mostly": spec.mostly_known}
        repair = (
            f"too many categories unseen in training: check the split, {_drop(column)},"
            " or lower validation.mostly_known"
        )
        yield from _per_split("ExpectColumnValuesToBeInSet", arguments, repair, column.name in unseen)


def _per_split(type_: str, arguments: Mapping[str, Any], repair: str, suspect: bool) -> Iterator[Check]:
    for frame in SPLITS if suspect else (ALL,):
        yield _narrow(type_, arguments, frame, repair)


def _training_checks(table: Table, plan: Plan, spec: ValidationSpec) -> Iterator[Check]:
    """At least two classes, no identifier."""
    train, target = plan.frames["train"], table.schema.target
    if target in train.columns:
        repair = "training rows must hold at least two classes: mend the split (source.split)"
        two = {"column": target, "min_value": 2}
        yield _narrow("ExpectColumnUniqueValueCountToBeBetween", two, "train", repair)
    for column in screen.present_columns(table) if table.parts is None else ():  # of a log all rows were looked at
        if column.kind == "categorical" and len(train) >= FEW_ROWS:
            few = {"column": column.name, "max_value": spec.max_unique_categories}
            repair = f"an identifier? {_drop(column)}, or raise validation.max_unique_categories"
            yield _narrow("ExpectColumnProportionOfUniqueValuesToBeBetween", few, "train", repair)


def _narrow(type_: str, arguments: Mapping[str, Any], frame: str, repair: str) -> Check:
    return Check(type_, arguments, frame, repair, narrow=True)


def _drop(column: Column) -> str:
    return f"drop it (source.drop: [{column.name}])"


def _named(one: ExpectationSpec) -> Check:
    repair = "mend the data, or the expectation in validation.expectations"
    return Check(one.type, one.arguments, one.split or ALL, repair)
