"""Draws a report's pictures."""

from __future__ import annotations

from distillery.report.plots import draw
from distillery.report.render import IllustratedReport
from distillery.report.scene import Scene
from distillery.report.spec import ReportSpec
from distillery.report.texts import Texts


def illustrate(scene: Scene, spec: ReportSpec) -> IllustratedReport:
    """Return the report of a scene with every picture that applies, or none where none are wanted."""
    drawings = draw(scene, Texts(spec.language)) if spec.plots else ()
    return IllustratedReport(scene.report, drawings)
