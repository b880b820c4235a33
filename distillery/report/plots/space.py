"""The rows as points in a plane: principal components and neighbourhoods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from distillery.evaluation._rows import decide
from distillery.report.plots.encode import as_points
from distillery.report.plots.style import CLASS_MARKERS, CLASSES, GREY
from distillery.report.plots.svg import Sheet
from distillery.report.plots.view import PERCENT, SEED, View, across
from distillery.report.scene import Drawing

PCA_ROWS, MOST_COMPONENTS, MOST_CLASSES = 2_000, 15, 10
TSNE_ROWS, TSNE_DIMENSIONS, TSNE_STEPS, FEWEST_ROWS = 1_000, 30, 500, 10
Masks = Sequence[tuple[str, np.ndarray, str, str]]


def pca(view: View) -> Drawing | None:
    """Draw test rows over the first two principal components, by class, and what each component explains."""
    chosen, fewer = view.sampled(len(view.test), PCA_ROWS)
    points = as_points(view.test.features.iloc[chosen], list(view.scene.table.schema.columns))
    if min(points.shape) < 2:
        return None
    model = PCA(svd_solver="full").fit(points)
    plane = model.transform(points)[:, :2]
    sheet = view.sheet(8.2, 3.6)
    left, right = sheet.axes(2, width_ratios=(3, 2))
    masks, few_classes = _class_masks(view, chosen)
    _scatter(sheet, left, plane, masks, sheet.say(view.scene.table.schema.target, 16))
    left.set(xlabel=sheet.axis("component", number=1), ylabel=sheet.axis("component", number=2))
    shares = model.explained_variance_ratio_[:MOST_COMPONENTS]
    numbers = np.arange(1, len(shares) + 1)
    right.bar(numbers, shares, color=GREY, alpha=0.6, label=sheet.axis("each"))
    right.plot(numbers, shares.cumsum(), color=CLASSES[0], marker=".", label=sheet.axis("together"))
    right.yaxis.set_major_formatter(PERCENT)
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.set(xlabel=sheet.axis("components"), ylabel=sheet.axis("explained"), ylim=(0, 1.02))
    right.legend(loc="best")
    return view.drawn("pca", "data", sheet, fewer, few_classes)


def _class_masks(view: View, chosen: np.ndarray) -> tuple[Masks, str]:
    """Return label, rows, colour and marker of each of the most frequent classes, and what was left out."""
    y, k = view.y[chosen], len(view.classes)
    frequent = np.sort(np.argsort(-np.bincount(y, minlength=k), kind="stable")[:MOST_CLASSES])
    masks = [
        (view.classes[c], y == c, CLASSES[i % len(CLASSES)], CLASS_MARKERS[i % len(CLASS_MARKERS)])
        for i, c in enumerate(frequent)
    ]
    others = ~np.isin(y, frequent)
    if others.any():
        masks.insert(0, (view.texts("plot.axis.others"), others, GREY, "."))
    return masks, view.fewer("classes", len(frequent), k)


def _scatter(sheet: Sheet, ax: Axes, points: np.ndarray, masks: Masks, title: str) -> None:
    size = 8 if len(points) > 500 else 16
    for label, rows, colour, marker in masks:
        ax.scatter(
            points[rows, 0],
            points[rows, 1],
            s=size,
            color=colour,
            marker=marker,
            alpha=0.6,
            linewidths=0,
            rasterized=True,
            label=sheet.say(label, 20),
        )
    legend = ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=1.6, handlelength=1, title=title)
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)


def tsne(view: View) -> Drawing | None:
    """Draw a sample of test rows so that alike ones lie together, and mark where a student decides otherwise."""
    students, few_models = view.panels(view.students)
    chosen, fewer = view.sampled(len(view.test), TSNE_ROWS)
    points = as_points(view.test.features.iloc[chosen], list(view.scene.table.schema.columns))
    if len(points) < FEWEST_ROWS or points.shape[1] < 2 or view.teacher.proba is None or not students:
        return None
    plane = neighbourhoods(points)
    told = decide(view.teacher.proba[chosen])
    columns = across(len(students))
    sheet = view.sheet(2.7 * columns, 2.7 * -(-len(students) // columns) + 0.5)
    for ax, one in zip(sheet.axes(len(students), columns), students, strict=True):
        assert one.proba is not None  # those without have no panel
        alike = decide(one.proba[chosen]) == told
        ax.scatter(
            plane[alike, 0],
            plane[alike, 1],
            s=5,
            color=GREY,
            alpha=0.45,
            linewidths=0,
            rasterized=True,
        )
        ax.scatter(
            plane[~alike, 0],
            plane[~alike, 1],
            s=22,
            color=one.look.colour,
            marker="x",
            linewidths=1.1,
            gid=one.look.key,
        )
        ax.set(title=sheet.say(one.label), xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    grey: dict[str, Any] = {"linestyle": "none", "color": GREY}
    marks = [Line2D([], [], marker=".", **grey), Line2D([], [], marker="x", **grey)]
    sheet.legend(marks, [sheet.axis("alike"), sheet.axis("differs")])
    return view.drawn("tsne", "agreement", sheet, fewer, few_models)


def neighbourhoods(points: np.ndarray) -> np.ndarray:
    """Return t-SNE's plane ``(n, 2)`` of points ``(n >= 10, p >= 2)``; the same for the same points."""
    dimensions = min(TSNE_DIMENSIONS, *points.shape)
    perplexity = min(30.0, (len(points) - 1) / 3)
    embedding = TSNE(perplexity=perplexity, init="pca", random_state=SEED, max_iter=TSNE_STEPS)
    with threadpool_limits(1):  # so few rows are slower on many, and their sums differ from run to run
        reduced = PCA(dimensions, svd_solver="full").fit_transform(points)
        return np.asarray(embedding.fit_transform(reduced))
