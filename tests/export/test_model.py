"""The exported file by itself: its interface, its metadata, what it refuses, and what it says of extremes."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
import pytest
from torch import nn

from distillery.data import Schema
from distillery.data.schema import Column
from distillery.errors import ArtifactError, DataError
from distillery.export import ExportError, OnnxModel, measure_parity, quantized, to_onnx
from distillery.export.graph import FLOAT
from distillery.export.model import INTERFACE
from distillery.students import STUDENTS, LogisticRegressionSpec, MLPSpec
from tests.checks import make_table
from tests.test_models import STUDENT_SPECS, lesson_of, maker


@pytest.fixture(scope="module")
def table():
    return make_table(classes=3)


@pytest.fixture(scope="module")
def student(table):
    spec = MLPSpec(widths=(64, 32), bins=8, epochs=5, batch_size=32, augment=None)
    return spec.fit(lesson_of(table), seed=0)


def test_the_file_names_columns_and_classes(student):
    """Inputs are the raw columns in table order; there is an output for each class."""
    session = ort.InferenceSession(to_onnx(student).content)
    assert [(i.name, i.type) for i in session.get_inputs()] == [
        ("signal", "tensor(double)"),
        ("noise", "tensor(double)"),
        ("zeros", "tensor(double)"),
        ("city", "tensor(string)"),
        ("plan", "tensor(string)"),
    ]
    assert [o.name for o in session.get_outputs()] == ["probability_0", "probability_1", "probability_2"]
    wide = ort.InferenceSession(to_onnx(student, form="tensors").content)
    assert [(i.name, i.shape) for i in wide.get_inputs()] == [("numeric", ["rows", 3]), ("categorical", ["rows", 2])]
    assert [(o.name, o.shape) for o in wide.get_outputs()] == [("probabilities", ["rows", 3])]


def test_the_file_passes_the_checker_and_says_what_it_is(student):
    """Full shape inference; classes, columns and the schema's digest stand in the metadata, and so does a stamp."""
    model = to_onnx(student).stamped({"distillery.scenario": "toy"})
    onnx.checker.check_model(onnx.load_model_from_string(model.content), full_check=True)
    read = OnnxModel(model.content)
    assert (read.schema.classes, read.schema.names) == (student.schema.classes, student.schema.names)
    assert read.schema_digest == student.schema.digest
    assert read.metadata["distillery.scenario"] == "toy"
    assert json.loads(read.metadata[INTERFACE])["form"] == "columns"


def test_two_exports_are_equal(student):
    """Bit for bit, quantized too: what is measured is what is promoted."""
    for how in ("none", "int8", "float16"):
        one, two = (quantized(to_onnx(student), how).content for _ in range(2))
        assert one == two


def test_quantized_files_are_smaller_and_stay_near(table, student):
    """A probability moves by a hundredth at most; alone or among others, a row has one answer."""
    plain, rows = to_onnx(student), table.rows("test").features
    exact = plain.predict_proba(rows)
    eight, sixteen = (quantized(plain, how) for how in ("int8", "float16"))
    assert len(eight.content) < 0.6 * len(plain.content)
    assert len(sixteen.content) < 0.8 * len(plain.content)
    for model, near in ((eight, 0.01), (sixteen, 0.001)):
        proba = model.predict_proba(rows)
        assert 0 < np.abs(proba - exact).max() < near
        np.testing.assert_allclose(model.predict_proba(rows.head(1)), proba[:1], atol=1e-6)
    assert quantized(plain, "none") is plain


def test_what_has_no_layers_cannot_be_quantized():
    """The config says so before anything is trained."""
    with pytest.raises(ValueError, match="quantize must be none for logistic_regression, got int8"):
        LogisticRegressionSpec(quantize="int8")


@pytest.mark.parametrize("kind", STUDENTS.own)
def test_extremes_fed_to_the_file_itself_stay_finite(kind):
    """A server hands infinite numbers straight to the graph: the answer is that of the largest ones."""
    table = maker(STUDENT_SPECS[kind])()
    student = STUDENT_SPECS[kind].fit(lesson_of(table), seed=0)
    model, row = to_onnx(student), table.rows("test").features.head(1)
    for extreme in (np.inf, -np.inf, 1e300):
        feeds = model.feeds(row)
        numeric = [c.name for c in student.schema.numeric]
        feeds |= {name: np.full_like(feeds[name], extreme) for name in numeric}
        given = row.assign(**dict.fromkeys(numeric, extreme))
        (expected,) = student.predict_proba(given)
        np.testing.assert_allclose(np.concatenate(model.run(feeds)).ravel(), expected, atol=1e-5)


def test_extra_columns_play_no_part_and_absent_ones_are_named(table, student):
    """As for the student itself."""
    model, rows = to_onnx(student), table.rows("test").features
    np.testing.assert_array_equal(model.predict_proba(rows.assign(more=1)), model.predict_proba(rows))
    with pytest.raises(DataError, match="column 'city' is missing"):
        model.predict_proba(rows.drop(columns="city"))
    with pytest.raises(DataError, match="column 'noise' must be numeric, got 'much' in row 2"):
        model.predict_proba(rows.astype({"noise": object}).head(4).assign(noise=[1, 2, "much", 3]))


def test_parity_sees_a_difference(table, student):
    """Another student's file is far from this one; one that answers with NaN, or too little, is infinitely far."""
    other = MLPSpec(widths=(8,), bins=0, epochs=1, augment=None).fit(lesson_of(table), seed=1)
    rows = table.rows("test").features
    assert measure_parity(student, to_onnx(other), rows).max_difference > 0.01

    class Wrong:
        def __init__(self, change):
            self.change = change

        def predict_proba(self, frame):
            return self.change(student.predict_proba(frame))

    for change in (lambda p: p * np.nan, lambda p: p[:, :1]):
        assert measure_parity(student, Wrong(change), rows).max_difference == np.inf


@pytest.mark.parametrize("kind", ["/1", ""])
def test_a_name_that_onnx_cannot_hold_is_refused(kind):
    """The checker's complaint becomes an error of ours, so that a run goes on without the file."""
    table = make_table()
    student = STUDENT_SPECS["logistic_regression"].fit(lesson_of(table), seed=0)
    columns = (student.schema.columns[0].model_copy(update={"name": kind}), *student.schema.columns[1:])
    student.schema = student.schema.model_copy(update={"columns": columns})
    with pytest.raises(ExportError, match="columns and categories must be names that ONNX can hold"):
        to_onnx(student)


def test_the_file_knows_which_columns_are_text():
    """A file without types gives 7 for 007: where training saw words, all values are words."""
    columns = (
        Column(name="zip", kind="categorical", categories=("02134", "10001")),
        Column(name="month", kind="categorical", categories=("1", "10", "5")),
        Column(name="member", kind="categorical", categories=("False", "True")),
    )

    class Model:
        schema = Schema(columns=columns, target="y", classes=(0, 1))

        def to_graph(self, raw):
            summed = raw.graph.add("ReduceSum", raw.codes, raw.graph.constant(np.array([1])), keepdims=1)
            return raw.graph.add("Sigmoid", raw.graph.add("Cast", summed, to=FLOAT))

    assert to_onnx(Model()).texts == {"zip"}


@pytest.mark.parametrize("content", [b"", b"no model", onnx.ModelProto().SerializeToString()])
def test_a_foreign_file_is_refused(content):
    """The message says whose file is wanted."""
    with pytest.raises(ArtifactError, match="must be an ONNX model exported by Distillery"):
        OnnxModel(content)


def test_a_column_named_as_an_output_is_refused():
    """ONNX has one space of names."""

    class Model:
        schema = Schema(columns=(Column(name="probability_1", kind="numeric"),), target="y", classes=(0, 1))

    with pytest.raises(ExportError, match="must not be named as an output, got \\['probability_1'\\]"):
        to_onnx(Model())


def test_an_unknown_column_kind_of_layer_is_refused(student):
    """A third party's network may hold layers that have no ONNX form here."""
    network = student.fitted.network
    before = network.body
    network.body = nn.Sequential(*list(before)[:-1], nn.Tanh())
    try:
        with pytest.raises(ExportError, match="a layer must be one that the networks of Distillery have, got Tanh"):
            to_onnx(student)
    finally:
        network.body = before


def test_missing_text_comes_as_none_or_empty(table, student):
    """Both are read as missing, by the student and by its file."""
    row = table.rows("test").features.head(1)
    answers = [to_onnx(student).predict_proba(row.assign(city=value)) for value in (None, np.nan, "", pd.NA)]
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer, answers[0])
