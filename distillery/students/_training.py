"""The training loop of torch students: in-memory tensors, large batches, best epoch kept."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from distillery.data import Rows
from distillery.distillation.losses import distillation_loss
from distillery.errors import TrainingError
from distillery.students.base import OnEpoch

Inputs = tuple[Tensor, ...]


@dataclass(frozen=True)
class Batches:
    """A split as tensors.

    Attributes:
        inputs: what the network's ``forward`` takes, each ``(n, …)``.
        y: class indices ``(n,)``.
        soft: teacher logits ``(n, K)``, or None.
        weights: row weights ``(n,)``.
    """

    inputs: Inputs
    y: Tensor
    soft: Tensor | None
    weights: Tensor

    @classmethod
    def of(cls, inputs: Inputs, rows: Rows, soft: np.ndarray | None) -> Batches:
        """Put rows into tensors."""
        weights = np.ones(len(rows)) if rows.weights is None else rows.weights
        return cls(
            inputs,
            torch.from_numpy(rows.labels),
            None if soft is None else torch.from_numpy(soft),
            torch.from_numpy(weights.astype(np.float32)),
        )

    def shuffled(self, size: int) -> Iterator[Batches]:
        """Yield the rows once, in random order."""
        order = torch.randperm(len(self.y))
        for start in range(0, len(order), size):
            index = order[start : start + size]
            soft = None if self.soft is None else self.soft[index]
            yield Batches(tuple(x[index] for x in self.inputs), self.y[index], soft, self.weights[index])


@dataclass(frozen=True)
class Schedule:
    """How to train; see the student's spec for the meaning of each."""

    alpha: float
    temperature: float
    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    weight_decay: float


def train_network(
    network: nn.Module, train: Batches, valid: Batches, schedule: Schedule, *, on_epoch: OnEpoch | None = None
) -> list[dict[str, float]]:
    """Train in place and leave the weights of the epoch with the best validation log loss.

    Returns:
        Per epoch ``train_loss`` (distillation loss) and ``valid_log_loss``, in nats per row.

    Raises:
        TrainingError: a loss is not finite.
    """
    steps = math.ceil(len(train.y) / schedule.batch_size)
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.learning_rate, total_steps=schedule.epochs * steps + 1
    )
    history: list[dict[str, float]] = []
    best, best_state = math.inf, network.state_dict()
    waited = 0
    for epoch in tqdm(range(schedule.epochs), desc="training", unit="epoch", disable=None, leave=False):
        loss = _run_epoch(network, train, schedule, optimizer, cycle)
        history.append({"train_loss": loss, "valid_log_loss": log_loss(network, valid)})
        _check_finite(history, float(cycle.get_last_lr()[0]))
        if on_epoch:
            on_epoch(epoch, history[-1])
        waited += 1
        if history[-1]["valid_log_loss"] < best:
            best, best_state, waited = history[-1]["valid_log_loss"], copy.deepcopy(network.state_dict()), 0
        if waited >= schedule.patience:
            break
    network.load_state_dict(best_state)
    network.eval()
    return history


def _run_epoch(
    network: nn.Module,
    train: Batches,
    schedule: Schedule,
    optimizer: torch.optim.Optimizer,
    cycle: torch.optim.lr_scheduler.LRScheduler,
) -> float:
    network.train()
    total, rows = 0.0, 0
    for batch in train.shuffled(schedule.batch_size):
        z = network(*batch.inputs)
        teacher = z.detach() if batch.soft is None else batch.soft
        loss = distillation_loss(
            z,
            teacher,
            batch.y,
            alpha=schedule.alpha,
            temperature=schedule.temperature,
            weights=batch.weights,
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        cycle.step()
        total, rows = total + loss.item() * len(batch.y), rows + len(batch.y)
    return total / rows


def _check_finite(history: list[dict[str, float]], rate: float) -> None:
    for name, loss in history[-1].items():
        if not math.isfinite(loss):
            raise TrainingError(
                f"{name} must be finite, got {loss} in epoch {len(history)} at learning rate {rate:.2g};"
                " lower learning_rate, or look for extreme values in the columns"
            )


@torch.inference_mode()
def log_loss(network: nn.Module, split: Batches, rows_at_once: int = 16_384) -> float:
    """Return the weighted mean log loss on hard labels, in nats per row."""
    network.eval()
    starts = range(0, len(split.y), rows_at_once)
    z = torch.cat([network(*(x[i : i + rows_at_once] for x in split.inputs)) for i in starts])
    rows = F.cross_entropy(z, split.y, reduction="none")
    return float((rows * split.weights).sum() / split.weights.sum())
