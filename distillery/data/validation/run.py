"""Runs the checks with Great Expectations 1.x, in memory: nothing is written anywhere."""

from __future__ import annotations

import logging
import os
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from pydantic import JsonValue

from distillery.data.table import SPLITS, Table
from distillery.data.validation.checks import plan_checks
from distillery.data.validation.plan import Check, Plan
from distillery.data.validation.report import ExpectationResult, ValidationReport
from distillery.data.validation.spec import ValidationSpec
from distillery.errors import ConfigError, did_you_mean

EXAMPLES = 5
LISTED = 50  # a value set is reported up to here
TOGETHER = 8  # columns to a batch: the library copies and filters all of a batch for each figure


def validate_table(table: Table, spec: ValidationSpec, *, folds: int | None = None) -> ValidationReport:
    """Hold a table to what its schema and the config expect.

    Args:
        table: all three splits.
        spec: tolerances, and expectations beyond those of the schema.
        folds: every class must have so many training rows; None where no folds are made.

    Raises:
        ConfigError: an expectation of the config has an unknown name or wrong arguments.
    """
    with _quiet():
        known = _known()
        for one in spec.expectations:  # before any work on the rows
            _build(known, one.type, one.arguments, 0)
        plan = plan_checks(table, spec, folds)
        built = [_build(known, check.type, check.arguments, i) for i, check in enumerate(plan.checks)]
        source, found = _pandas_source(), dict[int, Any]()
        for i, (frame, members) in enumerate(_batches(plan)):
            found |= _run(source.add_dataframe_asset(f"batch {i}"), frame, [built[k] for k in members])
    results = tuple(
        _result(check, type(built[i]).__name__, found[i], len(plan.frames[check.frame]))
        for i, check in enumerate(plan.checks)
    )
    return ValidationReport(results=results, rows=len(table.frame), columns=len(table.frame.columns))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's telemetry, log lines and deprecations to itself."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read when the library is imported
    logging.getLogger("great_expectations").setLevel(logging.WARNING)  # it tells of every object it makes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _known() -> dict[str, Any]:
    """Return the library's expectations by their names without underscores and capitals."""
    import great_expectations.expectations as gxe  # noqa: PLC0415  seconds that a cached run need not spend

    names = [name for name in dir(gxe) if name.startswith("Expect") and name != "Expectation"]
    return {name.lower(): getattr(gxe, name) for name in names}


def _build(known: dict[str, Any], name: str, arguments: Any, number: int) -> Any:
    kind = known.get(name.replace("_", "").lower())
    if kind is None:
        names = {one.__name__ for one in known.values()}
        camel = name if "_" not in name else "".join(part.title() for part in name.split("_"))
        hint = did_you_mean(camel, names) or "; see the gallery of Great Expectations"
        raise ConfigError(f"validation.expectations: {name!r} is no expectation{hint}")
    try:
        return kind(**{**arguments, "meta": {"number": number}})
    except (ValueError, TypeError) as error:
        text = f"validation.expectations: {kind.__name__} has wrong arguments: {_reasons(error)}"
        raise ConfigError(text) from error


def _reasons(error: Exception) -> str:
    """Return pydantic's own words on one line: which argument, and what is wrong with it."""
    errors = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    named = [(".".join(str(part) for part in one["loc"]), one["msg"]) for one in errors()]
    return "; ".join(text if where == "__root__" else f"{where}: {text}" for where, text in named)


def _batches(plan: Plan) -> Iterator[tuple[pd.DataFrame, list[int]]]:
    """Yield frames with the numbers of the checks that look at them."""
    narrow: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
    other: defaultdict[str, list[int]] = defaultdict(list)
    for i, check in enumerate(plan.checks):
        if check.narrow:
            narrow[check.frame].setdefault(check.arguments["column"], []).append(i)
        else:
            other[check.frame].append(i)
    for name, members in other.items():
        yield plan.frames[name], members
    for name, by_column in narrow.items():
        columns = list(by_column)
        for start in range(0, len(columns), TOGETHER):
            some = columns[start : start + TOGETHER]
            yield plan.frames[name][some], [i for column in some for i in by_column[column]]


def _pandas_source() -> Any:
    """Return a source of frames in a context of its own, which lives in memory."""
    import great_expectations as gx  # noqa: PLC0415  as above
    from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: PLC0415

    # This module sets a level of its own when it is imported.
    logging.getLogger(ProgressBarsConfig.__module__).setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context.data_sources.add_pandas("table")


def _run(asset: Any, frame: pd.DataFrame, expectations: list[Any]) -> dict[int, Any]:
    """Run expectations on one frame; results by their number."""
    import great_expectations as gx  # noqa: PLC0415  as above

    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame})
    detail = {"result_format": "BASIC", "partial_unexpected_count": 20}
    suite = gx.ExpectationSuite(name=asset.name, expectations=expectations)
    ran = batch.validate(suite, result_format=detail)
    return {one.expectation_config.meta["number"]: one for one in ran.results}


def _result(check: Check, name: str, ran: Any, rows: int) -> ExpectationResult:
    found = ran.result or {}
    # a derived frame's column is none of the table's
    arguments = {k: v for k, v in check.arguments.items() if not (check.title and k == "column")}
    column = check.column if check.title else arguments.get("column")
    unexpected = found.get("unexpected_count")
    return ExpectationResult(
        expectation=check.title or name,
        column=None if column is None else str(column),
        split=check.frame if check.frame in SPLITS else None,
        success=bool(ran.success),
        checked=int(found.get("element_count", rows)),
        unexpected=None if unexpected is None else int(unexpected),
        unit=check.unit,
        examples=_examples(found.get("partial_unexpected_list") or []),
        detail=_detail(ran, found),
        arguments={name: _shortened(value) for name, value in arguments.items()},
        repair=check.repair,
    )


def _examples(values: Iterable[Any]) -> tuple[JsonValue, ...]:
    different: list[JsonValue] = []
    for value in map(_plain, values):
        if value is not None and value not in different:
            different.append(value)
    return tuple(different[:EXAMPLES])


def _detail(ran: Any, found: dict[str, Any]) -> str:
    """Say what was observed; for an expectation that broke down, why."""
    if found.get("observed_value") is not None:
        seen = _plain(found["observed_value"])
        return f"observed {', '.join(map(str, seen[:EXAMPLES])) if isinstance(seen, list) else seen}"
    if "unexpected_count" in found:
        return ""
    info = ran.exception_info or {}
    raised = [info] if "exception_message" in info else list(info.values())
    messages = [str(one["exception_message"]) for one in raised if one.get("exception_message")]
    return f"could not be computed: {messages[0]}" if messages else ""


def _shortened(value: Any) -> JsonValue:
    plain = _plain(value)
    if isinstance(plain, list) and len(plain) > LISTED:
        return [*plain[:LISTED], f"… (+{len(plain) - LISTED} more)"]
    return plain


def _plain(value: Any) -> JsonValue:
    """Return a value that JSON holds and gives back: no NumPy scalars, NaN as None, infinity as text."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None if np.isnan(value) else str(value)
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
