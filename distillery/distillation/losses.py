"""Distillation losses: pure functions of logits, in nats per row (mean over rows).

Logits are ``(batch, K)``; adding a constant to a row changes nothing, so log probabilities are
logits too. A binary student's single logit z stands for the row ``[0, z]``.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

LossKind = Literal["kl", "mse_logits", "dkd"]


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
    return temperature**2 * _kl(log_p, log_q)


def squared_logit_error(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the logits, each row's mean taken off first.

    Ba & Caruana (2014), arXiv:1312.6184; Kim et al. (2021), arXiv:2105.08919.

    Args:
        student, teacher: logits ``(batch, K)``; pass ``teacher`` detached.

    Returns:
        One value per row, ``(batch,)``, in squared nats, zero where the two agree.

    >>> squared_logit_error(torch.tensor([[0.0, 2.0]]), torch.tensor([[5.0, 5.0]])).item()
    1.0
    """
    difference = student - teacher
    return (difference - difference.mean(dim=-1, keepdim=True)).square().mean(dim=-1)


def decoupled_divergence(student: Tensor, teacher: Tensor, y: Tensor, *, temperature: float, beta: float) -> Tensor:
    """Decoupled distillation: ``T² · (KL(b_t ‖ b_s) + β · KL(q_t ‖ q_s))``.

    b says how sure a model is of the true class against all others, q how it shares the rest among
    them. With β = 1 − p_t(true class) it is `soft_cross_entropy` again.
    Zhao et al. (2022), arXiv:2203.08679, equations 6 and 7 with α = 1.

    Args:
        student, teacher: logits ``(batch, K)``, K > 2; pass ``teacher`` detached.
        y: class indices ``(batch,)`` int64.
        temperature: T > 0.
        beta: weight of the second term.

    Returns:
        One value per row, ``(batch,)``, zero where the two agree.

    Raises:
        ValueError: there are two classes; the second term would vanish.

    >>> z = torch.tensor([[0.0, 2.0, 1.0]])
    >>> decoupled_divergence(z, z, torch.tensor([1]), temperature=2.0, beta=8.0).item()
    0.0
    """
    if student.shape[-1] < 3:
        raise ValueError(f"dkd must have at least 3 classes, got {student.shape[-1]}; use kl")
    true = F.one_hot(y, student.shape[-1]).bool()
    binary, rest = zip(*(_decouple(z / temperature, true) for z in (teacher, student)), strict=True)
    return temperature**2 * (_kl(*binary) + beta * _kl(*rest))


def _decouple(z: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """Return log probabilities of true class against the others ``(n, 2)``, and among the others ``(n, K - 1)``."""
    others = z[~true].view(len(z), -1)
    against = torch.stack([z[true], others.logsumexp(dim=-1)], dim=-1)
    return F.log_softmax(against, dim=-1), F.log_softmax(others, dim=-1)


def _kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=-1)


def distillation_loss(
    student: Tensor,
    teacher: Tensor,
    y: Tensor,
    *,
    alpha: float | Tensor,
    temperature: float,
    hard_weight: float | Tensor | None = None,
    kind: LossKind = "kl",
    beta: float = 1.0,
    weights: Tensor | None = None,
) -> Tensor:
    """Soft and hard loss together: ``α · soft(teacher, student) + hard_weight · CE(y, student)``.

    With ``kind="kl"`` and the default hard weight of 1 − α it is
    ``α · T² · KL(soft teacher ‖ soft student) + (1 − α) · CE(y, student)``,
    Hinton et al. (2015), arXiv:1503.02531, equation in section 2. α weighs the **soft** labels.

    Args:
        student, teacher: logits ``(batch, K)``; pass ``teacher`` detached.
        y: class indices ``(batch,)`` int64.
        alpha: in [0, 1], one for all rows or one each ``(batch,)``; 0 trains on hard labels alone.
        temperature: T > 0, for the soft part of ``kl`` and ``dkd``.
        hard_weight: at least 0, for all or each; by default 1 − α.
        kind: ``kl`` (`soft_cross_entropy`), ``mse_logits`` (`squared_logit_error`) or ``dkd``
            (`decoupled_divergence`).
        beta: of ``dkd``.
        weights: row weights ``(batch,)``; the mean is weighted, and 0 where all of them are 0.

    Raises:
        ValueError: shapes differ, α lies outside [0, 1], T is not positive and finite, or ``dkd``
            has two classes.

    >>> z = torch.tensor([[0.0, 0.0]])
    >>> round(distillation_loss(z, z, torch.tensor([1]), alpha=0.0, temperature=1.0).item(), 4)  # log 2
    0.6931
    """
    _check(student, teacher, y, alpha, temperature)
    if kind == "kl":
        soft = soft_cross_entropy(student, teacher, temperature=temperature)
    elif kind == "mse_logits":
        soft = squared_logit_error(student, teacher)
    else:
        soft = decoupled_divergence(student, teacher, y, temperature=temperature, beta=beta)
    hard = F.cross_entropy(student, y, reduction="none")
    rows = alpha * soft + (1 - alpha if hard_weight is None else hard_weight) * hard
    if weights is None:
        return rows.mean()
    return (rows * weights).sum() / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)


def _check(student: Tensor, teacher: Tensor, y: Tensor, alpha: float | Tensor, temperature: float) -> None:
    if student.shape != teacher.shape or student.shape[:1] != y.shape:
        raise ValueError(
            "student and teacher must have one shape (batch, K) and y (batch,), got"
            f" {tuple(student.shape)}, {tuple(teacher.shape)} and {tuple(y.shape)}"
        )
    if not isinstance(alpha, Tensor) and not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be in [0, 1], got {alpha}")
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be positive and finite, got {temperature}")


def marginal_logits(z: Tensor, members: Tensor) -> Tensor:
    """Return a binary target's two-class logits ``(batch, 2)`` from those of classes it is a part of.

    Each is the logarithm of a sum over classes, so that a softmax gives the classes' probabilities summed up.

    Args:
        z: logits ``(batch, K)``.
        members: whether the target is 1 in a class ``(K,)`` bool; some must be, and some not.

    >>> z = torch.tensor([[0.2, 0.3, 0.5]]).log()
    >>> [round(p, 4) for p in marginal_logits(z, torch.tensor([False, True, True])).softmax(1)[0].tolist()]
    [0.2, 0.8]
    """
    return torch.stack([z[:, ~members].logsumexp(dim=1), z[:, members].logsumexp(dim=1)], dim=1)


def binary_logits(z: Tensor) -> Tensor:
    """Return the two-class logits ``[0, z]``, ``(batch, 2)``, of single logits ``(batch, 1)``."""
    return torch.cat([torch.zeros_like(z), z], dim=-1)
