"""How training went."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.ticker import MaxNLocator

from distillery.report.plots.view import MOST_MODELS, View
from distillery.report.scene import Drawing

LOSSES = ("train_loss", "valid_log_loss")


def training(view: View) -> Drawing | None:
    """Draw training loss and validation log loss per epoch; a large marker stands at the best epoch."""
    histories = {(facts.role, facts.name): facts.history for facts in view.scene.report.training if facts.history}
    found = [one for one in view.models if (one.card.role, one.card.name) in histories]
    shown = found if len(found) <= MOST_MODELS else [one for one in found if one.card.role != "control"]
    if not shown:
        return None
    sheet = view.sheet(8.2, 3.8)
    panels = sheet.axes(2)
    for ax, loss in zip(panels, LOSSES, strict=True):
        for i, one in enumerate(shown):
            values = np.array([epoch.get(loss, math.nan) for epoch in histories[one.card.role, one.card.name]])
            every = max(1, len(values) // 6)
            style = one.look.line(markevery=(i % every, every), markersize=4)
            label = sheet.say(one.label) if loss == LOSSES[0] else None
            ax.plot(np.arange(1, len(values) + 1), values, label=label, **style)
            if loss == LOSSES[1] and np.isfinite(values).any():
                best = int(np.nanargmin(values))
                ax.plot([best + 1], [values[best]], **one.look.points(markersize=9))
        ax.set(xlabel=sheet.axis("epoch"), ylabel=sheet.axis(loss))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    sheet.legend()
    note = view.texts("plot.note.controls") if len(shown) < len(found) else ""
    return view.drawn("training", "training", sheet, note)
