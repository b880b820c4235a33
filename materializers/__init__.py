"""How each artifact type is saved, loaded and shown in the dashboard."""

from materializers.models import StudentMaterializer as StudentMaterializer
from materializers.models import TeacherMaterializer as TeacherMaterializer
from materializers.results import DriftMaterializer as DriftMaterializer
from materializers.results import PredictionsMaterializer as PredictionsMaterializer
from materializers.results import ReportMaterializer as ReportMaterializer
from materializers.results import ScorecardsMaterializer as ScorecardsMaterializer
from materializers.results import ValidationReportMaterializer as ValidationReportMaterializer
from materializers.results import VerdictMaterializer as VerdictMaterializer
from materializers.soft_labels import SoftLabelsMaterializer as SoftLabelsMaterializer
from materializers.table import TableMaterializer as TableMaterializer

__all__ = [
    "DriftMaterializer",
    "PredictionsMaterializer",
    "ReportMaterializer",
    "ScorecardsMaterializer",
    "SoftLabelsMaterializer",
    "StudentMaterializer",
    "TableMaterializer",
    "TeacherMaterializer",
    "ValidationReportMaterializer",
    "VerdictMaterializer",
]
