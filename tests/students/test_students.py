"""What only one kind of student does, and what the teacher does to all of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import skops.io as sio
import torch
from safetensors.torch import load as load_tensors
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from distillery.data import Table, skops_file
from distillery.distillation.soft_labels import to_logits
from distillery.errors import ArtifactError, TrainingError
from distillery.students import Labeller, Lesson, LogisticRegressionSpec, MLPSpec
from distillery.students._sklearn import target_shares, weighted_rows
from distillery.teachers import XGBoostSpec
from tests.checks import make_table
from tests.test_models import STUDENT_SPECS, maker

FAST = MLPSpec(widths=(8,), bins=4, epochs=6, batch_size=64, learning_rate=1e-2, dropout=0.0, augment=None)


def doubtful_lesson(make) -> tuple[Table, Lesson]:
    """Hard labels are flipped for a third of the rows; the teacher knows better, and of new rows too."""
    table = make()
    train, valid = table.rows("train"), table.rows("valid")
    rng = np.random.default_rng(0)
    truth = train.labels
    noisy = np.where(rng.random(len(truth)) < 0.33, 1 - truth, truth)
    z = np.stack([-2.0 * (2 * truth - 1), 2.0 * (2 * truth - 1)], axis=1)
    soft = np.log(softmax(z, axis=1)).astype(np.float32)
    teacher = XGBoostSpec(trees=30, threads=1).fit(train, valid, table.schema, seed=0)
    labeller = Labeller(table.schema, train.features, lambda rows: to_logits(teacher.predict_proba(rows)).astype("f4"))
    return table, Lesson(table.schema, dataclasses.replace(train, labels=noisy), valid, soft, labeller=labeller)


@pytest.fixture(scope="module")
def lesson():
    """On a table of all kinds of columns."""
    return doubtful_lesson(make_table)


@pytest.mark.parametrize("spec", STUDENT_SPECS.values(), ids=STUDENT_SPECS)
def test_the_teacher_is_followed_and_the_control_is_not(spec):
    """Where the teacher knows better than the labels, its student beats the control."""
    table, given = doubtful_lesson(maker(spec))
    test = table.rows("test")
    taught = spec.model_copy(update={"alpha": 1.0}).fit(given, seed=0)
    control = spec.control().fit(given, seed=0)
    losses = [log_loss(test.labels, m.predict_proba(test.features)) for m in (taught, control)]
    assert losses[0] < losses[1] - 0.03


@pytest.mark.parametrize("spec", STUDENT_SPECS.values(), ids=STUDENT_SPECS)
def test_a_control_never_sees_the_teacher(spec):
    """Other soft labels and another opinion of new rows, same control."""
    table, given = doubtful_lesson(maker(spec))
    other = dataclasses.replace(given, soft=given.soft[::-1].copy(), valid_soft=None, labeller=None)
    rows = table.rows("test").features
    one, two = (spec.control().fit(g, seed=0).predict_proba(rows) for g in (given, other))
    np.testing.assert_array_equal(one, two)


def test_alpha_moves_the_student_toward_the_teacher(lesson):
    """Agreement with the teacher's opinion on training rows rises with its weight."""
    _, given = lesson
    wanted = given.soft.argmax(axis=1)
    right = [
        (
            LogisticRegressionSpec(alpha=a).fit(given, seed=0).predict_proba(given.train.features).argmax(1) == wanted
        ).mean()
        for a in (0.0, 1.0)
    ]
    assert right[1] > right[0]


def test_weighted_rows_sum_to_one_and_small_weights_are_dropped(lesson):
    """Each row enters once per class with α · p + (1 − α) · [y = k]."""
    _, given = lesson
    row, label, weight = weighted_rows(given, target_shares(given, alpha=0.7, hard_weight=0.3))
    np.testing.assert_allclose(np.bincount(row, weight), 1, atol=1e-3)
    share = 0.7 * softmax(given.soft.astype(float), axis=1) + 0.3 * np.eye(2)[given.train.labels]
    np.testing.assert_allclose(weight, share[row, label])
    assert weight.min() >= 1e-3
    sure = dataclasses.replace(given, soft=np.log(np.array([[1e-6, 1 - 1e-6]] * len(given.train))))
    assert len(weighted_rows(sure, target_shares(sure, alpha=1.0, hard_weight=0.0))[0]) == len(given.train)


def test_a_fit_that_does_not_converge_is_refused(lesson):
    """With what to do about it."""
    with pytest.raises(TrainingError, match="no convergence after 1 iterations; raise max_iterations or lower c"):
        LogisticRegressionSpec(max_iterations=1).fit(lesson[1], seed=0)


def test_untrusted_types_are_refused():
    """A skops file may name any class; only those on the list are loaded."""

    class Trap(LogisticRegression):
        """Code of somebody else's."""

    with pytest.raises(ArtifactError, match=r"must hold trusted types only, got .*Trap"):
        skops_file.load(sio.dumps(Trap()))


def test_the_best_epoch_is_kept(lesson):
    """Without soft labels on validation rows it has the lowest log loss on them; training stops after `patience`."""
    table, given = lesson
    spec = FAST.model_copy(update={"epochs": 60, "patience": 3, "learning_rate": 0.05})
    seen = []
    student = spec.fit(given, seed=0, on_epoch=lambda epoch, values: seen.append((epoch, values)))
    losses = [epoch["valid_log_loss"] for epoch in student.history]
    valid = table.rows("valid")
    assert log_loss(valid.labels, student.predict_proba(valid.features)) == pytest.approx(min(losses), abs=1e-5)
    assert len(losses) == int(np.argmin(losses)) + 1 + 3
    assert seen == list(enumerate(student.history))


def test_a_loss_that_is_not_finite_stops_training(lesson):
    """The message names epoch and learning rate, and what to try."""
    spec = FAST.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(
        TrainingError, match=r"must be finite, got (nan|inf) in step \d+ of epoch \d+ at learning rate .*; lower"
    ):
        spec.fit(lesson[1], seed=0)


def test_another_seed_gives_another_network(lesson):
    """The seed decides the weights."""
    table, given = lesson
    rows = table.rows("test").features
    one, two = (FAST.fit(given, seed=seed).predict_proba(rows) for seed in (0, 1))
    assert not np.array_equal(one, two)


def test_training_leaves_the_global_random_state_alone(lesson):
    """A student is no side effect on the caller's numbers."""
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    FAST.fit(lesson[1], seed=0)
    assert torch.rand(1) == expected


def test_parameters_and_flops_match_a_count_by_hand(lesson):
    """Every learned number in the file is counted once; a layer of in × out costs 2 · in · out."""
    student = FAST.fit(lesson[1], seed=0)
    tensors = load_tensors(student.to_files()["weights.safetensors"])
    learned = sum(t.numel() for n, t in tensors.items() if n.startswith("network."))
    assert student.parameter_count().learnable == learned
    assert student.parameter_count().total == learned + tensors["edges"].numel() + 3 * 3
    shapes = [t.shape for n, t in tensors.items() if n.startswith("network.body") and t.ndim == 2]
    assert student.flops_per_row(lesson[0].rows("test").features) == sum(2 * a * b for a, b in shapes)


def test_rare_and_unseen_categories_share_one_vector(lesson):
    """So that the vector of the unseen has been trained."""
    table, given = lesson
    student = FAST.model_copy(update={"min_count": 40}).fit(given, seed=0)  # Rome has fewer rows
    rows = table.rows("test").features
    np.testing.assert_array_equal(
        student.predict_proba(rows.assign(city="Rome")), student.predict_proba(rows.assign(city="Atlantis"))
    )
