"""Squared logits, decoupled distillation, and weights of the two parts, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from distillery.distillation.losses import (
    decoupled_divergence,
    distillation_loss,
    soft_cross_entropy,
    squared_logit_error,
)

RNG = np.random.default_rng(0)
STUDENT, TEACHER = (torch.tensor(RNG.normal(size=(6, 4))) for _ in range(2))
Y = torch.tensor([0, 1, 2, 3, 0, 1])


def test_squared_logits_are_the_variance_of_the_difference():
    """By NumPy, and whatever constant is added to a row."""
    expected = np.var((STUDENT - TEACHER).numpy(), axis=1)
    np.testing.assert_allclose(squared_logit_error(STUDENT + 3, TEACHER - 5), expected)


def test_squared_logits_of_two_classes_are_a_quarter_of_the_squared_margin():
    """Log p(1) − log p(0) is the margin."""
    student, teacher = torch.tensor([[0.0, 3.0]]), torch.tensor([[1.0, 2.0]])
    assert squared_logit_error(student, teacher).item() == pytest.approx((3 - 1) ** 2 / 4)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_decoupled_is_the_divergence_where_beta_is_the_teachers_doubt(temperature):
    """Zhao et al. (2022), equation 6: KL = binary part + (1 − p_t) · rest, with the teacher's p_t of the true class."""
    doubt = 1 - F.softmax(TEACHER / temperature, dim=1)[torch.arange(6), Y]
    for i in range(6):
        row = slice(i, i + 1)
        got = decoupled_divergence(STUDENT[row], TEACHER[row], Y[row], temperature=temperature, beta=doubt[i].item())
        torch.testing.assert_close(got, soft_cross_entropy(STUDENT[row], TEACHER[row], temperature=temperature))


def test_decoupled_needs_three_classes():
    """With two nothing is left to share among the others."""
    z = torch.zeros(1, 2)
    with pytest.raises(ValueError, match="dkd must have at least 3 classes, got 2; use kl"):
        decoupled_divergence(z, z, torch.tensor([1]), temperature=1.0, beta=2.0)


def test_beta_weighs_how_the_rest_is_shared():
    """The loss is linear in it, and falls to the binary part at 0."""
    losses = [decoupled_divergence(STUDENT, TEACHER, Y, temperature=2.0, beta=b) for b in (0.0, 1.0, 2.0)]
    torch.testing.assert_close(losses[2] - losses[1], losses[1] - losses[0])
    assert (losses[1] > losses[0]).all()


@pytest.mark.parametrize(
    ("kind", "soft"),
    [
        ("kl", soft_cross_entropy(STUDENT, TEACHER, temperature=2.0)),
        ("mse_logits", squared_logit_error(STUDENT, TEACHER)),
        ("dkd", decoupled_divergence(STUDENT, TEACHER, Y, temperature=2.0, beta=3.0)),
    ],
)
def test_soft_and_hard_part_have_weights_of_their_own(kind, soft):
    """α · soft + hard_weight · cross entropy, whichever soft loss it is."""
    hard = F.cross_entropy(STUDENT, Y, reduction="none")
    got = distillation_loss(STUDENT, TEACHER, Y, alpha=0.7, hard_weight=0.5, temperature=2.0, kind=kind, beta=3.0)
    torch.testing.assert_close(got, (0.7 * soft + 0.5 * hard).mean())


def test_each_row_may_have_its_own_weights():
    """Resampled rows have no hard label: α 1 and hard weight 0 there."""
    real = torch.tensor([1.0, 1, 1, 0, 0, 0], dtype=torch.float64)
    got = distillation_loss(STUDENT, TEACHER, Y, alpha=1 - real * 0.3, hard_weight=real * 0.3, temperature=1.0)
    soft = soft_cross_entropy(STUDENT, TEACHER, temperature=1.0)
    hard = F.cross_entropy(STUDENT, Y, reduction="none")
    rows = torch.cat([0.7 * soft[:3] + 0.3 * hard[:3], soft[3:]])
    torch.testing.assert_close(got, rows.mean())
