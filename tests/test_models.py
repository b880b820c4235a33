"""Every kind of both tables passes every common check."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distillery.data import Table
from distillery.distillation.soft_labels import to_logits
from distillery.students import (
    STUDENTS,
    BoostedSpec,
    CNNSpec,
    DecisionTreeSpec,
    FactorizedMLPSpec,
    Labeller,
    Lesson,
    LightCTRSpec,
    LogisticRegressionSpec,
    MLPSpec,
    MultiTaskSpec,
    SklearnMLPSpec,
    SVMSpec,
    load_student,
)
from distillery.teachers import (
    TEACHERS,
    CatBoostSpec,
    CNNTeacherSpec,
    DCNv2Spec,
    DeepFMSpec,
    EnsembleSpec,
    LightGBMSpec,
    MLPTeacherSpec,
    MultiTaskTeacherSpec,
    RandomForestSpec,
    RechubSpec,
    XGBoostSpec,
    load_teacher,
)
from tests.checks import Case, all_checks, check_exported_file_agrees, make_funnel, make_image, make_table
from tests.terminal import error_terminal, screen

QUICK: dict[str, Any] = {"epochs": 15, "batch_size": 32, "learning_rate": 1e-2}
FEW: dict[str, Any] = {**QUICK, "epochs": 8, "learning_rate": 2e-2}
IMAGE: dict[str, Any] = {"shape": (1, 1, 3), "channels": (4,), "units": 16}
TEACHER_SPECS = {
    "xgboost": XGBoostSpec(trees=60, patience=20, learning_rate=0.2, depth=4, threads=1, min_child_weight=1),
    "lightgbm": LightGBMSpec(trees=60, learning_rate=0.2, num_leaves=7, min_data_in_leaf=10, threads=1),
    "catboost": CatBoostSpec(trees=60, learning_rate=0.2, depth=4, threads=1),
    "random_forest": RandomForestSpec(trees=20, threads=1),
    "ensemble": EnsembleSpec(
        members=(
            XGBoostSpec(trees=30, learning_rate=0.3, depth=3, threads=1, min_child_weight=1),
            LightGBMSpec(trees=30, learning_rate=0.3, num_leaves=7, min_data_in_leaf=10, threads=1),
        )
    ),
    "mlp": MLPTeacherSpec(widths=(16,), bins=8, **QUICK),
    "cnn": CNNTeacherSpec(**IMAGE, **QUICK),
    "deepfm": DeepFMSpec(embedding=4, widths=(16,), bins=8, frequencies=1, **QUICK),
    "dcn_v2": DCNv2Spec(embedding=4, widths=(16,), rank=4, bins=8, **QUICK),
    "rechub": RechubSpec(embedding=4, widths=(16,), bins=8, **QUICK | {"epochs": 6}),
    "multi_task": MultiTaskTeacherSpec(widths=(16, 8), tower=(8,), bins=8, **FEW),
}
STUDENT_SPECS = {
    "logistic_regression": LogisticRegressionSpec(),
    "mlp": MLPSpec(widths=(16,), bins=8, **QUICK),
    "factorized_mlp": FactorizedMLPSpec(widths=(16,), rank=4, **QUICK),
    "light_ctr": LightCTRSpec(widths=(16,), bins=8, epochs=8, batch_size=32, learning_rate=1e-2),
    "cnn": CNNSpec(**IMAGE, **QUICK),
    "svm": SVMSpec(kernel="rbf", landmarks=64),
    "sklearn_mlp": SklearnMLPSpec(widths=(8,), batch_size=32, epochs=15, learning_rate=1e-2),
    "decision_tree": DecisionTreeSpec(),
    "boosted": BoostedSpec(trees=30, threads=1),
    "multi_task": MultiTaskSpec(architecture="esmm", widths=(16,), tower=(8,), bins=8, augment=None, **FEW),
}


def maker(spec: Any) -> Any:
    """What makes tables that this kind takes."""
    return {"cnn": make_image, "multi_task": make_funnel}.get(spec.kind, make_table)


def teacher_case(spec: Any) -> Case:
    """A teacher is fitted on all columns of the training split."""

    def fit(table: Table, seed: int) -> Any:
        return spec.fit(table.rows("train"), table.rows("valid"), table.schema, seed=seed)

    return Case(fit, load_teacher, maker(spec))


def lesson_of(table: Table) -> Lesson:
    """A lesson whose teacher is right, and fairly sure."""
    train = table.rows("train")
    k = table.schema.n_classes
    soft = np.full((len(train), k), 0.2 / (k - 1))
    soft[np.arange(len(train)), train.labels] = 0.8
    logits = np.log(soft).astype(np.float32)

    teacher = XGBoostSpec(trees=5, learning_rate=0.5, threads=1).fit(train, table.rows("valid"), table.schema, seed=0)

    def label(frame: pd.DataFrame) -> np.ndarray:
        return to_logits(teacher.predict_proba(frame)).astype(np.float32)

    labeller = Labeller(table.schema, train.features, label)
    return Lesson(table.schema, train, table.rows("valid"), logits, labeller=labeller)


def student_case(spec: Any) -> Case:
    """A student is fitted on a lesson."""
    return Case(lambda table, seed: spec.fit(lesson_of(table), seed=seed), load_student, maker(spec))


def marks(kind: str, check: Any) -> list[Any]:
    """Why a kind does not pass a check."""
    if kind != "rechub":
        return []
    absent = pytest.mark.skipif(find_spec("torch_rechub") is None, reason="the extra `rechub` is not installed")
    refused = pytest.mark.skipif(check is check_exported_file_agrees, reason="it is refused; see test_rechub.py")
    return [absent, refused]


CASES = [
    pytest.param(make(spec), check, id=f"{kind}-{check.__name__}", marks=marks(kind, check))
    for specs, make in ((TEACHER_SPECS, teacher_case), (STUDENT_SPECS, student_case))
    for kind, spec in specs.items()
    for check in all_checks()
]


@pytest.mark.parametrize(("case", "check"), CASES)
def test_common(case, check):
    """See the check's own docstring."""
    check(case)


@pytest.mark.parametrize(
    ("kind", "titles"),
    [
        ("xgboost", {"boosting xgboost"}),
        ("lightgbm", {"boosting lightgbm"}),
        ("catboost", {"boosting catboost"}),
        ("random_forest", {"growing trees"}),
        ("ensemble", {"ensemble", "boosting xgboost", "boosting lightgbm"}),
        ("mlp", {"training"}),
    ],
)
def test_long_fits_show_bars(kind, titles):
    """What is going on, and the time left."""
    with error_terminal() as terminal:
        teacher_case(TEACHER_SPECS[kind]).fit(make_table(), 0)
    text = terminal.close()
    assert {title for title in titles if f"{title}:   0%" in text and "<" in text} == titles
    assert set(screen(text)) == {""}


def test_every_kind_is_checked():
    """A new kind is checked, or this fails."""
    assert set(STUDENT_SPECS) == set(STUDENTS.own)
    assert set(TEACHER_SPECS) == set(TEACHERS.own) - {"registered"}  # fitted elsewhere; checked in its own tests
