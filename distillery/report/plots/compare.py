"""Where student and teacher decide alike and where not, and what the teacher told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter
from sklearn.metrics import confusion_matrix

from distillery.evaluation._rows import decide
from distillery.evaluation.slices import Slice
from distillery.report.formats import count, percent
from distillery.report.plots.style import BROWN, GREY, TEAL, ramp
from distillery.report.plots.svg import INK, Sheet
from distillery.report.plots.view import PERCENT, Shown, View, across
from distillery.report.scene import Drawing

MOST_CLASSES, MOST_ANNOTATED = 26, 12
HEXAGONS, BINS = 30, 40
MOST_SLICES = 8


def confusion(view: View) -> Drawing | None:
    """Draw for teacher and students how the rows of each class were decided."""
    shown, fewer = view.panels(view.leading)
    if not shown:
        return None
    weights, k = view.scene.predictions.weights, len(view.classes)
    tables = [
        confusion_matrix(view.y, decide(one.proba), labels=range(k), sample_weight=weights)
        for one in shown
        if one.proba is not None
    ]
    kept = most_confused(tables, MOST_CLASSES)
    columns = min(len(shown), 4 if view.binary else 3 if len(kept) <= MOST_ANNOTATED else 2)
    side = 8.0 / max(columns, 3 if len(kept) <= MOST_ANNOTATED else 2)
    sheet = view.sheet(side * columns + 0.3, (side + 0.2) * -(-len(shown) // columns) + 0.2, square=True)
    for ax, one, table in zip(sheet.axes(len(shown), columns), shown, tables, strict=True):
        mass = table.sum(axis=1, keepdims=True)
        shares = np.divide(table, mass, out=np.zeros(table.shape), where=mass > 0)
        _draw_cells(view, sheet, ax, (one, shares[np.ix_(kept, kept)], kept))
    sheet.figure.supxlabel(sheet.axis("decided"), fontsize=9)
    sheet.figure.supylabel(sheet.axis("class"), fontsize=9)
    return view.drawn("confusion", "quality", sheet, fewer, view.fewer("classes", len(kept), k))


def most_confused(tables: Sequence[np.ndarray], most: int) -> np.ndarray:
    """Return the classes ``(≤ most,)``, in their order, that are in most wrong decisions of all tables ``(K, K)``."""
    total = np.sum(tables, axis=0)
    wrong = total.sum(axis=0) + total.sum(axis=1) - 2 * np.diag(total)
    return np.sort(np.argsort(-wrong, kind="stable")[:most])


def _draw_cells(view: View, sheet: Sheet, ax: Axes, what: tuple[Shown, np.ndarray, np.ndarray]) -> None:
    one, shares, kept = what
    colour = one.look.colour
    ax.pcolormesh(shares, cmap=ramp(colour), vmin=0, vmax=1, edgecolor="none")
    if len(kept) <= MOST_ANNOTATED:
        for row, column in np.argwhere(shares >= 0.005):
            text = f"{100 * shares[row, column]:.0f}"
            ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=9 if len(kept) < 6 else 7)
    labels = [sheet.say(view.classes[k], 10) for k in kept]
    places, small = np.arange(len(kept)) + 0.5, 8 if len(kept) <= MOST_ANNOTATED else 6
    turned = max(map(len, labels)) > 2 and len(kept) > 3
    ax.set_xticks(places, labels, fontsize=small, rotation=90 if turned else 0)
    ax.set_yticks(places, labels, fontsize=small)
    ax.set(title=sheet.say(one.label), aspect="equal")
    ax.invert_yaxis()
    ax.grid(visible=False)


def predictions(view: View) -> Drawing | None:
    """Draw each student's probability against the teacher's: of the positive class, or of the right one."""
    students, fewer = view.panels(view.students)
    if view.teacher.proba is None or not students:
        return None
    columns = across(len(students))
    sheet = view.sheet(2.7 * columns + 0.6, 2.6 * -(-len(students) // columns) + 0.2, square=True)
    told = _told(view, view.teacher.proba)
    for ax, one in zip(sheet.axes(len(students), columns, sharex=True, sharey=True), students, strict=True):
        assert one.proba is not None  # those without have no panel
        cells = ax.hexbin(
            told,
            _told(view, one.proba),
            gridsize=HEXAGONS,
            extent=(0, 1, 0, 1),
            mincnt=1,
            cmap=ramp(one.look.colour, 1.0),
            linewidths=0,
            rasterized=True,
        )
        most = max(10.0, float(cells.get_array().max()))  # type: ignore[union-attr]
        cells.set_norm(LogNorm(0.1, most))  # one row must be seen, too
        ax.plot([0, 1], [0, 1], color=INK, alpha=0.5, linewidth=0.8, linestyle=":")
        ticks = [10.0**e for e in range(int(np.log10(most)) + 1)]
        bar = sheet.figure.colorbar(cells, ax=ax, ticks=ticks, format=FuncFormatter(lambda n, _: count(n)), shrink=0.8)
        bar.minorticks_off()
        bar.ax.set_ylim(1, most)
        ax.set(title=sheet.say(one.label), aspect="equal", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    kind = "positive" if view.binary else "right_class"
    sheet.figure.supxlabel(sheet.axis(f"teacher_{kind}"), fontsize=9)
    sheet.figure.supylabel(sheet.axis(f"student_{kind}"), fontsize=9)
    return view.drawn("predictions", "agreement", sheet, fewer)


def _told(view: View, proba: np.ndarray) -> np.ndarray:
    return np.asarray(proba[:, 1] if view.binary else proba[np.arange(len(proba)), view.y])


def soft_labels(view: View) -> Drawing | None:
    """Draw how sure the teacher was of the training rows: by class, or by whether it was right."""
    sheet = view.sheet(6.5, 3)
    proba, y = view.scene.soft_labels.proba("train"), view.train.labels
    if view.binary:
        values, groups = proba[:, 1], y
        names = [view.is_class(k) for k in (0, 1)]
    else:
        values, groups = proba.max(axis=1), (decide(proba) == y).astype(int)
        names = [view.texts(f"plot.axis.{name}") for name in ("wrong", "right")]
    (ax,) = sheet.axes()
    for group, colour, dashes in ((0, BROWN, "--"), (1, TEAL, "-")):
        heights, edges = np.histogram(values[groups == group], BINS, (0, 1))
        mine = int(heights.sum())
        shares, label = heights / max(1, mine), f"{sheet.say(names[group])} ({percent(mine / max(1, len(values)))})"
        ax.stairs(shares, edges, fill=True, color=colour, alpha=0.25)
        ax.stairs(shares, edges, color=colour, linestyle=dashes, linewidth=1.5, label=label)
    ax.yaxis.set_major_formatter(PERCENT)
    ax.set(xlabel=sheet.axis("teacher_positive" if view.binary else "confidence"), ylabel=sheet.axis("share_of_group"))
    ax.set(xlim=(0, 1), ylim=(0, None))
    ax.legend(loc="best")
    return view.drawn("soft_labels", "distillation", sheet)


def slices(view: View) -> Drawing | None:
    """Draw where each student decides otherwise than the teacher, against all other rows."""
    found = [(one, one.card.slices.disagreeing[:MOST_SLICES]) for one in view.students if one.card.slices]
    return _by_slice(view, "slices", [pair for pair in found if pair[1]])


def slice_losses(view: View) -> Drawing | None:
    """Draw where each student's log loss rises most over the teacher's, against all other rows."""
    found = [(one, one.card.slices.losing[:MOST_SLICES]) for one in view.students if one.card.slices]
    return _by_slice(view, "slice_losses", [pair for pair in found if pair[1]])


def _by_slice(view: View, name: str, found: list[tuple[Shown, tuple[Slice, ...]]]) -> Drawing | None:
    if not found:
        return None
    panels = found[:4]
    heights = [len(slices) + 1.5 for _, slices in panels]
    sheet = view.sheet(7.5, 0.26 * sum(heights) + 0.5)
    for ax, (one, these) in zip(sheet.axes(len(panels), 1, sharex=True, height_ratios=heights), panels, strict=True):
        _draw_slices(sheet, ax, (one, these, name == "slices"))
    ax.set_xlabel(sheet.axis("disagreement" if name == "slices" else "loss_increase"))
    if name == "slices":
        ax.set_xlim(left=0)
        ax.xaxis.set_major_formatter(PERCENT)
    sheet.legend(*_slice_marks(sheet))
    return view.drawn(name, "agreement", sheet, view.fewer("models", len(panels), len(found)))


def _draw_slices(sheet: Sheet, ax: Axes, what: tuple[Shown, tuple[Slice, ...], bool]) -> None:
    one, these, disagreeing = what
    places = np.arange(len(these))
    here = np.array([s.disagreement if disagreeing else s.loss_increase.value or 0.0 for s in these])
    there = np.array([s.disagreement_elsewhere if disagreeing else s.loss_increase_elsewhere for s in these])
    ax.hlines(places, there, here, color=one.look.colour, linewidth=2, alpha=0.5)
    ax.plot(there, places, "|", color=INK, markersize=9)
    ax.plot(here, places, **one.look.points())
    if not disagreeing:
        for place, found in zip(places, (s.loss_increase for s in these), strict=True):
            if found.low is not None and found.high is not None:
                ax.plot([found.low, found.high], [place, place], color=one.look.colour, linewidth=0.8)
    labels = [f"{sheet.say(s.text, 40)} ({count(s.rows)}, {percent(s.share)})" for s in these]
    ax.set_yticks(places, labels)
    ax.set_ylim(len(these) - 0.4, -0.6)
    ax.set_title(sheet.say(one.label), loc="left")


def _slice_marks(sheet: Sheet) -> tuple[list[Line2D], list[str]]:
    here, there = Line2D([], [], color=GREY, marker="o"), Line2D([], [], color=INK, marker="|", linestyle="none")
    return [here, there], [sheet.axis("in_slice"), sheet.axis("elsewhere")]
