"""Intervals and paired comparisons."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
import pytest

from distillery.errors import InputError
from distillery.evaluation import (
    METRICS,
    Estimate,
    ModelReplicates,
    Quality,
    Resamples,
    measure_quality,
    paired_difference,
    paired_ratio,
    point_metrics,
)

CONFIDENCE = 0.95


def replicates(metric: str, point: float, values: list[float], digest: str = "d") -> ModelReplicates:
    return ModelReplicates({metric: point}, {metric: np.array(values)}, digest)


def numbers(estimate: Estimate) -> tuple[float, float, float]:
    """Return low, value and high of an estimate that is defined."""
    assert estimate.low is not None
    assert estimate.value is not None
    assert estimate.high is not None
    return estimate.low, estimate.value, estimate.high


def width(estimate: Estimate) -> float:
    low, _, high = numbers(estimate)
    return high - low


@pytest.mark.parametrize("n_classes", [2, 4])
def test_intervals_hold_their_values(case: Callable[..., tuple[np.ndarray, np.ndarray]], n_classes: int) -> None:
    """Low <= value <= high for every metric, overall and per class."""
    y, proba = case(120, n_classes, 0)
    quality, _ = measure_quality(y, proba, Resamples.draw(120, 50, 0), CONFIDENCE)
    assert list(quality.metrics) == list(METRICS)
    assert len(quality.per_class) == n_classes
    estimates = [*quality.metrics.values(), *(one.recall for one in quality.per_class)]
    assert all(list(numbers(e)) == sorted(numbers(e)) for e in estimates)
    assert {name: e.value for name, e in quality.metrics.items()} == pytest.approx(point_metrics(y, proba))


def test_interval_of_accuracy_is_the_binomial_one(case: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    """The bootstrap's width is close to the normal approximation's."""
    y, proba = case(500, 2, 0)
    quality, _ = measure_quality(y, proba, Resamples.draw(500, 1000, 0), CONFIDENCE)
    accuracy = quality.metrics["accuracy"]
    _, value, _ = numbers(accuracy)
    expected = 2 * 1.96 * math.sqrt(value * (1 - value) / 500)
    assert width(accuracy) == pytest.approx(expected, rel=0.1)


def test_groups_of_copies_widen_the_interval(case: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    """Ten copies of each row are no new evidence when copies are drawn together."""
    y, proba = (np.repeat(part, 10, axis=0) for part in case(60, 2, 0))
    widths = []
    for groups in (None, np.repeat(np.arange(60), 10)):
        quality, _ = measure_quality(y, proba, Resamples.draw(600, 400, 0, groups), CONFIDENCE)
        widths.append(width(quality.metrics["accuracy"]))
    assert widths[1] == pytest.approx(widths[0] * math.sqrt(10), rel=0.25)


def test_calibration_error_is_centred_on_its_value() -> None:
    """Resampling noise, which only adds to the error, does not push the interval above it."""
    rng = np.random.default_rng(0)
    p = rng.uniform(size=1000)
    y = (rng.uniform(size=1000) < p).astype(int)
    quality, kept = measure_quality(y, np.column_stack([1 - p, p]), Resamples.draw(1000, 200, 0), CONFIDENCE)
    low, value, high = numbers(quality.metrics["ece"])
    assert low < value < high
    assert kept.values["ece"].mean() == pytest.approx(value)


def test_base_weights_count_in_the_values(case: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    """Point values use the resamples' base weights."""
    y, proba = case(50, 2, 0)
    weights = np.random.default_rng(0).uniform(size=50)
    quality, _ = measure_quality(y, proba, Resamples.draw(50, 20, 0, weights=weights), CONFIDENCE)
    assert quality.metrics["brier"].value == pytest.approx(point_metrics(y, proba, weights)["brier"])


def test_undefined_metrics_are_null_in_json() -> None:
    """A split of one class has no ROC area; the quality still makes the round trip."""
    quality, _ = measure_quality(np.zeros(5, dtype=int), np.full((5, 2), 0.5), Resamples.draw(5, 20, 0), CONFIDENCE)
    assert quality.metrics["auc_roc"] == Estimate(value=None, low=None, high=None)
    assert Quality.model_validate_json(quality.model_dump_json()) == quality


def test_a_model_does_not_differ_from_itself(case: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    """Identical replicates give difference 0, ratio 1, and no difference shown."""
    y, proba = case(80, 2, 0)
    resamples = Resamples.draw(80, 40, 0)
    _, a = measure_quality(y, proba, resamples, CONFIDENCE)
    _, b = measure_quality(y, proba, resamples, CONFIDENCE)
    for metric in METRICS:
        comparison = paired_difference(a, b, metric, CONFIDENCE)
        assert comparison.difference == Estimate(value=0, low=0, high=0)
        assert comparison.verdict == "no difference shown"
    assert paired_ratio(a, b, "accuracy", CONFIDENCE) == Estimate(value=1, low=1, high=1)


def test_pairing_shows_what_separate_intervals_hide(
    case: Callable[..., tuple[np.ndarray, np.ndarray]],
) -> None:
    """Slightly worse on every row: the intervals overlap, the paired one excludes 0."""
    y, proba = case(200, 2, 0)
    blurred = 0.9 * proba + 0.1 * (1 - np.eye(2)[y])
    resamples = Resamples.draw(200, 200, 0)
    sharp, a = measure_quality(y, proba, resamples, CONFIDENCE)
    blunt, b = measure_quality(y, blurred, resamples, CONFIDENCE)
    assert numbers(sharp.metrics["log_loss"])[2] > numbers(blunt.metrics["log_loss"])[0]
    assert paired_difference(a, b, "log_loss", CONFIDENCE).verdict == "better"
    assert paired_difference(b, a, "log_loss", CONFIDENCE).verdict == "worse"


@pytest.mark.parametrize(
    ("metric", "shift", "verdict"),
    [
        ("accuracy", 0.1, "better"),
        ("accuracy", -0.1, "worse"),
        ("log_loss", 0.1, "worse"),
        ("log_loss", -0.1, "better"),
        ("accuracy", 0.0, "no difference shown"),
    ],
)
def test_the_verdict_follows_the_metrics_direction(metric: str, shift: float, verdict: str) -> None:
    """Better means up for scores and down for losses, from the first model's viewpoint."""
    base = [0.5, 0.52, 0.54]
    a = replicates(metric, 0.52 + shift, [value + shift for value in base])
    b = replicates(metric, 0.52, base)
    assert paired_difference(a, b, metric, CONFIDENCE).verdict == verdict


def test_an_interval_that_holds_zero_shows_nothing() -> None:
    """Ahead on the data, behind on some resamples."""
    a, b = replicates("f1", 0.6, [0.4, 0.7, 0.7]), replicates("f1", 0.5, [0.5, 0.5, 0.5])
    comparison = paired_difference(a, b, "f1", CONFIDENCE)
    assert comparison.difference.value == pytest.approx(0.1)
    assert comparison.verdict == "no difference shown"


def test_undefined_values_show_no_difference() -> None:
    """A metric undefined for either model compares to nothing."""
    nan = math.nan
    a, b = replicates("auc_roc", nan, [nan, nan]), replicates("auc_roc", 0.5, [0.5, 0.5])
    comparison = paired_difference(a, b, "auc_roc", CONFIDENCE)
    assert comparison.difference.value is None
    assert comparison.verdict == "no difference shown"


@pytest.mark.filterwarnings("error")
def test_a_ratio_is_taken_replicate_by_replicate() -> None:
    """Retention of a model that always scores 90 % is 0.9 sharp; over 0 it is undefined."""
    a, b = replicates("f1", 0.45, [0.36, 0.54]), replicates("f1", 0.5, [0.4, 0.6])
    ratio = paired_ratio(a, b, "f1", CONFIDENCE)
    assert [ratio.value, ratio.low, ratio.high] == pytest.approx([0.9, 0.9, 0.9])
    none = paired_ratio(a, replicates("f1", 0.0, [0.0, 0.0]), "f1", CONFIDENCE)
    assert none == Estimate(value=None, low=None, high=None)


def test_models_of_other_resamples_are_not_paired() -> None:
    """A difference of unlike resamples would be wrong without notice."""
    a, b = replicates("f1", 0.5, [0.5], "one"), replicates("f1", 0.5, [0.5], "two")
    with pytest.raises(InputError, match="must share their resamples, got digests one and two"):
        paired_difference(a, b, "f1", CONFIDENCE)


def test_an_unknown_metric_is_named_with_the_nearest() -> None:
    """The message lists the metrics and guesses."""
    a = replicates("f1", 0.5, [0.5])
    with pytest.raises(InputError, match=r"metric must be one of accuracy.*got 'auc_rok'; did you mean 'auc_roc'"):
        paired_ratio(a, a, "auc_rok", CONFIDENCE)


@pytest.mark.parametrize(
    ("n", "confidence", "message"),
    [
        (5, 1.0, "confidence must be in (0, 1), got 1.0"),
        (4, 0.9, "probabilities must be of shape (5, K) with K >= 2, got (4, 2)"),
    ],
)
def test_wrong_arguments_are_named(n: int, confidence: float, message: str) -> None:
    """The message says what must hold and what was seen."""
    y, proba = np.arange(n) % 2, np.full((n, 2), 0.5)
    with pytest.raises(InputError, match=re.escape(message)):
        measure_quality(y, proba, Resamples.draw(5, 20, 0), confidence)


def test_labels_must_match_the_rows() -> None:
    """One label per resampled row."""
    with pytest.raises(InputError, match="y must have one label for each of 5 rows, got 4"):
        measure_quality(np.array([0, 1, 0, 1]), np.full((5, 2), 0.5), Resamples.draw(5, 20, 0), CONFIDENCE)


@pytest.mark.parametrize(("groups", "shown"), [(1, False), (9, False), (40, True)])
def test_a_few_groups_show_nothing(groups, shown):
    """Of one group every resample is the same: an interval without width would turn noise into a difference."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    good = np.clip(y + rng.normal(0, 0.3, 400), 0.01, 0.99)
    drawn = Resamples.draw(400, 50, seed=0, groups=np.arange(400) % groups)
    models = [measure_quality(y, np.column_stack([1 - p, p]), drawn, 0.95) for p in (good, np.full(400, 0.5))]
    assert (models[0][0].metrics["auc_roc"].low is not None) == shown
    verdict = paired_difference(models[0][1], models[1][1], "log_loss", 0.95).verdict
    assert verdict == ("better" if shown else "no difference shown")


def test_overconfidence_is_claimed_minus_kept():
    """Half of the rows are right at a claimed 0.9."""
    y = np.array([0, 1, 0, 1])
    proba = np.array([[0.9, 0.1]] * 4)
    resamples = Resamples.draw(4, replicates=50, seed=0)
    gap = measure_quality(y, proba, resamples, 0.9)[0].overconfidence
    assert gap.value == pytest.approx(0.4)
    assert gap.low < gap.value < gap.high


def test_the_calibration_ratio_has_an_interval():
    """A model that promises a fifth too much; the interval holds what it was made with."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.05, 0.5, 4000)
    y = (rng.random(4000) < truth).astype(int)
    p = 1.2 * truth
    drawn = Resamples.draw(4000, 200, 0)
    ratio = measure_quality(y, np.column_stack([1 - p, p]), drawn, CONFIDENCE)[0].calibration_ratio
    low, value, high = numbers(ratio)
    assert low < 1.2 < high
    assert value == pytest.approx(p.sum() / y.sum())
    assert high - low < 0.2


@pytest.mark.parametrize(("change", "constant"), [(0, True), (1e-13, True), (1e-9, False)])
def test_a_constant_model_is_known(change: float, constant: bool) -> None:
    """The same probabilities for every row, but for arithmetic; rows of no weight do not count."""
    p = np.full(30, 0.25)
    p[0] += change
    p[-1] = 0.9
    weights = np.r_[np.ones(29), 0]
    y, proba = np.arange(30) % 2, np.column_stack([1 - p, p])
    for w, expected in ((weights, constant), (None, False)):
        quality, _ = measure_quality(y, proba, Resamples.draw(30, 20, 0, weights=w), CONFIDENCE)
        assert quality.constant is expected
