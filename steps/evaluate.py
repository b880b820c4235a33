"""Measures every model on the same test rows, and judges the candidates."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal

import mlflow
from mlflow.data.pandas_dataset import from_pandas
from zenml import step
from zenml.logger import get_logger

from distillery.config import DistillConfig
from distillery.data import Table
from distillery.data.table import Split
from distillery.distillation import SoftLabels
from distillery.evaluation import Entry, Predictions, Scorecards, evaluate_models, gathered, predicted
from distillery.library import student_entry, teacher_entry
from distillery.promotion import Verdict, judge
from distillery.students import Student
from distillery.teachers import Teacher
from materializers import PredictionsMaterializer, ScorecardsMaterializer, VerdictMaterializer
from steps._measured import measured
from steps._pages import about_card, about_experiment, about_run, run_metrics
from steps._registry import DIGEST_TAG, Staged, reachable_registry, score_staged
from steps._tracking import (
    active_run,
    describe,
    describe_experiment,
    log_history,
    log_settings,
    log_trial,
    model_run,
    run_name,
)

logger = get_logger(__name__)
Beside = Literal["baseline", "regular_teacher"]  # the teachers that no student learns from


@step(
    enable_cache=False,
    experiment_tracker=True,
    output_materializers={
        "scorecards": ScorecardsMaterializer,
        "verdict": VerdictMaterializer,
        "predictions": PredictionsMaterializer,
    },
)
@measured
def evaluate(
    table: Table,
    teacher: Teacher,
    baselines: list[Teacher],
    regular_teachers: list[Teacher],
    soft_labels: SoftLabels,
    students: list[Student],
    controls: list[Student],
    config: DistillConfig,
) -> tuple[Annotated[Scorecards, "scorecards"], Annotated[Verdict, "verdict"], Annotated[Predictions, "predictions"]]:
    """Measure, judge, and log both; see `evaluate_models` and `judge`.

    What every model answered on the test rows is kept, too.
    """
    valid, test = table.rows("valid"), table.rows("test")
    with reachable_registry():
        staged = score_staged(config.model_name, table)
    beside: dict[Beside, list[Teacher]] = {"baseline": baselines, "regular_teacher": regular_teachers}
    entries = [*_entries(table, teacher, beside, soft_labels, students, controls, config), *_staged_entry(staged)]
    _refuse_privileged(table, entries)
    entries = predicted(entries, test.features)
    cards = evaluate_models(
        entries,
        y=test.labels,
        features=test.features,
        weights=test.weights,
        groups=table.units("test"),
        queries=table.queries("test"),
        spec=config.evaluation,
        seed=config.seed,
        scenario=config.name,
        classes=table.schema.classes,
        tasks=table.schema.tasks,
        valid_y=valid.labels,
        valid_weights=valid.weights,
        prior=table.rows("train").class_shares(table.schema.n_classes),
        stream=test.stream if table.counts["test"] > len(test) else None,
        progress=logger.info,
    )
    for warning in cards.warnings:
        logger.warning(warning)
    for card in (c for c in cards.cards if c.export_problem):
        logger.warning("%s has no ONNX file: %s", card.label, card.export_problem)
    verdict = judge(cards, config.gates, staged.model)
    _log_parent(table, config, cards, verdict)
    _log_models(cards, teacher, beside, students, controls)
    return cards, verdict, gathered(entries, test.features, test.labels, test.weights, table.schema.n_classes)


def _entries(
    table: Table,
    teacher: Teacher,
    beside: Mapping[Beside, list[Teacher]],
    soft_labels: SoftLabels,
    students: list[Student],
    controls: list[Student],
    config: DistillConfig,
) -> Iterator[Entry]:
    export, valid = config.evaluation.cost, table.rows("valid").features
    yield teacher_entry(teacher, soft_labels.proba("valid"), export=export)
    for role, models in beside.items():
        for model in models:
            yield teacher_entry(model, model.predict_proba(valid), role=role, export=export)
    for student, control in zip(students, controls, strict=True):
        yield student_entry("student", student, valid)
        yield student_entry("control", control, valid)


def _refuse_privileged(table: Table, entries: Iterable[Entry]) -> None:
    """See that nothing but the teacher reads privileged columns, in Python or in its file."""
    for entry in entries:
        if entry.role != "teacher" and entry.model is not None:
            table.schema.refuse_privileged(entry.label, entry.model.schema.inputs.names)
        if entry.role != "teacher" and entry.deployed is not None:
            table.schema.refuse_privileged(f"the ONNX file of {entry.label}", entry.deployed.inputs)


def _staged_entry(staged: Staged) -> Iterator[Entry]:
    if staged.proba is not None:
        name = f"version {staged.model.version}"
        yield Entry(name=name, role="staged", kind="onnx", label=f"staged {name}", proba=staged.proba)


def _log_parent(table: Table, config: DistillConfig, cards: Scorecards, verdict: Verdict) -> None:
    experiment = active_run().info.experiment_id
    describe_experiment(experiment, about_experiment(config, table.schema, experiment))
    log_settings(config.model_dump(mode="json"))
    mlflow.set_tags({"distillery.verdict": verdict.action, "distillery.winner": verdict.winner or ""})
    mlflow.set_tags({"distillery.student": verdict.focus(cards).name, DIGEST_TAG: table.digest})
    mlflow.log_metrics(run_metrics(cards, verdict))
    describe(about_run(cards, verdict, verdict.reason))
    for split, context in (("train", "training"), ("valid", "validation"), ("test", "testing")):
        _log_dataset(table, split, context, config.name)


def _log_dataset(table: Table, split: Split, context: str, scenario: str) -> None:
    frame = table.split(split)[[*table.schema.names, table.schema.target]]
    name = f"{scenario}-{split}"
    with warnings.catch_warnings():  # whole-numbered targets are meant
        warnings.filterwarnings("ignore", message="Hint: Inferred schema contains integer")
        dataset = from_pandas(frame, name=name, targets=table.schema.target, digest=table.digest)
        mlflow.log_input(dataset, context=context)


def _log_models(
    cards: Scorecards,
    teacher: Teacher,
    beside: Mapping[Beside, list[Teacher]],
    students: list[Student],
    controls: list[Student],
) -> None:
    models: dict[tuple[str, str], Teacher | Student] = {("teacher", cards.teacher.name): teacher}
    models |= {(role, one.spec.kind): one for role, several in beside.items() for one in several}
    models |= {("student", s.spec.title): s for s in students} | {("control", c.spec.title): c for c in controls}
    for card in cards.cards:
        model = models.get((card.role, card.name))
        spec = model.spec if isinstance(model, Student) else None
        tags = {"distillery.role": card.role}
        with model_run(run_name(card.role, card.name, spec), tags=tags, settings=card.settings) as new:
            if new and model is not None:
                log_history(model.history)
                for trial in model.trials if isinstance(model, Student) else ():
                    log_trial(card.name, trial, resumed=True)
            mlflow.log_metrics(card.metrics())
            describe(about_card(card))
