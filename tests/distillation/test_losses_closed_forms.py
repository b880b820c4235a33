"""Losses against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from torch.nn import functional as F

from distillery.distillation.losses import binary_logits, distillation_loss, soft_cross_entropy


@pytest.fixture
def batch():
    """Student and teacher logits ``(64, 4)`` and labels."""
    generator = torch.Generator().manual_seed(0)
    z_s, z_t = (3 * torch.randn(64, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    return z_s, z_t, torch.randint(0, 4, (64,), generator=generator)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 10.0])
def test_both_sides_are_softened_and_scaled_by_the_squared_temperature(batch, temperature):
    """T² · KL, written out in numpy."""
    z_s, z_t, _ = (x.numpy() for x in batch)
    p = softmax(z_t / temperature, axis=1)
    expected = temperature**2 * (p * (np.log(p) - log_softmax(z_s / temperature, axis=1))).sum(axis=1)
    ours = soft_cross_entropy(batch[0], batch[1], temperature=temperature)
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-9)


def test_alpha_weighs_the_soft_labels(batch):
    """0 is cross entropy alone, 1 the soft loss alone, and what lies between is their mixture."""
    z_s, z_t, y = batch
    hard = F.cross_entropy(z_s, y)
    soft = soft_cross_entropy(z_s, z_t, temperature=2.0).mean()
    for alpha, expected in ((0.0, hard), (1.0, soft), (0.7, 0.7 * soft + 0.3 * hard)):
        ours = distillation_loss(z_s, z_t, y, alpha=alpha, temperature=2.0)
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_with_two_classes_it_is_the_sigmoid_form(temperature):
    """T² · (BCE(s/T, σ(t/T)) − H(σ(t/T))), and binary cross entropy for the hard part."""
    generator = torch.Generator().manual_seed(1)
    s, t = (2 * torch.randn(50, 1, generator=generator, dtype=torch.float64) for _ in range(2))
    y = torch.randint(0, 2, (50,), generator=generator)
    p = torch.sigmoid(t / temperature)
    entropy = F.binary_cross_entropy(p, p)
    soft = temperature**2 * (F.binary_cross_entropy_with_logits(s / temperature, p) - entropy)
    hard = F.binary_cross_entropy_with_logits(s[:, 0], y.double())
    ours = distillation_loss(binary_logits(s), binary_logits(t), y, alpha=0.6, temperature=temperature)
    torch.testing.assert_close(ours, 0.6 * soft + 0.4 * hard)


def test_equal_logits_pull_nowhere(batch):
    """Where student and teacher agree, the soft loss and its gradient vanish."""
    z = batch[0].clone().requires_grad_()
    loss = soft_cross_entropy(z, batch[0], temperature=3.0).sum()
    loss.backward()
    assert abs(loss.item()) < 1e-10
    assert z.grad.abs().max() < 1e-10


def test_a_constant_added_to_a_row_changes_nothing(batch):
    """So log probabilities are logits."""
    z_s, z_t, y = batch
    shift = torch.arange(64, dtype=torch.float64)[:, None]
    before = distillation_loss(z_s, z_t, y, alpha=0.5, temperature=2.0)
    after = distillation_loss(z_s + shift, z_t.log_softmax(1) - shift, y, alpha=0.5, temperature=2.0)
    torch.testing.assert_close(before, after)


def test_hot_gradients_match_centred_logits(batch):
    """Hinton et al. (2015), section 2.1: for large T the gradient is the difference of centred logits over K."""
    z_s, z_t, _ = batch
    z = z_s.clone().requires_grad_()
    soft_cross_entropy(z, z_t, temperature=1e4).sum().backward()
    centred = [x - x.mean(dim=1, keepdim=True) for x in (z_s, z_t)]
    torch.testing.assert_close(z.grad, (centred[0] - centred[1]) / 4, atol=1e-3, rtol=1e-3)


def test_row_weights_give_the_weighted_mean(batch):
    """A row of weight 0 counts for nothing, a row of weight 2 twice."""
    z_s, z_t, y = batch
    weights = torch.tensor([2.0, 0.0, 1.0], dtype=torch.float64)
    twice = [0, 0, 2]
    ours = distillation_loss(z_s[:3], z_t[:3], y[:3], alpha=0.5, temperature=2.0, weights=weights)
    torch.testing.assert_close(ours, distillation_loss(z_s[twice], z_t[twice], y[twice], alpha=0.5, temperature=2.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 1.5}, r"alpha must be in \[0, 1\], got 1.5"),
        ({"temperature": 0.0}, r"temperature must be positive and finite, got 0.0"),
        ({"teacher": torch.zeros(64, 3)}, r"one shape \(batch, K\) and y \(batch,\), got \(64, 4\), \(64, 3\)"),
    ],
)
def test_wrong_arguments_are_named(batch, change, message):
    """With the value that was given."""
    z_s, z_t, y = batch
    arguments = {"student": z_s, "teacher": z_t, "y": y, "alpha": 0.5, "temperature": 1.0, **change}
    with pytest.raises(ValueError, match=message):
        distillation_loss(**arguments)
