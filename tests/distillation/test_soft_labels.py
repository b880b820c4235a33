"""Who labels which row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.distillation import SoftLabels, SoftLabelsSpec, generate_soft_labels
from distillery.distillation.soft_labels import to_logits
from tests.terminal import error_terminal


def table_of(**roles):
    """300 rows whose number is their identity."""
    n = 300
    rng = np.random.default_rng(0)
    raw = pd.DataFrame({"id": np.arange(n, dtype=float), "g": rng.integers(0, 60, n), "t": np.arange(n) // 3})
    raw["y"] = rng.integers(0, 2, n)
    return build_table(raw, Roles(target="y", **roles), SplitSpec(), seed=0)


class Memory:
    """Sure of the class 1 for rows it was fitted on, and of 0 for all others."""

    def __init__(self, rows=None):
        self.seen = set() if rows is None else set(rows.features["id"])

    def predict_proba(self, frame):
        known = frame["id"].isin(self.seen).to_numpy(float)
        return np.column_stack([1 - known, known])


def label(table, spec=None, seed=0):
    """Soft labels by teachers that remember their rows."""
    full = Memory(table.rows("train"))
    return generate_soft_labels(table, full, lambda train, _: Memory(train), spec or SoftLabelsSpec(), seed=seed)


def test_folds_are_counted_in_a_terminal():
    """The labels are the same."""
    table = table_of()
    with error_terminal() as terminal:
        counted = label(table)
    assert "cross-fitting:   0%|" in terminal.close()
    assert counted.to_files() == label(table).to_files()


@pytest.mark.parametrize("roles", [{}, {"group": "g"}, {"time": "t"}])
def test_every_training_row_is_labelled_by_a_teacher_that_did_not_see_it(roles):
    """Nobody remembers it."""
    labels = label(table_of(**roles))
    assert (labels.proba("train")[:, 1] < 1e-6).all()
    assert set(labels.fold) == set(range(5))


def test_groups_share_a_fold():
    """Otherwise their labels would leak among themselves."""
    table = table_of(group="g")
    folds = pd.Series(label(table).fold).groupby(table.groups("train")).nunique()
    assert (folds == 1).all()


def test_time_folds_are_consecutive():
    """A fold is one stretch of time."""
    table = table_of(time="t")
    fold = label(table).fold
    times = table.times("train")
    spans = [(times[fold == k].min(), times[fold == k].max()) for k in range(5)]
    assert all(one[1] < two[0] for one, two in zip(sorted(spans), sorted(spans)[1:], strict=False))


def test_in_sample_labels_come_from_the_full_teacher_and_say_so():
    """It remembers every training row."""
    labels = label(table_of(), SoftLabelsSpec(method="in_sample"))
    assert (labels.proba("train")[:, 1] > 1 - 1e-6).all()
    assert labels.method == "in_sample"
    assert set(labels.fold) == {-1}


def test_validation_and_test_are_labelled_by_the_full_teacher():
    """In table order, one row of logits each."""
    table = table_of()
    labels = label(table)
    for split in ("valid", "test"):
        expected = to_logits(Memory(table.rows("train")).predict_proba(table.rows(split).features))
        np.testing.assert_allclose(labels.logits[split], expected, rtol=1e-6)


def test_logits_are_clipped_log_probabilities():
    """Finite where the teacher is certain, and their softmax sums to 1."""
    labels = label(table_of())
    for z in labels.logits.values():
        assert np.isfinite(z).all()
        np.testing.assert_allclose(np.exp(z).sum(axis=1), 1, atol=1e-5)


def test_labels_survive_their_files():
    """Logits, folds and method come back."""
    labels = label(table_of())
    again = SoftLabels.from_files(labels.to_files())
    assert again.method == labels.method
    np.testing.assert_array_equal(again.fold, labels.fold)
    for split, z in labels.logits.items():
        np.testing.assert_array_equal(again.logits[split], z)


def test_the_seed_decides_the_folds():
    """The same one, the same folds."""
    table = table_of()
    np.testing.assert_array_equal(label(table, seed=1).fold, label(table, seed=1).fold)
    assert not np.array_equal(label(table, seed=1).fold, label(table, seed=2).fold)
