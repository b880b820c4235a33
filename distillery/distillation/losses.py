"""Distillation losses: pure functions of logits, in nats per row (mean over rows).

Logits are ``(batch, K)``; adding a constant to a row changes nothing, so log probabilities are
logits too. A binary student's single logit z stands for the row ``[0, z]``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def soft_cross_entropy(student: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    """Divergence of the student from the teacher, both softened: ``T² · KL(softmax(z_t/T) ‖ softmax(z_s/T))``.

    Hinton et al. (2015), arXiv:1503.02531; T² keeps the gradient's scale about the same for every T.

    Args:
        student, teacher: logits ``(batch, K)``; pass ``teacher`` detached.
        temperature: T > 0.

    Returns:
        One value per row, ``(batch,)``, zero where the two agree.

    >>> z = torch.tensor([[0.0, 2.0]])
    >>> soft_cross_entropy(z, z, temperature=2.0).item()
    0.0
    """
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    log_q = F.log_softmax(student / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=-1)


def distillation_loss(
    student: Tensor,
    teacher: Tensor,
    y: Tensor,
    *,
    alpha: float,
    temperature: float,
    weights: Tensor | None = None,
) -> Tensor:
    """Soft and hard loss together: ``α · T² · KL(soft teacher ‖ soft student) + (1 − α) · CE(y, student)``.

    Hinton et al. (2015), arXiv:1503.02531, equation in section 2. α weighs the **soft** labels.

    Args:
        student, teacher: logits ``(batch, K)``; pass ``teacher`` detached.
        y: class indices ``(batch,)`` int64.
        alpha: in [0, 1]; 0 trains on hard labels alone.
        temperature: T > 0, for the soft part.
        weights: row weights ``(batch,)``; the mean is weighted, and 0 where all of them are 0.

    Raises:
        ValueError: shapes differ, α lies outside [0, 1], or T is not positive and finite.

    >>> z = torch.tensor([[0.0, 0.0]])
    >>> round(distillation_loss(z, z, torch.tensor([1]), alpha=0.0, temperature=1.0).item(), 4)  # log 2
    0.6931
    """
    _check(student, teacher, y, alpha, temperature)
    soft = soft_cross_entropy(student, teacher, temperature=temperature)
    hard = F.cross_entropy(student, y, reduction="none")
    rows = alpha * soft + (1 - alpha) * hard
    if weights is None:
        return rows.mean()
    return (rows * weights).sum() / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)


def _check(student: Tensor, teacher: Tensor, y: Tensor, alpha: float, temperature: float) -> None:
    if student.shape != teacher.shape or student.shape[:1] != y.shape:
        raise ValueError(
            "student and teacher must have one shape (batch, K) and y (batch,), got"
            f" {tuple(student.shape)}, {tuple(teacher.shape)} and {tuple(y.shape)}"
        )
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be in [0, 1], got {alpha}")
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be positive and finite, got {temperature}")


def binary_logits(z: Tensor) -> Tensor:
    """Return the two-class logits ``[0, z]``, ``(batch, 2)``, of single logits ``(batch, 1)``."""
    return torch.cat([torch.zeros_like(z), z], dim=-1)
