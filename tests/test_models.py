"""Every kind of both tables passes every common check."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from distillery.data import Table
from distillery.students import (
    STUDENTS,
    BoostedSpec,
    DecisionTreeSpec,
    Lesson,
    LogisticRegressionSpec,
    MLPSpec,
    SklearnMLPSpec,
    SVMSpec,
    load_student,
)
from distillery.teachers import TEACHERS, XGBoostSpec, load_teacher
from tests.checks import Case, all_checks

TEACHER_SPECS = {
    "xgboost": XGBoostSpec(trees=60, patience=20, learning_rate=0.2, depth=4, threads=1, min_child_weight=1)
}
STUDENT_SPECS = {
    "logistic_regression": LogisticRegressionSpec(),
    "mlp": MLPSpec(widths=(16,), bins=8, epochs=15, batch_size=32, learning_rate=1e-2),
    "svm": SVMSpec(kernel="rbf", landmarks=64),
    "sklearn_mlp": SklearnMLPSpec(widths=(8,), batch_size=32, epochs=15, learning_rate=1e-2),
    "decision_tree": DecisionTreeSpec(),
    "boosted": BoostedSpec(trees=30, threads=1),
}


def teacher_case(spec: Any) -> Case:
    """A teacher is fitted on all columns of the training split."""

    def fit(table: Table, seed: int) -> Any:
        return spec.fit(table.rows("train"), table.rows("valid"), table.schema, seed=seed)

    return Case(fit, load_teacher)


def lesson_of(table: Table) -> Lesson:
    """A lesson whose teacher is right, and fairly sure."""
    train = table.rows("train")
    k = table.schema.n_classes
    soft = np.full((len(train), k), 0.2 / (k - 1))
    soft[np.arange(len(train)), train.labels] = 0.8
    return Lesson(table.schema, train, table.rows("valid"), np.log(soft).astype(np.float32))


def student_case(spec: Any) -> Case:
    """A student is fitted on a lesson."""
    return Case(lambda table, seed: spec.fit(lesson_of(table), seed=seed), load_student)


CASES = [
    pytest.param(make(spec), check, id=f"{kind}-{check.__name__}")
    for specs, make in ((TEACHER_SPECS, teacher_case), (STUDENT_SPECS, student_case))
    for kind, spec in specs.items()
    for check in all_checks()
]


@pytest.mark.parametrize(("case", "check"), CASES)
def test_common(case, check):
    """See the check's own docstring."""
    check(case)


def test_every_kind_is_checked():
    """A new kind is checked, or this fails."""
    assert set(STUDENT_SPECS) == set(STUDENTS.own)
    assert set(TEACHER_SPECS) == set(TEACHERS.own) - {"registered"}  # fitted elsewhere; checked in its own tests
