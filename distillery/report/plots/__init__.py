"""The report's pictures: each is drawn from the scene, and left out where its data are absent."""

from __future__ import annotations

from distillery.report.plots.boundaries import boundaries
from distillery.report.plots.columns import correlation, distributions, importance, importance_spread
from distillery.report.plots.compare import confusion, predictions, slice_losses, slices, soft_labels
from distillery.report.plots.cost import front
from distillery.report.plots.curves import precision_recall, reliability, roc
from distillery.report.plots.selection import factors, gate_paths, gates, pixels
from distillery.report.plots.space import pca, tsne
from distillery.report.plots.svg import drawing
from distillery.report.plots.training import training
from distillery.report.plots.view import Plot, View
from distillery.report.scene import Drawing, Scene
from distillery.report.texts import Texts

__all__ = ["PLOTS", "draw"]

# By section, and within one in the order of reading.
PLOTS: tuple[Plot, ...] = (
    front,
    distributions,
    correlation,
    pca,
    importance,
    importance_spread,
    gates,
    gate_paths,
    factors,
    pixels,
    roc,
    precision_recall,
    reliability,
    confusion,
    predictions,
    slices,
    slice_losses,
    boundaries,
    tsne,
    soft_labels,
    training,
)


def draw(scene: Scene, texts: Texts) -> tuple[Drawing, ...]:
    """Draw every picture that applies to a run; the same run always gives the same bytes."""
    view = View(scene, texts)
    return tuple(made for plot in PLOTS if (made := _drawn(plot, view)) is not None)


def _drawn(plot: Plot, view: View) -> Drawing | None:
    with drawing(plot.__name__):
        return plot(view)
