"""The distillation pipeline: only which step feeds which."""

from __future__ import annotations

from typing import Any

from zenml import pipeline
from zenml.enums import ExecutionMode

from distillery.config import DistillConfig
from pipelines._checked import checked
from steps._tracking import git_commit
from steps.compression_report import compression_report
from steps.evaluate import evaluate
from steps.generate_soft_labels import generate_soft_labels
from steps.ingest import ingest
from steps.promote import promote
from steps.train_student import train_student
from steps.train_teacher import train_teacher
from steps.validate import validate


@pipeline(execution_mode=ExecutionMode.FAIL_FAST)  # so that the step's own error comes last, not a summary of it
def distill_pipeline(**parameters: Any) -> None:
    """Distil a heavy teacher into small students and stage the best of them.

    Args:
        parameters: what `DistillConfig` holds; taken as they come, so that its own errors are seen.

    Raises:
        RefusedRunError: the config or the stack is wrong; nothing has run.
    """
    config = checked(DistillConfig, parameters)
    tags = {
        "distillery.role": "pipeline",
        "distillery.scenario": config.name,
        "distillery.teacher": config.teacher.kind,
        "distillery.git_commit": git_commit() or "none",
    }
    tracked = {"experiment_tracker": {"experiment_name": config.name, "tags": tags}}
    seed, soft = config.seed, config.soft_labels

    table = ingest(config.source, config.evaluation, seed)
    validation, drift = validate.with_options(settings=tracked)(table, config.validation, soft.needed_folds, seed)
    # A ready-made teacher is opened anew each time: what its alias points to may have changed.
    teach = train_teacher.with_options(settings=tracked, enable_cache=None if config.teacher.fitted else False)
    teacher = teach(table, config.teacher, seed, after=["validate"])
    baselines = []
    if config.baseline is not None:
        fit = train_teacher.with_options(settings=tracked)
        baselines = [fit(table, config.baseline, seed, "baseline", id="train_baseline", after=["validate"])]
    regular_teachers = []
    if config.compares_privileged:
        fit, name = train_teacher.with_options(settings=tracked), "train_regular_teacher"
        regular_teachers = [fit(table, config.teacher, seed, "regular_teacher", id=name, after=["validate"])]
    labels = generate_soft_labels(table, teacher, soft, config.teacher, seed)
    train = train_student.with_options(settings=tracked)
    students = [
        train(table, teacher, labels, s, seed, "student", id=f"train_student_{s.title}") for s in config.students
    ]
    controls = [
        train(table, teacher, labels, s.control(), seed, "control", id=f"train_control_{s.title}")
        for s in config.students
    ]
    cards, verdict, predictions = evaluate.with_options(settings=tracked)(
        table, teacher, baselines, regular_teachers, labels, students, controls, config
    )
    report = compression_report.with_options(settings=tracked)(
        table, validation, drift, teacher, labels, cards, verdict, predictions, students, controls, config
    )
    promote.with_options(settings=tracked)(table, students, report, config)
