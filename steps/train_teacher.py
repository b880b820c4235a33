"""Trains the teacher."""

from __future__ import annotations

from typing import Annotated

from zenml import step

from distillery.data import Table
from distillery.teachers import Teacher, TeacherSpec
from materializers import TeacherMaterializer
from steps._cache import code_policy
from steps._tracking import model_run, run_name


@step(experiment_tracker=True, cache_policy=code_policy("teachers"), output_materializers=TeacherMaterializer)
def train_teacher(table: Table, spec: TeacherSpec, seed: int) -> Annotated[Teacher, "teacher"]:
    """Fit the teacher on the training split; validation decides when it stops."""
    settings = spec.model_dump(mode="json")
    with model_run(run_name("teacher", spec.kind), tags={"distillery.role": "teacher"}, settings=settings):
        return spec.fit(table.rows("train"), table.rows("valid"), table.schema, seed=seed)
