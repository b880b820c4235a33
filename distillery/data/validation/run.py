"""Runs the checks with Great Expectations 1.x, in memory: nothing is written anywhere."""

from __future__ import annotations

import json
import logging
import os
from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
from pydantic import JsonValue

from distillery.data.table import SPLITS, Table
from distillery.data.validation.checks import Check, plan_checks
from distillery.data.validation.report import ExpectationResult, ValidationReport
from distillery.data.validation.spec import ValidationSpec
from distillery.errors import ConfigError, did_you_mean

EXAMPLES = 5


def validate_table(table: Table, spec: ValidationSpec, *, folds: int | None = None) -> ValidationReport:
    """Hold a table to what its schema and the config expect.

    Args:
        table: all three splits.
        spec: tolerances, and expectations beyond those of the schema.
        folds: every class must have so many training rows; None where no folds are made.

    Raises:
        ConfigError: an expectation of the config has an unknown name or wrong arguments.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read when the library is imported
    plan = plan_checks(table, spec, folds)
    built = [(check, _build(check, i)) for i, check in enumerate(plan.checks)]
    by_frame = defaultdict(list)
    for check, expectation in built:
        by_frame[check.frame].append(expectation)
    found: dict[int, Any] = {}
    pandas = _pandas_source()
    for name, expectations in by_frame.items():
        found |= _run(pandas.add_dataframe_asset(name), plan.frames[name], expectations)
    results = tuple(_result(c, found[i], len(plan.frames[c.frame])) for i, (c, _) in enumerate(built))
    return ValidationReport(results=results, rows=len(table.frame), columns=len(table.frame.columns))


def _build(check: Check, number: int) -> Any:
    logging.getLogger("great_expectations").setLevel(logging.WARNING)  # it tells of every object it makes
    import great_expectations.expectations as gxe  # noqa: PLC0415  4 s that a cached run need not spend

    known = [name for name in dir(gxe) if name.startswith("Expect")]
    if check.type not in known:
        hint = did_you_mean(check.type, known) or "; see the gallery of Great Expectations"
        raise ConfigError(f"validation.expectations: {check.type!r} is no expectation{hint}")
    try:
        return getattr(gxe, check.type)(**check.arguments, meta={"number": number})
    except (ValueError, TypeError) as error:  # pydantic's text says which argument
        raise ConfigError(f"validation.expectations: {check.type} has wrong arguments: {error}") from error


def _pandas_source() -> Any:
    """Return a source of frames in a context of its own, which lives in memory."""
    import great_expectations as gx  # noqa: PLC0415  as above
    from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: PLC0415

    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)  # has a level of its own
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context.data_sources.add_pandas("table")


def _run(asset: Any, frame: pd.DataFrame, expectations: list[Any]) -> dict[int, Any]:
    """Run expectations on one frame; results by their number."""
    import great_expectations as gx  # noqa: PLC0415  as above

    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame})
    detail = {"result_format": "SUMMARY", "partial_unexpected_count": 20}
    suite = gx.ExpectationSuite(name="schema", expectations=expectations)
    ran = batch.validate(suite, result_format=detail)
    return {one.expectation_config.meta["number"]: one for one in ran.results}


def _result(check: Check, ran: Any, rows: int) -> ExpectationResult:
    found = ran.result or {}
    column = check.column if check.title else check.arguments.get("column")
    unexpected = found.get("unexpected_count")
    examples = [] if ran.success else list(dict.fromkeys(map(_plain, found.get("partial_unexpected_list", []))))
    return ExpectationResult(
        expectation=check.title or check.type,
        column=None if column is None else str(column),
        split=check.frame if check.frame in SPLITS else None,
        success=bool(ran.success),
        checked=int(found.get("element_count", rows)),
        unexpected=None if unexpected is None else int(unexpected),
        examples=tuple(value for value in examples if value is not None)[:EXAMPLES],
        detail=_detail(ran, found),
        arguments=_arguments(check),
        repair=check.repair,
    )


def _arguments(check: Check) -> dict[str, JsonValue]:
    hidden = {"column"} if check.title else set()  # a derived frame's column is none of the table's
    named = {name: value for name, value in check.arguments.items() if name not in hidden}
    arguments: dict[str, JsonValue] = json.loads(json.dumps(named, default=str))
    return arguments


def _detail(ran: Any, found: dict[str, Any]) -> str:
    """Say what was observed; for an expectation that broke down, why."""
    if "observed_value" in found:
        seen = found["observed_value"]
        return f"observed {seen if not isinstance(seen, list) else ', '.join(map(str, seen[:EXAMPLES]))}"
    if "unexpected_count" in found:
        return ""
    info = ran.exception_info or {}
    raised = [info] if "exception_message" in info else list(info.values())
    messages = [str(one["exception_message"]) for one in raised if one.get("exception_message")]
    return f"could not be computed: {messages[0]}" if messages else ""


def _plain(value: Any) -> Any:
    """Return a value JSON can hold."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and value != value:  # noqa: PLR0124  NaN
        return None
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
