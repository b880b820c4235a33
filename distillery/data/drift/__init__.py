"""Drift between splits, measured by Evidently."""

from distillery.data.drift.measure import measure_drift as measure_drift
from distillery.data.drift.report import ColumnDrift as ColumnDrift
from distillery.data.drift.report import Drift as Drift
from distillery.data.drift.report import DriftReport as DriftReport
from distillery.data.drift.report import SplitDrift as SplitDrift

__all__ = ["ColumnDrift", "Drift", "DriftReport", "SplitDrift", "measure_drift"]
