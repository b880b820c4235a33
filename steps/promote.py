"""Acts on the verdict: registers the winner and moves the alias, or leaves the registry alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Run
from rich.console import Console
from zenml import get_step_context, step
from zenml.logger import get_logger

from distillery import __version__
from distillery.config import DistillConfig
from distillery.data import Table
from distillery.evaluation import Scorecard
from distillery.promotion import Verdict
from distillery.report.formats import link
from distillery.report.model import Report
from distillery.report.render import PAGE, IllustratedReport, to_card
from distillery.report.summary import print_summary
from distillery.students import Student
from steps._measured import measured
from steps._pages import about_model, about_run, task
from steps._registry import (
    BYTES_TAG,
    DIGEST_TAG,
    STAGING,
    ModelPage,
    log_student,
    log_tensors,
    reachable_registry,
    register,
    signature,
)
from steps._tracking import active_run, describe, model_run, run_name

logger = get_logger(__name__)
SAME = 1e-6  # of probabilities of one graph in two forms
logging.getLogger("mlflow.tracking._model_registry.client").setLevel(logging.WARNING)


@step(enable_cache=False, experiment_tracker=True)
@measured
def promote(
    table: Table, students: list[Student], illustrated: IllustratedReport, config: DistillConfig
) -> Annotated[str, "promotion"]:
    """Do what the verdict says and print the run's summary; return what was done, in one sentence."""
    report, verdict = illustrated.report, illustrated.report.verdict
    done = f"{verdict.reason}; the registry is untouched"
    if verdict.action == "keep_staged":
        done = f"{config.model_name} version {verdict.staged.version} stays in {STAGING} ({verdict.reason})"
    elif verdict.action == "promote":
        student = next(s for s in students if s.spec.title == verdict.winner)
        number = _promote(student, table, report, config)
        done = f"{verdict.winner} promoted as {config.model_name} version {number} → {STAGING}   ({verdict.reason})"
    mlflow.set_tag("distillery.promotion", done)
    describe(about_run(report.scorecards, verdict, done))
    console = Console()
    console.print()  # ZenML may put the step's name before what is printed first
    print_summary(report, console, done, _pointers(verdict, config))
    return done


def _promote(student: Student, table: Table, report: Report, config: DistillConfig) -> str:
    card, text = report.scorecards.get("student", student.spec.title), to_card(report)
    parent, name = active_run(), run_name("student", card.name, student.spec)
    with model_run(name, tags={"distillery.role": "student"}, settings={}):
        run = active_run()
        tags = {**_version_tags(card, report), "distillery.mlflow_run": run.info.run_id}
        exported = student.exported()
        table.schema.refuse_privileged(
            f"the signature of {card.label}", signature(exported.schema).inputs.input_names()
        )
        uri = log_student(exported.stamped(_origin(config, tags)), _example(table), text)
        _log_tensors(student, table, _origin(config, tags))
    page = ModelPage(
        about=about_model(config, table.schema, run.info.experiment_id),
        tags=_model_tags(table, config),
        card=text,
        run=f"{_link(run, name)} of {_link(parent, str(parent.info.run_name))}",
    )
    with reachable_registry():
        return register(uri, config.model_name, tags, page=page, expected=report.verdict.staged.version)


def _link(run: Run, name: str) -> str:
    return link(name, f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}")


def _model_tags(table: Table, config: DistillConfig) -> dict[str, str]:
    schema = table.schema
    facts = {"scenario": config.name, "target": schema.target, "task": task(schema), "teacher": config.teacher.kind}
    return {f"distillery.{name}": value for name, value in facts.items()}


def _log_tensors(student: Student, table: Table, origin: Mapping[str, str]) -> None:
    """Log the form with two inputs where it says what the one with named inputs says."""
    exported = student.exported("tensors")
    rows = table.rows("test").features
    difference = np.abs(exported.predict_proba(rows) - student.exported().predict_proba(rows)).max()
    if difference <= SAME:
        log_tensors(exported.stamped(origin))
    else:
        logger.warning(
            "the file with two inputs differs by %.1e from that with named ones: it is not logged", difference
        )


def _origin(config: DistillConfig, tags: Mapping[str, str]) -> dict[str, str]:
    """Return where the file comes from, to be kept in it."""
    kept = ("distillery.mlflow_run", "distillery.zenml_run", "distillery.git_commit", DIGEST_TAG)
    versions = {"version.distillery": __version__} | {f"version.{n}": version(n) for n in ("onnx", "onnxruntime")}
    return {"distillery.scenario": config.name, **{name: tags[name] for name in kept}, **versions}


def _example(table: Table, rows: int = 3) -> pd.DataFrame:
    return table.rows("test").features.head(rows)


def _version_tags(card: Scorecard, report: Report) -> dict[str, str]:
    judgement = report.verdict.judgement(card.name)
    gates = {f"distillery.gate.{g.gate}": ("passed: " if g.passed else "failed: ") + g.text for g in judgement.gates}
    scores = {f"distillery.{name}": f"{value:.6g}" for name, value in card.metrics().items() if _headline(name)}
    return {
        **gates,
        **scores,
        BYTES_TAG: str(card.cost.bytes if card.cost else ""),
        DIGEST_TAG: report.data.digest,
        "distillery.zenml_run": get_step_context().pipeline_run.name,
        "distillery.git_commit": report.origin.git_commit or "",
    }


def _headline(metric: str) -> bool:
    return metric in {"test.auc_roc", "test.log_loss", "agreement.rate", "retention.auc_roc", "cost.params"}


def _pointers(verdict: Verdict, config: DistillConfig) -> dict[str, str]:
    folder = Path(config.report.folder) / config.name
    where = str(folder / PAGE) if folder.exists() else "in MLflow, under report/"
    staged = verdict.action == "promote" or verdict.staged.version is not None
    load = {"load": f"models:/{config.model_name}@{STAGING}"} if staged else {}
    return {"report": where, "compare": "make ui", **load}
