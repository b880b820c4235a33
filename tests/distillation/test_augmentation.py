"""Resampled rows stay within what training showed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.distillation.augmentation import Resampler, ResampleSpec
from tests.checks import make_table


def drawn(table, **settings):
    """One draw from the training rows of a table."""
    rows = table.rows("train").features
    return Resampler(table.schema, rows, ResampleSpec(**settings), seed=0).draw()


def test_as_many_rows_as_asked_in_the_columns_of_the_schema():
    """``factor`` new rows per real one."""
    table = make_table()
    rows = drawn(table, factor=2.5)
    assert len(rows) == round(2.5 * table.counts["train"])
    assert set(rows.index) == set(range(table.counts["train"]))  # which row each stems from
    assert list(rows.columns) == table.schema.names


@pytest.mark.parametrize("move", [0.0, 0.5, 1.0])
def test_categories_stay_valid_and_nothing_goes_missing(move):
    """Every category was seen in training, and a column without gaps has none afterwards."""
    table = make_table()
    real, rows = table.rows("train").features, drawn(table, move=move, swap=0.5)
    for column in table.schema.categorical:
        assert set(rows[column.name].dropna()) <= set(column.categories)
    gaps = real.columns[real.isna().any()]
    assert rows.columns[rows.isna().any()].isin(gaps).all()
    assert rows["city"].notna().mean() > 0.8  # a tenth is missing in the real rows
    assert rows["plan"].notna().all()


def test_numbers_stay_in_range_and_integers_whole():
    """Moving goes from one real value toward another."""
    raw = pd.DataFrame({"count": np.arange(200) % 17, "size": np.linspace(-1, 1, 200), "y": np.arange(200) % 2})
    table = build_table(raw, Roles(target="y"), SplitSpec(), seed=0)
    rows = drawn(table, move=1.0, swap=1.0, factor=5)
    assert (rows["count"] == rows["count"].round()).all()
    for column in table.schema.numeric:
        assert rows[column.name].between(column.lower, column.upper).all()


def test_without_moving_every_value_is_a_real_one():
    """Zeros stay zeros, and edges sharp."""
    table = make_table()
    real, rows = table.rows("train").features, drawn(table, move=0.0)
    for name in real.columns:
        assert rows[name].dropna().isin(real[name]).all()


def test_rows_are_new_and_near():
    """Most differ from every real row, and a taken value comes from a row that is alike."""
    rng = np.random.default_rng(0)
    side = rng.integers(2, size=600)
    raw = pd.DataFrame({"a": side * 10 + rng.normal(size=600), "b": side * 10 + rng.normal(size=600), "y": side})
    table = build_table(raw, Roles(target="y"), SplitSpec(), seed=0)
    rows = drawn(table, move=0.0, swap=0.5)
    assert ((rows["a"] > 5) == (rows["b"] > 5)).all()
    real = set(map(tuple, table.rows("train").features.to_numpy()))
    assert np.mean([tuple(row) in real for row in rows.to_numpy()]) < 0.6


def test_privileged_columns_stay_consistent_with_each_other():
    """They are taken together or not at all, and go the same way."""
    rng = np.random.default_rng(0)
    known = rng.normal(size=300)
    raw = pd.DataFrame({"x": rng.normal(size=300), "p": known, "q": known * 2, "y": np.arange(300) % 2})
    table = build_table(raw, Roles(target="y", privileged=("p", "q")), SplitSpec(), seed=0)
    rows = drawn(table, swap=0.5)
    np.testing.assert_allclose(rows["q"], 2 * rows["p"])


def test_each_draw_differs_and_a_seed_repeats_them():
    """So that every epoch sees new rows, and every run the same."""
    table = make_table()
    one, two = (Resampler(table.schema, table.rows("train").features, ResampleSpec(), seed=seed) for seed in (0, 0))
    first, second = one.draw(), one.draw()
    assert not first.equals(second)
    pd.testing.assert_frame_equal(two.draw(), first)


def test_a_column_that_training_never_saw_stays_missing():
    """It says nothing about nearness."""
    table = make_table()
    rows = table.rows("train").features.assign(zeros=np.nan)
    new = Resampler(table.schema, rows, ResampleSpec(), seed=0).draw()
    assert new["zeros"].isna().all()
    assert new["plan"].notna().all()
