"""Counts and stops of LightGBM, CatBoost and random forests, against the libraries' own accounts."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest
from catboost import CatBoostClassifier

from distillery.teachers import CatBoostSpec, LightGBMSpec, RandomForestSpec
from tests.checks import make_table

LIGHT = LightGBMSpec(trees=30, patience=5, learning_rate=0.3, num_leaves=6, min_data_in_leaf=10, threads=1)
CAT = CatBoostSpec(trees=30, patience=5, learning_rate=0.3, depth=3, threads=1)
FOREST = RandomForestSpec(trees=7, threads=1)


def fitted(spec, table):
    """A teacher on all columns."""
    return spec.fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)


def test_lightgbms_parameters_match_its_own_table_of_nodes():
    """Two per split on a number and one per leaf."""
    table = make_table(categorical=False)
    teacher = fitted(LIGHT, table)
    nodes = lgb.Booster(model_str=teacher.to_files()["model.txt"].decode()).trees_to_dataframe()
    splits = nodes["split_feature"].notna().sum()
    assert teacher.parameter_count().total == 2 * splits + (len(nodes) - splits)


def test_lightgbms_operations_are_the_mean_depth_of_the_leaves():
    """By its own node depths, the root being 1, plus one addition a tree."""
    table = make_table(categorical=False)
    teacher, rows = fitted(LIGHT, table), table.rows("test").features
    booster = lgb.Booster(model_str=teacher.to_files()["model.txt"].decode())
    depth = booster.trees_to_dataframe().set_index("node_index")["node_depth"]
    leaves = booster.predict(rows[[c.name for c in table.schema.numeric]].to_numpy(), pred_leaf=True)
    depths = [depth[f"{tree}-L{leaf}"] - 1 for row in leaves for tree, leaf in enumerate(row)]
    assert teacher.flops_per_row(rows) == pytest.approx(np.sum(depths) / len(rows) + leaves.shape[1])


def test_catboosts_parameters_are_levels_and_leaves():
    """Trees are oblivious: d levels, 2^d leaves, of K values each."""
    for classes in (2, 3):
        table = make_table(classes=classes, categorical=False)
        teacher = fitted(CAT, table)
        model = CatBoostClassifier().load_model(blob=teacher.to_files()["model.cbm"])
        values = len(model.get_leaf_values())
        assert values == sum(model.get_tree_leaf_counts()) * (1 if classes == 2 else classes)
        levels = np.log2(model.get_tree_leaf_counts()).sum()
        assert teacher.parameter_count().total == values + 2 * levels
        assert teacher.flops_per_row(table.frame) == levels + model.tree_count_ * (1 if classes == 2 else classes)


def test_a_forest_is_counted_node_by_node():
    """Two per split, K per leaf; a path's comparisons, and K additions a tree."""
    table = make_table(classes=3)
    teacher, rows = fitted(FOREST, table), table.rows("test").features
    trees = [tree.tree_ for tree in teacher._forest.estimators_]
    splits = sum((tree.children_left >= 0).sum() for tree in trees)
    leaves = sum((tree.children_left < 0).sum() for tree in trees)
    assert teacher.parameter_count().total == 2 * splits + 3 * leaves
    encoded = teacher._encode(rows).astype(np.float32)
    visited = sum(tree.decision_path(encoded).sum() for tree in trees)
    assert teacher.flops_per_row(rows) == pytest.approx((visited - len(rows) * 7) / len(rows) + 7 * 3)


@pytest.mark.parametrize("spec", [LIGHT, CAT], ids=lambda spec: spec.kind)
def test_boosting_stops_when_validation_does(spec):
    """A run that may go on longer keeps the same trees."""
    table = make_table()
    long, longer = (fitted(spec.model_copy(update={"trees": trees}), table) for trees in (400, 800))
    rows = table.rows("test").features
    np.testing.assert_array_equal(long.predict_proba(rows), longer.predict_proba(rows))


@pytest.mark.parametrize("spec", [LIGHT, CAT, FOREST], ids=lambda spec: spec.kind)
def test_a_category_decides(spec):
    """Without any number it still tells the classes apart."""
    table = make_table(numeric=False)
    teacher, rows = fitted(spec, table), table.rows("test").features
    oslo = teacher.predict_proba(rows.assign(city="Oslo"))[:, 1].mean()
    assert oslo > teacher.predict_proba(rows.assign(city="Lima"))[:, 1].mean() + 0.2


def test_catboost_leaves_no_files_behind(tmp_path, monkeypatch):
    """Its log folder stays away."""
    monkeypatch.chdir(tmp_path)
    fitted(CAT, make_table())
    assert list(tmp_path.iterdir()) == []


def test_a_forest_answers_bit_for_bit_however_many_threads_grew_it():
    """Asked again, row by row, or grown by another number of threads: the same numbers and the same file."""
    table = make_table(classes=3)
    alone, together = (fitted(FOREST.model_copy(update={"trees": 30, "threads": n}), table) for n in (1, 2))
    rows = table.rows("test").features
    proba = alone.predict_proba(rows)
    for _ in range(5):
        np.testing.assert_array_equal(together.predict_proba(rows), proba)
    single = np.vstack([together.predict_proba(rows.iloc[[i]]) for i in range(5)])
    np.testing.assert_array_equal(single, proba[:5])
    assert together.to_files()["model.skops"] == alone.to_files()["model.skops"]


@pytest.mark.parametrize("value", [1e39, -1e300, np.inf, -np.inf])
@pytest.mark.parametrize("spec", [LIGHT, CAT, FOREST], ids=lambda spec: spec.kind)
def test_what_float32_cannot_hold_is_read_as_very_large(spec, value):
    """Rows and counts come out finite."""
    table = make_table()
    teacher = fitted(spec, table)
    rows = table.rows("test").features.head(3).assign(noise=value, signal=-value)
    assert np.isfinite(teacher.predict_proba(rows)).all()
    assert teacher.flops_per_row(rows) > 0
