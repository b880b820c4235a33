"""Evidently's tests and distances, imported late and kept quiet; one test is added to them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from distillery.data.drift.pairs import NUMERIC, Method, Pair

TABLES = 10_000  # random tables that are drawn at least, unless fewer settle it
COUNTS = 1_000_000  # drawn at a time, of all tables: 8 MB
HITS = 10  # so many of them as unlikely as what was seen settle a p-value
ENOUGH = 5  # expected counts from here on follow the chi-square distribution


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's deprecations to itself; its import also adds filters of its own.

    Nothing is sent anywhere: only its web service reports its use, and that is not imported.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def compare(pair: Pair, threshold: float | None) -> Any:
    """Return the score, the judgement and the threshold; None is the method's own."""
    from evidently.legacy.core import ColumnType  # noqa: PLC0415  seconds that a cached run need not spend

    kind = ColumnType.Numerical if pair.numeric else ColumnType.Categorical
    return stat_test(pair.method)(pair.train, pair.other, kind, threshold)


@cache
def stat_test(method: Method) -> Any:
    """Return Evidently's test or distance of this name."""
    from evidently.legacy.calculations import stattests  # noqa: PLC0415  as above
    from evidently.legacy.core import ColumnType  # noqa: PLC0415  as above

    if method == "homogeneity":
        title, kinds = "chi-square of two samples p_value", [ColumnType.Categorical]
        added = stattests.StatTest(name=method, display_name=title, allowed_feature_types=kinds)
        stattests.register_stattest(added, _homogeneity)
    kind = ColumnType.Numerical if method in NUMERIC else ColumnType.Categorical
    return stattests.registry.get_registered_stattest(method, kind)


def _homogeneity(train: pd.Series, other: pd.Series, _kind: Any, threshold: float) -> tuple[float, bool]:
    p_value = homogeneity(train, other, threshold)
    return p_value, p_value <= threshold


def homogeneity(train: pd.Series, other: pd.Series, threshold: float) -> float:
    """Return the p-value of both samples having one distribution over the categories.

    Evidently's own chi-square test takes training shares as exact, and so finds drift in samples of like size where
    there is none; this is Pearson's test of homogeneity. Where counts are small its distribution is drawn from
    random tables with the same margins, enough of them to fall below the threshold.
    """
    counts = pd.DataFrame({"train": train.value_counts(), "other": other.value_counts()}).fillna(0)
    seen = counts.to_numpy().T.astype(int)  # (2, K)
    if seen.shape[1] == 1:
        return 1.0
    expected = stats.contingency.expected_freq(seen)
    statistic = ((seen - expected) ** 2 / expected).sum()
    if expected.min() >= ENOUGH:
        return float(stats.chi2.sf(statistic, seen.shape[1] - 1))
    return _drawn(seen, statistic, threshold)


def _drawn(seen: np.ndarray, statistic: float, threshold: float) -> float:
    """Return the share of random tables ``(2, K)`` as far from their expectation, until that is settled."""
    tables, expected = stats.random_table(seen.sum(1), seen.sum(0)), stats.contingency.expected_freq(seen)
    rng, hits, drawn = np.random.default_rng(0), 0, 0
    at_once = max(1, min(TABLES, COUNTS // seen.size))
    while hits < HITS and drawn < max(TABLES, 2 / threshold):
        some = tables.rvs(at_once, random_state=rng)
        hits += int(np.sum(((some - expected) ** 2 / expected).sum((1, 2)) >= statistic * (1 - 1e-12)))
        drawn += at_once
    return (1 + hits) / (1 + drawn)
