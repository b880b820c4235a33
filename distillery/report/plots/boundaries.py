"""What teacher and students answer over the two columns that matter most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from distillery.data.model import Model
from distillery.data.schema import Column
from distillery.evaluation._rows import decide
from distillery.report.plots.style import CLASS_MARKERS, CLASSES, DEEPEST, TEAL, ramp
from distillery.report.plots.svg import INK, Sheet
from distillery.report.plots.view import MOST_PANELS, SEED, Shown, View, across, bounded
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
    columns = across(len(shown))
    sheet = view.sheet(2.7 * columns + 0.3, 2.5 * -(-len(shown) // columns) + 0.4)
    answers = [model.predict_proba(frame) for _, model in shown]
    field = Field.of(view, sides, answers)
    panels = sheet.axes(len(shown), columns, sharex=True, sharey=True)
    for ax, (one, _), proba in zip(panels, shown, answers, strict=True):
        field.draw(sheet, ax, proba)
        _draw_rows(view, ax, field)
        ax.set_title(sheet.say(one.label))
    if view.binary:
        sheet.figure.colorbar(ax.collections[0], ax=panels, shrink=0.6, label=sheet.axis("positive"))
    _name_axes(sheet, panels, sides)
    notes = (
        view.fewer("models", len(shown), len(models)),
        view.fewer("rows", min(len(view.test), MOST_POINTS), len(view.test)),
    )
    return view.drawn("boundaries", "agreement", sheet, *notes)


def _sides(view: View) -> tuple[Side, Side] | None:
    """Return the axes: the two most important columns students may see, that vary; None without two."""
    columns = {column.name: column for column in view.scene.table.schema.regular.encoded}
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


@final
@dataclass(frozen=True)
class Field:
    """The grid with the colours of what is answered there, the same in every panel.

    Attributes:
        sides: x and y.
        classes: names of the classes.
        colours: of each class.
        bounds: with two classes, the lowest and the highest probability of the positive one.
    """

    sides: tuple[Side, Side]
    classes: tuple[str, ...]
    colours: tuple[str, ...]
    bounds: tuple[float, float]

    @classmethod
    def of(cls, view: View, sides: tuple[Side, Side], answers: Sequence[np.ndarray]) -> Field:
        """Look at all models' probabilities ``(cells, K)``: classes often decided get colours of their own."""
        everything = np.vstack(answers)
        order = np.argsort(-np.bincount(decide(everything), minlength=len(view.classes)), kind="stable")
        place = np.argsort(order)
        low, high = float(everything[:, 1].min()), float(everything[:, 1].max())
        return cls(sides, view.classes, tuple(CLASSES[i % len(CLASSES)] for i in place), (low, max(high, low + 0.01)))

    @property
    def lines(self) -> bool:
        """Whether lines between answers mean anything: categories have no order."""
        return all(side.column.kind == "numeric" for side in self.sides)

    def draw(self, sheet: Sheet, ax: Axes, proba: np.ndarray) -> None:
        """Draw one model's probabilities ``(cells, K)``."""
        shape = len(self.sides[1].values), len(self.sides[0].values)
        if len(self.classes) == 2:
            self._draw_probability(ax, proba[:, 1].reshape(shape))
        else:
            self._draw_regions(sheet, ax, decide(proba).reshape(shape))
        ax.grid(visible=False)

    def _draw_probability(self, ax: Axes, p: np.ndarray) -> None:
        low, high = self.bounds
        ax.pcolormesh(*self._edges, p, cmap=ramp(TEAL, 1.0), vmin=low, vmax=high, edgecolor="none", rasterized=True)
        for levels, width in ((np.arange(1, 10) / 10, 0.5), (np.array([0.5]), 2.0)):
            crossed = levels[(levels > p.min()) & (levels < p.max())]
            if self.lines and len(crossed):
                ax.contour(*self._middles, p, levels=crossed, colors=INK, linewidths=width, linestyles="solid")

    def _draw_regions(self, sheet: Sheet, ax: Axes, decided: np.ndarray) -> None:
        """Fill what each class is decided for; name the larger regions and draw their borders."""
        shades = np.array([to_rgba(colour, DEEPEST) for colour in self.colours])
        ax.pcolormesh(*self._edges, shades[decided], edgecolor="none", rasterized=True)
        classes, cells = np.unique(decided, return_counts=True)
        for k in classes[cells >= LEAST_SHARE * decided.size]:
            here = decided == k
            if self.lines and not here.all():
                ax.contour(*self._middles, here.astype(float), levels=[0.5], colors=INK, linewidths=0.8)
            x, y = self._inside(here)
            ax.text(x, y, sheet.say(self.classes[k], 12), ha="center", va="center", fontsize=9, weight="bold")

    def _inside(self, here: np.ndarray) -> tuple[float, float]:
        """Return the middle of the cell of a region that is nearest to the region's middle."""
        rows, columns = np.nonzero(here)
        inner = int(np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2))
        x, y = self._middles
        return float(x[columns[inner]]), float(y[rows[inner]])

    @property
    def _edges(self) -> tuple[np.ndarray, np.ndarray]:
        return self.sides[0].edges, self.sides[1].edges

    @property
    def _middles(self) -> tuple[np.ndarray, np.ndarray]:
        x, y = ((edges[:-1] + edges[1:]) / 2 for edges in self._edges)
        return x, y


def _draw_rows(view: View, ax: Axes, field: Field) -> None:
    """Mark some test rows by their class, those that lie within the grid."""
    chosen, _ = view.sampled(len(view.test), MOST_POINTS)
    rows, y = view.test.features.iloc[chosen], view.y[chosen]
    places = np.column_stack([side.places(rows[side.column.name]) for side in field.sides])
    rng = np.random.default_rng(SEED)
    for i, side in enumerate(field.sides):
        if side.column.kind == "categorical":
            places[:, i] += rng.uniform(-0.3, 0.3, len(places))
    for k in np.unique(y):
        face = ("none", INK)[k] if view.binary else field.colours[k]
        style: dict[str, Any] = {"edgecolors": INK, "facecolors": face, "linewidths": 0.4, "alpha": 0.7}
        ax.scatter(places[y == k, 0], places[y == k, 1], s=9, marker=CLASS_MARKERS[k % len(CLASS_MARKERS)], **style)


def _name_axes(sheet: Sheet, axes: Sequence[Axes], sides: tuple[Side, Side]) -> None:
    x, y = sides
    sheet.figure.supxlabel(sheet.say(x.column.name, 50), fontsize=9)
    sheet.figure.supylabel(sheet.say(y.column.name, 40), fontsize=9)
    for ax in axes:
        if x.column.kind == "categorical":
            ax.set_xticks(range(len(x.values)), [sheet.say(v, 12) for v in x.values], rotation=90)
        if y.column.kind == "categorical":
            ax.set_yticks(range(len(y.values)), [sheet.say(v, 12) for v in y.values])
