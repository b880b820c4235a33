"""A small table of every kind of column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distillery.data import Table
from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec


def make_raw(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """Draw rows with numbers, whole numbers, categories, gaps, a group, a time and two classes."""
    rng = np.random.default_rng(seed)
    size, colour = rng.normal(size=n), rng.choice(["red", "green", "blue"], n)
    day = rng.integers(0, n // 4, n)
    return pd.DataFrame(
        {
            "size": np.where(rng.uniform(size=n) < 0.1, np.nan, size),
            "rooms": rng.integers(1, 9, n),
            "colour": np.where(rng.uniform(size=n) < 0.1, None, colour),
            "house": day // 2,  # sold within two days, so that groups do not recur over time
            "day": day,
            "sold": np.where(size + rng.normal(size=n) + (colour == "red") > 0, "yes", "no"),
        }
    )


@pytest.fixture
def raw() -> Callable[..., pd.DataFrame]:
    return make_raw


@pytest.fixture
def make_table() -> Callable[..., Table]:
    """Return a maker of tables from raw rows; roles as keywords."""

    def make(raw: pd.DataFrame | None = None, *, target: str = "sold", **roles: Any) -> Table:
        frame = make_raw() if raw is None else raw
        drop = [c for c in ("house", "day") if c in frame.columns and c not in roles.values()]
        return build_table(frame, Roles(target, **{"drop": drop} | roles), SplitSpec(), seed=0)

    return make
