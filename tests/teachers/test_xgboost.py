"""XGBoost's counts and stops, against XGBoost's own account."""

from __future__ import annotations

import numpy as np
import pytest
from xgboost import Booster

from distillery.teachers import XGBoostSpec
from tests.checks import make_table

SPEC = XGBoostSpec(trees=40, patience=5, learning_rate=0.3, depth=3, threads=1, min_child_weight=1)


@pytest.fixture(scope="module")
def numeric():
    """A teacher on numbers alone, and its test rows."""
    table = make_table(categorical=False)
    return SPEC.fit(table.rows("train"), table.rows("valid"), table.schema, seed=0), table.rows("test").features


def trees_of(teacher):
    """XGBoost's own table of nodes."""
    return Booster(model_file=bytearray(teacher.to_files()["model.ubj"])).trees_to_dataframe()


def test_parameters_are_features_thresholds_and_leaf_values(numeric):
    """Two per split and one per leaf."""
    nodes = trees_of(numeric[0])
    leaves = (nodes["Feature"] == "Leaf").sum()
    assert numeric[0].parameter_count().total == 2 * (len(nodes) - leaves) + leaves


def test_flops_are_the_mean_path_and_one_addition_a_tree(numeric):
    """Paths are walked by hand over XGBoost's own nodes."""
    teacher, rows = numeric
    nodes = trees_of(teacher).set_index("ID")
    names = {f"f{i}": name for i, name in enumerate(rows.columns)}
    depths = []
    for row in rows.head(20).to_dict("records"):
        for tree in nodes["Tree"].unique():
            node, depth = nodes.loc[f"{tree}-0"], 0
            while node["Feature"] != "Leaf":
                value = np.float32(row[names[node["Feature"]]])
                missing, yes = np.isnan(value), value < np.float32(node["Split"])
                node = nodes.loc[node["Missing"] if missing else node["Yes"] if yes else node["No"]]
                depth += 1
            depths.append(depth)
    trees = nodes["Tree"].nunique()
    assert teacher.flops_per_row(rows.head(20)) == pytest.approx(np.sum(depths) / 20 + trees)


def test_it_stops_when_validation_stops_falling_and_keeps_the_best_length():
    """With the same seed, a run that may go on longer keeps the same trees."""
    table = make_table()
    long = XGBoostSpec(**{**SPEC.model_dump(), "trees": 400})
    longer = XGBoostSpec(**{**SPEC.model_dump(), "trees": 800})
    kept = [trees_of(s.fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)) for s in (long, longer)]
    assert kept[0]["Tree"].nunique() < 100
    assert kept[0].equals(kept[1])


def test_a_category_decides_natively():
    """Without any number it still tells the classes apart."""
    table = make_table(numeric=False)
    teacher = SPEC.fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    rows = table.rows("test").features
    oslo = teacher.predict_proba(rows.assign(city="Oslo"))[:, 1].mean()
    assert oslo > teacher.predict_proba(rows.assign(city="Lima"))[:, 1].mean() + 0.2
