"""The built-in flights as a funnel: a late departure, and after it a late arrival."""

from __future__ import annotations

from typing import Literal

import pandas as pd
from pydantic import PositiveInt

from distillery.data.build import Roles
from distillery.data.sources._packages import BuiltInSpec
from distillery.data.sources.flights import read_flights

STAGES = ("late_departure", "late_arrival")


class FlightsFunnelSpec(BuiltInSpec):
    """Two targets of one flight: does it leave more than 15 minutes late, and does it then arrive so too?

    The second is 1 only where the first is: a flight that left in time and arrived late counts as 0 in both. By
    default whole days stay in one split.

    Attributes:
        rows: as for the source ``flights``.
    """

    kind: Literal["flights_funnel"] = "flights_funnel"
    rows: PositiveInt = 100_000

    @property
    def roles(self) -> Roles:
        return Roles(targets=STAGES, group="date")

    def read(self) -> pd.DataFrame:
        """Return what `read_flights` does, with both stages."""
        return read_flights(STAGES)
