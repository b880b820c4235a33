"""CatBoost teachers as ONNX files: categories, missing values, and what has no such form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier

from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.export import ExportError, to_onnx
from distillery.export.parity import UNSEEN, measure_parity
from distillery.teachers import CatBoostSpec, _catboost_graph
from distillery.teachers.catboost import CatBoostTeacher, _bytes, _pool
from tests.checks import make_table

SPEC = CatBoostSpec(trees=100, learning_rate=0.2, depth=5, threads=1)


def wide_table(classes=2):
    """5,000 rows: 8 numbers, and 4 texts with 3 to 200 categories between them; all have missing values."""
    rng = np.random.default_rng(7)
    n, raw, score = 5000, pd.DataFrame(), 0
    for i, size in enumerate((3, 12, 60, 200)):
        for name in (f"n{i}", f"m{i}"):
            raw[name] = np.where(rng.random(n) < 0.08, np.nan, rng.normal(size=n))
        category = rng.integers(0, size, n)
        raw[f"c{i}"] = np.where(rng.random(n) < 0.08, None, np.array([f"v{j}" for j in range(size)], object)[category])
        score = score + raw[f"n{i}"].fillna(1) + rng.normal(size=size)[category]
    raw["y"] = pd.qcut(score, classes, labels=False)
    return build_table(raw, Roles(target="y"), SplitSpec(), seed=0)


def fitted(table, spec=SPEC):
    """A teacher on all columns."""
    return spec.fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)


def set_otherwise(table, **settings):
    """A teacher with settings of CatBoost's that the spec does not offer."""
    loss = "Logloss" if table.schema.n_classes == 2 else "MultiClass"
    model = CatBoostClassifier(iterations=40, depth=4, loss_function=loss, max_ctr_complexity=1, **settings)
    model.set_params(class_names=list(range(table.schema.n_classes)), allow_writing_files=False, verbose=False)
    train = table.rows("train")
    model.fit(_pool(train.features, table.schema, train))
    return CatBoostTeacher(SPEC, table.schema, _bytes(model))


def difference(teacher, table):
    """The largest difference of a probability on all rows of a table and at the edges."""
    return measure_parity(teacher, to_onnx(teacher), table.frame[table.schema.names]).max_difference


@pytest.fixture(scope="module", params=[2, 3], ids=["binary", "multiclass"])
def wide(request):
    """A table and a teacher of it."""
    table = wide_table(request.param)
    return table, fitted(table)


@pytest.mark.parametrize("form", ["columns", "tensors"])
def test_every_row_agrees(wide, form):
    """Within float32's rounding of a sum, far below the 1e-5 that is asked."""
    table, teacher = wide
    parity = measure_parity(teacher, to_onnx(teacher, form=form), table.frame[table.schema.names])
    assert parity.rows > 5000
    assert parity.max_difference < 1e-6


@pytest.mark.parametrize("column", ["c0", "c1", "c2", "c3"])
def test_unseen_and_missing_are_two_things(wide, column):
    """A missing category was counted in training, an unseen one has the prior; the file tells them apart as well."""
    table, teacher = wide
    exported, rows = to_onnx(teacher), table.rows("test").features
    answers = []
    for value in (None, UNSEEN):
        changed = rows.assign(**{column: value})
        answers.append(teacher.predict_proba(changed))
        np.testing.assert_allclose(exported.predict_proba(changed), answers[-1], atol=1e-6)
    assert np.abs(answers[0] - answers[1]).max() > 1e-3


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", ["Borders", "Buckets", "BinarizedTargetMeanValue", "Counter"])
def test_every_statistic_of_a_category_agrees(kind, classes):
    """Each alone, with priors and a scale of its own."""
    table = make_table(classes=classes, numeric=False)
    teacher = set_otherwise(table, simple_ctr=[f"{kind}:Prior=0.3:Prior=2:CtrBorderCount=40"])
    assert difference(teacher, table) < 1e-6


def test_a_split_may_ask_for_one_category():
    """As many categories as are compared one by one."""
    table = make_table()
    assert difference(set_otherwise(table, one_hot_max_size=10), table) < 1e-6


@pytest.mark.parametrize("side", ["Min", "Max"])
def test_missing_numbers_go_to_their_side(side):
    """Below all others, or above them."""
    table = make_table()
    assert difference(set_otherwise(table, nan_mode=side), table) < 1e-6


def test_categories_may_be_any_text():
    """Quotes, slashes, line breaks, other scripts, and words that elsewhere mean missing."""
    rng = np.random.default_rng(0)
    words = np.array(
        ['a"b', "back\\slash", "line\nbreak", "tab\t", "日本", "ü", "None", "nan", "<x>", " ", "'"], object
    )
    at = rng.integers(0, len(words), 800)
    raw = pd.DataFrame({"text": words[at], "y": (at % 3 == 0) ^ (rng.random(800) < 0.1)})
    table = build_table(raw, Roles(target="y"), SplitSpec(), seed=0)
    assert difference(fitted(table), table) < 1e-6


@pytest.mark.parametrize("without", ["numeric", "categorical"])
def test_a_tree_may_ask_nothing(without):
    """One that was offered no column is a single leaf."""
    table = make_table(**{without: False})
    teacher = set_otherwise(table, rsm=0.3)
    assert 1 in teacher._model.get_tree_leaf_counts()
    assert difference(teacher, table) < 1e-6


def test_combined_columns_are_refused():
    """The message names the columns and the setting."""
    table = wide_table()
    teacher = fitted(table, SPEC.model_copy(update={"max_ctr_complexity": 2}))
    with pytest.raises(
        ExportError, match=r"must be of one column .* got one of \['c.', '.*\]; set max_ctr_complexity: 1"
    ):
        to_onnx(teacher)


def test_a_statistic_of_another_type_is_refused():
    """One that only a GPU counts is named."""
    ctr = {"ctr_type": "FloatTargetMeanValue", "target_border_idx": 0}
    with pytest.raises(ExportError, match="counts on a CPU, got FloatTargetMeanValue"):
        _catboost_graph._statistic(ctr, {"hash_stride": 3, "hash_map": []}, [None])


def test_too_many_leaves_are_refused(monkeypatch):
    """Such a file would serve nobody."""
    monkeypatch.setattr(_catboost_graph, "MOST_LEAVES", 100)
    with pytest.raises(ExportError, match=r"must have at most 100 leaves, got \d+; lower depth or trees"):
        to_onnx(fitted(make_table()))
