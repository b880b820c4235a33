"""What teacher and students answer over the two columns that matter most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from distillery.data.model import Model
from distillery.data.schema import Column
from distillery.evaluation._rows import decide
from distillery.report.plots.style import CLASS_MARKERS, CLASSES, GREY, ramp, two_sided
from distillery.report.plots.svg import INK, Sheet
from distillery.report.plots.view import MOST_PANELS, Shown, View, bounded
from distillery.report.scene import Drawing

STEPS, MOST_CATEGORIES, MOST_POINTS = 50, 12, 200
LEAST_SHARE = 0.03  # regions smaller than this are not named


@final
@dataclass(frozen=True)
class Side:
    """One axis of the grid.

    Attributes:
        column: the raw column.
        values: it takes along the axis ``(m,)``.
    """

    column: Column
    values: np.ndarray

    @classmethod
    def of(cls, column: Column, values: pd.Series) -> Side:
        """Take steps over the numbers, or the most frequent categories; fewer than two where it does not vary."""
        if column.kind == "categorical":
            counts = values.value_counts()
            names = sorted(counts.index, key=lambda name: (-counts[name], name))[:MOST_CATEGORIES]
            return cls(column, np.array(names, dtype=object))
        numbers = bounded(values)
        known = numbers[~np.isnan(numbers)]
        if not len(known) or known.min() == known.max():
            return cls(column, known[:1])
        return cls(column, np.linspace(known.min(), known.max(), STEPS))

    @property
    def edges(self) -> np.ndarray:
        """Return the cells' edges ``(m + 1,)``; categories are one apart."""
        if self.column.kind == "categorical":
            return np.arange(len(self.values) + 1) - 0.5
        half = (self.values[1] - self.values[0]) / 2
        return np.append(self.values - half, self.values[-1] + half)

    def places(self, values: pd.Series) -> np.ndarray:
        """Return where values lie on the axis ``(n,)``, NaN where they lie beyond it."""
        if self.column.kind == "categorical":
            found = pd.Index(self.values).get_indexer(pd.Index(values, dtype=object)).astype(np.float64)
            return np.where(found < 0, np.nan, found)
        numbers = values.to_numpy(np.float64)
        inside = (numbers >= self.values[0]) & (numbers <= self.values[-1])
        return np.where(inside, numbers, np.nan)


def boundaries(view: View) -> Drawing | None:
    """Draw the answers over the two most important columns, the others at their median or most frequent value."""
    sides = _sides(view)
    if sides is None:
        return None
    frame = _grid(view, *sides)
    models: list[tuple[Shown, Model]] = [(view.teacher, view.scene.teacher)]
    students = view.scene.students
    models += [(one, students[one.card.name]) for one in view.students if one.card.name in students]
    shown = models[:MOST_PANELS]
    across = min(3, len(shown))
    sheet = view.sheet(2.7 * across + 0.3, 2.5 * -(-len(shown) // across) + 0.4)
    for ax, (one, model) in zip(sheet.axes(len(shown), across, sharex=True, sharey=True), shown, strict=True):
        _draw_answers(view, sheet, ax, sides, model.predict_proba(frame))
        ax.set_title(sheet.say(one.label))
    axes = sheet.figure.axes
    _name_axes(sheet, axes, sides)
    notes = (
        view.fewer("models", len(shown), len(models)),
        view.fewer("rows", min(len(view.test), MOST_POINTS), len(view.test)),
    )
    return view.drawn("boundaries", "agreement", sheet, *notes)


def _sides(view: View) -> tuple[Side, Side] | None:
    """Return the axes: the two most important columns students may see, that vary; None without two."""
    columns = {column.name: column for column in view.scene.table.schema.regular.columns}
    ranked = (columns[name] for name in view.ranking if name in columns)
    sides = [side for c in ranked if len((side := Side.of(c, view.train.features[c.name])).values) > 1]
    return (sides[0], sides[1]) if len(sides) > 1 else None


def _grid(view: View, x: Side, y: Side) -> pd.DataFrame:
    """Return a row per cell, row by row, with the teacher's columns."""
    cells = len(x.values) * len(y.values)
    usual = {c.name: [_usual(c, view.train.features[c.name])] * cells for c in view.scene.table.schema.columns}
    crossed = {x.column.name: np.tile(x.values, len(y.values)), y.column.name: np.repeat(y.values, len(x.values))}
    return view.scene.table.schema.conform(pd.DataFrame(usual | crossed))


def _usual(column: Column, values: pd.Series) -> object:
    if column.kind == "numeric":
        numbers = bounded(values)
        return float(np.nanmedian(numbers)) if not np.isnan(numbers).all() else np.nan
    counts = values.value_counts()
    return None if counts.empty else min(counts.index, key=lambda name: (-counts[name], name))


def _draw_answers(view: View, sheet: Sheet, ax: Axes, sides: tuple[Side, Side], proba: np.ndarray) -> None:
    x, y = sides
    shape = len(y.values), len(x.values)
    if view.binary:
        p = proba[:, 1].reshape(shape)
        ax.pcolormesh(x.edges, y.edges, p, cmap=two_sided(), vmin=0, vmax=1, edgecolor="none", rasterized=True)
        if p.min() < 0.5 < p.max() and min(shape) > 1:
            middles = [(side.edges[:-1] + side.edges[1:]) / 2 for side in sides]
            ax.contour(*middles, p, levels=[0.5], colors=INK, linewidths=1)
    else:
        _draw_regions(view, sheet, ax, sides, decide(proba).reshape(shape))
    _draw_rows(view, ax, sides)
    ax.grid(visible=False)


def _draw_regions(view: View, sheet: Sheet, ax: Axes, sides: tuple[Side, Side], decided: np.ndarray) -> None:
    """Fill what each class is decided for, and name the larger regions."""
    x, y = sides
    for k in np.unique(decided):
        here = np.ma.masked_not_equal(decided, k) * 0 + 1.0
        colour = CLASSES[k % len(CLASSES)]
        ax.pcolormesh(x.edges, y.edges, here, cmap=ramp(colour), vmin=0, vmax=1, edgecolor="none", rasterized=True)
        if (decided == k).mean() >= LEAST_SHARE:
            rows, columns = np.nonzero(decided == k)
            inner = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
            at = [(side.edges[i] + side.edges[i + 1]) / 2 for side, i in ((x, columns[inner]), (y, rows[inner]))]
            ax.text(at[0], at[1], sheet.say(view.classes[k], 12), ha="center", va="center", fontsize=8, weight="bold")


def _draw_rows(view: View, ax: Axes, sides: tuple[Side, Side]) -> None:
    """Mark some test rows by their class, those that lie within the grid."""
    chosen, _ = view.sampled(len(view.test), MOST_POINTS)
    rows, y = view.test.features.iloc[chosen], view.y[chosen]
    places = np.column_stack([side.places(rows[side.column.name]) for side in sides])
    rng = np.random.default_rng(0)
    for i, side in enumerate(sides):
        if side.column.kind == "categorical":
            places[:, i] += rng.uniform(-0.3, 0.3, len(places))
    for k in np.unique(y):
        marker = CLASS_MARKERS[k % len(CLASS_MARKERS)]
        colour = (CLASSES[1], CLASSES[0])[k] if view.binary else CLASSES[k % len(CLASSES)]
        ax.scatter(
            places[y == k, 0],
            places[y == k, 1],
            s=9,
            marker=marker,
            color=colour,
            edgecolors=GREY,
            linewidths=0.4,
            rasterized=True,
        )


def _name_axes(sheet: Sheet, axes: Sequence[Axes], sides: tuple[Side, Side]) -> None:
    x, y = sides
    sheet.figure.supxlabel(sheet.say(x.column.name, 50), fontsize=9)
    sheet.figure.supylabel(sheet.say(y.column.name, 40), fontsize=9)
    for ax in axes:
        if x.column.kind == "categorical":
            ax.set_xticks(range(len(x.values)), [sheet.say(v, 12) for v in x.values], rotation=90)
        if y.column.kind == "categorical":
            ax.set_yticks(range(len(y.values)), [sheet.say(v, 12) for v in y.values])
