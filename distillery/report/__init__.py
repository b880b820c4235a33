"""The compression report and its renderings."""

from distillery.report.spec import ReportSpec as ReportSpec

__all__ = ["ReportSpec"]
