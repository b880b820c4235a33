"""Holds the table to its expectations before anything is trained, and looks for drift between its splits."""

from __future__ import annotations

from typing import Annotated

import mlflow
from zenml import save_artifact, step
from zenml.logger import get_logger

from distillery.data import Table
from distillery.data.drift import Drift, measure_drift
from distillery.data.validation import ValidationReport, ValidationSpec, validate_table
from materializers import DriftMaterializer, ValidationReportMaterializer
from steps._cache import code_policy
from steps._measured import measured

logger = get_logger(__name__)


@step(
    experiment_tracker=True,
    cache_policy=code_policy(),
    output_materializers={"validation_report": ValidationReportMaterializer, "drift": DriftMaterializer},
)
@measured
def validate(
    table: Table, spec: ValidationSpec, folds: int | None, seed: int
) -> tuple[Annotated[ValidationReport, "validation_report"], Annotated[Drift, "drift"]]:
    """Validate the table; a failure is saved and logged, then stops the pipeline. Drift is only told of."""
    report = validate_table(table, spec, folds=folds)
    if not report.success:
        save_artifact(report, name="failed_validation_report", materializer=ValidationReportMaterializer)
        log_validation(report)
    report.raise_if_failed()
    logger.info("%d expectations hold", len(report.results))
    drift = measure_drift(table, seed=seed) if spec.drift else Drift.unmeasured()
    for split in drift.report.splits:
        logger.info("%s: %d of %d comparisons drifted", split.split, len(split.drifted), len(split.columns))
    return report, drift


def log_validation(report: ValidationReport) -> None:
    """Log the result into the active MLflow run."""
    mlflow.log_text(report.to_html(), "report/validation.html")
    mlflow.log_text(report.model_dump_json(indent=1), "report/validation.json")
