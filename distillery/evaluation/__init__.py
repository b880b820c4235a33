"""How good, how alike and how costly models are: metrics, agreement, costs, scorecards."""

from distillery.evaluation._resampling import Resamples as Resamples
from distillery.evaluation.agreement import Agreement as Agreement
from distillery.evaluation.agreement import measure_agreement as measure_agreement
from distillery.evaluation.cost import COSTS as COSTS
from distillery.evaluation.cost import Cost as Cost
from distillery.evaluation.cost import CostInfo as CostInfo
from distillery.evaluation.cost import compression as compression
from distillery.evaluation.cost import measure_cost as measure_cost
from distillery.evaluation.entries import Entry as Entry
from distillery.evaluation.entries import gathered as gathered
from distillery.evaluation.entries import predicted as predicted
from distillery.evaluation.evaluate import EvaluationSpec as EvaluationSpec
from distillery.evaluation.evaluate import evaluate_models as evaluate_models
from distillery.evaluation.importance import ColumnImportance as ColumnImportance
from distillery.evaluation.importance import Importance as Importance
from distillery.evaluation.importance import measure_importance as measure_importance
from distillery.evaluation.metrics import METRICS as METRICS
from distillery.evaluation.metrics import ClassScores as ClassScores
from distillery.evaluation.metrics import Metric as Metric
from distillery.evaluation.metrics import calibration_ratio as calibration_ratio
from distillery.evaluation.metrics import per_class as per_class
from distillery.evaluation.metrics import point_metrics as point_metrics
from distillery.evaluation.predictions import Predictions as Predictions
from distillery.evaluation.quality import ClassQuality as ClassQuality
from distillery.evaluation.quality import Comparison as Comparison
from distillery.evaluation.quality import Estimate as Estimate
from distillery.evaluation.quality import ModelReplicates as ModelReplicates
from distillery.evaluation.quality import Quality as Quality
from distillery.evaluation.quality import Verdict as Verdict
from distillery.evaluation.quality import estimate as estimate
from distillery.evaluation.quality import measure_quality as measure_quality
from distillery.evaluation.quality import paired_difference as paired_difference
from distillery.evaluation.quality import paired_ratio as paired_ratio
from distillery.evaluation.ranking import RANKING_METRICS as RANKING_METRICS
from distillery.evaluation.ranking import Ranking as Ranking
from distillery.evaluation.scorecard import Role as Role
from distillery.evaluation.scorecard import Scorecard as Scorecard
from distillery.evaluation.scorecard import Scorecards as Scorecards
from distillery.evaluation.slices import Slice as Slice
from distillery.evaluation.slices import SliceSearch as SliceSearch
from distillery.evaluation.slices import find_slices as find_slices
from distillery.evaluation.whole import ScoreSketch as ScoreSketch
from distillery.evaluation.whole import WholeScores as WholeScores
from distillery.evaluation.whole import measure_whole as measure_whole

__all__ = [
    "COSTS",
    "METRICS",
    "RANKING_METRICS",
    "Agreement",
    "ClassQuality",
    "ClassScores",
    "ColumnImportance",
    "Comparison",
    "Cost",
    "CostInfo",
    "Entry",
    "Estimate",
    "EvaluationSpec",
    "Importance",
    "Metric",
    "ModelReplicates",
    "Predictions",
    "Quality",
    "Ranking",
    "Resamples",
    "Role",
    "ScoreSketch",
    "Scorecard",
    "Scorecards",
    "Slice",
    "SliceSearch",
    "Verdict",
    "WholeScores",
    "calibration_ratio",
    "compression",
    "estimate",
    "evaluate_models",
    "find_slices",
    "gathered",
    "measure_agreement",
    "measure_cost",
    "measure_importance",
    "measure_quality",
    "measure_whole",
    "paired_difference",
    "paired_ratio",
    "per_class",
    "point_metrics",
    "predicted",
]
