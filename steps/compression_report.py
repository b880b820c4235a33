"""Writes the report: into the artifact store, into MLflow, and on a local run into a folder."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import mlflow
from zenml import get_step_context, step
from zenml.client import Client

from distillery import __version__
from distillery.config import DistillConfig
from distillery.data import Table
from distillery.data.drift import Drift
from distillery.data.validation import ValidationReport
from distillery.distillation import SoftLabels
from distillery.evaluation import Predictions, Scorecards
from distillery.promotion import Verdict
from distillery.report.build import build_report
from distillery.report.illustrate import illustrate
from distillery.report.model import Origin
from distillery.report.render import VALIDATION, IllustratedReport, write_report
from distillery.report.scene import Scene
from distillery.students import Student
from distillery.teachers import Teacher
from materializers import ReportMaterializer
from steps._cache import PACKAGES
from steps._measured import log_steps, measured, step_facts
from steps._tracking import git_commit
from steps.validate import log_validation


@step(enable_cache=False, experiment_tracker=True, output_materializers=ReportMaterializer)
@measured
def compression_report(
    table: Table,
    validation: ValidationReport,
    drift: Drift,
    teacher: Teacher,
    soft_labels: SoftLabels,
    scorecards: Scorecards,
    verdict: Verdict,
    predictions: Predictions,
    students: list[Student],
    controls: list[Student],
    config: DistillConfig,
) -> Annotated[IllustratedReport, "report"]:
    """Put every number of the run in one place; see `build_report`."""
    steps = step_facts(get_step_context().pipeline_run)
    card = scorecards.teacher
    report = build_report(
        scenario=config.name,
        table=table,
        validation=validation,
        soft_labels=soft_labels,
        ready_made="" if config.teacher.fitted else str(card.settings.get("uri", card.label)),
        scorecards=scorecards,
        verdict=verdict,
        teacher=teacher,
        students=students,
        controls=controls,
        baseline=config.baseline,
        drift=drift.report if drift.report.splits else None,
        steps=steps,
        origin=_origin(config),
        spec=config.report,
    )
    illustrated = illustrate(
        Scene(report, table, predictions, soft_labels, teacher, {s.spec.title: s for s in students}), config.report
    )
    files = {**illustrated.files, **drift.pages}
    for name, content in files.items():
        mlflow.log_text(content.decode(), f"report/{name}")
    log_validation(validation)
    log_steps(steps)
    if report.warnings:
        mlflow.set_tag("distillery.warnings", "; ".join(report.warnings))
    if Client().active_stack.orchestrator.flavor == "local":
        files[VALIDATION] = validation.to_html().encode()
        write_report(files, Path(config.report.folder) / config.name)
    return illustrated


def _origin(config: DistillConfig) -> Origin:
    return Origin(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        run=get_step_context().pipeline_run.name,
        mlflow_run=run.info.run_id if (run := mlflow.active_run()) else None,
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        git_commit=git_commit(),
        versions={"distillery": __version__} | {name: version(name) for name in PACKAGES},
        settings=config.model_dump(mode="json"),
    )
