"""The quality metrics: what each means, and its value on a set of rows.

Labels are class indices ``(n,)``; probabilities are ``(n, K)`` in class order, and with two
classes the last one is the positive one. A class without rows is left out of a macro mean; a
metric that is undefined altogether is nan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
)

from distillery.evaluation._resampling import checked_weights
from distillery.evaluation._rows import (
    ECE_BINS,
    RowScores,
    as_labels,
    as_probabilities,
    decide,
    normalized_entropy,
    ratio_or_nan,
)


@final
@dataclass(frozen=True)
class Metric:
    """What a metric is called and means.

    Attributes:
        name: its key, as in ``test.<name>``.
        title: its heading in a table.
        bigger_is_better: its direction.
        unit: what it is counted in.
        definition: one sentence.
    """

    name: str
    title: str
    bigger_is_better: bool
    unit: str
    definition: str


METRICS: dict[str, Metric] = {
    m.name: m
    for m in (
        Metric(
            "accuracy",
            "Accuracy",
            True,
            "share of rows",
            "Share of rows decided rightly; two classes are decided at 0.5, more by the likeliest class.",
        ),
        Metric(
            "precision",
            "Precision",
            True,
            "share of rows",
            "Of the rows decided for a class the share that belongs to it, averaged over classes by their rows.",
        ),
        Metric(
            "recall",
            "Recall",
            True,
            "share of rows",
            "Of the rows of a class the share decided for it, averaged over classes by their rows.",
        ),
        Metric(
            "f1",
            "F1",
            True,
            "0 to 1",
            "Harmonic mean of a class's precision and recall, averaged over classes by their rows.",
        ),
        Metric(
            "auc_roc",
            "ROC AUC",
            True,
            "probability",
            "Chance that a positive row scores above a negative one, ties half; with more than two classes"
            " the mean over classes, each against the rest.",
        ),
        Metric(
            "auc_pr",
            "PR AUC",
            True,
            "0 to 1",
            "Average precision over the recall steps; with more than two classes the mean over classes,"
            " each against the rest.",
        ),
        Metric(
            "log_loss",
            "Log loss",
            False,
            "nats per row",
            "Mean of minus the log probability given to the right class, clipped at float64's epsilon.",
        ),
        Metric(
            "normalized_entropy",
            "Normalized entropy",
            False,
            "1 is knowing the rates alone",
            "Log loss divided by that of giving every row the class shares of these same rows; undefined where"
            " they are of one class (He et al. 2014).",
        ),
        Metric(
            "brier",
            "Brier score",
            False,
            "squared probability",
            "Mean squared error of the positive probability; with more than two classes of all"
            " probabilities, summed over classes.",
        ),
        Metric(
            "ece",
            "Calibration error",
            False,
            "probability",
            f"Gap between mean confidence and share of successes within {ECE_BINS} equal-width bins, averaged by"
            " rows; confidence is the positive probability, with more than two classes that of the decided class.",
        ),
    )
}


@final
@dataclass(frozen=True)
class ClassScores:
    """How one class is told from the rest.

    Attributes:
        precision, recall, f1: in [0, 1]; 0 where no row was decided for it or none belongs to it.
        support: its rows, or their summed weight.
    """

    precision: float
    recall: float
    f1: float
    support: float


def point_metrics(y: np.ndarray, proba: np.ndarray, weights: np.ndarray | None = None) -> dict[str, float]:
    """Return the value of every metric in `METRICS`.

    Args:
        y: class indices ``(n,)``.
        proba: probabilities ``(n, K)``; each row sums to 1 within 1e-3.
        weights: row weights ``(n,)``, or None for equal ones.

    Raises:
        InputError: an argument is not as said above.

    >>> values = point_metrics(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]))
    >>> round(values["accuracy"], 3), values["auc_roc"], round(values["brier"], 3)
    (0.667, 1.0, 0.137)
    """
    y, proba, weights = _weighed_rows(y, proba, weights)
    classes = np.arange(proba.shape[1])
    decided = decide(proba)
    precision, recall, f1, _ = precision_recall_fscore_support(
        y, decided, labels=classes, average="weighted", sample_weight=weights, zero_division=0
    )
    loss = log_loss(y, proba, sample_weight=weights, labels=classes)
    values = {
        "accuracy": accuracy_score(y, decided, sample_weight=weights),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "auc_roc": _over_classes(_auc_roc, y, proba, weights),
        "auc_pr": _over_classes(_auc_pr, y, proba, weights),
        "log_loss": loss,
        "normalized_entropy": normalized_entropy(loss, np.bincount(y, weights, len(classes)) / weights.sum()),
        "brier": brier_score_loss(y, proba, sample_weight=weights, labels=classes),
        "ece": _calibration_error(RowScores.of(y, proba), weights),
    }
    return {name: float(value) for name, value in values.items()}


def per_class(y: np.ndarray, proba: np.ndarray, weights: np.ndarray | None = None) -> list[ClassScores]:
    """Return precision, recall, F1 and support of each class, in class order.

    >>> per_class(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]))[1]
    ClassScores(precision=1.0, recall=0.5, f1=0.6666666666666666, support=2.0)
    """
    y, proba, weights = _weighed_rows(y, proba, weights)
    columns = precision_recall_fscore_support(
        y, decide(proba), labels=np.arange(proba.shape[1]), sample_weight=weights, zero_division=0
    )
    return [ClassScores(*map(float, scores)) for scores in zip(*columns, strict=True)]


def calibration_ratio(y: np.ndarray, proba: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return summed confidence over successes, Σp / Σy; 1 is best, nan without successes.

    As for the calibration error, confidence is the positive probability and a success a positive row; with more
    than two classes they are the decided class's probability and its being right.

    >>> calibration_ratio(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]))  # 1.3 / 2
    0.65
    """
    y, proba, weights = _weighed_rows(y, proba, weights)
    rows = RowScores.of(y, proba)
    return float(ratio_or_nan(weights @ rows.confidence, weights @ rows.success))


def _weighed_rows(
    y: np.ndarray, proba: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check the arguments; drop rows of weight 0, so that a class is absent whenever its weight is."""
    proba = as_probabilities(proba, len(y))
    y = as_labels(y, proba.shape[1])
    weights = checked_weights(weights, len(y))
    kept = weights > 0
    return y[kept], proba[kept], weights[kept]


Ranking = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


def _over_classes(score: Ranking, y: np.ndarray, proba: np.ndarray, weights: np.ndarray) -> float:
    """Score the positive class, or average over the classes where the score is defined."""
    classes = [1] if proba.shape[1] == 2 else range(proba.shape[1])
    values = [score(y == k, proba[:, k], weights) for k in classes]
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def _auc_roc(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> float:
    if positive.all() or not positive.any():
        return float("nan")
    return float(roc_auc_score(positive, score, sample_weight=weights))


def _auc_pr(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> float:
    if not positive.any():
        return float("nan")
    return float(average_precision_score(positive, score, sample_weight=weights))


def _calibration_error(rows: RowScores, weights: np.ndarray) -> float:
    """Return the expected calibration error (Guo et al. 2017, eq. 3)."""
    gaps = np.bincount(rows.bin, weights=weights * rows.gap, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / weights.sum())
