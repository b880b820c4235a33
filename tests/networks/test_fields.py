"""Raw columns as fields, each with one vector."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from distillery.data import RawEncoder
from distillery.teachers import DCNv2Spec, DeepFMSpec, MLPTeacherSpec, load_teacher
from tests.checks import make_table

QUICK = {"epochs": 2, "batch_size": 32, "widths": (4,), "min_count": 20}


def fitted(table, spec=None):
    spec = spec or DeepFMSpec(embedding=3, bins=4, frequencies=2, **QUICK)
    return spec.fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)


@pytest.fixture(scope="module")
def table():
    return make_table(classes=3)


@pytest.fixture(scope="module")
def teacher(table):
    return fitted(table)


def test_a_category_has_the_vector_of_its_code(table, teacher):
    """What the network looks up is what the table says: known, rare, unseen and missing."""
    rows = table.rows("test").features.head(40).copy()
    rows.loc[rows.index[:3], "city"] = ["Atlantis", None, "Rome"]
    vectors, codes = teacher.field_vectors(rows), RawEncoder(table.schema)(rows)[1]
    for j, column in enumerate(table.schema.categorical):
        own = teacher.field_embeddings()[column.name]
        assert own.shape == (len(column.categories) + RawEncoder.FIRST, 3)
        place = table.schema.names.index(column.name)
        np.testing.assert_array_equal(vectors[:, place], own[codes[:, j]])


def test_a_number_has_the_sum_of_its_components(table, teacher):
    """By hand: a constant, bins, the scaled number, the indicator of a missing one, a sine and a cosine per wave."""
    rows = table.rows("test").features.head(40)
    encoder, vectors = teacher.fitted.network.encoder, teacher.field_vectors(rows)
    with torch.no_grad():
        components = encoder.columns(*teacher.fitted.reading.scaler(rows)).numpy()
    owner = encoder.columns.owner.numpy()
    for j, column in enumerate(table.schema.numeric):
        parts = np.column_stack([np.ones(len(rows)), components[:, owner == j]])
        own = teacher.field_embeddings()[column.name]
        assert own.shape == (parts.shape[1], 3)
        np.testing.assert_allclose(vectors[:, table.schema.names.index(column.name)], parts @ own, atol=1e-5)


def test_a_missing_number_differs_from_the_median(table, teacher):
    """By the vector of its indicator alone; a column that missed none in training fills in the median."""
    rows, names = table.rows("test").features.head(1), table.schema.names
    scaler = teacher.fitted.reading.scaler
    for j, (name, differs) in enumerate({"signal": True, "noise": False}.items()):
        filled, absent = (
            teacher.field_vectors(rows.assign(**{name: value}))[0, names.index(name)]
            for value in (scaler.median[j], None)
        )
        own = teacher.field_embeddings()[name]
        bins = int((teacher.fitted.network.encoder.columns.bins.column == j).sum())
        expected = own[bins + 2] if differs else 0  # behind the constant, the bins and the number
        np.testing.assert_allclose(absent - filled, expected + np.zeros(3), atol=1e-6)


def test_what_training_never_saw_has_the_mean_vector():
    """Without rare categories the unseen ones have the mean of all, by their rows."""
    table = make_table()
    teacher = fitted(table, DeepFMSpec(embedding=3, epochs=1, widths=(4,), min_count=1))
    own = teacher.field_embeddings()["city"]
    codes = RawEncoder(table.schema)(table.rows("train").features)[1]
    j = [column.name for column in table.schema.categorical].index("city")
    np.testing.assert_allclose(own[RawEncoder.UNSEEN], own[codes[:, j]].mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(
    "spec", [DeepFMSpec(frequencies=1, **QUICK), DCNv2Spec(frequencies=1, **QUICK)], ids=lambda spec: spec.kind
)
def test_gradients_reach_every_table(table, spec):
    """Each weight of the network, and each code that a row has."""
    teacher = fitted(table, spec)
    network, inputs = teacher.fitted.network, teacher.fitted.reading(table.rows("train"))
    network(*inputs).square().sum().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert (weight.grad != 0).any(), name
    looked_up = torch.unique(inputs[2])
    assert (network.encoder.columns.table.weight.grad[looked_up] != 0).any(dim=1).all()
    assert (network.encoder.components.grad != 0).any(dim=1).all()


@pytest.mark.parametrize(("shape", "columns"), [({"numeric": False}, 2), ({"categorical": False}, 3)])
def test_columns_of_one_kind_suffice(shape, columns):
    """A table without numbers, and one without categories; a vector for each column, in table order, also when read."""
    table = make_table(**shape)
    teacher = load_teacher(fitted(table).to_files())
    assert list(teacher.field_embeddings()) == table.schema.names
    assert teacher.field_vectors(table.rows("test").features).shape == (table.counts["test"], columns, 3)


def test_a_network_without_fields_says_so(table):
    """It has no vector per column."""
    teacher = fitted(table, MLPTeacherSpec(**QUICK))
    assert teacher.field_embeddings() is None
    assert teacher.field_vectors(table.rows("test").features) is None
