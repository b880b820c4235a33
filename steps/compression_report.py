"""Writes the report: into the artifact store, into MLflow, and on a local run into a folder."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import mlflow
from zenml import get_step_context, step
from zenml.client import Client

from distillery.config import DistillConfig
from distillery.data import Table
from distillery.data.drift import Drift
from distillery.data.validation import ValidationReport
from distillery.distillation import SoftLabels
from distillery.evaluation import Scorecards
from distillery.promotion import Verdict
from distillery.report.markdown import to_markdown
from distillery.report.model import (
    DataFacts,
    Origin,
    Report,
    SearchFacts,
    SelectionFacts,
    SoftLabelFacts,
    warnings_of,
    write_report,
)
from distillery.students import Student
from materializers import ReportMaterializer
from steps._cache import PACKAGES
from steps._tracking import git_commit
from steps.validate import log_drift, log_validation


@step(enable_cache=False, experiment_tracker=True, output_materializers=ReportMaterializer)
def compression_report(
    table: Table,
    validation: ValidationReport,
    drift: Drift,
    soft_labels: SoftLabels,
    scorecards: Scorecards,
    verdict: Verdict,
    students: list[Student],
    config: DistillConfig,
) -> Annotated[Report, "report"]:
    """Put every number of the run in one place."""
    teacher = scorecards.teacher
    ready_made = "" if config.teacher.fitted else str(teacher.settings.get("uri", teacher.label))
    labels = SoftLabelFacts.of(soft_labels, table, ready_made=ready_made)
    report = Report(
        scenario=config.name,
        data=DataFacts.of(table),
        table_schema=table.schema,
        validation=validation,
        soft_labels=labels,
        scorecards=scorecards,
        verdict=verdict,
        selections=tuple(SelectionFacts.of(s, table.schema) for s in students if s.selected_features),
        searches=tuple(SearchFacts.of(student) for student in students if student.trials),
        drift=drift.report if drift.report.splits else None,
        warnings=warnings_of(labels, scorecards, verdict),
        origin=_origin(config),
    )
    files = {"report.md": to_markdown(report), "report.json": report.model_dump_json(indent=1)}
    for name, text in files.items():
        mlflow.log_text(text, f"report/{name}")
    log_validation(validation)
    log_drift(drift)
    if report.warnings:
        mlflow.set_tag("distillery.warnings", "; ".join(report.warnings))
    if Client().active_stack.orchestrator.flavor == "local":
        write_report(files, Path(config.report.folder) / config.name)
    return report


def _origin(config: DistillConfig) -> Origin:
    return Origin(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        run=get_step_context().pipeline_run.name,
        git_commit=git_commit(),
        versions={name: version(name) for name in PACKAGES},
        settings=config.model_dump(mode="json"),
    )
