"""Trains the teacher, or opens the one that is there."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated, Literal

from zenml import step
from zenml.logger import get_logger

from distillery.data import Schema, Table
from distillery.data.schema import TextReading
from distillery.teachers import RegisteredSpec, Teacher, TeacherKind, TeacherSpec
from materializers import TeacherMaterializer
from materializers.registered import open_model
from steps._cache import code_policy
from steps._measured import measured
from steps._tracking import log_history, model_run, run_name

logger = get_logger(__name__)


@step(
    experiment_tracker=True,
    cache_policy=code_policy("distillation", "networks", "teachers"),
    output_materializers=TeacherMaterializer,
)
@measured
def train_teacher(
    table: Table, spec: TeacherSpec, seed: int, role: Literal["teacher", "baseline", "regular_teacher"] = "teacher"
) -> Annotated[Teacher, "teacher"]:
    """Fit the teacher on the training split; validation decides when it stops. A registered one is opened.

    A baseline and a regular teacher are fitted in the same way, on the columns that are there at serving time.
    """
    if isinstance(spec, RegisteredSpec):
        return _open(spec, table.schema)
    schema, train, valid = table.schema, table.rows("train"), table.rows("valid")
    if role != "teacher":
        schema, train, valid = schema.regular, train.regular(schema), valid.regular(schema)
    with _run(spec, role):
        reading: TextReading = "terms" if role == "baseline" else "hashed"  # a baseline is a file that is deployed
        teacher = spec.fit_on(train, valid, schema, seed=seed, reading=reading)
        log_history(teacher.history)
    return teacher


def _open(spec: RegisteredSpec, schema: Schema) -> Teacher:
    teacher = spec.open(schema, open_model)
    if teacher.model.columns is None:
        logger.warning("%s does not name its columns: it is given all of the table's, in their order", spec.uri)
    with _run(teacher.spec):
        logger.info("%s is the teacher; nothing was trained", teacher.spec.uri)
    return teacher


def _run(spec: TeacherKind, role: str = "teacher") -> AbstractContextManager[bool]:
    settings = spec.model_dump(mode="json")
    return model_run(run_name(role, spec.kind), tags={"distillery.role": role}, settings=settings)
