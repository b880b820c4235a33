"""Every kind of teacher and student takes texts, and the exported student finds its terms as Python does."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from distillery.data import Table, build, text
from distillery.distillation import SoftLabelsSpec, generate_soft_labels
from distillery.distillation.augmentation import ResampleSpec
from distillery.evaluation.importance import measure_importance
from distillery.export import ExportError, OnnxModel, measure_parity, to_onnx
from distillery.networks.settings import FeaturesSpec
from distillery.students import Lesson, LogisticRegressionSpec, MLPSpec, lesson_of, load_student
from distillery.students.torch_student import TorchSpec
from distillery.teachers import LightGBMSpec, load_teacher
from tests.test_models import QUICK, STUDENT_SPECS, TEACHER_SPECS
from tests.texts import ODD_TEXTS, make_texts

OTHERS = {"cnn", "multi_task"}  # an image has no text, and here is one target only
TEACHERS = [kind for kind in TEACHER_SPECS if kind not in OTHERS]
ROUNDING = 1e-6  # where weights lie in memory decides the order in which torch sums wide products
STUDENTS = [kind for kind in STUDENT_SPECS if kind not in OTHERS]


@pytest.fixture(scope="module", autouse=True)
def _few_buckets():
    """Few buckets and terms are enough for few words, and quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "HASHED", 32)
        patch.setattr(build, "TERMS", 12)
        yield


@pytest.fixture(scope="module")
def table() -> Table:
    return make_texts()


@pytest.fixture(scope="module")
def teacher(table):
    spec = TEACHER_SPECS["lightgbm"]
    return spec.fit_on(table.rows("train"), table.rows("valid"), table.schema, seed=0)


@pytest.fixture(scope="module")
def lesson(table, teacher) -> Lesson:
    labels = generate_soft_labels(table, teacher, lambda *_: teacher, SoftLabelsSpec(method="in_sample"), seed=0)
    return lesson_of(table, teacher, labels)


def odd_rows(table: Table) -> pd.DataFrame:
    rows = table.rows("test").features.iloc[[0] * (len(ODD_TEXTS) + 1)].reset_index(drop=True)
    both = pd.Series([*ODD_TEXTS, None], dtype=object)
    return rows.assign(review=both, title=both.iloc[::-1].to_numpy())


@pytest.mark.parametrize("kind", TEACHERS)
def test_every_teacher_reads_texts(table, kind):
    """Better than by the other columns alone, from files the same, on odd texts finite; and it has no ONNX form."""
    spec, test = TEACHER_SPECS[kind], table.rows("test")
    fitted = spec.fit_on(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    proba = fitted.predict_proba(test.features)
    assert roc_auc_score(test.labels, proba[:, 1]) > 0.8
    again = load_teacher(dict(fitted.to_files()))
    np.testing.assert_allclose(again.predict_proba(test.features), proba, atol=ROUNDING)
    assert np.isfinite(fitted.predict_proba(odd_rows(table))).all()
    refused = "must define their ONNX form" if kind == "rechub" else "text 'title' must be read as terms to be exported"
    with pytest.raises(ExportError, match=refused):
        to_onnx(fitted)


@pytest.mark.parametrize("kind", STUDENTS)
def test_every_student_reads_terms(table, lesson, kind):
    """Files and ONNX files, of both forms, say the same, odd texts included."""
    spec, test = STUDENT_SPECS[kind], table.rows("test")
    quick = spec.model_copy(update={"augment": None}) if isinstance(spec, TorchSpec) else spec
    student = quick.fit(lesson, seed=0)
    proba = student.predict_proba(test.features)
    assert roc_auc_score(test.labels, proba[:, 1]) > 0.8
    again = load_student(dict(student.to_files()))
    np.testing.assert_allclose(again.predict_proba(test.features), proba, atol=ROUNDING)
    rows = pd.concat([test.features, odd_rows(table)], ignore_index=True)
    for form in ("columns", "tensors"):
        assert measure_parity(student, student.exported(form), rows).max_difference < 1e-5


def test_the_file_takes_raw_texts(lesson):
    """A term is an input of the network, never of the file; regular expressions need newer operators."""
    exported = LogisticRegressionSpec().fit(lesson, seed=0).exported()
    inputs = [(i.name, i.type) for i in ort.InferenceSession(exported.content).get_inputs()]
    texts = [(name, "tensor(string)") for name in ("shop", "title", "review")]
    assert inputs == [("size", "tensor(double)"), *texts]
    read = OnnxModel(exported.content)
    assert [c.kind for c in read.schema.columns] == ["numeric", "categorical", "text", "text"]


def test_texts_alone_are_enough(table):
    """A single text is a matrix to MLflow; a student of one text and no other column is exported all the same."""
    alone = Table(table.schema.only(["review"]), table.frame)
    teacher = LightGBMSpec(trees=20, min_data_in_leaf=10, threads=1).fit_on(
        alone.rows("train"), alone.rows("valid"), alone.schema, seed=0
    )
    labels = generate_soft_labels(alone, teacher, lambda *_: teacher, SoftLabelsSpec(method="in_sample"), seed=0)
    student = LogisticRegressionSpec().fit(lesson_of(alone, teacher, labels), seed=0)
    for form in ("columns", "tensors"):
        assert measure_parity(student, student.exported(form), alone.rows("test").features).max_difference < 1e-5


def test_a_privileged_text_reaches_the_teacher_only():
    """Neither columns, nor terms, nor inputs of the student know of it."""
    table = make_texts(privileged=("title", "review"))
    teacher = TEACHER_SPECS["lightgbm"].fit_on(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    labels = generate_soft_labels(table, teacher, lambda *_: teacher, SoftLabelsSpec(method="in_sample"), seed=0)
    student = LogisticRegressionSpec().fit(lesson_of(table, teacher, labels), seed=0)
    assert teacher.schema.inputs.names == ["size", "shop", "title", "review"]
    assert student.schema.names == student.schema.inputs.names == ["size", "shop"]
    assert b"love" not in student.exported().content


def test_students_are_taught_rows_with_swapped_texts(lesson):
    """Texts are taken whole from a near row."""
    spec = MLPSpec(widths=(8,), bins=4, augment=ResampleSpec(factor=1, redraws=2), **{**QUICK, "epochs": 3})
    assert len(spec.fit(lesson, seed=0).history) == 3


def test_terms_are_selected_one_by_one(table, lesson):
    """Of two texts' terms the student keeps few, and its file asks only for the raw columns of these."""
    spec = MLPSpec(widths=(8,), bins=4, augment=None, features=FeaturesSpec(at_most=3), **QUICK)
    student = spec.fit(lesson, seed=0)
    assert len(student.selected_features) == 3
    exported = student.exported()
    assert exported.schema.names == student.schema.inputs.names
    assert measure_parity(student, exported, odd_rows(table)).max_difference < 1e-5


def test_a_text_is_as_important_as_its_words(table, teacher):
    """Texts are shuffled whole: importance knows raw columns."""
    test = table.rows("test")
    found = measure_importance(teacher, test.features, test.labels, seed=0, predicted_rows=2000)
    means = {one.name: one.mean for one in found.columns}
    assert set(means) == {"size", "shop", "title", "review"}
    assert means["review"] > max(means["size"], means["shop"])
