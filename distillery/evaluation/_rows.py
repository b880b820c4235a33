"""What one row contributes to each metric; shared by the point values and the replicates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.special import entr

from distillery.data.probabilities import SLACK
from distillery.errors import InputError, shortlist

ECE_BINS = 15
EPSILON = float(np.finfo(np.float64).eps)  # where scikit-learn clips probabilities for its log loss
FLOAT64_SLACK = 1e-9  # well above what summing K float64 leaves, below what scikit-learn warns of


def decide(proba: np.ndarray) -> np.ndarray:
    """Return the decided class of each row, ``(n,)``: p >= 0.5 for two classes, else the likeliest.

    >>> decide(np.array([[0.5, 0.5], [0.6, 0.4]])).tolist()
    [1, 0]
    """
    if proba.shape[1] == 2:
        return (proba[:, 1] >= 0.5).astype(np.int64)
    return np.asarray(proba.argmax(axis=1))


def as_labels(y: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the class indices as int64 ``(n,)``.

    Raises:
        InputError: there are no rows, or a value is not in 0 .. K - 1.
    """
    labels = np.asarray(y)
    if labels.ndim != 1 or not len(labels):
        raise InputError(f"y must be one class index per row (n,) of at least one row, got shape {labels.shape}")
    bad = ~np.isin(labels, np.arange(n_classes))
    if bad.any():
        seen = shortlist(np.unique(labels[bad]).tolist())
        raise InputError(f"y must hold class indices 0 .. {n_classes - 1}, got {seen}")
    return labels.astype(np.int64)


def as_probabilities(proba: np.ndarray, n: int) -> np.ndarray:
    """Return the probabilities as float64 ``(n, K)`` with rows that sum to 1.

    A sum off by up to 1e-3 is float32's rounding and is divided out.

    Raises:
        InputError: the shape is not (n, K >= 2), a value is not in [0, 1], or a row's sum is not 1.
    """
    values = np.asarray(proba, dtype=np.float64)
    if values.ndim != 2 or len(values) != n or values.shape[1] < 2:
        raise InputError(f"probabilities must be of shape ({n}, K) with K >= 2, got {values.shape}")
    bad = ~(np.isfinite(values) & (values >= 0)).all(axis=1)
    if bad.any():
        row = int(bad.argmax())
        raise InputError(
            f"probabilities must be finite and not negative, got {values[row].tolist()} in row {row}"
            f" ({int(bad.sum())} such rows)"
        )
    return _normalised(values)


def _normalised(values: np.ndarray) -> np.ndarray:
    sums = values.sum(axis=1)
    row = int(np.abs(sums - 1).argmax()) if len(sums) else 0
    if len(sums) and abs(sums[row] - 1) > SLACK:
        raise InputError(f"probabilities must sum to 1 in each row (within 1e-3), got {sums[row]:.6g} in row {row}")
    # Only where it is needed: dividing by 1 - 1e-16 would split ties, and a second pass must change nothing.
    return np.asarray(values / np.where(np.abs(sums - 1) > FLOAT64_SLACK, sums, 1)[:, None])


def ratio_or_nan(part: np.ndarray | float, whole: np.ndarray) -> np.ndarray:
    """Divide; nan where the whole is not above 0."""
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) > 0))


def normalized_entropy(log_loss: np.ndarray | float, shares: np.ndarray) -> np.ndarray:
    """Return log losses ``(...)`` over the entropy of class shares ``(..., K)``; nan where one class has all rows.

    He et al. (2014), "Practical lessons from predicting clicks on ads at Facebook"; with K classes both sides are
    the K-class ones.

    >>> round(float(normalized_entropy(0.25, np.array([0.5, 0.5]))), 4)  # 0.25 / ln 2
    0.3607
    """
    entropy: np.ndarray = entr(shares).sum(axis=-1)
    return ratio_or_nan(log_loss, entropy)


@final
@dataclass(frozen=True)
class RowScores:
    """Per-row values ``(n,)`` whose weighted means are the linear metrics.

    Attributes:
        decided: the decided class.
        hit: 1 where it is the right one.
        log_loss: minus the log probability of the right class, in nats.
        brier: squared error, of the positive probability for K = 2, else summed over classes.
        confidence: the positive probability for K = 2, else that of the decided class.
        success: 1 where a row is positive for K = 2, else where it is decided rightly.
        bin: which of the 15 equal-width bins of confidence the row is in.
    """

    decided: np.ndarray
    hit: np.ndarray
    log_loss: np.ndarray
    brier: np.ndarray
    confidence: np.ndarray
    success: np.ndarray
    bin: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """Confidence minus success, as ECE averages it within a bin."""
        return np.asarray(self.confidence - self.success)

    @classmethod
    def of(cls, y: np.ndarray, proba: np.ndarray) -> RowScores:
        """Score each row of labels ``(n,)`` and normalised probabilities ``(n, K)``."""
        decided = decide(proba)
        hit = (decided == y).astype(np.float64)
        binary = proba.shape[1] == 2
        confidence, success = (proba[:, 1], y.astype(np.float64)) if binary else (proba.max(axis=1), hit)
        chance = np.clip(proba[np.arange(len(y)), y], EPSILON, 1 - EPSILON)
        bins = np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
        return cls(decided, hit, -np.log(chance), _brier(y, proba), confidence, success, bins)


def _brier(y: np.ndarray, proba: np.ndarray) -> np.ndarray:
    if proba.shape[1] == 2:
        return np.asarray((proba[:, 1] - y) ** 2)
    return np.asarray(((proba - np.eye(proba.shape[1])[y]) ** 2).sum(axis=1))
