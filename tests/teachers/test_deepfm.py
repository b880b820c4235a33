"""DeepFM against its formulas, and where it is due to win."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.export import OnnxModel, measure_parity, to_onnx
from distillery.students import LogisticRegressionSpec
from distillery.teachers import DCNv2Spec, DeepFMSpec
from distillery.teachers.deepfm import DeepFM, pairwise_products
from tests.checks import make_table
from tests.test_models import lesson_of


def crossed(n: int = 3000) -> pd.DataFrame:
    """Two columns that say nothing alone: the target is the product of their signs, one row in ten is wrong."""
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 8, n), rng.integers(0, 8, n)
    y = (left % 2 == right % 2) ^ (rng.random(n) < 0.1)
    return pd.DataFrame({"left": [f"l{i}" for i in left], "right": [f"r{i}" for i in right], "y": y.astype(int)})


def test_the_second_order_term_is_the_sum_over_pairs():
    """On random vectors, of one field too, where there are no pairs."""
    for fields in (1, 2, 9):
        v = torch.randn(5, fields, 4, dtype=torch.float64)
        expected = torch.zeros(5, 4, dtype=torch.float64)
        for i, j in combinations(range(fields), 2):
            expected += v[:, i] * v[:, j]
        torch.testing.assert_close(pairwise_products(v), expected)


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_logits_are_the_sum_of_three_parts(outputs):
    """First-order weights, pairs of inner products (for several classes: through a matrix), and the tower."""
    fields, k = 4, 3
    body = DeepFM(fields, k, outputs, (5,), dropout=0.5).eval()
    x = torch.randn(6, fields, outputs + k)
    w, v = x[..., :outputs], x[..., outputs:]
    mix = torch.ones(1, k) if body.mix is None else body.mix.weight
    pairs = sum((v[:, i] * v[:, j]) @ mix.T for i, j in combinations(range(fields), 2))
    expected = w.sum(1) + pairs + body.tower(v.flatten(1))
    torch.testing.assert_close(body(x.flatten(1)), expected)


@pytest.mark.parametrize("spec", [DeepFMSpec, DCNv2Spec], ids=["deepfm", "dcn_v2"])
def test_products_of_columns_are_learned_without_hidden_units(spec):
    """Where a logistic regression guesses; the interactions alone find it, for the dense part is linear."""
    table = build_table(crossed(), Roles(target="y"), SplitSpec(), seed=0)
    test = table.rows("test")
    fit = spec(widths=(), epochs=15, batch_size=128, learning_rate=1e-2).fit
    teacher = fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    linear = LogisticRegressionSpec().fit(lesson_of(table), seed=0)
    ours, theirs = (roc_auc_score(test.labels, m.predict_proba(test.features)[:, 1]) for m in (teacher, linear))
    assert theirs < 0.6
    assert ours > 0.85


def test_parameters_and_operations_by_hand():
    """Of a table of categories: 4 + 2 and 2 + 2 codes, each with a weight and 3 numbers; one hidden layer of 5."""
    table = make_table(numeric=False)
    spec = DeepFMSpec(embedding=3, widths=(5,), epochs=1)
    teacher = spec.fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    tower = (2 * 3 * 5 + 5) + (5 + 1)
    assert teacher.parameter_count().learnable == (6 + 4) * (1 + 3) + tower
    assert teacher.flops_per_row(table.rows("test").features) == 2 * (2 * 3 * 5 + 5)


def test_a_wide_table_exports_exactly():
    """Sixty fields: the difference of large squares is no source of error."""
    rng = np.random.default_rng(0)
    raw = pd.DataFrame(rng.normal(size=(400, 60)).cumsum(axis=1), columns=[f"x{i}" for i in range(60)])
    raw["y"] = (raw["x59"] > raw["x0"]).astype(int)
    table = build_table(raw, Roles(target="y"), SplitSpec(), seed=0)
    spec = DeepFMSpec(widths=(8,), epochs=8, batch_size=32, learning_rate=1e-2)
    teacher = spec.fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    parity = measure_parity(teacher, OnnxModel(to_onnx(teacher).content), table.rows("test").features)
    assert parity.max_difference <= 1e-5
