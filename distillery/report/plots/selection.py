"""What students chose: gates and their path, factors, pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from distillery.report.model import FactorFacts, SelectionFacts
from distillery.report.plots.style import CLASSES, GREY, ramp
from distillery.report.plots.svg import INK, Sheet
from distillery.report.plots.view import MOST_PANELS, Shown, View, across
from distillery.report.scene import Drawing
from distillery.students import GatePath

MOST_GATES, MOST_LABELLED, MOST_FACTORS = 20, 8, 24
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))
PIXEL_INK = "gray"


def gates(view: View) -> Drawing | None:
    """Draw how far open each column's gate was in the end."""
    found = _with_gates(view)
    if not found:
        return None
    most = max(min(len(path.columns), MOST_GATES) for _, path in found)
    sheet = view.sheet(1 + 3.2 * len(found), 0.8 + 0.24 * most)
    notes = []
    for ax, (one, path) in zip(sheet.axes(len(found)), found, strict=True):
        last = np.array(path.gates[-1])
        order = np.argsort(-last, kind="stable")[:MOST_GATES]
        places = np.arange(len(order))
        ax.barh(places, last[order], height=0.6, color=one.look.colour, alpha=0.85, gid=one.look.key)
        ax.axvline(0, color=INK, linewidth=0.8, alpha=0.5)
        ax.set_yticks(places, [sheet.say(path.columns[i], 22) for i in order])
        ax.set(title=sheet.say(one.label), xlabel=sheet.axis("gate"), ylim=(most - 0.4, -0.6))
        notes.append(view.fewer("columns", len(order), len(path.columns)))
    return view.drawn("gates", "columns", sheet, *notes)


def gate_paths(view: View) -> Drawing | None:
    """Draw how the gates moved while λ rose; those that stayed open longest are named."""
    found = _with_gates(view)
    if not found:
        return None
    across = min(2, len(found))
    sheet = view.sheet(4.6 * across, 3.1 * -(-len(found) // across))
    for ax, (one, path) in zip(sheet.axes(len(found), across), found, strict=True):
        _draw_path(sheet, ax, path)
        ax.set_title(sheet.say(one.label))
    return view.drawn("gate_paths", "columns", sheet)


def _with_gates(view: View) -> list[tuple[Shown, GatePath]]:
    paths = view.scene.report.gate_paths
    found = [(one, paths[one.card.name]) for one in view.students if one.card.name in paths]
    return [(one, path) for one, path in found if path.gates and path.columns][:3]


def _draw_path(sheet: Sheet, ax: Axes, path: GatePath) -> None:
    gates, penalties = np.array(path.gates), np.array(path.penalties)
    named = np.argsort(-gates[-1], kind="stable")[:MOST_LABELLED]
    for i in np.setdiff1d(np.arange(gates.shape[1]), named):
        ax.plot(penalties, gates[:, i], color=GREY, linewidth=0.6, alpha=0.5, rasterized=gates.shape[1] > 100)
    for place, i in enumerate(named):
        style: dict[str, Any] = {"color": CLASSES[place % len(CLASSES)], "linestyle": DASHES[place % len(DASHES)]}
        ax.plot(penalties, gates[:, i], label=sheet.say(path.columns[i], 20), **style)
    ax.axhline(0, color=INK, linewidth=0.8, alpha=0.5)
    if penalties.min() > 0 and penalties.max() > penalties.min():
        ax.set_xscale("log")
        ticks = np.geomspace(penalties[0], penalties[-1], 4)
        ax.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
        ax.minorticks_off()
    ax.set(xlabel=sheet.axis("penalty"), ylabel=sheet.axis("gate"))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def factors(view: View) -> Drawing | None:
    """Draw how strongly each factor of a first layer looks at each column."""
    found = [facts for facts in view.scene.report.factors if facts.weights and facts.columns][:3]
    if not found:
        return None
    sheet = view.sheet(8, sum(1.6 + 0.22 * len(facts.weights) for facts in found))
    ratios = [4 + len(facts.weights) for facts in found]
    notes = [
        _draw_factors(view, sheet, ax, facts)
        for ax, facts in zip(sheet.axes(len(found), 1, height_ratios=ratios), found, strict=True)
    ]
    return view.drawn("factors", "columns", sheet, *notes)


def _draw_factors(view: View, sheet: Sheet, ax: Axes, facts: FactorFacts) -> str:
    weights = np.array(facts.weights)
    strongest = np.sort(np.argsort(-weights.max(axis=0), kind="stable")[:MOST_FACTORS])
    order = np.argsort(-weights.max(axis=1), kind="stable")
    looks = {one.card.name: one for one in view.students}
    one = looks.get(facts.name)
    colour = one.look.colour if one else GREY
    most = max(float(weights.max()), 1e-12)
    cells = ax.pcolormesh(
        weights[np.ix_(order, strongest)], cmap=ramp(colour, 1.0), vmin=0, vmax=most, edgecolor="none"
    )
    names = [sheet.say(facts.columns[i], 20) for i in strongest]
    ax.set_xticks(np.arange(len(names)) + 0.5, names, rotation=90)
    ax.set_yticks(np.arange(len(order)) + 0.5, [str(i + 1) for i in order], fontsize=7)
    ax.set(title=sheet.say(one.label if one else facts.name), ylabel=sheet.axis("factor"))
    ax.invert_yaxis()
    ax.grid(visible=False)
    sheet.figure.colorbar(cells, ax=ax, label=sheet.axis("norm"), shrink=0.9, pad=0.01)
    return view.fewer("columns", len(names), len(facts.columns))


def pixels(view: View) -> Drawing | None:
    """Draw which pixels students look at, over the mean training image."""
    shape = _shape(view)
    names = view.scene.table.schema.regular.names
    picked = {facts.name: facts for facts in view.scene.report.selections}
    shown = [one for one in view.students if one.card.name in picked][:MOST_PANELS]
    if shape is None or math.prod(shape) != len(names) or not shown:
        return None
    image = np.nan_to_num(view.train.features[names].mean().to_numpy(np.float64)).reshape(shape).mean(axis=0)
    place = {name: divmod(i % math.prod(shape[1:]), shape[2]) for i, name in enumerate(names)}
    columns = across(len(shown))
    sheet = view.sheet(2.6 * columns, 2.9 * -(-len(shown) // columns), square=True)
    for ax, one in zip(sheet.axes(len(shown), columns), shown, strict=True):
        _draw_pixels(ax, image, one, [place[name] for name in _known(picked[one.card.name], place)])
        number, among = len(picked[one.card.name].columns), picked[one.card.name].among
        ax.set_title(f"{sheet.say(one.label, 24)}\n{sheet.axis('pixels', number=number, among=among)}")
    return view.drawn("pixels", "columns", sheet)


def _known(facts: SelectionFacts, place: dict[str, tuple[int, int]]) -> list[str]:
    return [column.name for column in facts.columns if column.name in place]


def _draw_pixels(ax: Axes, image: np.ndarray, one: Shown, chosen: Sequence[tuple[int, int]]) -> None:
    ax.pcolormesh(image, cmap=ramp(PIXEL_INK), edgecolor="none")
    rows, columns = np.array(chosen, dtype=np.float64).reshape(-1, 2).T + 0.5
    size = min(9.0, 110.0 / max(image.shape))
    ax.plot(columns, rows, **one.look.points(marker="s", markersize=size, markerfacecolor="none", markeredgewidth=1.2))
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.invert_yaxis()
    ax.grid(visible=False)


def _shape(view: View) -> tuple[int, int, int] | None:
    """Return channels, height and width, where teacher or a student reads its rows as images."""
    for model in (view.scene.teacher, *view.scene.students.values()):
        shape = getattr(getattr(model, "spec", None), "shape", None)
        if shape is not None:
            channels, height, width = map(int, shape)
            return channels, height, width
    return None
