"""The pipelines; each runs as ``zenml pipeline run pipelines.<name>``."""

from pipelines.distill import distill_pipeline as distill_pipeline
from pipelines.score import score_pipeline as score_pipeline

__all__ = ["distill_pipeline", "score_pipeline"]
