"""Any teacher teaches any student."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest

from distillery.data import Table
from distillery.distillation import SoftLabelsSpec, generate_soft_labels
from distillery.students import Lesson, lesson_of, load_student
from tests.checks import make_funnel, make_image
from tests.test_models import STUDENT_SPECS, TEACHER_SPECS


@cache
def lesson_by(teacher: str, classes: int, *, image: bool) -> tuple[Table, Lesson]:
    """A teacher's cross-fitted lesson; fitted once for all students. Any kind can learn a funnel."""
    table = make_image(classes=classes, make=make_funnel) if image else make_funnel(classes=classes)
    spec = TEACHER_SPECS[teacher]

    def fit(train, valid):
        return spec.fit(train, valid, table.schema, seed=0)

    fitted = fit(table.rows("train"), table.rows("valid"))
    labels = generate_soft_labels(table, fitted, fit, SoftLabelsSpec(folds=2), seed=0)
    return table, lesson_of(table, fitted, labels)


# Like a chessboard: every teacher and every student meets both numbers of classes, each pair one of them.
KINDS = list(product(enumerate(TEACHER_SPECS), enumerate(STUDENT_SPECS)))
PAIRS = [(teacher, student, 2 + (i + j) % 2) for (i, teacher), (j, student) in KINDS]


@pytest.mark.parametrize(("teacher", "student", "classes"), PAIRS)
def test_any_teacher_with_any_student(teacher, student, classes):
    """The student gives probabilities, is right more often than by chance, and saved and loaded says the same."""
    if teacher == "rechub":
        pytest.importorskip("torch_rechub", reason="the extra `rechub` is not installed")
    table, lesson = lesson_by(teacher, classes, image="cnn" in (teacher, student))
    test = table.rows("test")
    fitted = STUDENT_SPECS[student].fit(lesson, seed=0)
    proba = fitted.predict_proba(test.features)
    assert proba.shape == (len(test), classes)
    assert (proba >= 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    assert (proba.argmax(axis=1) == test.labels).mean() > 1 / classes + 0.15
    np.testing.assert_array_equal(load_student(fitted.to_files()).predict_proba(test.features), proba)
