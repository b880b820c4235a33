"""The scoring pipeline: one step."""

from __future__ import annotations

from typing import Any

from zenml import pipeline
from zenml.enums import ExecutionMode

from distillery.scoring import ScoreConfig
from pipelines._checked import checked
from steps.score import score


@pipeline(execution_mode=ExecutionMode.FAIL_FAST)  # so that the step's own error comes last, not a summary of it
def score_pipeline(**parameters: Any) -> None:
    """Score files with a promoted student.

    Args:
        parameters: what `ScoreConfig` holds; taken as they come, so that its own errors are seen.

    Raises:
        RefusedRunError: the config or the stack is wrong; nothing has run.
    """
    score(checked(ScoreConfig, parameters))
