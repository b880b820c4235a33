"""Tables of unusual shape: a single number, a class that training never saw, more categories than fit one table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from distillery.data import Table
from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.export import measure_parity, to_onnx
from distillery.students import LogisticRegressionSpec, MLPSpec, SVMSpec
from distillery.teachers import CatBoostSpec, LightGBMSpec, RandomForestSpec, XGBoostSpec
from tests.test_models import STUDENT_SPECS, lesson_of

QUICK = {"epochs": 5, "batch_size": 64, "augment": None}


def table_of(raw: pd.DataFrame, labels: np.ndarray) -> Table:
    return build_table(raw.assign(y=labels), Roles(target="y"), SplitSpec(), seed=0)


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside a category"])
@pytest.mark.parametrize(
    "spec", [SVMSpec(kernel="rbf", landmarks=32), SVMSpec(), LogisticRegressionSpec(), MLPSpec(widths=(8,), **QUICK)]
)
def test_a_single_number(spec, beside):
    """ONNX Runtime rewrites products with one element; the answer stays the same."""
    rng = np.random.default_rng(0)
    raw = pd.DataFrame({"x": rng.lognormal(5, 2, 600)})
    if beside:
        raw["city"] = rng.choice(["Oslo", "Lima"], 600)
    table = table_of(raw, (raw["x"] > raw["x"].median()).astype(int).to_numpy())
    student = spec.fit(lesson_of(table), seed=0)
    assert measure_parity(student, to_onnx(student), table.rows("test").features).max_difference <= 1e-5


@pytest.mark.parametrize(
    "spec",
    [
        CatBoostSpec(trees=20, threads=1),
        LightGBMSpec(trees=20, threads=1),
        XGBoostSpec(trees=20, threads=1),
        RandomForestSpec(trees=5, threads=1),
    ],
    ids=lambda spec: spec.kind,
)
def test_a_class_that_training_never_saw(spec):
    """Its column is there, and says what the teacher says."""
    rng = np.random.default_rng(0)
    raw = pd.DataFrame({"x": rng.normal(size=800), "city": rng.choice(["Oslo", "Lima"], 800)})
    table = table_of(raw, np.digitize(raw["x"], [-0.7, 0.0, 0.7]))
    train = table.rows("train")
    seen = train.take(np.flatnonzero(train.labels != 2))
    valid = table.rows("valid")
    teacher = spec.fit(seen, valid.take(np.flatnonzero(valid.labels != 2)), table.schema, seed=0)
    assert measure_parity(teacher, to_onnx(teacher), table.rows("test").features).max_difference <= 1e-5


@pytest.mark.parametrize("kind", ["mlp", "logistic_regression", "svm", "sklearn_mlp", "decision_tree", "boosted"])
def test_hundreds_of_categories(kind):
    """Columns then have look-ups of their own."""
    rng = np.random.default_rng(0)
    shops = [f"shop {i}" for i in range(700)]
    raw = pd.DataFrame({name: rng.choice(shops, 3000) for name in ("first", "second")}).assign(x=rng.normal(size=3000))
    table = table_of(raw, (raw["x"] + raw["first"].isin(shops[:300]) > 0.5).astype(int).to_numpy())
    student = STUDENT_SPECS[kind].fit(lesson_of(table), seed=0)
    assert measure_parity(student, to_onnx(student), table.rows("test").features).max_difference <= 1e-5
