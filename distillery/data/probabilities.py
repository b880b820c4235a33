"""How far float32 may leave probabilities off, and how they are put right."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import numpy as np

SLACK = 1e-3  # what float32 may leave a probability or a row's sum off by


def put_right(values: np.ndarray, refuse: Callable[[str], NoReturn]) -> np.ndarray:
    """Return what a foreign model gave as probabilities in [0, 1] whose rows sum to 1.

    Args:
        values: ``(n, K)`` float64.
        refuse: raises, told what was seen, where more is wrong than float32 explains.

    >>> put_right(np.array([[0.2501, 0.7501], [-0.0005, 1.0]]), refuse=print).round(4).tolist()
    [[0.25, 0.75], [0.0, 1.0]]
    """
    proba = np.clip(values, 0, 1)
    sums = proba.sum(axis=1)
    wrong = ~((np.abs(proba - values) <= SLACK).all(axis=1) & (np.abs(sums - 1) <= SLACK))
    if wrong.any():
        refuse(f"{values[wrong][0].tolist()} in row {int(wrong.argmax())} ({int(wrong.sum())} such rows)")
    return np.asarray(proba / sums[:, None])
