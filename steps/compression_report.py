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
from distillery.data.validation import ValidationReport
from distillery.distillation import SoftLabels
from distillery.evaluation import Predictions, Scorecards
from distillery.promotion import Verdict
from distillery.report.markdown import to_markdown
from distillery.report.model import (
    DataFacts,
    FactorFacts,
    Origin,
    Report,
    SearchFacts,
    SelectionFacts,
    SoftLabelFacts,
    TrainingFacts,
    warnings_of,
    write_report,
)
from distillery.students import Student
from distillery.teachers import Teacher
from materializers import ReportMaterializer
from steps._cache import PACKAGES
from steps._tracking import git_commit
from steps.validate import log_validation


@step(enable_cache=False, experiment_tracker=True, output_materializers=ReportMaterializer)
def compression_report(
    table: Table,
    validation: ValidationReport,
    teacher: Teacher,
    soft_labels: SoftLabels,
    scorecards: Scorecards,
    verdict: Verdict,
    predictions: Predictions,  # noqa: ARG001  the pictures are drawn from it
    students: list[Student],
    controls: list[Student],
    config: DistillConfig,
) -> Annotated[Report, "report"]:
    """Put every number of the run in one place."""
    card = scorecards.teacher
    ready_made = "" if config.teacher.fitted else str(card.settings.get("uri", card.label))
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
        gate_paths={s.spec.title: s.gate_path for s in students if s.gate_path is not None},
        factors=tuple(facts for facts in map(FactorFacts.of, students) if facts is not None),
        training=TrainingFacts.of_all(teacher, students, controls),
        warnings=warnings_of(labels, scorecards, verdict),
        origin=_origin(config),
    )
    files = {"report.md": to_markdown(report), "report.json": report.model_dump_json(indent=1)}
    for name, text in files.items():
        mlflow.log_text(text, f"report/{name}")
    log_validation(validation)
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
