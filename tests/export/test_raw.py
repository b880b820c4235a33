"""Raw columns in a graph are what `RawEncoder` reads of a frame."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest

from distillery.data import Column, RawEncoder, Schema
from distillery.export import Graph, RawColumns
from distillery.export.graph import DOUBLE, FLOAT, INT64, tensor_of
from distillery.export.parity import UNSEEN

FEW = (("None", "b", "nan"), ("a", "b"))
MANY = (tuple(f"a{i:04}" for i in range(3000)), tuple(f"b{i:04}" for i in range(40)))


def schema_of(columns, numeric=2):
    """Categorical columns, one before the numeric ones and the others behind them."""
    texts = [Column(name=f"c{i}", kind="categorical", categories=own) for i, own in enumerate(columns)]
    numbers = [Column(name=f"n{i}", kind="numeric") for i in range(numeric)]
    return Schema(columns=(*texts[:1], *numbers, *texts[1:]), target="y", classes=(0, 1))


def rows_of(schema):
    """Every category once, and what is missing, unseen, empty or near a word for missing."""
    odd = [None, np.nan, "", UNSEEN, "B", " b", "None ", "NA"]
    texts = {c.name: [*c.categories, *odd] for c in schema.categorical}
    n = max([4, *map(len, texts.values())])
    columns = {name: [values[i % len(values)] for i in range(n)] for name, values in texts.items()}
    columns |= {c.name: np.resize([1.5, np.nan, -0.0, 1e300], n) for c in schema.numeric}
    return pd.DataFrame(columns)[schema.names]


def run(schema, form, rows, add):
    """What a graph makes of rows, and how many look-ups of text it has; ``add`` returns a name, a type and a shape."""
    graph = Graph()
    raw = RawColumns(graph, schema, form)
    name, kind, shape = add(raw)
    graph.add("Identity", name)
    graph.name_last(["out"])
    built = graph.build(raw.inputs, [tensor_of("out", kind, "rows", *shape)])
    frame = schema.conform(rows)
    columns = {c.name: frame[c.name].to_numpy(np.float64) for c in schema.numeric}
    columns |= {c.name: frame[c.name].fillna("").to_numpy(object) for c in schema.categorical}
    if form == "tensors":
        kinds = {"numeric": schema.numeric, "categorical": schema.categorical}
        columns = {k: np.stack([columns[c.name] for c in some], axis=1) for k, some in kinds.items() if some}
    elif len(columns) == 1:
        columns = {name: values[:, None] for name, values in columns.items()}
    session = ort.InferenceSession(built.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, columns)[0], sum(node.op_type == "LabelEncoder" for node in built.graph.node)


@pytest.mark.parametrize("form", ["columns", "tensors"])
@pytest.mark.parametrize(
    ("columns", "look_ups"), [(FEW, 1), (MANY, 2), (FEW[:1], 1), (MANY[:1], 1)], ids=["few", "many", "one", "one_large"]
)
def test_codes_are_those_of_the_encoder(columns, look_ups, form):
    """Known, missing, unseen and empty ones, through one look-up of small columns and one each of large ones."""
    schema = schema_of(columns)
    rows = rows_of(schema)
    codes, found = run(schema, form, rows, lambda raw: (raw.codes, INT64, (len(columns),)))
    np.testing.assert_array_equal(codes, RawEncoder(schema)(rows)[1])
    assert found == look_ups


@pytest.mark.parametrize("form", ["columns", "tensors"])
def test_a_category_may_be_called_as_missing_text_is_spelled(form):
    """Where training saw the text "None" or "nan", it is a category, and elsewhere it is missing."""
    schema = schema_of(FEW, numeric=0)
    rows = pd.DataFrame({"c0": ["None", "nan", "<NA>"], "c1": ["None", "nan", "a"]})
    codes, _ = run(schema, form, rows, lambda raw: (raw.codes, INT64, (2,)))
    assert codes.tolist() == [[2, 0], [4, 0], [0, 2]]


@pytest.mark.parametrize("form", ["columns", "tensors"])
@pytest.mark.parametrize("columns", [FEW, MANY], ids=["few", "many"])
def test_a_category_has_its_own_vector(columns, form):
    """`lookup` gives each column's value by code, of any shape."""
    schema = schema_of(columns)
    rows, rng = rows_of(schema), np.random.default_rng(0)
    tables = [rng.normal(size=(size, 3)).astype(np.float32) for size in RawEncoder(schema).cardinalities]
    values, _ = run(schema, form, rows, lambda raw: (raw.lookup(tables), FLOAT, (len(columns), 3)))
    codes = RawEncoder(schema)(rows)[1]
    np.testing.assert_array_equal(values, np.stack([t[codes[:, j]] for j, t in enumerate(tables)], axis=1))


@pytest.mark.parametrize("form", ["columns", "tensors"])
@pytest.mark.parametrize(("columns", "numeric"), [(FEW, 2), ((), 3), ((), 1)])
def test_numbers_are_those_of_the_encoder(columns, numeric, form):
    """float64 to the last bit, NaN for missing, also where there is a single column."""
    schema = schema_of(columns, numeric)
    rows = rows_of(schema)
    numbers, _ = run(schema, form, rows, lambda raw: (raw.numbers, DOUBLE, (numeric,)))
    np.testing.assert_array_equal(numbers, RawEncoder(schema)(rows)[0])
