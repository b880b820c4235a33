"""The sections of a report, in reading order."""

from __future__ import annotations

from distillery.report.document import Section, Writer
from distillery.report.sections.data import columns, data
from distillery.report.sections.measured import agreement, cost, distillation, quality
from distillery.report.sections.origin import reproduce, training
from distillery.report.sections.overview import overview

__all__ = ["sections"]


def sections(writer: Writer) -> tuple[Section, ...]:
    """Write every section."""
    authors = (overview, data, columns, quality, agreement, cost, distillation, training, reproduce)
    return tuple(author(writer) for author in authors)
