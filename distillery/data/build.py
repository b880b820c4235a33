"""From raw rows to a table: column kinds inferred, the schema described on the training split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from distillery.data.schema import Column, ColumnKind, Label, Schema, as_numeric, as_text
from distillery.data.splits import SplitSpec, assign_splits
from distillery.data.table import SPLIT_COLUMN, Table
from distillery.data.targets import Joint, join_targets
from distillery.data.text import TERMS, choose_terms, learn_idf
from distillery.errors import DataError, did_you_mean, shortlist

MOST_CLASSES = 100  # a numeric target with more values than this may be a measurement
FEWEST_ROWS_PER_NUMBER = 20  # … and is one where its values hardly repeat


@dataclass(frozen=True)
class Roles:
    """Which raw column plays which part; every other one is a feature.

    Attributes:
        target, group, time, weight, query: column names; one column may be both group and query.
        positive: with two classes, the one whose probability counts; by default the last in order.
        drop: columns left out.
        privileged: features known to the teacher only.
        kinds: overrides of the inferred column kinds.
        targets: instead of ``target``, several binary ones; see `distillery.data.targets`.
        funnel: whether each of these needs the one before.
    """

    target: str = ""
    positive: Label | None = None
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    query: str | None = None
    drop: Sequence[str] = ()
    privileged: Sequence[str] = ()
    kinds: dict[str, ColumnKind] = field(default_factory=dict)
    targets: Sequence[str] = ()
    funnel: bool = True

    @property
    def named(self) -> list[str]:
        """Every column the roles name."""
        single = [c for c in (self.group, self.time, self.weight, self.query) if c is not None]
        return [*(self.targets or [self.target]), *single, *self.drop, *self.privileged, *self.kinds]


def build_table(
    raw: pd.DataFrame, roles: Roles, split: SplitSpec | np.ndarray, *, seed: int, rows: int | None = None
) -> Table:
    """Turn raw rows into a `Table`.

    Args:
        raw: one row per example; any column types.
        roles: what the columns mean.
        split: how rows are split, or the split of each row ``(n,)``.
        seed: decides the sample and the split.
        rows: at most so many rows are kept (a random sample; with a time column or groups
            whole rows are sampled all the same).

    Raises:
        DataError: no rows, column names that are no text or repeat, a named column is absent, a
            column is empty or infinite or a date, the target has one class, several targets do not fit
            together, or the split cannot be made.
    """
    split_column = split.column if isinstance(split, SplitSpec) else None
    _check_columns(raw, roles, split_column)
    joint: Joint | None = None
    if roles.targets:
        raw, joint = join_targets(raw, roles.targets, funnel=roles.funnel)
        roles = replace(roles, target=joint.name, targets=())
    if rows is not None and rows < len(raw):
        raw = raw.sample(n=rows, random_state=seed).sort_index()
    raw = _without_pandas_categories(raw.reset_index(drop=True), roles)
    if roles.time is not None:
        raw = raw.assign(**{roles.time: read_times(raw[roles.time])})
    apart = {roles.target, roles.group, roles.time, roles.weight, roles.query, split_column, *roles.drop}
    features = [name for name in raw.columns if name not in apart]
    if not features:
        raise DataError("a table must have at least one feature column, got none")
    columns = {name: read_column(raw[name], roles.kinds.get(name)) for name in features}
    classes = read_classes(raw[roles.target], roles, joint)
    splits = split
    if isinstance(split, SplitSpec):
        splits = assign_splits(raw, split, target=roles.target, group=roles.group, time=roles.time, seed=seed)
    kept = (roles.target, roles.group, roles.time, roles.query)
    extra = {name: raw[name] for name in kept if name is not None}
    if roles.weight is not None:
        extra[roles.weight] = read_weights(raw[roles.weight])
    frame = pd.DataFrame({**columns, **extra, SPLIT_COLUMN: splits})
    train = frame[splits == "train"]
    described = tuple(_described(train[name], train[roles.target], roles) for name in features)
    schema = Schema(
        columns=described,
        target=roles.target,
        classes=classes,
        group=roles.group,
        time=roles.time,
        weight=roles.weight,
        tasks=joint.tasks if joint else (),
        query=roles.query,
    )
    return Table(schema, frame)


def _check_columns(raw: pd.DataFrame, roles: Roles, split_column: str | None) -> None:
    if raw.empty:
        raise DataError("the table must have rows, got none")
    nameless = [name for name in raw.columns if not isinstance(name, str)]
    if nameless:
        raise DataError(f"column names must be text, got {shortlist(map(repr, nameless))}; rename them")
    known = list(raw.columns)
    if not raw.columns.is_unique:
        raise DataError(f"column names must differ, got {shortlist(map(repr, raw.columns[raw.columns.duplicated()]))}")
    for name in [*roles.named, *([split_column] if split_column else [])]:
        if name not in raw.columns:
            what = "target column" if name in (roles.target, *roles.targets) else "column"
            raise DataError(
                f"{what} {name!r} is not in the table{did_you_mean(name, known) or ';'}"
                f" The columns are {shortlist(known, 60)}"
            )


def _without_pandas_categories(raw: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """Replace categories by their values where rows are grouped by them: those without rows would count."""
    names = [name for name in (roles.target, roles.group, roles.time, roles.query) if name is not None]
    coded = [name for name in names if isinstance(raw[name].dtype, pd.CategoricalDtype)]
    return raw.assign(**{name: raw[name].to_numpy() for name in coded})


def read_classes(target: pd.Series, roles: Roles, joint: Joint | None = None) -> tuple[Label, ...]:
    """Return the classes of a target in order, the positive one last where it is named.

    Raises:
        DataError: it holds dates or measurements, has one class, or lacks the positive one.
    """
    if joint is not None:
        joint.check_present(target)
        return joint.classes
    if _holds_dates(target):
        raise DataError(f"target {roles.target!r} must hold classes, got dates")
    found = [_plain(value) for value in pd.unique(target.dropna())]
    if len(found) < 2:
        raise DataError(
            f"target {roles.target!r} must have at least two classes, got {shortlist(map(repr, found)) or 'none'}"
        )
    if _looks_continuous(target, len(found)):
        raise DataError(
            f"target {roles.target!r} must hold classes, got {len(found)} different numbers; regression"
            " is not supported: bin the target first"
        )
    found.sort(key=lambda value: (isinstance(value, str), value))
    if roles.positive is None:
        return tuple(found)
    if roles.positive not in found or len(found) != 2:
        raise DataError(
            f"positive must be one of two classes, got {roles.positive!r} among {shortlist(map(repr, found))}"
        )
    other, positive = sorted(found, key=lambda value: value == roles.positive)
    return (other, positive)


def _looks_continuous(target: pd.Series, distinct: int) -> bool:
    """Whether a target measures rather than names: too many different numbers for classes."""
    if distinct <= MOST_CLASSES or not pd.api.types.is_numeric_dtype(target.dtype):
        return False
    return pd.api.types.is_float_dtype(target.dtype) or distinct > len(target) / FEWEST_ROWS_PER_NUMBER


def _plain(value: Any) -> Label:
    plain: Label = value.item() if isinstance(value, np.generic) else value
    # 0.0 and 1.0 (a target with gaps read from CSV) are the classes 0 and 1
    return int(plain) if isinstance(plain, float) and plain.is_integer() else plain


def read_times(values: pd.Series) -> pd.Series:
    """Read points in time: numbers and dates as they are, text as ISO 8601, so that they sort as they should.

    Raises:
        DataError: a number is infinite, or a text no ISO 8601 date.
    """
    if pd.api.types.is_float_dtype(values.dtype) and np.isinf(values).any():
        raise DataError(
            f"time column {values.name!r} must hold finite numbers, got {int(np.isinf(values).sum())} infinite"
        )
    if pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_datetime64_any_dtype(values.dtype):
        return values
    times = pd.to_datetime(values, errors="coerce", format="ISO8601", utc=True)
    bad = values[times.isna() & values.notna()]
    if len(bad):
        raise DataError(
            f"time column {values.name!r} must hold numbers or ISO 8601 dates such as 2013-01-31, got"
            f" {shortlist(map(repr, bad.unique()))}"
        )
    return times


def read_weights(values: pd.Series) -> pd.Series:
    """Read row weights.

    Raises:
        DataError: one is negative or not finite.
    """
    weights = as_numeric(values)
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise DataError(f"weight column {values.name!r} must hold finite numbers of at least 0")
    return weights


def read_column(values: pd.Series, kind: ColumnKind | None = None) -> pd.Series:
    """Read a raw feature column as numbers (float64) or text; the kind is inferred unless given.

    Numbers, booleans and text that is all numbers are numeric; everything else is categorical.

    Raises:
        DataError: the column is empty, holds dates, holds infinite values, or is no number
            where ``kind`` says so.
    """
    if values.isna().all():
        raise DataError(f"column {values.name!r} must hold values, got only missing ones; list it under `drop`")
    if _holds_dates(values):
        raise DataError(
            f"column {values.name!r} holds dates; name it as `time`, drop it, or derive numbers from it first"
        )
    if values.dtype == object and values.map(pd.api.types.is_list_like).any():
        raise DataError(
            f"column {values.name!r} must hold single values, got lists; drop it, or spread it over columns"
        )
    read = as_numeric(values) if (kind or infer_kind(values)) == "numeric" else as_text(values)
    if read.dtype == np.float64:
        _refuse_infinite(read)
    return read


def _holds_dates(values: pd.Series) -> bool:
    """Whether values are dates, times or durations, as a column type or as objects."""
    kinds = {"datetime64", "datetime", "date", "timedelta64", "timedelta", "time", "period"}
    return pd.api.types.infer_dtype(values, skipna=True) in kinds


def infer_kind(values: pd.Series) -> ColumnKind:
    """Say whether a raw column holds numbers or categories.

    >>> infer_kind(pd.Series(["1", "2.5", None])), infer_kind(pd.Series(["a", "1"]))
    ('numeric', 'categorical')
    """
    if pd.api.types.is_numeric_dtype(values.dtype):
        return "numeric"
    present = values.dropna()
    if isinstance(values.dtype, pd.CategoricalDtype):
        return "categorical"
    return "categorical" if pd.to_numeric(present, errors="coerce").isna().any() else "numeric"


def _refuse_infinite(values: pd.Series) -> None:
    infinite = np.isinf(values)
    if infinite.any():
        where = shortlist(values.index[infinite])
        raise DataError(
            f"column {values.name!r} must be finite, got {int(infinite.sum())} infinite values (rows {where});"
            " replace them by missing values or a bound"
        )


def _described(values: pd.Series, target: pd.Series, roles: Roles) -> Column:
    privileged = values.name in roles.privileged
    if roles.kinds.get(str(values.name)) == "text":
        return describe_text(values, target, privileged=privileged)
    return describe(values, privileged=privileged)


def describe_text(values: pd.Series, target: pd.Series, *, privileged: bool) -> Column:
    """Describe a text column as `read_column` gave it: what is learnt of words is learnt on the rows given.

    Args:
        values: texts of the training split ``(n,)``, None for missing.
        target: their classes ``(n,)``; rows without one choose no term.
        privileged: known to the teacher only.

    Raises:
        DataError: no word stands in several texts.
    """
    texts, known = values.tolist(), target.notna().to_numpy()
    terms = choose_terms(values[known].tolist(), pd.factorize(target[known])[0], most=TERMS)
    if not terms:
        raise DataError(
            f"text column {values.name!r} must have words that recur in several training rows, got none;"
            " list it under `drop`, or under `categorical`"
        )
    return Column(
        name=str(values.name),
        kind="text",
        privileged=privileged,
        missing=float(values.isna().mean()),
        terms=terms,
        idf=learn_idf(texts),
    )


def describe(values: pd.Series, *, privileged: bool) -> Column:
    """Describe a column as `read_column` gave it, on the rows given (the training split)."""
    name, present = str(values.name), values.dropna()
    missing = float(1 - len(present) / max(len(values), 1))
    if values.dtype != np.float64:
        return Column(
            name=name,
            kind="categorical",
            categories=tuple(sorted(present.unique())),
            privileged=privileged,
            missing=missing,
        )
    whole = bool((present == present.round()).all())
    bounds = (float(present.min()), float(present.max())) if len(present) else (None, None)
    return Column(
        name=name,
        kind="numeric",
        integer=whole,
        lower=bounds[0],
        upper=bounds[1],
        privileged=privileged,
        missing=missing,
    )


def schema_table(schema: Schema) -> pd.DataFrame:
    """Return the schema as a table to show: one row per feature column."""
    rows = [
        {
            "column": c.name,
            "kind": c.kind,
            "privileged": "yes" if c.privileged else "",
            "in training": _seen(c),
            "missing": f"{100 * c.missing:.1f} %",
        }
        for c in schema.columns
    ]
    return pd.DataFrame(rows)


def _seen(column: Column) -> str:
    if column.kind == "text":
        return f"{len(column.terms)} terms"
    ranged = column.lower is not None
    return f"{column.lower:g} … {column.upper:g}" if ranged else _categories(column)


def _categories(column: Column) -> str:
    return f"{len(column.categories)} categories" + (f", {column.buckets} buckets" if column.buckets else "")
