"""The scikit-learn network: when it stops, and what it keeps."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from distillery.errors import TrainingError
from distillery.students import SklearnMLPSpec
from tests.checks import make_table
from tests.test_models import lesson_of

SPEC = SklearnMLPSpec(widths=(8, 4), batch_size=32, epochs=60, patience=3, learning_rate=0.03)
LESSON = lesson_of(make_table())


def test_the_best_epoch_is_kept():
    """The student has the lowest validation log loss of its history, and training stops after `patience`."""
    seen = []
    student = SPEC.fit(LESSON, seed=0, on_epoch=lambda epoch, values: seen.append((epoch, values)))
    losses = [epoch["valid_log_loss"] for epoch in student.history]
    proba = student.predict_proba(LESSON.valid.features)
    assert log_loss(LESSON.valid.labels, proba) == pytest.approx(min(losses), abs=1e-5)
    assert len(losses) == int(np.argmin(losses)) + 1 + 3
    assert seen == list(enumerate(student.history))


def test_weights_that_are_not_finite_stop_training():
    """The message names epoch and learning rate, and what to try."""
    spec = SPEC.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(
        TrainingError, match=r"finite weights, got in epoch 1 at learning rate 1e\+30.*\. Lower learning_rate"
    ):
        spec.fit(LESSON, seed=0)


def test_interrupting_stops_training(monkeypatch):
    """scikit-learn would turn Ctrl-C into a warning and go on with the next epoch."""

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(MLPClassifier, "_backprop", interrupt)
    with pytest.raises(KeyboardInterrupt):
        SPEC.fit(LESSON, seed=0)


def test_parameters_and_flops_match_a_count_by_hand():
    """A layer of in × out has in · out weights and out biases and costs 2 · in · out."""
    student = SPEC.fit(LESSON, seed=0)
    layers = [(4 + 5 + 2, 8), (8, 4), (4, 1)]  # 3 numbers and an indicator; 4 cities and none; 2 plans
    assert student.parameter_count().learnable == sum(a * b + b for a, b in layers)
    assert student.parameter_count().total == student.parameter_count().learnable + 3 + 2 * 4
    assert student.flops_per_row(LESSON.valid.features) == sum(2 * a * b for a, b in layers) + 2 * 4


def test_only_the_weights_are_saved():
    """In float32; Adam's moments and the first weights serve no prediction."""
    large, small = (SPEC.model_copy(update={"widths": (w,), "epochs": 1}).fit(LESSON, seed=0) for w in (512, 8))
    grown = len(large.to_files()["model.skops"]) - len(small.to_files()["model.skops"])
    weights = large.parameter_count().learnable - small.parameter_count().learnable
    assert grown < 1.2 * 4 * weights  # float32
