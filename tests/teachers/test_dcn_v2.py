"""Cross layers against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from distillery.export import OnnxModel, measure_parity, to_onnx
from distillery.teachers import DCNv2Spec
from distillery.teachers.dcn_v2 import Cross
from tests.checks import make_table

QUICK = {"embedding": 4, "widths": (8,), "epochs": 15, "batch_size": 32, "learning_rate": 1e-2}


def fitted(table, **fields):
    return DCNv2Spec(**{**QUICK, **fields}).fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)


def test_a_cross_layer_by_hand():
    """x_0 ⊙ (W x + b) + x with W = [[1, 2], [3, 4]], b = (1, -1), x_0 = (2, 5), x = (1, 10)."""
    cross = Cross(2, None)
    with torch.no_grad():
        cross.outer.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        cross.outer.bias.copy_(torch.tensor([1.0, -1.0]))
    z = cross(torch.tensor([[2.0, 5.0]]), torch.tensor([[1.0, 10.0]]))
    assert z.tolist() == [[2 * 22 + 1, 5 * 42 + 10]]


def test_a_thin_layer_is_a_whole_one_with_the_product_of_its_factors():
    """W = U·V; factors that save nothing are not used."""
    thin, whole = Cross(8, 3), Cross(8, None)
    with torch.no_grad():
        whole.outer.weight.copy_(thin.outer.weight @ thin.inner.weight)
        whole.outer.bias.copy_(thin.outer.bias)
    x0, x = torch.randn(2, 5, 8)
    torch.testing.assert_close(thin(x0, x), whole(x0, x))
    assert thin.inner.weight.shape == (3, 8)
    assert Cross(8, 4).inner is None


def test_a_cross_layer_without_weights_hands_its_input_on():
    """Only the sum is left."""
    cross = Cross(4, None)
    torch.nn.init.zeros_(cross.outer.weight)
    torch.nn.init.zeros_(cross.outer.bias)
    x0, x = torch.randn(2, 3, 4)
    torch.testing.assert_close(cross(x0, x), x)


@pytest.mark.parametrize("rank", [None, 2])
@pytest.mark.parametrize("structure", ["parallel", "stacked"])
def test_each_structure_learns_and_exports(structure, rank):
    """Three classes; the file says what the network says."""
    table = make_table(classes=3)
    teacher, test = fitted(table, structure=structure, rank=rank), table.rows("test")
    assert (teacher.predict_proba(test.features).argmax(axis=1) == test.labels).mean() > 0.55
    assert measure_parity(teacher, OnnxModel(to_onnx(teacher).content), test.features).max_difference <= 1e-5


def test_the_two_structures_by_their_parts():
    """Stacked: the tower of the crossed vector; parallel: the tower of the vector, and a matrix times the crossed."""
    x0 = torch.randn(5, 12)
    for structure in ("parallel", "stacked"):
        body = DCNv2Spec(**QUICK, structure=structure, layers=2).body(12, 3).eval()
        x = x0
        for cross in body.crosses:
            x = x0 * (x @ cross.outer.weight.T + cross.outer.bias) + x
        expected = body.tower(x) if structure == "stacked" else body.tower(x0) + x @ body.beside.weight.T
        torch.testing.assert_close(body(x0), expected)


def test_parameters_and_operations_by_hand():
    """Of a table of categories, 10 codes in all: two fields of 4 numbers, two cross layers, a hidden layer of 8."""
    table = make_table(numeric=False)
    whole, thin = fitted(table, epochs=1), fitted(table, epochs=1, rank=2)
    rest = 10 * 4 + (8 * 8 + 8) + (8 + 1) + 8
    assert whole.parameter_count().learnable == rest + 2 * (8 * 8 + 8)
    assert thin.parameter_count().learnable == rest + 2 * (2 * 8 * 2 + 8)
    rows = table.rows("test").features
    assert whole.flops_per_row(rows) == 2 * (8 * 8 + 8 + 8 + 2 * 8 * 8)
    assert np.isclose(whole.flops_per_row(rows) - thin.flops_per_row(rows), 2 * 2 * (64 - 32))
