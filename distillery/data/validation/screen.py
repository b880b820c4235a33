"""A first, vectorised look at the columns: what the expectations need to know beforehand.

A share that keeps its bound in every split keeps it over all rows, so one expectation over all
rows says as much as three. Only the columns found here need one expectation per split; in wide
tables that saves most of the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from distillery.data.schema import Column
from distillery.data.table import SPLIT_COLUMN, Table
from distillery.data.validation.spec import ValidationSpec

CLOSE = 1e-9  # shares this near their bound are left to the expectation


def present_columns(table: Table) -> list[Column]:
    """Return the feature columns that the frame has."""
    return [column for column in table.schema.columns if column.name in table.frame.columns]


def wrong_kind(values: pd.Series, column: Column) -> str | None:
    """Return what a column holds where it is not what its schema says, else None.

    >>> wrong_kind(pd.Series(["1", None]), Column(name="x", kind="numeric"))
    "'x' must be numeric, got string"
    """
    found = pd.api.types.infer_dtype(values, skipna=True)
    if column.kind == "numeric":
        right = isinstance(values.dtype, np.dtype) and values.dtype.kind in "iuf"
    else:
        right = found in {"string", "empty"}
    return None if right else f"{column.name!r} must be {column.kind}, got {found}"


def bounds(column: Column, spec: ValidationSpec) -> tuple[float, float]:
    """Return the lowest and the highest value a numeric column may hold.

    >>> bounds(Column(name="x", kind="numeric", lower=0, upper=2), ValidationSpec(range_tolerance=0.5))
    (-1.0, 3.0)
    """
    assert column.lower is not None, "asked for the bounds of a column without range"
    assert column.upper is not None, "asked for the bounds of a column without range"
    margin = spec.range_tolerance * (column.upper - column.lower)
    return column.lower - margin, column.upper + margin


def with_gaps(table: Table, columns: list[Column]) -> set[str]:
    """Return the columns with a missing value somewhere."""
    return {c.name for c in columns if table.frame[c.name].isna().any()}


def often_missing(table: Table, columns: list[Column], spec: ValidationSpec) -> set[str]:
    """Return the columns with too many missing values in some split."""
    missing = table.frame[[c.name for c in columns]].isna()
    return _broken(missing, missing | True, table, spec.max_missing)


def often_outside(table: Table, columns: list[Column], spec: ValidationSpec) -> set[str]:
    """Return the numeric columns with too many values far outside the training range in some split."""
    values = table.frame[[c.name for c in columns]]
    limits = np.array([bounds(c, spec) for c in columns], dtype=np.float64).reshape(-1, 2)
    outside = (values < limits[:, 0]) | (values > limits[:, 1])
    return _broken(outside, values.notna(), table, 1 - spec.mostly)


def often_unseen(table: Table, columns: list[Column], spec: ValidationSpec) -> set[str]:
    """Return the categorical columns with too many unseen categories in some split."""
    values = table.frame[[c.name for c in columns]]
    known = pd.DataFrame({c.name: values[c.name].isin(c.categories) for c in columns}, index=values.index)
    present = values.notna()
    return _broken(present & ~known, present, table, 1 - spec.mostly_known)


def _broken(bad: pd.DataFrame, counted: pd.DataFrame, table: Table, bound: float) -> set[str]:
    """Return the columns with more than a share ``bound`` of bad values among the counted of a split."""
    split: Any = table.frame[SPLIT_COLUMN].to_numpy()
    share = bad.groupby(split).sum() / counted.groupby(split).sum().clip(lower=1)
    return set(share.columns[((share > bound - CLOSE) & (share > 0)).any()])
