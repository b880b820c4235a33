"""Time and memory of each step, and a terminal on which its log lines and bars do not run into each other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar
from uuid import UUID

import mlflow
from zenml import log_metadata
from zenml.client import Client
from zenml.enums import ExecutionStatus
from zenml.models import PipelineRunResponse, StepRunResponse

from distillery.peak_memory import peak_memory
from distillery.progress import AboveBars, shown
from distillery.report.model import StepFacts

P = ParamSpec("P")
R = TypeVar("R")
SECONDS, PEAK_MEMORY = "seconds", "peak_memory_bytes"


def measured(function: Callable[P, R]) -> Callable[P, R]:
    """Log a step function's wall time and peak memory as metadata of its step; to stand below ``@step``."""

    @wraps(function)  # ZenML reads signature and source through it
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        start = time.perf_counter()
        with lines_above_bars(), peak_memory() as peak:
            result = function(*args, **kwargs)
        facts = {SECONDS: time.perf_counter() - start, PEAK_MEMORY: peak.most_bytes}
        log_metadata({name: value for name, value in facts.items() if value is not None})
        return result

    return run


@contextmanager
def lines_above_bars() -> Iterator[None]:
    """Let log lines stand above the bars, where bars are shown."""
    handlers = [h for h in logging.getLogger().handlers if isinstance(h, logging.StreamHandler)] if shown() else []
    before = [(handler, handler.stream) for handler in handlers]
    for handler, stream in before:
        handler.setStream(AboveBars(stream))
    try:
        yield
    finally:
        for handler, stream in before:
            handler.setStream(stream)


def step_facts(run: PipelineRunResponse) -> tuple[StepFacts, ...]:
    """Return what each step took that a run has finished by now, in the order in which they began."""
    done = [step for step in run.steps.values() if step.status in {ExecutionStatus.COMPLETED, ExecutionStatus.CACHED}]
    return tuple(_facts(step) for step in sorted(done, key=lambda step: (step.start_time or step.created, step.name)))


def log_steps(steps: Iterable[StepFacts]) -> None:
    """Log what steps took into the active MLflow run, as ``step.<name>.seconds`` and ``.peak_memory_bytes``."""
    named = {f"step.{s.name}.{fact}": getattr(s, fact) for s in steps for fact in (SECONDS, PEAK_MEMORY)}
    mlflow.log_metrics({name: value for name, value in named.items() if value is not None})


def _facts(step: StepRunResponse) -> StepFacts:
    cached = step.status == ExecutionStatus.CACHED
    made = _step(step.original_step_run_id) if cached else step
    known = made.run_metadata if made else {}
    facts = {name: known.get(name) for name in (SECONDS, PEAK_MEMORY)}
    return StepFacts.model_validate({"name": step.name, "cached": cached, **facts})


def _step(number: UUID | None) -> StepRunResponse | None:
    """Return a step of an earlier run; None where that run was deleted."""
    found = Client().list_run_steps(id=number, hydrate=True, size=1).items if number else []
    return found[0] if found else None
