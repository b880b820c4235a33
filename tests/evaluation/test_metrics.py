"""Point values of the quality metrics."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn import metrics as sk

from distillery.errors import InputError
from distillery.evaluation import METRICS, calibration_ratio, per_class, point_metrics
from distillery.evaluation._rows import as_probabilities


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_values_are_scikit_learns(
    case: Callable[..., tuple[np.ndarray, np.ndarray]], n_classes: int, weighted: bool
) -> None:
    """Every metric scikit-learn has comes out as it gives it."""
    y, proba = case(200, n_classes, 3, ties=True)
    weights = np.random.default_rng(0).uniform(size=200) if weighted else None
    decided = (proba[:, 1] >= 0.5).astype(int) if n_classes == 2 else proba.argmax(axis=1)
    score = proba[:, 1] if n_classes == 2 else proba
    positive = y if n_classes == 2 else np.eye(n_classes)[y]
    expected = {
        "accuracy": sk.accuracy_score(y, decided, sample_weight=weights),
        "precision": sk.precision_score(y, decided, average="weighted", sample_weight=weights),
        "recall": sk.recall_score(y, decided, average="weighted", sample_weight=weights),
        "f1": sk.f1_score(y, decided, average="weighted", sample_weight=weights),
        "auc_roc": sk.roc_auc_score(y, score, multi_class="ovr", sample_weight=weights),
        "auc_pr": sk.average_precision_score(positive, score, sample_weight=weights),
        "log_loss": sk.log_loss(y, proba, sample_weight=weights),
        "brier": sk.brier_score_loss(y, proba, sample_weight=weights),
    }
    values = point_metrics(y, proba, weights)
    assert {name: values[name] for name in expected} == pytest.approx(expected)


def test_every_metric_is_described() -> None:
    """The table's keys are its names, and the values' names."""
    assert all(name == metric.name for name, metric in METRICS.items())
    assert list(point_metrics(np.array([0, 1]), np.array([[0.9, 0.1], [0.1, 0.9]]))) == list(METRICS)
    assert all(metric.definition.endswith(".") and metric.unit for metric in METRICS.values())


@pytest.mark.parametrize("name", METRICS)
def test_direction_matches_its_word(case: Callable[..., tuple[np.ndarray, np.ndarray]], name: str) -> None:
    """Perfect probabilities beat useless ones in the direction the table names."""
    y, _ = case(100, 2, 0)
    perfect, reversed_ = np.eye(2)[y], np.eye(2)[1 - y]
    better = point_metrics(y, perfect)[name] > point_metrics(y, reversed_)[name]
    assert better == METRICS[name].bigger_is_better


def rank_formula(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> float:
    """The weighted share of pairs of a positive and a negative row that are in order, ties half."""
    above = score[positive][:, None] - score[~positive]
    pairs = np.outer(weights[positive], weights[~positive])
    return float((pairs * ((above > 0) + (above == 0) / 2)).sum() / pairs.sum())


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_roc_auc_is_the_rank_formula(
    case: Callable[..., tuple[np.ndarray, np.ndarray]], n_classes: int, weighted: bool, ties: bool
) -> None:
    """Mann & Whitney (1947): pair by pair, and without weights by mid-ranks too: (R - m (m + 1) / 2) / (m n)."""
    y, proba = case(120, n_classes, 7, ties=ties)
    weights = np.random.default_rng(0).uniform(size=120) if weighted else np.ones(120)
    classes = [1] if n_classes == 2 else range(n_classes)
    expected = np.mean([rank_formula(y == k, proba[:, k], weights) for k in classes])
    value = point_metrics(y, proba, weights)["auc_roc"]
    assert value == pytest.approx(expected)
    if n_classes == 2 and not weighted:
        m, n = (y == 1).sum(), (y == 0).sum()
        ranks = rankdata(proba[:, 1])[y == 1].sum()
        assert value == pytest.approx((ranks - m * (m + 1) / 2) / (m * n))


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_normalized_entropy_is_one_for_who_knows_the_rates_alone(
    case: Callable[..., tuple[np.ndarray, np.ndarray]], n_classes: int, weighted: bool
) -> None:
    """And the log loss over that of the rates for everyone else."""
    y, proba = case(200, n_classes, 3)
    weights = np.random.default_rng(0).uniform(size=200) if weighted else np.ones(200)
    rates = np.tile(np.bincount(y, weights, n_classes) / weights.sum(), (200, 1))
    known = point_metrics(y, rates, weights)
    values = point_metrics(y, proba, weights)
    assert known["normalized_entropy"] == pytest.approx(1)
    assert values["normalized_entropy"] == pytest.approx(values["log_loss"] / known["log_loss"])


@pytest.mark.filterwarnings("error")
def test_normalized_entropy_of_one_class_is_undefined() -> None:
    """There is nothing to be known."""
    assert math.isnan(point_metrics(np.ones(3, dtype=int), np.full((3, 2), 0.5))["normalized_entropy"])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("y", "proba", "weights", "ratio"),
    [
        ([0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], None, 1.3 / 2),
        ([0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], [1, 2, 0], 0.9 / 2),
        ([0, 2, 1], [[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.6, 0.2, 0.2]], None, 1.8 / 2),  # decided rightly: two
        ([0, 0], [[0.9, 0.1], [0.6, 0.4]], None, math.nan),
    ],
)
def test_calibration_ratio_by_hand(y: list[int], proba: object, weights: object, ratio: float) -> None:
    """Summed confidence over successes; without a success it is undefined."""
    weights = None if weights is None else np.array(weights)
    assert calibration_ratio(np.array(y), np.array(proba), weights) == pytest.approx(ratio, nan_ok=True)


def test_calibration_error_by_hand() -> None:
    """Two bins: |0.15 - 0.5| of two rows and |0.9 - 1| of one."""
    y, p = np.array([0, 1, 1]), np.array([0.14, 0.16, 0.9])
    value = point_metrics(y, np.column_stack([1 - p, p]))["ece"]
    assert value == pytest.approx((2 * 0.35 + 0.1) / 3)


def test_calibration_error_of_more_classes_uses_the_decided_class() -> None:
    """Confidence 0.5 and 0.6 in separate bins, the first right and the second wrong."""
    proba = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])
    assert point_metrics(np.array([0, 1]), proba)["ece"] == pytest.approx((0.5 + 0.6) / 2)


def test_certainty_lies_in_the_last_bin() -> None:
    """A probability of exactly 1 is binned, and rightly so costs nothing."""
    assert point_metrics(np.array([0, 1]), np.eye(2))["ece"] == 0


def test_a_half_is_decided_positive() -> None:
    """With two classes p = 0.5 decides for the last class."""
    assert point_metrics(np.array([1]), np.array([[0.5, 0.5]]))["accuracy"] == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_classes", [2, 3])
def test_one_class_only_leaves_the_area_undefined(n_classes: int) -> None:
    """No row to compare with: nan, silently; everything else has its value."""
    proba = np.full((4, n_classes), 1 / n_classes)
    values = point_metrics(np.zeros(4, dtype=int), proba)
    assert math.isnan(values["auc_roc"])
    assert values["log_loss"] == pytest.approx(math.log(n_classes))


@pytest.mark.filterwarnings("error")
def test_no_positive_rows_leave_average_precision_undefined() -> None:
    """With two classes and no positive row there is no recall."""
    assert math.isnan(point_metrics(np.zeros(3, dtype=int), np.full((3, 2), 0.5))["auc_pr"])


@pytest.mark.filterwarnings("error")
def test_an_absent_class_is_left_out_of_the_mean(case: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    """Of four classes three have rows; the mean is theirs."""
    y, proba = case(100, 4, 0)
    y = np.where(y == 2, 3, y)
    values = point_metrics(y, proba)
    present = [0, 1, 3]
    assert values["auc_roc"] == pytest.approx(np.mean([sk.roc_auc_score(y == k, proba[:, k]) for k in present]))
    expected = np.mean([sk.average_precision_score(y == k, proba[:, k]) for k in present])
    assert values["auc_pr"] == pytest.approx(expected)


@pytest.mark.filterwarnings("error")
def test_constant_predictions_rank_by_chance() -> None:
    """One probability for all: ROC AUC 0.5, PR AUC the positive share."""
    values = point_metrics(np.array([0, 0, 0, 1]), np.full((4, 2), 0.5))
    assert (values["auc_roc"], values["auc_pr"]) == (0.5, 0.25)


def test_rows_of_weight_zero_do_not_count(case: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    """A class all of whose rows weigh nothing is absent."""
    y, proba = case(60, 3, 0)
    weights = (y != 2).astype(float)
    assert point_metrics(y, proba, weights) == pytest.approx(point_metrics(y[y != 2], proba[y != 2]))


def test_float32_probabilities_are_normalised(case: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    """Rounding of float32 changes nothing beyond itself."""
    y, proba = case(60, 3, 0)
    assert point_metrics(y, proba.astype(np.float32)) == pytest.approx(point_metrics(y, proba), abs=1e-5)


def test_normalising_keeps_ties(case: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    """Sums that are 1 but for float64's rounding are left alone; what was normalised stays as it is."""
    _, proba = case(200, 4, 0, ties=True)
    assert (as_probabilities(proba, 200) == proba).all()
    once = as_probabilities(proba.astype(np.float32), 200)
    assert (as_probabilities(once, 200) == once).all()


def test_per_class_is_scikit_learns(case: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    """One entry per class, absent ones with zeros."""
    y, proba = case(80, 4, 0)
    y = np.where(y == 2, 3, y)
    expected = sk.precision_recall_fscore_support(y, proba.argmax(axis=1), labels=range(4), zero_division=0)
    scores = per_class(y, proba)
    assert [s.precision for s in scores] == pytest.approx(expected[0])
    assert [s.recall for s in scores] == pytest.approx(expected[1])
    assert [s.f1 for s in scores] == pytest.approx(expected[2])
    assert [s.support for s in scores] == expected[3].tolist()
    assert scores[2].support == 0


@pytest.mark.parametrize(
    ("y", "proba", "message"),
    [
        ([0, 1], [[0.5, 0.5]], "probabilities must be of shape (2, K) with K >= 2, got (1, 2)"),
        ([0], [[1.0]], "probabilities must be of shape (1, K) with K >= 2, got (1, 1)"),
        ([0], [[np.nan, 1.0]], "probabilities must be finite and not negative, got [nan, 1.0] in row 0"),
        ([0], [[-0.5, 1.5]], "probabilities must be finite and not negative, got [-0.5, 1.5] in row 0"),
        ([0], [[0.5, 0.6]], "probabilities must sum to 1 in each row (within 1e-3), got 1.1 in row 0"),
        ([2], [[0.5, 0.5]], "y must hold class indices 0 .. 1, got 2"),
        ([], np.empty((0, 2)), "y must be one class index per row (n,) of at least one row, got shape (0,)"),
    ],
)
def test_wrong_arguments_are_named(y: list[int], proba: object, message: str) -> None:
    """The message says what must hold and what was seen."""
    with pytest.raises(InputError, match=re.escape(message)):
        point_metrics(np.array(y), np.array(proba))
