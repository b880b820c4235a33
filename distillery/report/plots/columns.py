"""Raw columns: how much each matters, how its values are spread, and which go together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from distillery.data.schema import Column
from distillery.evaluation.importance import Importance
from distillery.report.formats import number
from distillery.report.plots.style import DEEPEST, GREY, TEAL, two_sided
from distillery.report.plots.svg import INK, Sheet
from distillery.report.plots.view import PERCENT, Shown, View, bounded
from distillery.report.scene import Drawing

MOST_RANKED, MOST_SPREAD = 20, 12
MOST_CORRELATED, MOST_ANNOTATED, CORRELATION_ROWS = 24, 16, 5_000
MOST_DISTRIBUTIONS, BINS, MOST_CATEGORIES = 12, 30, 8
HISTOGRAM_ROWS = 50_000


def importance(view: View) -> Drawing | None:
    """Draw how much each column matters to teacher and students, with the range over the shuffles."""
    measured = [(one, one.card.importance) for one in view.leading if one.card.importance]
    names = _leading_names(view, [found for _, found in measured])
    if not names:
        return None
    kept = names[:MOST_RANKED]
    sheet = view.sheet(7.5, 0.8 + 0.27 * len(kept))
    (ax,) = sheet.axes()
    spread = 0.6 / len(measured)
    for i, (one, found) in enumerate(measured):
        rises = {column.name: column for column in found.columns}
        places = [(p + (i - (len(measured) - 1) / 2) * spread, rises[n]) for p, n in enumerate(kept) if n in rises]
        for place, column in places:
            ends = column.rises or (column.mean,)
            ax.plot([min(ends), max(ends)], [place, place], color=one.look.colour, linewidth=1)
        at = [place for place, _ in places]
        ax.plot([c.mean for _, c in places], at, **one.look.points(label=sheet.say(one.label)))
    ax.axvline(0, color=INK, linewidth=0.8, alpha=0.5)
    ax.set_yticks(range(len(kept)), [sheet.say(name) for name in kept])
    ax.set(xlabel=sheet.axis("rise"), ylim=(len(kept) - 0.4, -0.6))
    sheet.legend()
    return view.drawn("importance", "columns", sheet, view.fewer("columns", len(kept), len(names)))


def _leading_names(view: View, measured: Sequence[Importance]) -> list[str]:
    """Return every column measured, the teacher's ranking first."""
    names = [column.name for found in measured for column in found.columns]
    place = {name: i for i, name in enumerate(view.ranking)}
    return sorted(dict.fromkeys(names), key=lambda name: place.get(name, len(place)))


def importance_spread(view: View) -> Drawing | None:
    """Draw each shuffle's rise for the columns that matter most, teacher beside students."""
    measured = [(one, one.card.importance) for one in view.leading if one.card.importance]
    names = _leading_names(view, [found for _, found in measured])[:MOST_SPREAD]
    if not names or not any(column.rises for _, found in measured for column in found.columns):
        return None
    panels = measured[:4]
    sheet = view.sheet(2 + 1.8 * len(panels), 0.8 + 0.27 * len(names))
    for ax, (one, found) in zip(sheet.axes(len(panels), sharex=True, sharey=True), panels, strict=True):
        rises = {column.name: column.rises for column in found.columns}
        _draw_boxes(ax, one, [rises.get(name, ()) for name in names])
        ax.set(title=sheet.say(one.label, 24), ylim=(len(names) - 0.4, -0.6))
        ax.set_yticks(range(len(names)), [sheet.say(name, 24) for name in names])
        ax.xaxis.set_major_locator(MaxNLocator(3))
    sheet.figure.supxlabel(sheet.axis("rise"), fontsize=9)
    total = len(_leading_names(view, [found for _, found in measured]))
    notes = view.fewer("columns", len(names), total), view.fewer("models", len(panels), len(measured))
    return view.drawn("importance_spread", "columns", sheet, *notes)


def _draw_boxes(ax: Axes, one: Shown, rises: Sequence[tuple[float, ...]]) -> None:
    colour = one.look.colour
    line = {"color": colour, "linewidth": 1}
    drawn = [place for place, values in enumerate(rises) if values]
    ax.boxplot(
        [rises[place] for place in drawn],
        positions=drawn,
        orientation="horizontal",
        widths=0.6,
        showfliers=False,
        manage_ticks=False,
        boxprops=line,
        whiskerprops=line,
        capprops=line,
        medianprops=line | {"linewidth": 2},
    )
    points = [(value, place) for place in drawn for value in rises[place]]
    ax.plot(*zip(*points, strict=True), **one.look.points(markersize=3, alpha=0.7))
    ax.axvline(0, color=INK, linewidth=0.8, alpha=0.5)


def correlation(view: View) -> Drawing | None:
    """Draw the rank correlation of the numeric columns over training rows."""
    chosen, few_rows = view.sampled(len(view.train), CORRELATION_ROWS)
    frame = view.train.features.iloc[chosen]
    varied = [c for c in view.scene.table.schema.numeric if _varies(frame[c.name])]
    columns, few_columns = view.leading_columns(varied, MOST_CORRELATED)
    if len(columns) < 2:
        return None
    names = [column.name for column in columns]
    rho = frame[names].corr(method="spearman", min_periods=3).to_numpy()
    side, annotated = 1.4 + (0.36 if len(names) <= 10 else 0.29) * len(names), len(names) <= MOST_ANNOTATED
    sheet = view.sheet(side + 0.6, side, square=True)
    (ax,) = sheet.axes()
    cells = ax.pcolormesh(
        np.ma.masked_invalid(rho), cmap=two_sided(DEEPEST if annotated else 1.0), vmin=-1, vmax=1, edgecolor="none"
    )
    if annotated:
        for row, column in np.argwhere(np.isfinite(rho)):
            text = number(round(rho[row, column], 2) + 0.0, 2)  # no minus before a zero
            ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=6)
    places = np.arange(len(names)) + 0.5
    labels = [sheet.say(name, 20) for name in names]
    ax.set_xticks(places, labels, rotation=90)
    ax.set_yticks(places, labels)
    ax.set(aspect="equal")
    ax.invert_yaxis()
    ax.grid(visible=False)
    sheet.figure.colorbar(cells, ax=ax, shrink=0.6, label=sheet.axis("spearman"))
    return view.drawn("correlation", "data", sheet, few_rows, few_columns)


def _varies(values: pd.Series) -> bool:
    known = values.dropna()
    return len(known) > 0 and bool(known.min() < known.max())


def distributions(view: View) -> Drawing | None:
    """Draw how the values of the columns are spread, in training and in test."""
    drawn = view.scene.table.schema.encoded
    columns, few_columns = view.leading_columns(
        [c for c in view.scene.table.schema.columns if c in drawn], MOST_DISTRIBUTIONS
    )
    if not columns:
        return None
    across = min(3, len(columns))
    sheet = view.sheet(2.7 * across, 1.75 * -(-len(columns) // across) + 0.4)
    picked = [view.sampled(len(rows), HISTOGRAM_ROWS) for rows in (view.train, view.test)]
    frames = [rows.features.iloc[at] for rows, (at, _) in zip((view.train, view.test), picked, strict=True)]
    for ax, column in zip(sheet.axes(len(columns), across), columns, strict=True):
        draw = _draw_numbers if column.kind == "numeric" else _draw_categories
        draw(sheet, ax, column, frames)
        ax.set_title(sheet.say(column.name))
        ax.yaxis.set_major_formatter(PERCENT)
        ax.yaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2))
        ax.tick_params(labelsize=7)
    handles = [ax.stairs([], [0], fill=True, color=GREY, alpha=0.5), ax.stairs([], [0], color=TEAL, linewidth=1.5)]
    sheet.legend(handles, [sheet.axis("train"), sheet.axis("test")])
    return view.drawn("distributions", "data", sheet, few_columns, *(note for _, note in picked))


def _draw_numbers(sheet: Sheet, ax: Axes, column: Column, frames: Sequence[pd.DataFrame]) -> None:
    values = [bounded(frame[column.name], 0.005, 0.995) for frame in frames]
    known = [v[~np.isnan(v)] for v in values]
    together = np.concatenate(known)
    if not len(together):
        _say_missing(sheet, ax)
        return
    low, high = float(together.min()), float(together.max())
    if not low < high:
        low, high = low - 0.5, high + 0.5 + abs(high) * 1e-6
    whole = column.integer and high - low < BINS
    edges = np.arange(low - 0.5, high + 1) if whole else np.linspace(low, high, BINS + 1)
    _draw_shares(ax, [np.histogram(v, edges)[0] / max(1, len(v)) for v in known], edges)
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=whole))


def _draw_categories(sheet: Sheet, ax: Axes, column: Column, frames: Sequence[pd.DataFrame]) -> None:
    shares = [frame[column.name].value_counts(normalize=True) for frame in frames]
    names = sorted(shares[0].index, key=lambda name: (-shares[0][name], name))[:MOST_CATEGORIES]
    if not names:
        _say_missing(sheet, ax)
        return
    heights = [np.array([share.get(name, 0.0) for name in names]) for share in shares]
    rest = [max(0.0, 1 - height.sum()) if len(share) else 0.0 for height, share in zip(heights, shares, strict=True)]
    labels = [sheet.say(name, 12) for name in names]
    if max(rest) > 1e-9:
        heights = [np.append(height, left) for height, left in zip(heights, rest, strict=True)]
        labels.append(sheet.axis("others"))
    _draw_shares(ax, heights, np.arange(len(labels) + 1) - 0.5)
    long = max(map(len, labels)) * len(labels) > 22
    ax.set_xticks(range(len(labels)), labels, rotation=90 if long else 0)


def _draw_shares(ax: Axes, shares: Sequence[np.ndarray], edges: np.ndarray) -> None:
    ax.stairs(shares[0], edges, fill=True, color=GREY, alpha=0.5)
    ax.stairs(shares[1], edges, color=TEAL, linewidth=1.5)


def _say_missing(sheet: Sheet, ax: Axes) -> None:
    ax.text(0.5, 0.5, sheet.axis("all_missing"), ha="center", va="center", transform=ax.transAxes)
    ax.set_xticks([])
