"""Holds the table to its expectations before anything is trained."""

from __future__ import annotations

from typing import Annotated

import mlflow
from zenml import save_artifact, step
from zenml.logger import get_logger

from distillery.data import Table
from distillery.data.validation import ValidationReport, ValidationSpec, validate_table
from materializers import ValidationReportMaterializer
from steps._cache import code_policy
from steps._measured import measured

logger = get_logger(__name__)


@step(
    experiment_tracker=True,
    cache_policy=code_policy(),
    output_materializers=ValidationReportMaterializer,
)
@measured
def validate(table: Table, spec: ValidationSpec, folds: int | None) -> Annotated[ValidationReport, "validation_report"]:
    """Validate the table; a failure is saved and logged, then stops the pipeline."""
    report = validate_table(table, spec, folds=folds)
    if not report.success:
        save_artifact(report, name="failed_validation_report", materializer=ValidationReportMaterializer)
        log_validation(report)
    report.raise_if_failed()
    logger.info("%d expectations hold", len(report.results))
    return report


def log_validation(report: ValidationReport) -> None:
    """Log the result into the active MLflow run."""
    mlflow.log_text(report.to_html(), "report/validation.html")
    mlflow.log_text(report.model_dump_json(indent=1), "report/validation.json")
