"""Curves over the test rows: ROC, precision and recall, reliability."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from sklearn.metrics import precision_recall_curve, roc_curve

from distillery.evaluation._rows import ECE_BINS, RowScores, decide
from distillery.report.formats import number
from distillery.report.plots.svg import INK, Sheet
from distillery.report.plots.view import Shown, View
from distillery.report.scene import Drawing

GRID = np.linspace(0.0, 1.0, 401)
LEAST_ROWS = 10  # a share of fewer rows says nothing
Curve = Callable[[np.ndarray, np.ndarray, np.ndarray | None], np.ndarray]


def roc(view: View) -> Drawing | None:
    """Draw ROC curves, and each one's distance from the teacher's."""
    return _with_gap(view, "roc", "auc_roc", true_positive_rates, ("false_positive_rate", "true_positive_rate"))


def precision_recall(view: View) -> Drawing | None:
    """Draw precision over recall, and each curve's distance from the teacher's."""
    return _with_gap(view, "precision_recall", "auc_pr", precisions, ("recall", "precision"))


def true_positive_rates(positive: np.ndarray, score: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return the true positive rate at each false one of `GRID`, the highest where the curve rises upright."""
    fpr, tpr, _ = roc_curve(positive, score, sample_weight=weights)
    return np.asarray(np.interp(GRID, fpr, tpr))  # of equal abscissae it takes the last


def precisions(positive: np.ndarray, score: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return the precision at the first threshold that reaches each recall of `GRID`; average precision counts so."""
    precision, recall, _ = precision_recall_curve(positive, score, sample_weight=weights)
    return np.asarray(precision[::-1][np.searchsorted(recall[::-1], GRID)])


def averaged(curve: Curve, y: np.ndarray, proba: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
    """Return a curve at `GRID`: of the positive class, or the mean over classes, each against the rest.

    A class without rows, or with all of them, is left out; None where that leaves none.

    Args:
        curve: gives one class's values.
        y: class indices ``(n,)``.
        proba: probabilities ``(n, K)``.
        weights: of the rows ``(n,)``, or None.
    """
    mass = np.bincount(y, weights, proba.shape[1])
    classes = [1] if proba.shape[1] == 2 else range(proba.shape[1])
    told = [k for k in classes if 0 < mass[k] < mass.sum()]
    return np.mean([curve(y == k, proba[:, k], weights) for k in told], axis=0) if told else None


def _with_gap(view: View, name: str, metric: str, curve: Curve, axes: tuple[str, str]) -> Drawing | None:
    shown, left_out = view.compared()
    weights = view.scene.predictions.weights
    lines = [(one, averaged(curve, view.y, one.proba, weights)) for one in shown if one.proba is not None]
    found = [(one, values) for one, values in lines if values is not None]
    if not found:
        return None
    sheet = view.sheet(8.2, 4.2)
    left, right = sheet.axes(2)
    base = next((values for one, values in found if one.card.role == "teacher"), found[0][1])
    for i, (one, values) in enumerate(found):
        style = one.look.line(markevery=(7 + 9 * i, 80))
        label = f"{one.label} ({number(one.card.quality.metrics[metric].value)})"
        left.plot(GRID, values, label=sheet.say(label, 36), **style)
        right.plot(GRID, values - base, **style | {"linewidth": 1})
    _label(sheet, left, *axes)
    _label(sheet, right, axes[0], "gap", title=sheet.axis("minus_teacher", what=view.texts(f"plot.axis.{axes[1]}")))
    if name == "roc":
        left.plot([0, 1], [0, 1], color=INK, alpha=0.4, linewidth=0.8, linestyle=":")
    sheet.legend()
    return view.drawn(name, "quality", sheet, left_out)


def _label(sheet: Sheet, ax: Axes, x: str, y: str, title: str = "") -> None:
    ax.set(xlabel=sheet.axis(x), xlim=(-0.02, 1.02), title=title)
    if y == "gap":
        _fit(ax)
    else:
        ax.set(ylabel=sheet.axis(y), ylim=(-0.02, 1.02))


def _fit(ax: Axes) -> None:
    """Fit the axis to all but the ends of the curves, where few rows decide; to no less than ±1 %."""
    inner = (GRID >= 0.05) & (GRID <= 0.95)
    values = np.concatenate([np.asarray(line.get_ydata())[inner] for line in ax.lines])
    room = 0.1 * float(np.ptp(values))
    ax.set_ylim(min(float(values.min()) - room, -0.01), max(float(values.max()) + room, 0.01))


def reliability(view: View) -> Drawing | None:
    """Draw how often a model is right against how sure it was, and how sure it was how often."""
    shown, left_out = view.compared()
    if not shown:
        return None
    sheet = view.sheet(7.5, 5)
    upper, lower = sheet.axes(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color=INK, alpha=0.4, linewidth=0.8, linestyle=":")
    weights = view.scene.predictions.weights
    for one in shown:
        _draw_bins(sheet, (upper, lower), one, view.y, weights)
    upper.set(ylabel=sheet.axis("happened"), xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    lower.set(ylabel=sheet.axis("share_of_rows"), xlabel=sheet.axis("predicted" if view.binary else "confidence"))
    sheet.legend()
    return view.drawn("reliability", "quality", sheet, left_out)


def _draw_bins(sheet: Sheet, axes: tuple[Axes, Axes], one: Shown, y: np.ndarray, weights: np.ndarray | None) -> None:
    assert one.proba is not None  # those without were left out
    ece = one.card.quality.metrics["ece"].value
    sure, right, share, middle = reliability_bins(y, one.proba, weights)
    axes[0].plot(sure, right, label=sheet.say(f"{one.label} ({number(ece)})", 36), **one.look.line())
    axes[1].plot(middle, share, **one.look.line(markersize=3, linewidth=1))


def reliability_bins(
    y: np.ndarray, proba: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return mean confidence, share of successes, share of rows, and middle of each bin of at least `LEAST_ROWS`.

    The bins are those of the calibration error: `ECE_BINS` of equal width.
    """
    rows, binary = RowScores.of(y, proba), proba.shape[1] == 2
    confidence = proba[:, 1] if binary else proba.max(axis=1)
    success = y == 1 if binary else decide(proba) == y
    weights = np.ones(len(y)) if weights is None else weights
    mass, sure, right = (np.bincount(rows.bin, weights * v, ECE_BINS) for v in (np.ones(len(y)), confidence, success))
    kept = (np.bincount(rows.bin, minlength=ECE_BINS) >= LEAST_ROWS) & (mass > 0)
    middles = (np.arange(ECE_BINS) + 0.5) / ECE_BINS
    return sure[kept] / mass[kept], right[kept] / mass[kept], mass[kept] / mass.sum(), middles[kept]
