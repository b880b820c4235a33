"""Asks the teacher about every row."""

from __future__ import annotations

from typing import Annotated

from zenml import step
from zenml.logger import get_logger

from distillery.data import Rows, Table
from distillery.distillation import SoftLabels, SoftLabelsSpec
from distillery.distillation import generate_soft_labels as label
from distillery.teachers import Teacher, TeacherSpec
from materializers import SoftLabelsMaterializer
from steps._cache import code_policy
from steps._measured import measured

logger = get_logger(__name__)


@step(cache_policy=code_policy("networks", "teachers", "distillation"), output_materializers=SoftLabelsMaterializer)
@measured
def generate_soft_labels(
    table: Table, teacher: Teacher, spec: SoftLabelsSpec, teacher_spec: TeacherSpec, seed: int
) -> Annotated[SoftLabels, "soft_labels"]:
    """Label every row; see `distillery.distillation.generate_soft_labels`."""
    if not teacher_spec.fitted:
        logger.warning("the teacher comes ready-made: training rows are labelled in sample, and it may have seen them")

    def fit(train: Rows, valid: Rows) -> Teacher:
        return teacher_spec.fit_on(train, valid, table.schema, seed=seed)

    return label(table, teacher, fit, spec, seed=seed, progress=logger.info)
