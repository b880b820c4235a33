"""The support vector machine: calibration, kernel, and what folding leaves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from distillery.errors import TrainingError
from distillery.students import LogisticRegressionSpec, SVMSpec
from distillery.students._sklearn import preprocessing
from distillery.students.svm import TOLERANCE
from tests.checks import make_table
from tests.test_models import lesson_of


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_the_folded_map_is_the_calibrated_svm(classes, kernel):
    """scikit-learn's own parts, one after the other, give the same probabilities on hard labels."""
    lesson = lesson_of(make_table(classes=classes))
    student = SVMSpec(kernel=kernel, landmarks=30, gamma=0.1).control().fit(lesson, seed=0)
    steps = [preprocessing(lesson.schema, 10)]
    if kernel == "rbf":
        steps.append(Nystroem(gamma=0.1, n_components=30, random_state=0))
    svc = make_pipeline(*steps, LinearSVC(dual=False, tol=TOLERANCE, random_state=0))
    svc.fit(lesson.train.features, lesson.train.labels)
    n = len(lesson.valid)
    calibrate = LogisticRegression(max_iter=1000)
    calibrate.fit(svc.decision_function(lesson.valid.features).reshape(n, -1), lesson.valid.labels)
    decisions = svc.decision_function(lesson.train.features).reshape(len(lesson.train), -1)
    expected = calibrate.predict_proba(decisions)
    np.testing.assert_allclose(student.predict_proba(lesson.train.features), expected, atol=1e-6)


def test_probabilities_are_calibrated_on_the_validation_split():
    """Where its labels say otherwise than training's, the probabilities follow them."""
    lesson = lesson_of(make_table())
    flipped = dataclasses.replace(lesson, valid=dataclasses.replace(lesson.valid, labels=1 - lesson.valid.labels))
    one, other = (SVMSpec().fit(given, seed=0).predict_proba(lesson.train.features) for given in (lesson, flipped))
    np.testing.assert_allclose(one, other[:, ::-1], atol=1e-3)


def test_a_kernel_bends_where_a_line_cannot():
    """A class inside a ring is told apart with the kernel only."""
    table = make_table()
    lesson = lesson_of(table)
    inside = [
        (np.abs(np.nan_to_num(rows.features["signal"])) < 0.7).astype(int) for rows in (lesson.train, lesson.valid)
    ]
    soft = np.log(np.where(np.eye(2)[inside[0]] == 1, 0.9, 0.1)).astype(np.float32)
    ring = dataclasses.replace(
        lesson,
        train=dataclasses.replace(lesson.train, labels=inside[0]),
        valid=dataclasses.replace(lesson.valid, labels=inside[1]),
        soft=soft,
    )
    losses = [
        log_loss(inside[1], SVMSpec(kernel=kernel, landmarks=100).fit(ring, seed=0).predict_proba(ring.valid.features))
        for kernel in ("linear", "rbf")
    ]
    assert losses[1] < losses[0] - 0.1


def test_a_validation_split_without_a_class_is_refused():
    """Its probability could not be calibrated; the class is named."""
    lesson = lesson_of(make_table(classes=3))
    few = lesson.valid.take(np.flatnonzero(lesson.valid.labels != 1))
    with pytest.raises(TrainingError, match="validation rows of every class, got none of 1; enlarge"):
        SVMSpec().fit(dataclasses.replace(lesson, valid=few), seed=0)


def test_a_class_that_nothing_teaches_has_the_validation_splits_share():
    """A rare class may be in no training row that the teacher believes in."""
    lesson = lesson_of(make_table(classes=3))
    train = lesson.train.take(np.flatnonzero(lesson.train.labels != 2))
    soft = np.log(np.where(np.eye(3)[train.labels] == 1, 1 - 2e-6, 1e-6)).astype(np.float32)
    student = SVMSpec().fit(dataclasses.replace(lesson, train=train, soft=soft), seed=0)
    proba = student.predict_proba(lesson.valid.features)
    assert proba[:, 2].mean() == pytest.approx((lesson.valid.labels == 2).mean(), abs=0.01)


def test_a_fit_that_does_not_converge_is_refused():
    """With what to do about it."""
    with pytest.raises(TrainingError, match="no convergence after 1 iterations; raise max_iterations or lower c"):
        SVMSpec(max_iterations=1, c=1e6).fit(lesson_of(make_table()), seed=0)


def test_landmarks_are_counted_with_their_coordinates():
    """By hand: 30 landmarks in the encoded space, a weight each and an intercept, and the encoding's numbers."""
    lesson = lesson_of(make_table())
    linear = LogisticRegressionSpec().fit(lesson, seed=0).parameter_count()
    student = SVMSpec(kernel="rbf", landmarks=30).fit(lesson, seed=0)
    encoding, width = linear.total - linear.learnable, linear.learnable - 1
    assert student.parameter_count().learnable == 30 + 1
    assert student.parameter_count().total == 30 + 1 + 30 * width + 1 + encoding
    assert student.flops_per_row(lesson.valid.features) == 30 * (3 * width + 2) + 2 * 30 + 2 * 4
    assert SVMSpec().fit(lesson, seed=0).parameter_count() == linear


def test_more_landmarks_than_rows_are_all_rows():
    """A small table needs no smaller setting."""
    lesson = lesson_of(make_table())
    student = SVMSpec(kernel="rbf", landmarks=10_000).fit(lesson, seed=0)
    assert student.parameter_count().learnable == len(lesson.train) + 1
