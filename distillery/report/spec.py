"""What a config may say about the report."""

from __future__ import annotations

from distillery.spec import Spec


class ReportSpec(Spec):
    """Where the report goes, beside the artifact store and the tracker.

    Attributes:
        folder: a local run writes ``<folder>/<scenario>/report.md`` and ``report.json``.
    """

    folder: str = "reports"
