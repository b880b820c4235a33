"""Every metric under all bootstrap weightings at once; equal to scikit-learn's with ``sample_weight``.

The linear metrics and all counts are one matrix product of weights and per-row values. The two
areas under a curve sort once; a replicate then costs two running sums over the sorted rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from distillery.evaluation._resampling import Resamples
from distillery.evaluation._rows import ECE_BINS, RowScores, normalized_entropy, ratio_or_nan
from distillery.progress import bar

LINEAR = ("accuracy", "log_loss", "brier")


@final
@dataclass(frozen=True)
class Replicates:
    """Values per replicate; nan where a replicate leaves one undefined.

    Attributes:
        metrics: name to values ``(B,)``; ``calibration_ratio``, which has no direction, is among them.
        by_class: ``precision``, ``recall`` and ``f1`` to values ``(B, K)``.
    """

    metrics: dict[str, np.ndarray]
    by_class: dict[str, np.ndarray]

    def undefined(self) -> Replicates:
        """Return the same names with no value defined."""
        metrics, by_class = (
            {name: np.full_like(values, np.nan) for name, values in named.items()}
            for named in (self.metrics, self.by_class)
        )
        return Replicates(metrics, by_class)


def replicate_metrics(y: np.ndarray, proba: np.ndarray, resamples: Resamples) -> Replicates:
    """Compute every metric in `METRICS` for each of the B weightings.

    Args:
        y: class indices ``(n,)`` int64.
        proba: normalised probabilities ``(n, K)`` float64.
        resamples: weights ``(B, n)``.
    """
    n_classes = proba.shape[1]
    design = _design(y, RowScores.of(y, proba), n_classes)
    rankings = [_Ranking.of(y == k, proba[:, k]) for k in ([1] if n_classes == 2 else range(n_classes))]
    sums = np.empty((len(resamples), design.shape[1]))
    areas = np.empty((len(resamples), len(rankings), 2))
    with bar(len(resamples), "bootstrap", unit="resample") as advance:
        for part, weights in resamples.chunks():
            sums[part] = weights @ design
            for k, ranking in enumerate(rankings):
                areas[part, k] = ranking.areas(weights)
            advance(len(weights))
    with np.errstate(divide="ignore", invalid="ignore"):  # all weights 0: the replicate is nan
        metrics, by_class = _from_sums(sums, n_classes)
    auc_roc, auc_pr = mean_defined(areas).T
    return Replicates(metrics | {"auc_roc": auc_roc, "auc_pr": auc_pr}, by_class)


def _design(y: np.ndarray, rows: RowScores, n_classes: int) -> np.ndarray:
    """Stack the per-row values whose weighted sums are needed, ``(n, 6 + bins + 3K)``."""
    linear = np.column_stack([np.ones(len(y)), rows.confidence, rows.success, rows.hit, rows.log_loss, rows.brier])
    gaps = np.zeros((len(y), ECE_BINS))
    gaps[np.arange(len(y)), rows.bin] = rows.gap
    one_hot = np.eye(n_classes)
    decided, true = one_hot[rows.decided], one_hot[y]
    return np.hstack([linear, gaps, decided * true, decided, true])


def _from_sums(sums: np.ndarray, n_classes: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Turn weighted sums ``(B, 6 + bins + 3K)`` into metrics ``(B,)`` and per-class ones ``(B, K)``."""
    ends = np.cumsum([1, 1, 1, len(LINEAR), ECE_BINS, n_classes, n_classes])
    total, confidence, successes, linear, gaps, hits, decided, true = np.split(sums, ends, axis=1)
    share = true / total
    metrics = dict(zip(LINEAR, (linear / total).T, strict=True))
    metrics["normalized_entropy"] = normalized_entropy(metrics["log_loss"], share)
    metrics["calibration_ratio"] = ratio_or_nan(confidence[:, 0], successes[:, 0])
    metrics["ece"] = np.abs(gaps).sum(axis=1) / total[:, 0]
    by_class = {
        "precision": _ratio_or_zero(hits, decided),
        "recall": _ratio_or_zero(hits, true),
        "f1": _ratio_or_zero(2 * hits, decided + true),
    }
    averages = {name: (values * share).sum(axis=1) for name, values in by_class.items()}
    return metrics | averages, by_class


def _ratio_or_zero(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0))


def mean_defined(values: np.ndarray) -> np.ndarray:
    """Average ``(B, K, ...)`` over the classes where the value is defined; nan where none is."""
    defined = ~np.isnan(values)
    counts = defined.sum(axis=1)
    sums = np.where(defined, values, 0).sum(axis=1)
    return np.asarray(np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0))


@final
@dataclass(frozen=True)
class _Ranking:
    """Rows sorted by falling score, once for all weightings.

    Attributes:
        order: the sorted rows' positions ``(n,)``.
        positive: 1 where a sorted row is of the class ``(n,)`` float64.
        ends: the last position of each group of tied scores ``(g,)``; None without ties.
    """

    order: np.ndarray
    positive: np.ndarray
    ends: np.ndarray | None

    @classmethod
    def of(cls, positive: np.ndarray, score: np.ndarray) -> _Ranking:
        order = np.argsort(-score, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
        return cls(order, positive[order].astype(np.float64), None if len(ends) == len(score) else ends)

    def areas(self, weights: np.ndarray) -> np.ndarray:
        """Return areas under the ROC and the precision-recall curve ``(b, 2)`` for weights ``(b, n)``."""
        drawn = weights.take(self.order, axis=1)
        seen, positives = self._running(drawn), self._running(drawn * self.positive)
        steps = np.diff(positives, axis=1, prepend=0)
        with np.errstate(divide="ignore", invalid="ignore"):  # no positives or no negatives: nan
            return np.column_stack([_auc_roc(seen, positives, steps), _auc_pr(seen, positives, steps)])

    def _running(self, weights: np.ndarray) -> np.ndarray:
        """Sum over all rows down to each distinct score, ``(b, n) -> (b, g)``."""
        sums = np.cumsum(weights, axis=1)
        return sums if self.ends is None else sums.take(self.ends, axis=1)


def _auc_roc(seen: np.ndarray, positives: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Sum trapezoids of the positives found above each score over the steps of negatives."""
    negatives = seen - positives
    widths = np.diff(negatives, axis=1, prepend=0)
    area = np.einsum("bg,bg->b", widths, positives) - np.einsum("bg,bg->b", widths, steps) / 2
    return np.asarray(area / (positives[:, -1] * negatives[:, -1]))


def _auc_pr(seen: np.ndarray, positives: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Sum precision over the steps of recall (average precision, no interpolation)."""
    precision = np.divide(positives, seen, out=np.zeros_like(seen), where=seen > 0)
    return np.asarray(np.einsum("bg,bg->b", steps, precision) / positives[:, -1])
