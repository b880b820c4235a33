"""Quality against cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes

from distillery.evaluation import Estimate
from distillery.report.formats import duration, size
from distillery.report.plots.svg import INK, Sheet
from distillery.report.plots.view import Shown, View
from distillery.report.scene import Drawing

Write = Callable[[float | None], str]
FEWEST_TICKS = 3


def front(view: View) -> Drawing | None:
    """Draw quality against bytes and against latency; a line joins the models that no other one beats in both."""
    shown = [one for one in view.models if one.card.cost]
    metric = next((m for m in ("auc_roc", "log_loss") if all(_value(one, m) is not None for one in shown)), None)
    if len(shown) < 2 or metric is None:
        return None
    sheet = view.sheet(8.2, 4.2)
    left, right = sheet.axes(2, sharey=True)
    timed, note = _comparable(view, shown)
    _draw(left, sheet, shown, (metric, "bytes", size))
    _draw(right, sheet, timed, (metric, "latency_p50_us", duration))
    left.set(ylabel=sheet.axis(metric), xlabel=sheet.axis("bytes"))
    right.set(xlabel=sheet.axis("latency"))
    if metric == "log_loss":
        left.invert_yaxis()
    sheet.legend()
    return view.drawn("front", "overview", sheet, note)


def pareto(cost: np.ndarray, quality: np.ndarray) -> np.ndarray:
    """Return the positions of the points that no other one beats, the cheapest first.

    One beats another that is no worse in both and better in one.

    Args:
        cost: smaller is better ``(n,)``.
        quality: bigger is better ``(n,)``.

    >>> pareto(np.array([1.0, 2.0, 3.0, 3.0]), np.array([0.5, 0.4, 0.9, 0.9])).tolist()
    [0, 2, 3]
    """
    order = np.lexsort((-quality, cost))
    best = np.maximum.accumulate(quality[order])
    earlier = np.append(-np.inf, best[:-1])
    twin = np.append(False, (np.diff(cost[order]) == 0) & (np.diff(quality[order]) == 0))
    kept = quality[order] > earlier
    for i in np.flatnonzero(twin):
        kept[i] = kept[i - 1]
    return np.asarray(order[kept])


def _comparable(view: View, shown: Sequence[Shown]) -> tuple[list[Shown], str]:
    """Return the models timed through one runtime, the exported file where any is, and a word about the others."""
    runtimes = [one.card.cost.runtime for one in shown if one.card.cost]
    runtime = "onnx" if "onnx" in runtimes else "python"
    timed = [one for one in shown if one.card.cost and one.card.cost.runtime == runtime]
    others = [one.label for one in shown if one not in timed]
    return timed, view.texts("plot.note.untimed", names=", ".join(others)) if others else ""


def _draw(ax: Axes, sheet: Sheet, shown: Sequence[Shown], axes: tuple[str, str, Write]) -> None:
    metric, cost, write = axes
    x = np.array([float(getattr(one.card.cost, cost)) for one in shown])
    y = np.array([_value(one, metric) for one in shown], dtype=np.float64)
    best = pareto(x, -y if metric == "log_loss" else y)
    ax.plot(x[best], y[best], color=INK, alpha=0.5, linewidth=1, linestyle="--", label=sheet.axis("front"))
    for one, at, value in zip(shown, x, y, strict=True):
        ax.errorbar(
            at,
            value,
            yerr=_interval(one.card.quality.metrics[metric]),
            label=sheet.say(one.label),
            elinewidth=0.8,
            ecolor=(one.look.colour, 0.5),
            markersize=7,
            **{k: v for k, v in one.look.points().items() if k != "gid"},
        )[0].set_gid(one.look.key)
    log_ticks(ax, x, write)


def _value(one: Shown, metric: str) -> float | None:
    return one.card.quality.metrics[metric].value


def _interval(one: Estimate) -> np.ndarray | None:
    """Return how far the ends are from the value ``(2, 1)``."""
    if one.value is None or one.low is None or one.high is None:
        return None
    return np.array([[max(0.0, one.value - one.low)], [max(0.0, one.high - one.value)]])


def log_ticks(ax: Axes, values: np.ndarray, write: Write) -> None:
    """Make the x axis logarithmic with ticks at 1, 2 and 5, or only at whole tens where those are many."""
    low, high = float(values.min()) / 1.5, float(values.max()) * 1.5
    tens = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    fine = np.sort(np.concatenate([tens, 2 * tens, 5 * tens]))
    inside = [ticks[(ticks >= low) & (ticks <= high)] for ticks in (tens, fine)]
    ticks = inside[0] if len(inside[0]) >= FEWEST_TICKS else inside[1]
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.set_xticks(ticks, [write(tick) for tick in ticks])
    ax.minorticks_off()
