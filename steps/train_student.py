"""Trains one candidate, or its control."""

from __future__ import annotations

from typing import Annotated, Literal

from zenml import step
from zenml.logger import get_logger

from distillery.data import Table
from distillery.distillation import SoftLabels
from distillery.students import Student, StudentSpec, Trial, lesson_of
from distillery.teachers import Teacher
from materializers import StudentMaterializer
from steps._cache import code_policy
from steps._measured import measured
from steps._tracking import log_epoch, log_settings, log_trial, model_run, run_name

logger = get_logger(__name__)


@step(
    experiment_tracker=True,
    cache_policy=code_policy("distillation", "export", "networks", "students", "teachers"),
    output_materializers=StudentMaterializer,
)
@measured
def train_student(
    table: Table,
    teacher: Teacher,
    soft_labels: SoftLabels,
    spec: StudentSpec,
    seed: int,
    role: Literal["student", "control"],
) -> Annotated[Student, "student"]:
    """Teach one student on regular columns; a control's spec weighs the soft labels with 0."""
    lesson = lesson_of(table, teacher, soft_labels)
    assert role == "student" or spec.search is None, "a control is not searched"
    name = run_name(role, spec.title, spec)
    searched = set(spec.search.over) if spec.search else set()
    settings = spec.model_dump(mode="json", exclude=searched)

    def on_trial(trial: Trial, resumed: bool) -> None:
        log_trial(spec.title, trial, resumed=resumed)
        loss = trial.refused if trial.valid_log_loss is None else f"validation log loss {trial.valid_log_loss:.4f}"
        logger.info("%s: trial %d%s: %s, %s", name, trial.number, " (kept)" if resumed else "", trial.key, loss)

    with model_run(name, tags={"distillery.role": role}, settings=settings):
        student = spec.fit(lesson, seed=seed, on_epoch=log_epoch, on_trial=on_trial)
        log_settings(student.spec.model_dump(mode="json", include=searched))
    if student.inherited and student.inherited.fell_back:
        logger.warning(
            "%s: a %s teacher has no vectors to inherit; it learnt from raw columns (inherit: %s, fallback: raw)",
            *(name, teacher.spec.kind, student.inherited.asked),
        )
    if student.history:
        best = min(student.history, key=lambda epoch: epoch.get("valid_loss", epoch["valid_log_loss"]))
        logger.info("%s: %d epochs, validation log loss %.4f", name, len(student.history), best["valid_log_loss"])
    return student
