"""What a config may say about the report."""

from __future__ import annotations

from pydantic import Field

from distillery.report.texts import Language
from distillery.spec import Spec


class ReportSpec(Spec):
    """What the report looks like, and where it goes beside the artifact store and the tracker.

    Attributes:
        language: of its sentences: ``en`` or ``zh``.
        folder: a local run writes ``<folder>/<scenario>/report.html``, ``report.md``, ``report.json`` and more.
        plots: draw pictures; they take some seconds.
        max_slice_loss: warn where the log loss of the best student rose by more than this share of the teacher's log
            loss over all test rows within a slice of them.
        suspicious_gain: warn where privileged columns raise the teacher's ROC AUC by more than this: they may hold
            the answer.
    """

    language: Language = "en"
    folder: str = "reports"
    plots: bool = True
    max_slice_loss: float = Field(0.05, gt=0)
    suspicious_gain: float = Field(0.1, gt=0, lt=0.5)
