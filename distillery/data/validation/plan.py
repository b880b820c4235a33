"""What is checked, on which rows: expectations and the frames they look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import pandas as pd

ALL = "all"
OFFENDER = "offender"


@final
@dataclass(frozen=True)
class Check:
    """One expectation.

    Attributes:
        type: class name in Great Expectations.
        arguments: its arguments.
        frame: which frame it looks at: ``all``, a split, or a derived one.
        repair: what the user can do when it fails.
        title, column: how it is reported where these differ from type and arguments.
        unit: what is counted.
        narrow: whether it reads the column ``arguments["column"]`` alone.
    """

    type: str
    arguments: Mapping[str, Any]
    frame: str
    repair: str
    title: str = ""
    column: str | None = None
    unit: str = "rows"
    narrow: bool = False


@final
@dataclass(frozen=True)
class Plan:
    """Checks and the frames they look at.

    Some (a group in two splits, a column that repeats the target) are no property of one column.
    For these a small frame is derived whose column ``offender`` must be empty.
    """

    checks: list[Check] = field(default_factory=list)
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)

    def add_derived(
        self,
        title: str,
        offenders: Sequence[Any],
        *,
        unit: str,
        repair: str,
        column: str | None = None,
        mostly: float = 1.0,
    ) -> None:
        """Add a frame of one row per ``unit``, None where the unit is as it should be."""
        self.frames[title] = pd.DataFrame({OFFENDER: pd.Series(offenders, dtype=object)})
        arguments = {"column": OFFENDER, "mostly": mostly}
        check = Check("ExpectColumnValuesToBeNull", arguments, title, repair, title, column, unit)
        self.checks.append(check)
