"""A learnable frame of numbers, text and gaps, and small settings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

TEACHER = {"kind": "xgboost", "trees": 40, "patience": 5, "learning_rate": 0.3, "min_child_weight": 1, "threads": 1}


@pytest.fixture
def frame() -> pd.DataFrame:
    """400 rows; ``late`` follows from ``signal`` and ``city``."""
    rng = np.random.default_rng(3)
    n = 400
    signal, city = rng.normal(size=n), rng.choice(["Oslo", "Lima", "Kyiv"], n)
    late = signal + (city == "Oslo") + 0.3 * rng.normal(size=n) > 0.3
    return pd.DataFrame(
        {
            "signal": np.where(rng.random(n) < 0.1, np.nan, signal),
            "stops": rng.integers(0, 5, n),
            "city": np.where(rng.random(n) < 0.1, None, city),
            "class": pd.Categorical(rng.choice(["first", "second"], n)),
            "day": np.arange(n) // 10,
            "late": np.where(late, "yes", "no"),
        }
    )
