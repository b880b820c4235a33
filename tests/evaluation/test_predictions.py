"""What every model answered, kept."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from distillery.errors import InputError
from distillery.evaluation import Entry, Predictions, gathered, predicted

FRAME = pd.DataFrame({"a": [0.25, 0.5], "b": [0.0, 0.0]})


def test_each_model_is_asked_once(fake_model):
    """What is gathered is what was predicted, and one that brought its answers is not asked."""
    model, brought = fake_model(), np.full((2, 2), 0.5)
    entries = [Entry("big", "teacher", "toy", "t", model=model), Entry("v/1 ü", "staged", "onnx", "s", proba=brought)]
    entries = predicted(entries, FRAME)
    found = gathered(entries, FRAME, np.array([0, 1]), None, 2)
    assert model.batches == [2]
    np.testing.assert_array_equal(found.of("teacher", "big"), [[0.75, 0.25], [0.5, 0.5]])
    again = Predictions.from_files(found.to_files())
    assert set(again.proba) == {("teacher", "big"), ("staged", "v/1 ü")}
    np.testing.assert_array_equal(again.of("staged", "v/1 ü"), brought)
    assert again.weights is None


def test_the_rounding_of_float32_is_divided_out():
    """As it is where the model is measured."""
    proba = np.array([[0.3, 0.6999], [0.5, 0.5]], dtype=np.float32)
    found = gathered([Entry("m", "student", "k", "s", proba=proba)], FRAME, np.array([0, 1]), np.ones(2), 2)
    np.testing.assert_allclose(found.of("student", "m").sum(axis=1), 1, atol=1e-12)
    np.testing.assert_array_equal(found.weights, [1, 1])


def test_what_is_no_probability_is_named():
    """By role and name."""
    entry = Entry("m", "student", "k", "s", proba=np.full((2, 3), 1 / 3))
    with pytest.raises(InputError, match=re.escape("test probabilities of student 'm' must be of shape (2, 2)")):
        gathered([entry], FRAME, np.array([0, 1]), None, 2)
    found = Predictions(np.array([0]), None, {("teacher", "big"): np.full((1, 2), 0.5)})
    with pytest.raises(InputError, match=re.escape("predictions must be of one of teacher 'big', got student 'x'")):
        found.of("student", "x")
