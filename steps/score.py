"""Scores files with a promoted student."""

from __future__ import annotations

from typing import Annotated

from zenml import log_metadata, step
from zenml.logger import get_logger

from distillery.scoring import ScoreConfig, score_files
from steps._measured import measured
from steps._registry import staged_onnx
from steps._tracking import mlflow_of_stack

logger = get_logger(__name__)


@step(enable_cache=False)
@measured
def score(config: ScoreConfig) -> Annotated[str, "scored"]:
    """Score; see `score_files`. Return what was done, in one sentence."""
    with mlflow_of_stack():
        model, version = staged_onnx(config.model_name, config.alias, threads=config.threads)
    scored = score_files(model, config, version=version, progress=logger.info)
    log_metadata(scored.model_dump(exclude={"seconds"}))  # the step's own are logged
    print(scored)
    return str(scored)
