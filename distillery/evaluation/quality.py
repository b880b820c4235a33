"""Quality of one model with its uncertainty, and paired comparisons of two."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal, final

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict

from distillery.errors import InputError, did_you_mean
from distillery.evaluation._replicates import Replicates, replicate_metrics
from distillery.evaluation._resampling import Resamples
from distillery.evaluation._rows import RowScores, as_labels, as_probabilities
from distillery.evaluation.metrics import METRICS, ClassScores, calibration_ratio, per_class, point_metrics

Verdict = Literal["better", "worse", "no difference shown"]
ROUNDING = 1e-12  # a difference below this is arithmetic, not evidence


def _finite_or_none(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


FiniteOrNone = Annotated[float | None, BeforeValidator(_finite_or_none)]


class Estimate(BaseModel):
    """A value and its bootstrap percentile interval; None where undefined (JSON has no nan).

    >>> Estimate(value=0.5, low=float("nan"), high=0.7).model_dump_json()
    '{"value":0.5,"low":null,"high":0.7}'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: FiniteOrNone
    low: FiniteOrNone
    high: FiniteOrNone


UNKNOWN = Estimate(value=None, low=None, high=None)


class ClassQuality(BaseModel):
    """One class against the rest; ``support`` is its rows, or their summed weight."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: Estimate
    recall: Estimate
    f1: Estimate
    support: float


class Quality(BaseModel):
    """Every metric in `METRICS` of one model on one set of rows.

    Attributes:
        metrics: name to estimate.
        per_class: one entry per class, in class order.
        overconfidence: mean probability of the decided class minus the share decided rightly; above 0 the
            model claims more than it keeps.
        calibration_ratio: Σp / Σy, see `distillery.evaluation.metrics.calibration_ratio`. It has no direction, 1 is
            best, and so it is no metric to compare by.
        constant: whether all rows that count get the same probabilities, within 1e-12.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics: dict[str, Estimate]
    per_class: tuple[ClassQuality, ...]
    overconfidence: Estimate
    calibration_ratio: Estimate = UNKNOWN
    constant: bool = False


class Comparison(BaseModel):
    """Model a minus model b in one metric; the verdict is from a's viewpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    difference: Estimate
    verdict: Verdict


@final
@dataclass(frozen=True)
class ModelReplicates:
    """A model's metrics on the data and on each resample, kept for paired comparisons.

    Attributes:
        points: name to value on the data.
        values: name to values ``(B,)``; nan where a resample leaves it undefined.
        digest: which resamples they come from.
    """

    points: dict[str, float]
    values: dict[str, np.ndarray]
    digest: str


def measure_quality(
    y: np.ndarray, proba: np.ndarray, resamples: Resamples, confidence: float
) -> tuple[Quality, ModelReplicates]:
    """Measure one model; rows count with the resamples' base weights.

    Args:
        y: class indices ``(n,)``.
        proba: probabilities ``(n, K)``.
        resamples: shared by all models that are to be compared.
        confidence: of the intervals, in (0, 1).

    Raises:
        InputError: an argument is not as said above.
    """
    proba = as_probabilities(proba, resamples.n)
    y = as_labels(y, proba.shape[1])
    if len(y) != resamples.n:
        raise InputError(f"y must have one label for each of {resamples.n} rows, got {len(y)}")
    points = point_metrics(y, proba, resamples.base)
    drawn = replicate_metrics(y, proba, resamples)
    if not resamples.enough:  # no interval, and so no difference shown, rather than one without width
        drawn = drawn.undefined()
    values = drawn.metrics | {"ece": _centred(points["ece"], drawn.metrics["ece"])}
    quality = Quality(
        metrics={name: estimate(points[name], values[name], confidence) for name in METRICS},
        per_class=_class_qualities(per_class(y, proba, resamples.base), drawn, confidence),
        overconfidence=_overconfidence(y, proba, resamples, confidence),
        calibration_ratio=estimate(
            calibration_ratio(y, proba, resamples.base), drawn.metrics["calibration_ratio"], confidence
        ),
        constant=bool(np.ptp(proba[resamples.base > 0], axis=0).max() <= ROUNDING),
    )
    return quality, ModelReplicates(points, values, resamples.digest)


def _overconfidence(y: np.ndarray, proba: np.ndarray, resamples: Resamples, confidence: float) -> Estimate:
    gap = proba.max(axis=1) - RowScores.of(y, proba).hit
    values = np.full(len(resamples), np.nan)
    if resamples.enough:
        for part, weights in resamples.chunks():
            total = weights.sum(axis=1)
            values[part] = np.divide(weights @ gap, total, out=np.full(len(total), np.nan), where=total > 0)
    return estimate(float(np.average(gap, weights=resamples.base)), values, confidence)


def _centred(point: float, values: np.ndarray) -> np.ndarray:
    """Shift calibration errors to the point value, not below 0.

    Resampling adds noise to every bin's gap and the absolute value turns noise into bias, so
    that all replicates of a well calibrated model lie above its own error.
    """
    return np.maximum(values + (point - np.nanmean(values)), 0) if np.isfinite(values).any() else values


def _class_qualities(points: list[ClassScores], drawn: Replicates, confidence: float) -> tuple[ClassQuality, ...]:
    def one(k: int, scores: ClassScores) -> ClassQuality:
        named = {name: getattr(scores, name) for name in drawn.by_class}
        intervals = {n: estimate(v, drawn.by_class[n][:, k], confidence) for n, v in named.items()}
        return ClassQuality(**intervals, support=scores.support)

    return tuple(one(k, scores) for k, scores in enumerate(points))


def estimate(point: float, values: np.ndarray, confidence: float) -> Estimate:
    """Put the percentile interval of replicates ``(B,)`` around a value.

    Undefined replicates are left out. The interval always holds the value.

    Raises:
        InputError: confidence is not in (0, 1).

    >>> estimate(2.0, np.arange(5.0), confidence=0.5)
    Estimate(value=2.0, low=1.0, high=3.0)
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence must be in (0, 1), got {confidence}")
    defined = values[np.isfinite(values)]
    if not (len(defined) and math.isfinite(point)):
        return Estimate(value=point, low=None, high=None)
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Estimate(value=point, low=min(float(low), point), high=max(float(high), point))


def paired_difference(a: ModelReplicates, b: ModelReplicates, metric: str, confidence: float) -> Comparison:
    """Compare two models on the same resamples; an interval that holds 0 shows no difference.

    Raises:
        InputError: the metric is unknown, or the models were not resampled alike.
    """
    _check_pair(a, b, metric)
    point, values = a.points[metric] - b.points[metric], a.values[metric] - b.values[metric]
    return compare(point, values, confidence, bigger_is_better=METRICS[metric].bigger_is_better)


def compare(point: float, values: np.ndarray, confidence: float, *, bigger_is_better: bool = True) -> Comparison:
    """Judge a difference by its replicates ``(B,)``; an interval that holds 0 shows no difference."""
    difference = estimate(point, values, confidence)
    return Comparison(difference=difference, verdict=_verdict(difference, bigger_is_better))


def _verdict(difference: Estimate, bigger_is_better: bool) -> Verdict:
    low, high = difference.low, difference.high
    if low is None or high is None or (low <= ROUNDING and high >= -ROUNDING):
        return "no difference shown"
    return "better" if (low > 0) == bigger_is_better else "worse"


def paired_ratio(a: ModelReplicates, b: ModelReplicates, metric: str, confidence: float) -> Estimate:
    """Return a / b, the retention of b's score by a; undefined where b's score is 0.

    Raises:
        InputError: as `paired_difference`.
    """
    _check_pair(a, b, metric)
    with np.errstate(divide="ignore", invalid="ignore"):
        point = float(np.divide(a.points[metric], b.points[metric]))
        ratios = a.values[metric] / b.values[metric]
    return estimate(point, ratios, confidence)


def _check_pair(a: ModelReplicates, b: ModelReplicates, metric: str) -> None:
    if metric not in METRICS:
        raise InputError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}{did_you_mean(metric, METRICS)}")
    if a.digest != b.digest:
        raise InputError(f"paired models must share their resamples, got digests {a.digest} and {b.digest}")
