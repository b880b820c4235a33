"""The decision tree: what its leaves say, how it reads categories, which columns it needs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeRegressor

from distillery.data import Rows
from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.errors import TrainingError
from distillery.students import DecisionTreeSpec, load_student
from distillery.students._sklearn import target_shares
from distillery.students._tree import RankEncoder, Tree
from tests.checks import make_table
from tests.test_models import lesson_of


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_the_arrays_descend_as_scikit_learns_tree(classes):
    """Same leaves for every row, missing values and values on a threshold included."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 4)).astype(np.float32).round(2)
    x[rng.random(x.shape) < 0.1] = np.nan
    target = rng.dirichlet(np.ones(classes), 2000) + np.nan_to_num(x[:, [0]]) ** 2 * np.eye(classes)[0]
    target /= target.sum(axis=1, keepdims=True)
    fitted = DecisionTreeRegressor(max_leaf_nodes=100, random_state=0).fit(x, target)
    tree = Tree.of(fitted)
    leaf, comparisons = tree.descend(x)
    nodes = fitted.apply(x)
    assert len(np.unique(np.stack([leaf, nodes]), axis=1).T) == 100  # one to one
    np.testing.assert_array_equal(comparisons, np.asarray(fitted.decision_path(x).sum(axis=1)).ravel() - 1)
    rows = np.bincount(leaf)[leaf][:, None]
    expected = (rows * fitted.predict(x) + target.mean(axis=0)) / (rows + 1)
    np.testing.assert_allclose(tree.predict_proba(x), expected, atol=1e-6)


def test_a_leaf_says_the_mean_of_its_rows_targets():
    """Averaged over the training rows, probabilities are the targets, but for one row of the overall mean a leaf."""
    lesson = lesson_of(make_table(classes=3))
    spec = DecisionTreeSpec(alpha=0.7)
    target = target_shares(lesson, 0.7, 0.3)
    proba = spec.fit(lesson, seed=0).predict_proba(lesson.train.features)
    np.testing.assert_allclose(proba.mean(axis=0), target.mean(axis=0), atol=0.01)


def test_no_leaf_is_certain():
    """Even a control's pure leaf keeps a finite log loss."""
    lesson = lesson_of(make_table())
    proba = (
        DecisionTreeSpec(min_leaf_rows=1, max_leaves=300)
        .control()
        .fit(lesson, seed=0)
        .predict_proba(lesson.train.features)
    )
    assert proba.min() > 1e-3


def letters(n: int = 400) -> tuple[Rows, np.ndarray]:
    """Rows of one column of letters, and targets that do not follow the alphabet."""
    rng = np.random.default_rng(0)
    names = rng.choice(list("abcdef"), n)
    p = pd.Series(names).map({"a": 0.9, "b": 0.1, "c": 0.8, "d": 0.2, "e": 0.3, "f": 0.7}).to_numpy()
    return Rows(pd.DataFrame({"letter": names}), (p > 0.55).astype(np.int64)), np.stack([1 - p, p], axis=1)


def schema_of(rows: Rows):
    """The schema of these rows."""
    return build_table(rows.features.assign(y=rows.labels), Roles(target="y"), SplitSpec(), seed=0).schema


def test_categories_are_ranked_by_their_mean_target():
    """In either direction; missing, unseen and rare ones count as missing."""
    rows, target = letters()
    encode = RankEncoder.fit(schema_of(rows), rows, target, min_frequency=1)
    ranks = encode(pd.DataFrame({"letter": list("bdefca")})).ravel()
    assert ranks.tolist() in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0])
    assert np.isnan(encode(pd.DataFrame({"letter": ["Atlantis", None]}))).all()
    rare = RankEncoder.fit(schema_of(rows), rows, target, min_frequency=10_000)
    assert np.isnan(rare(rows.features)).all()


def test_two_leaves_part_the_best_subset_of_categories():
    """One comparison suffices, whatever the alphabet says."""
    rows, target = letters()
    lesson = dataclasses.replace(
        lesson_of(make_table()), schema=schema_of(rows), train=rows, soft=np.log(target).astype(np.float32)
    )
    student = DecisionTreeSpec(max_leaves=2, alpha=1.0).fit(lesson, seed=0)
    high = student.predict_proba(pd.DataFrame({"letter": list("abcdef")}))[:, 1] > 0.5
    assert high.tolist() == [True, False, True, False, False, True]


def test_only_columns_it_splits_on_are_needed():
    """Predictions with these columns alone are the same, and importances add up to 1."""
    table = make_table()
    student = DecisionTreeSpec(max_leaves=3).fit(lesson_of(table), seed=0)
    rows = table.rows("test").features
    assert set(student.schema.names) == {"signal", "city"}
    np.testing.assert_array_equal(student.predict_proba(rows[student.schema.names]), student.predict_proba(rows))
    scores = [selected.score for selected in student.selected_features]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1)
    assert load_student(student.to_files()).selected_features == student.selected_features


def test_leaves_and_depth_are_bounded():
    """And counted: a feature and a threshold per split, K − 1 values per leaf, a rank per category."""
    table = make_table(classes=3)
    lesson = lesson_of(table)
    student = DecisionTreeSpec(max_leaves=6, min_leaf_rows=1).fit(lesson, seed=0)
    assert student.parameter_count().learnable == 2 * 5 + 6 * 2
    categories = sum(len(c.categories) for c in student.schema.categorical)
    assert student.parameter_count().total == 2 * 5 + 6 * 2 + categories
    stump = DecisionTreeSpec(max_depth=1).fit(lesson, seed=0)
    assert stump.flops_per_row(table.rows("test").features) == 1
    shallow = DecisionTreeSpec(max_depth=3, min_leaf_rows=1).fit(lesson, seed=0)
    assert 1 < shallow.flops_per_row(table.rows("test").features) <= 3


def test_rows_that_cannot_be_split_are_refused():
    """A single leaf would say the same of every row."""
    with pytest.raises(TrainingError, match="must split its 360 training rows, got no split that leaves 300 rows"):
        DecisionTreeSpec(min_leaf_rows=300).fit(lesson_of(make_table()), seed=0)
