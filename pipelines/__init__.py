"""The pipelines; each runs as ``zenml pipeline run pipelines.<name>``."""

from pipelines.distill import distill_pipeline as distill_pipeline

__all__ = ["distill_pipeline"]
