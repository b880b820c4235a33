"""What was found, as the JSON that pydantic reads back; predictions as arrays, Evidently's page beside its figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel
from zenml.enums import ArtifactType
from zenml.metadata.metadata_types import MetadataType

from distillery.data.drift import Drift
from distillery.data.validation import ValidationReport
from distillery.evaluation import Predictions, Scorecards
from distillery.promotion import Verdict
from distillery.report.render import IllustratedReport
from materializers.files import FilesMaterializer


class _JsonMaterializer(FilesMaterializer):
    """One pydantic model as ``content.json``; a leaf names the model."""

    SKIP_REGISTRATION: ClassVar[bool] = True
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA_ANALYSIS

    def to_files(self, data: BaseModel) -> Mapping[str, bytes]:
        return {"content.json": data.model_dump_json(indent=1).encode()}

    def from_files(self, files: Mapping[str, bytes]) -> BaseModel:
        model: type[BaseModel] = self.ASSOCIATED_TYPES[0]
        return model.model_validate_json(files["content.json"])


class ValidationReportMaterializer(_JsonMaterializer):
    """A validation report; the dashboard shows its page."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (ValidationReport,)

    def pages(self, data: ValidationReport) -> Mapping[str, str]:
        return {"validation.html": data.to_html()}

    def extract_metadata(self, data: ValidationReport) -> dict[str, MetadataType]:
        return {"success": data.success, "expectations": len(data.results), "failed": len(data.failures)}


class DriftMaterializer(FilesMaterializer):
    """Drift between splits; the dashboard shows Evidently's page."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Drift,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA_ANALYSIS

    def to_files(self, data: Drift) -> Mapping[str, bytes]:
        return data.to_files()

    def from_files(self, files: Mapping[str, bytes]) -> Drift:
        return Drift.from_files(files)

    def pages(self, data: Drift) -> Mapping[str, str]:
        return {name: page.decode() for name, page in data.pages.items()}

    def extract_metadata(self, data: Drift) -> dict[str, MetadataType]:
        drifted = {f"drifted {split.split}": len(split.drifted) for split in data.report.splits}
        return {"measured": bool(data.report.splits), **drifted}


class ScorecardsMaterializer(_JsonMaterializer):
    """All scorecards of a run."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Scorecards,)

    def extract_metadata(self, data: Scorecards) -> dict[str, MetadataType]:
        auc = {c.label: c.quality.metrics["auc_roc"].value for c in data.cards}
        return {f"auc_roc {label}": value for label, value in auc.items() if value is not None}


class VerdictMaterializer(_JsonMaterializer):
    """A verdict with every gate."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Verdict,)

    def extract_metadata(self, data: Verdict) -> dict[str, MetadataType]:
        return {"action": data.action, "winner": data.winner or "", "reason": data.reason}


class ReportMaterializer(FilesMaterializer):
    """A report as ``content.json`` and its drawings; the dashboard shows its page."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (IllustratedReport,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA_ANALYSIS

    def to_files(self, data: IllustratedReport) -> Mapping[str, bytes]:
        return data.to_files()

    def from_files(self, files: Mapping[str, bytes]) -> IllustratedReport:
        return IllustratedReport.from_files(files)

    def pages(self, data: IllustratedReport) -> Mapping[str, str]:
        return {"report.html": data.files["report.html"].decode()}

    def extract_metadata(self, data: IllustratedReport) -> dict[str, MetadataType]:
        report = data.report
        return {"scenario": report.scenario, "dataset_digest": report.data.digest, "warnings": len(report.warnings)}


class PredictionsMaterializer(FilesMaterializer):
    """Every model's probabilities of the test rows, as one safetensors file."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Predictions,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA

    def to_files(self, data: Predictions) -> Mapping[str, bytes]:
        return data.to_files()

    def from_files(self, files: Mapping[str, bytes]) -> Predictions:
        return Predictions.from_files(files)
