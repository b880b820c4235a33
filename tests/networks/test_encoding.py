"""How raw columns are encoded for networks."""

from __future__ import annotations

import numpy as np
import torch

from distillery.networks.encoding import MANY_VALUES, PiecewiseLinear, Scaler, quantile_bins, tree_bins
from tests.checks import make_table


def test_bins_are_piecewise_linear_and_saturate():
    """By hand: two bins of widths 2 and 6, each component from 0 before its bin to 1 behind it."""
    encode = PiecewiseLinear([np.array([0.0, 2.0, 8.0])])
    numbers = torch.tensor([[-5.0], [0.0], [1.0], [2.0], [5.0], [99.0]])
    expected = [[0, 0], [0, 0], [0.5, 0], [1, 0], [1, 0.5], [1, 1]]
    assert encode(numbers).tolist() == expected


def test_a_zero_inflated_column_keeps_bins_for_the_rest():
    """Equal quantiles are merged, so no bin has width 0."""
    column = np.concatenate([np.zeros(90), np.arange(1, 11)])[:, None]
    edges = quantile_bins(column, 20)[0]
    assert (np.diff(edges) > 0).all()
    assert edges[0] == 0
    assert edges[-1] == 10


def test_the_mask_marks_only_columns_that_miss_values_in_training():
    """A column that was always there has no indicator whose weight nothing has trained."""
    table = make_table()
    scaler = Scaler.fit(table.schema, table.rows("train").features, min_count=1)
    assert [table.schema.numeric[i].name for i in scaler.indicated] == ["signal"]
    _, mask, _ = scaler(table.rows("test").features.head(2).assign(signal=[None, 1.0]))
    assert mask.tolist() == [[1.0], [0.0]]


def test_a_tree_finds_a_sharp_edge_that_quantiles_miss():
    """One row in fifty lies behind the edge; a bin ends exactly there."""
    column = np.linspace(0, 1, 5000)
    target = (column > 0.98).astype(float)[:, None]
    tree, quantile = (edges[0] for edges in (tree_bins(column[:, None], target, 4), quantile_bins(column[:, None], 4)))
    assert np.abs(tree - 0.98).min() < 1e-3
    assert np.abs(quantile - 0.98).min() > 1e-2


def test_a_tree_resolves_a_zero_inflated_column():
    """Nine rows in ten are zero, and what is above zero still gets its bins."""
    rng = np.random.default_rng(0)
    column = np.where(rng.random(10_000) < 0.9, 0.0, rng.uniform(1, 9, 10_000))
    target = np.where(column > 0, column, 5.0)[:, None]
    edges = tree_bins(column[:, None], target, 8)[0]
    assert (edges > 1).sum() >= 6


def test_columns_that_say_nothing_keep_one_bin():
    """A constant column, and a limit of one bin."""
    assert tree_bins(np.full((50, 1), 3.0), np.zeros((50, 1)), 8)[0].tolist() == [3.0, 4.0]
    assert tree_bins(np.arange(50.0)[:, None], np.arange(50.0)[:, None], 1)[0].tolist() == [0.0, 49.0]


def test_bins_are_placed_by_all_classes():
    """With three classes each edge between two of them is found."""
    column = np.linspace(0, 3, 900)
    classes = np.eye(3)[np.minimum(column.astype(int), 2)]
    edges = tree_bins(column[:, None], classes[:, 1:], 3)[0]
    np.testing.assert_allclose(edges, [0, 1, 2, 3], atol=0.01)


def test_waves_are_for_columns_of_many_values():
    """Bins resolve the others exactly."""
    table = make_table()
    scaler = Scaler.fit(table.schema, table.rows("train").features, min_count=1)
    distinct = table.rows("train").features[[c.name for c in table.schema.numeric]].nunique()
    assert scaler.smooth.tolist() == np.flatnonzero(distinct > MANY_VALUES).tolist()


def test_one_scale_keeps_the_pixels_of_an_image_comparable():
    """Two columns that differ by 1 differ by the same after scaling, whatever their spread."""
    table = make_table(categorical=False)
    scaler = Scaler.fit(table.schema, table.rows("train").features, min_count=1, one_scale=True)
    assert len(set(scaler.scale.tolist())) == len(set(scaler.center.tolist())) == 1
