"""Lets ``zenml pipeline run distill_pipeline`` find the pipeline by its bare name."""

import sys

from pipelines.distill import distill_pipeline

# A source without a dot is loaded as a module, and what is loaded is run: be the pipeline.
sys.modules[__name__] = distill_pipeline  # type: ignore[assignment]
