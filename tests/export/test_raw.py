"""Raw columns inside a graph: how text is looked up, how missing values are read, what the inputs are called."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest

from distillery.data import RawEncoder, Schema
from distillery.data.schema import Column, bucket_of
from distillery.export import Graph, RawColumns, raw
from distillery.export.graph import DOUBLE, INT64, tensor_of


def schema_of(*columns: Column) -> Schema:
    return Schema(columns=columns, target="y", classes=(0, 1))


MIXED = schema_of(
    Column(name="x", kind="numeric"),
    Column(name="city", kind="categorical", categories=("Kyiv", "Lima", "Oslo")),
    Column(name="plan", kind="categorical", categories=("a", "None")),
    Column(name="z", kind="numeric"),
)
ROWS = pd.DataFrame(
    {
        "x": [1.0, np.nan, 3.0, -1e300],
        "city": ["Oslo", "", "Atlantis", "Kyiv"],
        "plan": ["None", "a", "", "b"],
        "z": [0.5, 1.5, np.nan, 2.5],
    }
)


def run(schema: Schema, rows: pd.DataFrame, part: str, kind: int, form: str) -> np.ndarray:
    """Run a graph that gives numbers or codes only."""
    graph = Graph()
    columns = RawColumns(graph, schema, form)
    graph.add("Identity", getattr(columns, part))
    graph.name_last(["out"])
    wanted = schema.numeric if part == "numbers" else schema.categorical
    model = graph.build(columns.inputs, [tensor_of("out", kind, "rows", len(wanted))])
    arrays = {c.name: rows[c.name].to_numpy(float if c.kind == "numeric" else object) for c in schema.columns}
    if form == "tensors":
        names = {"numeric": [c.name for c in schema.numeric], "categorical": [c.name for c in schema.categorical]}
        arrays = {kind: np.stack([arrays[n] for n in group], axis=1) for kind, group in names.items()}
    elif len(arrays) == 1:
        arrays = {name: values[:, None] for name, values in arrays.items()}
    given = {i.name for i in columns.inputs}
    session = ort.InferenceSession(model.SerializeToString())
    return session.run(None, {name: values for name, values in arrays.items() if name in given})[0]


@pytest.mark.parametrize("form", ["columns", "tensors"])
@pytest.mark.parametrize("shared_bytes", [0, 1_000_000])
def test_codes_are_those_of_the_encoder(form, shared_bytes, monkeypatch):
    """One look-up for all columns or one for each: seen, unseen and missing texts have the codes of training."""
    monkeypatch.setattr(raw, "SHARED_BYTES", shared_bytes)
    codes = run(MIXED, ROWS, "codes", INT64, form)
    np.testing.assert_array_equal(codes, RawEncoder(MIXED)(ROWS)[1])


@pytest.mark.parametrize("form", ["columns", "tensors"])
@pytest.mark.parametrize("shared_bytes", [0, 1_000_000])
@pytest.mark.parametrize("hashed", [{"city"}, {"city", "plan"}])
def test_hashed_texts_have_the_codes_of_the_encoder(form, shared_bytes, hashed, monkeypatch):
    """Beside columns without buckets and with other columns' words among the unseen; any script, any length."""
    monkeypatch.setattr(raw, "SHARED_BYTES", shared_bytes)
    columns = [c.model_copy(update={"buckets": 3 + len(c.name)}) if c.name in hashed else c for c in MIXED.columns]
    new = [f"id {i}" for i in range(30)] + ["a", "Oslo", "\N{SNOWMAN}", "\u4e2d\u6587", "x" * 99, ""]
    rows = pd.DataFrame({"x": 1.0, "city": new, "plan": new[::-1], "z": 2.0})
    schema = schema_of(*columns)
    np.testing.assert_array_equal(run(schema, rows, "codes", INT64, form), RawEncoder(schema)(rows)[1])


def test_words_are_hashed_at_once_and_categories_not_at_all(monkeypatch):
    """A table of many ids would take minutes one by one."""
    asked = []

    def counting(texts, buckets):
        asked.append(sorted(texts))
        return bucket_of(texts, buckets)

    monkeypatch.setattr(raw, "bucket_of", counting)
    columns = [c.model_copy(update={"buckets": 5 if c.categories else 0}) for c in MIXED.columns]
    RawColumns(Graph(), schema_of(*columns), "columns").lookup([np.arange(10), np.arange(9)])
    city, plan = asked
    assert not {"Kyiv", "Lima", "Oslo"} & set(city)
    assert {"Kyiv", "Lima", "Oslo"} < set(plan)


def test_a_single_hashed_column():
    """As a matrix, and without any category of its own."""
    only = schema_of(Column(name="x", kind="categorical", buckets=7))
    rows = pd.DataFrame({"x": ["b", "c", "", "b"]})
    np.testing.assert_array_equal(run(only, rows, "codes", INT64, "columns"), RawEncoder(only)(rows)[1])


@pytest.mark.parametrize("form", ["columns", "tensors"])
def test_numbers_keep_their_order_and_their_missing_values(form):
    """Columns between others come out in the schema's order; NaN stays NaN, large numbers stay large."""
    numbers = run(MIXED, ROWS, "numbers", DOUBLE, form)
    np.testing.assert_array_equal(numbers, ROWS[["x", "z"]].to_numpy())


def test_what_python_spells_for_missing_is_missing_unless_it_is_a_category():
    """ONNX Runtime reads None as the text None; where training saw that text, it is a category."""
    rows = ROWS.assign(city=[None, "nan", "<NA>", "None"], plan=["None", "nan", "", "a"])
    codes = run(MIXED, rows, "codes", INT64, "columns")
    assert codes[:, 0].tolist() == [RawEncoder.MISSING] * 4
    assert codes[:, 1].tolist() == [3, RawEncoder.MISSING, RawEncoder.MISSING, 2]


@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_a_single_column_is_a_matrix(kind):
    """MLflow hands the only column of a frame over as a matrix of one column."""
    only = schema_of(Column(name="x", kind=kind, categories=("a", "b") if kind == "categorical" else ()))
    columns = RawColumns(Graph(), only, "columns")
    assert [d.dim_param or d.dim_value for d in columns.inputs[0].type.tensor_type.shape.dim] == ["rows", 1]
    if kind == "numeric":
        assert run(only, pd.DataFrame({"x": [1.0, 2.0]}), "numbers", DOUBLE, "columns").tolist() == [[1.0], [2.0]]
    else:
        assert run(only, pd.DataFrame({"x": ["b", "c"]}), "codes", INT64, "columns").tolist() == [[3], [1]]


def test_vectors_can_be_looked_up():
    """A table may hold a vector per code."""
    graph = Graph()
    columns = RawColumns(graph, MIXED, "columns")
    tables = [np.arange(10.0).reshape(5, 2), 100 + np.arange(8.0).reshape(4, 2)]
    columns.lookup(tables)
    graph.name_last(["out"])
    text = [i for i in columns.inputs if i.name in ("city", "plan")]
    model = graph.build(text, [tensor_of("out", DOUBLE, "rows", 2, 2)])
    feeds = {"city": np.array(["Kyiv", "?"], object), "plan": np.array(["a", ""], object)}
    (found,) = ort.InferenceSession(model.SerializeToString()).run(None, feeds)
    assert found.tolist() == [[[4, 5], [104, 105]], [[2, 3], [100, 101]]]
