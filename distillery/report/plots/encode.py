"""Rows as points: numbers standardised, categories as dummies."""

from __future__ import annotations

import numpy as np
import pandas as pd

from distillery.data.schema import Column
from distillery.report.plots.view import bounded

MOST_CATEGORIES = 10


def as_points(frame: pd.DataFrame, columns: list[Column]) -> np.ndarray:
    """Return rows as points ``(n, p)``: what does not vary is left out, so p may be 0.

    Numbers are bounded at their 1 and 99 % quantiles, missing ones take the median, and each has mean 0 and
    deviation 1; each of the most frequent categories of a column is a number, 0 or 1, less its mean. Texts are
    left out.
    """
    draw = {"numeric": _numbers, "categorical": _dummies}
    parts = [draw[c.kind](frame[c.name]) for c in columns if c.kind != "text"]
    return np.hstack([np.empty((len(frame), 0)), *parts])


def _numbers(values: pd.Series) -> np.ndarray:
    numbers = bounded(values)
    known = numbers[~np.isnan(numbers)]
    if not len(known) or known.min() == known.max():
        return np.empty((len(values), 0))
    largest = np.abs(known).max()  # keeps squares of huge numbers finite
    filled = np.where(np.isnan(numbers), np.median(known), numbers) / largest
    deviation = filled.std()
    return ((filled - filled.mean()) / deviation)[:, None] if deviation > 0 else np.empty((len(values), 0))


def _dummies(values: pd.Series) -> np.ndarray:
    counts = values.value_counts()
    names = sorted(counts.index, key=lambda name: (-counts[name], name))[:MOST_CATEGORIES]
    if len(names) < 2:
        return np.empty((len(values), 0))
    dummies = np.column_stack([(values == name).to_numpy(np.float64) for name in names])
    return np.asarray(dummies - dummies.mean(axis=0))
