"""The boosted student: soft labels, budgets in trees, columns it needs."""

from __future__ import annotations

import dataclasses

import lightgbm as lgb
import numpy as np
import pytest
from sklearn.metrics import log_loss

from distillery.errors import TrainingError
from distillery.students import BoostedSpec, load_student
from distillery.students.base import valid_log_loss
from distillery.teachers.lightgbm import LightGBMSpec, TreeEncoder
from tests.checks import make_table
from tests.test_models import lesson_of

SPEC = BoostedSpec(trees=40, threads=1)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_control_is_plain_lightgbm_on_the_hard_labels(classes):
    """Weighing the soft labels with 0 leaves what LightGBM learns without a teacher."""
    table = make_table(classes=classes)
    lesson = lesson_of(table)
    plain = LightGBMSpec(
        trees=40,
        patience=10,
        num_leaves=15,
        learning_rate=0.1,
        min_data_in_leaf=20,
        row_share=1,
        column_share=1,
        threads=1,
    ).fit(lesson.train, lesson.valid, lesson.schema, seed=0)
    rows = table.rows("test").features
    control = SPEC.control().fit(lesson, seed=0)
    np.testing.assert_allclose(control.predict_proba(rows), plain.predict_proba(rows), atol=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_soft_labels_alone_are_approached(classes):
    """Where the teacher says the same of every row, so does the student after one tree, whatever the hard labels."""
    lesson = lesson_of(make_table(classes=classes))
    wanted = np.linspace(1, 2, classes) / np.linspace(1, 2, classes).sum()
    soft = np.tile(np.log(wanted), (len(lesson.train), 1)).astype(np.float32)
    given = dataclasses.replace(lesson, soft=soft)
    student = SPEC.model_copy(update={"alpha": 0.999, "trees": 1}).fit(given, seed=0)
    np.testing.assert_allclose(student.predict_proba(lesson.valid.features).mean(axis=0), wanted, atol=0.01)


def test_boosting_stops_where_the_validation_loss_does():
    """Its hard labels decide; the best length is kept."""
    lesson = lesson_of(make_table())
    student = SPEC.model_copy(update={"trees": 1000, "learning_rate": 0.3}).fit(lesson, seed=0)
    proba = student.predict_proba(lesson.valid.features)
    best = log_loss(lesson.valid.labels, proba)
    assert student.trees.rounds < 1000
    booster = lgb.Booster(model_str=student.trees.text)
    assert list(student.trees.used) == list(range(len(lesson.schema.columns)))
    shorter = booster.predict(TreeEncoder(lesson.schema)(lesson.valid.features), num_iteration=student.trees.rounds - 1)
    assert best < log_loss(lesson.valid.labels, shorter)


def test_fewer_trees_take_longer_steps():
    """A budget of few trees is spent better than by the first trees of many."""
    lesson = lesson_of(make_table())
    slow = BoostedSpec(trees=100, learning_rate=0.02, threads=1)
    first = slow.model_copy(update={"trees": 5}).fit(lesson, seed=0)
    budget = slow.model_copy(update={"max_bytes": len(first.exported().content)}).fit(lesson, seed=0)
    assert budget.trees.rounds <= 5
    assert valid_log_loss(budget, lesson.valid) < valid_log_loss(first, lesson.valid) - 0.1


def test_only_columns_that_trees_split_on_are_needed():
    """Predictions with these columns alone are the same, also after loading; gains add up to 1."""
    table = make_table()
    student = BoostedSpec(trees=3, num_leaves=5, threads=1).fit(lesson_of(table), seed=0)
    rows = table.rows("test").features
    assert {"signal"} <= set(student.schema.names) < set(rows.columns)
    loaded = load_student(student.to_files())
    np.testing.assert_array_equal(loaded.predict_proba(rows[student.schema.names]), student.predict_proba(rows))
    scores = [selected.score for selected in student.selected_features]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1)
    assert loaded.selected_features == student.selected_features


def test_rows_that_cannot_be_split_are_refused():
    """Trees of a single leaf would say the same of every row."""
    with pytest.raises(TrainingError, match="must split its 360 training rows, got no tree that does with 300 rows"):
        SPEC.model_copy(update={"min_data_in_leaf": 300}).fit(lesson_of(make_table()), seed=0)
