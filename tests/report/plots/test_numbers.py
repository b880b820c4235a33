"""What the pictures show is what the numbers are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from distillery.evaluation import point_metrics
from distillery.report.plots.compare import most_confused
from distillery.report.plots.cost import pareto
from distillery.report.plots.curves import GRID, averaged, precisions, reliability_bins, true_positive_rates
from distillery.report.plots.style import BLUE, BROWN, DEEPEST, GREEN, GREY, ORANGE, PURPLE, SKY, TEAL, VERMILLION
from distillery.report.plots.svg import DARK_INK, LIGHT_INK, shortened

COARSE = st.integers(0, 4).map(float)


@given(st.lists(st.tuples(COARSE, COARSE), min_size=1, max_size=12))
def test_the_front_is_what_no_other_beats(points: list[tuple[float, float]]) -> None:
    """Against looking at every pair; sorted by cost."""
    cost, quality = np.array(points).T
    front = pareto(cost, quality).tolist()
    pairs = list(zip(cost, quality, strict=True))
    kept = [i for i, (c, q) in enumerate(pairs) if not any(d <= c and r >= q and (d, r) != (c, q) for d, r in pairs)]
    assert sorted(front) == kept
    assert cost[front].tolist() == sorted(cost[front])


def rows(n: int, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n)
    y = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    z = rng.normal(size=(n, classes)).round(1) + np.eye(classes)[y]
    return y, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), rng.uniform(0.5, 2, n)


@pytest.mark.parametrize("n", [20, 3000])
def test_roc_curves_are_scikit_learn_s(n: int) -> None:
    """At every point of the grid the value lies on scikit-learn's curve, and the area is its area."""
    y, proba, weights = rows(n, 2)
    values = true_positive_rates(y == 1, proba[:, 1], weights)
    fpr, tpr, _ = roc_curve(y, proba[:, 1], sample_weight=weights)
    for x, value in zip(GRID, values, strict=True):
        left, right = fpr <= x, fpr >= x
        assert tpr[left].max() - 1e-12 <= value <= tpr[right].max() + 1e-12
        if x in fpr:
            assert value == tpr[fpr == x].max()
    area = roc_auc_score(y, proba[:, 1], sample_weight=weights)
    assert np.trapezoid(values, GRID) == pytest.approx(area, abs=0.003)


def test_precision_over_recall_has_the_average_precision_as_area() -> None:
    """The steps are those that average precision sums."""
    y, proba, weights = rows(3000, 2)
    values = precisions(y == 1, proba[:, 1], weights)
    area = average_precision_score(y, proba[:, 1], sample_weight=weights)
    assert values[1:].mean() == pytest.approx(area, abs=0.003)


def test_classes_are_averaged_one_against_the_rest() -> None:
    """The area of the mean curve is the macro mean of areas; a class without rows plays no part."""
    y, proba, weights = rows(2000, 4)
    curve = averaged(true_positive_rates, y, proba, weights)
    assert curve is not None
    macro = point_metrics(y, proba, weights)["auc_roc"]
    assert np.trapezoid(curve, GRID) == pytest.approx(macro, abs=0.003)
    absent = np.column_stack([proba, np.zeros(len(y))])
    np.testing.assert_array_equal(averaged(true_positive_rates, y, absent, weights), curve)
    assert averaged(true_positive_rates, np.zeros(5, int), proba[:5], None) is None


@pytest.mark.parametrize("classes", [2, 3])
def test_reliability_adds_up_to_the_calibration_error(classes: int) -> None:
    """The mean gap over the bins is the metric's."""
    y, proba, weights = rows(20_000, classes)
    sure, right, share, middle = reliability_bins(y, proba, weights)
    assert (share * np.abs(sure - right)).sum() == pytest.approx(point_metrics(y, proba, weights)["ece"], abs=1e-3)
    assert (np.abs(sure - middle) <= 0.5 / 15).all()


def test_the_most_confused_classes_are_kept_in_order() -> None:
    """Right decisions do not count."""
    table = np.diag([50, 50, 50, 50])
    table[3, 1] = 9
    table[0, 3] = 1
    assert most_confused([table], 2).tolist() == [1, 3]
    assert most_confused([table, table], 9).tolist() == [0, 1, 2, 3]


def luminance(colour: np.ndarray) -> float:
    """WCAG 2.2's relative luminance."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: np.ndarray, two: np.ndarray) -> float:
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", [BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, GREY, TEAL, BROWN])
@pytest.mark.parametrize(("ground", "ink"), [("#ffffff", LIGHT_INK), ("#121212", DARK_INK)])
def test_numbers_in_cells_can_be_read(colour: str, ground: str, ink: str) -> None:
    """On the deepest cell of every colour, on a light page and on a dark one."""
    cell = DEEPEST * np.array(to_rgb(colour)) + (1 - DEEPEST) * np.array(to_rgb(ground))
    assert contrast(cell, np.array(to_rgb(ink))) >= 3


@given(st.text(max_size=60), st.integers(3, 40))
def test_shortened_names_fit(text: str, limit: int) -> None:
    """And short ones are left alone."""
    short = shortened(text, limit)
    assert short == text or ("…" in short and len(short) <= limit)
    if len(text.encode()) <= limit:
        assert short == text
