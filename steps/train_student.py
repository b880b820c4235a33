"""Trains one candidate, or its control."""

from __future__ import annotations

from typing import Annotated, Literal

from zenml import step
from zenml.logger import get_logger

from distillery.data import Table
from distillery.distillation import SoftLabels
from distillery.students import Student, StudentSpec, lesson_of
from distillery.teachers import Teacher
from materializers import StudentMaterializer
from steps._cache import code_policy
from steps._tracking import log_epoch, model_run, run_name

logger = get_logger(__name__)


@step(
    experiment_tracker=True,
    cache_policy=code_policy("distillation", "networks", "students", "teachers"),
    output_materializers=StudentMaterializer,
)
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
    name = run_name(role, spec.title, spec)
    with model_run(name, tags={"distillery.role": role}, settings=spec.model_dump(mode="json")):
        student = spec.fit(lesson, seed=seed, on_epoch=log_epoch)
    if student.history:
        best = min(epoch["valid_log_loss"] for epoch in student.history)
        logger.info("%s: %d epochs, best validation log loss %.4f", name, len(student.history), best)
    return student
