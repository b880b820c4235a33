"""The MLflow side of a run: one parent run, one child run per model, found again when training is cached."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import mlflow
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE
from mlflow.utils.validation import MAX_PARAMS_TAGS_PER_BATCH
from pydantic import JsonValue
from zenml.client import Client
from zenml.integrations.mlflow.experiment_trackers import MLFlowExperimentTracker

from distillery.config import flatten
from distillery.errors import InputError
from distillery.students import CandidateSpec, Trial
from steps._pages import VIEW_TAG, VIEWS, WRITTEN_TAG, about_trial, digest, is_ours

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # bars for three small files are noise
MODEL_TAG = "distillery.model"
INHERITED = ("distillery.scenario", "distillery.teacher", "distillery.git_commit", "distillery.zenml_run")
# Before every tracked step ZenML warns of each MLflow flavour that is not installed.
logging.getLogger(MLFlowExperimentTracker.__module__).addFilter(
    lambda record: "disable MLflow autologging" not in record.getMessage()
)
NO_TRACKER = (
    "the active stack {stack!r} must have an MLflow experiment tracker and an MLflow model registry, got"
    " {missing}; run `make stack` to register and activate the local one"
)


class StackError(InputError):
    """The active ZenML stack lacks something the pipeline needs."""


def require_mlflow() -> None:
    """Check that the active stack can track and register.

    Raises:
        StackError: it cannot; the message gives the command that mends it.
    """
    stack = Client().active_stack_model
    found = {kind.value: [c.flavor_name for c in parts] for kind, parts in stack.components.items()}
    missing = [k for k in ("experiment_tracker", "model_registry") if "mlflow" not in found.get(k, [])]
    if missing:
        raise StackError(NO_TRACKER.format(stack=stack.name, missing=f"no mlflow {' and no '.join(missing)}"))


@contextmanager
def mlflow_of_stack() -> Iterator[None]:
    """Point MLflow to the active stack's server, in a step that opens no run."""
    tracker = Client().active_stack.experiment_tracker
    assert isinstance(tracker, MLFlowExperimentTracker), "see `require_mlflow`"
    tracker.configure_mlflow()
    try:
        yield
    finally:
        mlflow.set_tracking_uri("")  # as ZenML does behind a tracked step


def run_name(role: str, title: str, spec: CandidateSpec | None = None) -> str:
    """Name a model's run: ``teacher xgboost``, ``student mlp T=1 α=.9``, ``control mlp``.

    No two models of a pipeline run have one role and one title, so no two runs have one name; `model_run`
    opens the run that has it.
    """
    lesson = f" {spec.lesson_title}" if role == "student" and spec is not None else ""
    return f"{role.replace('_', ' ')} {title}{lesson}"


@contextmanager
def model_run(name: str, *, tags: Mapping[str, str], settings: Mapping[str, JsonValue]) -> Iterator[bool]:
    """Open the child run of a model under the active parent run; make it where it is not there yet.

    Training makes it; where training came from cache, whoever needs it next does.

    Yields:
        Whether the run is new, so that its training curves have yet to be logged.
    """
    parent = active_run()
    found = _child(parent, name)
    with mlflow.start_run(run_id=found.info.run_id if found else None, run_name=name, nested=True):
        if found is None:
            now = mlflow.get_run(parent.info.run_id).data.tags  # those set since the parent was opened, too
            inherited = {name: now[name] for name in INHERITED if name in now}
            mlflow.set_tags({"distillery.zenml_run": parent.info.run_name, **inherited, **tags, MODEL_TAG: name})
            log_settings(dict(settings))
        yield found is None


def active_run() -> Run:
    """Return the innermost open run; a step that tracks has ZenML's parent run open."""
    run = mlflow.active_run()
    assert run is not None, "see `experiment_tracker=True` of a step"
    return run


def _child(parent: Run, name: str) -> Run | None:
    wanted = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}' and tags.`{MODEL_TAG}` = '{name}'"
    runs = MlflowClient().search_runs([parent.info.experiment_id], filter_string=wanted, max_results=1)
    return runs[0] if runs else None


def log_settings(settings: dict[str, JsonValue]) -> None:
    """Log settings into the active run as flat params; MLflow takes so many in one request."""
    flat = list(flatten(settings).items())
    for start in range(0, len(flat), MAX_PARAMS_TAGS_PER_BATCH):
        mlflow.log_params(dict(flat[start : start + MAX_PARAMS_TAGS_PER_BATCH]))


def describe(text: str) -> None:
    """Give the active run a description in Markdown."""
    mlflow.set_tag(MLFLOW_RUN_NOTE, text)


def describe_experiment(experiment: str, text: str) -> None:
    """Give an experiment the views of `VIEWS`, and a description unless a person wrote or changed the one it has."""
    client = MlflowClient()
    for name, state in VIEWS.items():
        client.set_experiment_tag(experiment, VIEW_TAG + name, json.dumps(state))
    tags = client.get_experiment(experiment).tags
    if is_ours(tags.get(MLFLOW_RUN_NOTE), tags):
        client.set_experiment_tag(experiment, MLFLOW_RUN_NOTE, text)
        client.set_experiment_tag(experiment, WRITTEN_TAG, digest(text))


def log_history(history: Sequence[dict[str, float]]) -> None:
    """Log training curves into the active run, the epochs as steps."""
    for epoch, values in enumerate(history):
        log_epoch(epoch, values)


def log_epoch(epoch: int, values: dict[str, float]) -> None:
    """Log one epoch's losses into the active run."""
    mlflow.log_metrics({f"train.{name}": value for name, value in values.items()}, step=epoch)


def log_trial(candidate: str, trial: Trial, *, resumed: bool) -> None:
    """Log one trial of a candidate's search as a child of the active run; tagged where an earlier run finished it."""
    tags = {"distillery.role": "trial", "distillery.resumed": str(resumed).lower()}
    if trial.refused:
        tags["distillery.refused"] = trial.refused
    with model_run(f"trial {candidate} {trial.number}", tags=tags, settings=trial.params):
        describe(about_trial(trial))
        if trial.valid_log_loss is not None:
            mlflow.log_metric("valid.log_loss", trial.valid_log_loss)


def git_commit() -> str | None:
    """Return the commit of this folder, with ``-dirty`` where it was changed; None without git or a repository."""
    if shutil.which("git") is None:
        return None
    asked = subprocess.run(
        ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return asked.stdout.strip() or None
