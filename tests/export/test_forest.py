"""Trees as ONNX files: the same side of every split for every row, whatever library grew them."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
import pytest
from onnx import numpy_helper

from distillery.data import Rows
from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.export import ExportError, Graph, forest, to_onnx
from distillery.export.forest import AT_MOST, BELOW, MEMBER, Tree, add_forest
from distillery.export.graph import DOUBLE, FLOAT, tensor_of
from distillery.export.parity import edge_rows
from distillery.students import BoostedSpec, DecisionTreeSpec
from distillery.teachers import EnsembleSpec, LightGBMSpec, RandomForestSpec, XGBoostSpec
from distillery.teachers.ensemble import EnsembleTeacher
from tests.checks import make_table
from tests.test_models import lesson_of, student_case, teacher_case

XGBOOST = XGBoostSpec(trees=60, learning_rate=0.2, depth=5, min_child_weight=1, threads=1)
LIGHTGBM = LightGBMSpec(trees=60, learning_rate=0.2, min_data_in_leaf=5, cat_smooth=1, threads=1)
SPECS = {
    "xgboost": XGBOOST,
    "xgboost_sets": XGBOOST.model_copy(update={"categorical_max_onehot": 1}),
    "lightgbm": LIGHTGBM,
    "random_forest": RandomForestSpec(trees=20, min_samples_leaf=3, threads=1),
    "boosted": BoostedSpec(trees=60, min_data_in_leaf=5, threads=1),
    "decision_tree": DecisionTreeSpec(max_leaves=200, min_leaf_rows=5),
}
KINDS = [(kind, classes) for kind in SPECS for classes in (2, 3)]
EPSILON = float(np.float32(1e-35))


@cache
def hard_table(classes):
    """5,000 rows: 8 numbers with ties, whole ones, zeros and holes; 300, 12 and 2 categories with holes."""
    rng = np.random.default_rng(3)
    n, raw = 5000, pd.DataFrame()
    for i in range(4):
        raw[f"n{i}"] = np.where(rng.random(n) < 0.1 * i, np.nan, rng.normal(size=n))
    raw["whole"] = rng.integers(-5, 6, n)
    raw["ties"] = rng.choice([-0.5, 0.1, 0.1 + 1e-9, 2.5], n)
    raw["zeros"] = np.where(rng.random(n) < 0.7, 0.0, rng.normal(size=n))
    raw["large"] = rng.normal(size=n) * 10.0 ** rng.integers(0, 30, n)
    score = raw["n0"] + raw["n3"].fillna(2) + raw["whole"] / 3 + raw["ties"] + raw["zeros"]
    for size in (300, 12, 2):
        category = rng.integers(0, size, n)
        names = np.array([f"v{j}" for j in range(size)], object)
        raw[f"c{size}"] = np.where(rng.random(n) < 0.05, None, names[category])
        score = score + 2 * rng.normal(size=size)[category]
    raw["y"] = pd.qcut(score, [0, *np.linspace(0.7, 1, classes)], labels=False)
    return build_table(raw, Roles(target="y"), SplitSpec(), seed=0)


@cache
def fitted(kind, classes):
    """A model of the hard table."""
    make = student_case if kind in {"boosted", "decision_tree"} else teacher_case
    return make(SPECS[kind]).fit(hard_table(classes), 0)


def all_rows(table):
    """The raw rows of every split."""
    return table.frame[table.schema.names].reset_index(drop=True)


def difference(model, rows):
    """The largest difference of a probability between a model and its file."""
    return np.abs(to_onnx(model, form="tensors").predict_proba(rows) - model.predict_proba(rows)).max()


def forest_node(exported):
    """The attributes of the one node that holds the trees."""
    nodes = onnx.load_model_from_string(exported.content).graph.node
    (node,) = [one for one in nodes if one.op_type == "TreeEnsemble"]
    values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return {k: numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v for k, v in values.items()}


def thresholds(exported):
    """The numbers that each numeric column is compared with."""
    node, d = forest_node(exported), len(exported.schema.numeric)
    compares, feature = np.isin(node["nodes_modes"], (AT_MOST, BELOW)), np.array(node["nodes_featureids"])
    return [np.unique(node["nodes_splits"][compares & (feature == i)]) for i in range(d)]


@pytest.mark.parametrize(("kind", "classes"), KINDS)
def test_every_row_agrees(kind, classes):
    """Ties, whole numbers, zeros, holes, 300 categories: none of 5,000 rows differs, nor one at the edges."""
    table, model = hard_table(classes), fitted(kind, classes)
    rows = all_rows(table)
    rng = np.random.default_rng(0)
    holes = rows.mask(rng.random(rows.shape) < 0.3, None)
    nothing = rows.head(1).assign(**dict.fromkeys(rows.columns))
    for some in (rows, holes, nothing, edge_rows(table.schema, rows)):
        assert difference(model, some) <= 1e-5


@pytest.mark.parametrize(("kind", "classes"), KINDS)
def test_values_at_a_threshold_agree(kind, classes):
    """Every threshold of every split, and its neighbours in float32 and in float64."""
    table, model = hard_table(classes), fitted(kind, classes)
    exported, rows = to_onnx(model, form="tensors"), all_rows(table)
    for column, found in zip(model.schema.numeric, thresholds(exported), strict=True):
        single = found.astype(np.float32)
        with np.errstate(over="ignore", under="ignore"):
            near = [np.nextafter(at, at.dtype.type(to)) for at in (found, single) for to in (-np.inf, np.inf)]
        values = np.concatenate([one.astype(np.float64) for one in (found, single, *near)])
        some = rows.iloc[np.arange(len(values)) % len(rows)].assign(**{column.name: values})
        assert difference(model, some) <= 1e-5, column.name


@pytest.mark.parametrize(("kind", "classes"), [pair for pair in KINDS if pair[0] != "decision_tree"])
def test_thresholds_are_met(kind, classes):
    """The check above has teeth: whole numbers and zeros are split on."""
    exported = to_onnx(fitted(kind, classes), form="tensors")
    names = [column.name for column in exported.schema.numeric]
    assert min(len(found) for found in thresholds(exported)) >= 2
    assert len(thresholds(exported)[names.index("whole")]) >= 5


@pytest.mark.parametrize("kind", ["xgboost_sets", "lightgbm", "boosted"])
def test_sets_of_categories_stay_sets(kind):
    """A split on many of 300 categories is one node, not a chain of comparisons."""
    exported = to_onnx(fitted(kind, 2))
    node = forest_node(exported)
    sizes = np.diff(np.flatnonzero(np.isnan([np.nan, *node["membership_values"]])))
    assert (node["nodes_modes"] == MEMBER).sum() == len(sizes)
    assert sizes.max() > 31


def test_too_many_leaves_are_refused(monkeypatch):
    """Where each tree says its leaf as a number, float32 must tell them apart."""
    monkeypatch.setattr(forest, "MOST_LEAVES", 100)
    message = r"a forest of 3 classes must have at most 100 leaves to be exported, got [\d,]+; grow fewer trees or"
    with pytest.raises(ExportError, match=message):
        to_onnx(fitted("random_forest", 3))


@pytest.mark.parametrize("direction", [-1, 1])
def test_lightgbm_reads_tiny_numbers_as_zero(direction):
    """Numbers up to 1e-35 are 0 to it, on either side, and the file knows."""
    rng = np.random.default_rng(0)
    x = rng.choice([0.0, direction], 800)
    raw = pd.DataFrame({"x": x, "z": rng.normal(size=800), "y": ((x == 0) ^ (rng.random(800) < 0.1)).astype(int)})
    model = teacher_case(LIGHTGBM).fit(build_table(raw, Roles(target="y"), SplitSpec(), seed=0), 0)
    sizes = [EPSILON, np.nextafter(EPSILON, 0), np.nextafter(EPSILON, 1), 1e-36, 1e-300, 0.0, 1e-34]
    rows = pd.DataFrame({"x": [s * size for size in sizes for s in (-1, 1)], "z": 0.0})
    assert EPSILON in np.abs(thresholds(to_onnx(model))[0]).astype(np.float32)
    assert difference(model, rows) <= 1e-6


@pytest.mark.parametrize("spec", [XGBOOST, LIGHTGBM, SPECS["xgboost_sets"]], ids=lambda spec: spec.kind)
@pytest.mark.parametrize("classes", [2, 3])
def test_trees_of_one_leaf_agree(spec, classes):
    """Where nothing can be split, what is left is the prior."""
    settings = {"gamma": 1e6} if spec.kind == "xgboost" else {"min_data_in_leaf": 10_000}
    table = make_table(classes=classes)
    model = teacher_case(spec.model_copy(update=settings)).fit(table, 0)
    assert difference(model, all_rows(table)) <= 1e-6
    node = forest_node(to_onnx(model))
    assert len(node["nodes_splits"]) == len(node["tree_roots"])


@pytest.mark.parametrize(("classes", "kept"), [(2, [1]), (2, [0]), (3, [0, 2])])
def test_a_forest_that_missed_a_class_agrees(classes, kept):
    """A class absent from training has probability 0 in the file too."""
    table = make_table(classes=classes)
    train = table.rows("train")
    some: Rows = train.take(np.flatnonzero(np.isin(train.labels, kept)))
    model = RandomForestSpec(trees=5, threads=1).fit(some, table.rows("valid"), table.schema, seed=0)
    assert difference(model, all_rows(table)) <= 1e-6


@pytest.mark.parametrize("spec", [SPECS["boosted"], SPECS["decision_tree"]], ids=lambda spec: spec.kind)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_student_of_few_columns_agrees(spec, classes):
    """Its file takes the columns it needs and no others."""
    table = hard_table(classes)
    student = spec.model_copy(update={"max_features": 3, "max_parameters": 700}).fit(lesson_of(table), seed=0)
    exported = to_onnx(student)
    assert len(exported.schema.names) <= 3
    assert difference(student, all_rows(table)) <= 1e-6


@pytest.mark.parametrize("kind", ["xgboost", "lightgbm"])
def test_a_loaded_model_has_the_same_file(kind):
    """What was saved is exported byte for byte alike."""
    table = make_table()
    case = teacher_case(SPECS[kind])
    model = case.fit(table, 0)
    assert to_onnx(case.load(model.to_files())).content == to_onnx(model).content


@pytest.mark.parametrize("classes", [2, 3])
def test_forests_with_and_without_sets_share_a_file(classes):
    """What one of them needs of ONNX does not take from the others what they need."""
    table = hard_table(classes)
    members = tuple(fitted(kind, classes) for kind in ("random_forest", "lightgbm", "xgboost"))
    spec = EnsembleSpec(members=tuple(SPECS[kind] for kind in ("random_forest", "lightgbm", "xgboost")))
    assert difference(EnsembleTeacher(spec, table.schema, members, [0.5, 0.3, 0.2]), all_rows(table)) <= 1e-5


def random_tree(rng, dtype, depth=4, outputs=1, sets=()):
    """A complete tree over 3 numbers and 2 numbers that stand for 40 categories."""
    m = 2**depth - 1
    feature = rng.integers(0, 5 if len(sets) else 3, m)
    members = {int(i): rng.choice(40, rng.choice(sets), replace=False) + 1 for i in np.flatnonzero(feature > 2)}
    child = np.arange(1, 2 * m, 2)
    values = rng.normal(size=(m + 1, outputs)) * (rng.random((m + 1, outputs)) < 0.8)
    missing = rng.random(m) < 0.5
    missing[list(members)] = False
    return Tree(feature, rng.integers(-2, 3, m).astype(dtype), missing, child, child + 1, values, members)


def descend(tree, row, *, below):
    """The values of the leaf that a row reaches, by the words of `Tree`."""
    at, m = 0, len(tree.feature)
    while at < m:
        value = row[tree.feature[at]]
        if at in tree.members:
            to_left = value in tree.members[at]
        elif np.isnan(value):
            to_left = tree.missing_left[at]
        else:
            to_left = value < tree.threshold[at] if below else value <= tree.threshold[at]
        at = tree.left[at] if to_left else tree.right[at]
    return tree.values[at - m]


def run_forest(trees, x, *, below=False):
    """What ONNX Runtime makes of trees."""
    graph, outputs = Graph(), trees[0].values.shape[1]
    add_forest(graph, "x", trees, below=below)
    graph.name_last(["y"])
    kind = FLOAT if x.dtype == np.float32 else DOUBLE
    built = graph.build([tensor_of("x", kind, "rows", x.shape[1])], [tensor_of("y", FLOAT, "rows", outputs)])
    session = ort.InferenceSession(built.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("below", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("outputs", "sets"), [(1, ()), (3, ()), (3, (1,)), (1, (1, 2, 20, 39)), (2, (2, 30))])
def test_random_trees_go_where_they_say(dtype, below, outputs, sets):
    """Trees of splits, sets and bare leaves give what one gets by walking through them."""
    rng = np.random.default_rng(outputs)
    trees = [random_tree(rng, dtype, depth, outputs, sets) for depth in (4, 0, 5, 1, 6)]
    x = rng.integers(-3, 4, (400, 5)).astype(dtype)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[:, 3:] = rng.integers(1, 41, (400, 2))
    walked = [sum(descend(tree, row, below=below) for tree in trees) for row in x]
    np.testing.assert_allclose(run_forest(trees, x, below=below), walked, atol=1e-6)


def test_equal_leaves_behind_sets_do_not_hide_the_missing_category():
    """ONNX Runtime joins such splits; a missing category is a member like any other, and stays where it belongs."""
    zeros = np.zeros(2, np.int64)
    tree = Tree(
        zeros,
        zeros.astype(np.float32),
        zeros.astype(bool),
        left=np.array([2, 3]),
        right=np.array([1, 4]),
        values=np.array([[1.0], [1.0], [-1.0]]),
        members={0: np.array([2]), 1: np.array([1, 3])},
    )
    x = np.array([[1], [2], [3], [4]], np.float32)
    assert run_forest([tree], x).ravel().tolist() == [1, 1, 1, -1]
    alone = dataclasses.replace(tree, members={0: np.array([2]), 1: np.array([1])})
    assert run_forest([alone], x).ravel().tolist() == [1, 1, -1, -1]
