"""The training loop of networks: in-memory tensors, large batches, best epoch kept."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from distillery.data import Rows
from distillery.distillation.losses import LossKind, distillation_loss, marginal_logits
from distillery.errors import TrainingError
from distillery.networks.settings import Stage, TrainingFields
from distillery.progress import bar

Inputs = tuple[Tensor, ...]
Members = tuple[tuple[bool, ...], ...]
OnEpoch = Callable[[int, dict[str, float]], None]
PREDICT_ROWS = 16_384  # rows at once: bounds the memory of a large prediction


@dataclass(frozen=True)
class Batches:
    """Rows as tensors.

    Attributes:
        inputs: what the network's ``forward`` takes, each ``(n, …)``.
        y: class indices ``(n,)``.
        soft: teacher logits ``(n, K)``, or None.
        weights: row weights ``(n,)``.
        real: 1 for rows with a hard label, 0 for those only the teacher labelled, ``(n,)``.
        strata: which rows are spread evenly over the batches ``(n,)``, or None.
    """

    inputs: Inputs
    y: Tensor
    soft: Tensor | None
    weights: Tensor
    real: Tensor
    strata: Tensor | None = None

    @classmethod
    def of(cls, inputs: Inputs, rows: Rows, soft: np.ndarray | None, strata: np.ndarray | None = None) -> Batches:
        """Put labelled rows into tensors."""
        weights = np.ones(len(rows)) if rows.weights is None else rows.weights
        return cls(
            inputs,
            torch.from_numpy(rows.labels),
            None if soft is None else torch.from_numpy(soft),
            torch.from_numpy(weights.astype(np.float32)),
            torch.ones(len(rows)),
            None if strata is None else torch.from_numpy(strata),
        )

    @classmethod
    def resampled(cls, inputs: Inputs, soft: np.ndarray, weights: np.ndarray | None) -> Batches:
        """Put rows that only the teacher labelled into tensors; its likeliest class stands for the true one."""
        n, labels = len(soft), torch.from_numpy(soft.argmax(axis=1))
        weight = torch.ones(n) if weights is None else torch.from_numpy(weights.astype(np.float32))
        return cls(inputs, labels, torch.from_numpy(soft), weight, torch.zeros(n))

    def __len__(self) -> int:
        return len(self.y)

    def code_counts(self, n: int) -> Tensor:
        """Return how often each of n category codes is used ``(n,)``."""
        return torch.bincount(self.inputs[2].flatten(), minlength=n)

    def to(self, device: torch.device) -> Batches:
        """Return the same rows on a device."""
        return self._map(lambda x: x.to(device))

    def take(self, index: Tensor) -> Batches:
        """Return the rows at these positions."""
        return self._map(lambda x: x[index])

    def joined(self, other: Batches) -> Batches:
        """Return both, one after the other; where these have strata, the others are one of their own."""
        both = [torch.cat(pair) for pair in zip(self.inputs, other.inputs, strict=True)]
        soft = None if self.soft is None or other.soft is None else torch.cat([self.soft, other.soft])
        weights, real = torch.cat([self.weights, other.weights]), torch.cat([self.real, other.real])
        strata = self.strata
        if strata is not None:
            strata = torch.cat([strata, strata.new_full((len(other),), int(strata.max()) + 1)])
        return Batches(tuple(both), torch.cat([self.y, other.y]), soft, weights, real, strata)

    def shuffled(self, size: int) -> Iterator[Batches]:
        """Yield the rows once, in random order; the strata, if any, evenly spread."""
        order = torch.randperm(len(self), device=self.y.device)
        if self.strata is not None:
            order = order[_spread(self.strata[order]).argsort()]
        for start in range(0, len(order), size):
            yield self.take(order[start : start + size])

    def _map(self, change: Callable[[Tensor], Tensor]) -> Batches:
        soft, strata = (None if x is None else change(x) for x in (self.soft, self.strata))
        inputs = tuple(map(change, self.inputs))
        return Batches(inputs, change(self.y), soft, change(self.weights), change(self.real), strata)


def _spread(strata: Tensor) -> Tensor:
    """Return for each row its place in [0, 1] among those of its stratum."""
    order = strata.argsort(stable=True)
    counts = torch.bincount(strata)
    within = torch.arange(len(strata), device=strata.device) - (counts.cumsum(0) - counts)[strata[order]]
    place = torch.empty(len(strata), device=strata.device)
    place[order] = (within + torch.rand(len(strata), device=strata.device)) / counts[strata[order]]
    return place


class TrainingRows(Protocol):
    """What is trained on: `Batches`, or rows that are read as they are needed."""

    def __len__(self) -> int: ...

    def to(self, device: torch.device, /) -> Self:
        """Return the same rows, whose batches lie on a device."""
        ...

    def shuffled(self, size: int, /) -> Iterator[Batches]:
        """Yield the rows once, in random order."""
        ...


@torch.inference_mode()
def predict(network: nn.Module, inputs: Inputs) -> Tensor:
    """Return logits ``(n, K)`` of encoded rows, some thousand at a time."""
    network.eval()
    starts = range(0, len(inputs[0]), PREDICT_ROWS)
    return torch.cat([network(*(x[i : i + PREDICT_ROWS] for x in inputs)) for i in starts])


@dataclass(frozen=True)
class Objective:
    """What is minimised: w α · soft + hard_weight · cross entropy; resampled rows have w · soft alone.

    By default hard_weight is 1 − w α. The warmth w is 1 but while soft labels warm up, see `at`. With ``members``,
    which say of each of T targets in which of the K classes it is 1, it is the sum of that over the targets, each of
    two classes.
    """

    alpha: float
    hard_weight: float | None = None
    loss: LossKind = "kl"
    temperature: float = 1.0
    beta: float = 1.0
    members: Members | None = None
    warm_up: float = 0.0
    warmth: float = 1.0

    def at(self, progress: float) -> Objective:
        """Return what is minimised once this share of the training, in (0, 1], is done.

        Over the first ``warm_up`` of it w rises linearly, after Xu et al. (2020), arXiv:1907.05171.

        >>> Objective(alpha=0.8, warm_up=0.5).at(0.25).warmth, Objective(alpha=0.8, warm_up=0.5).at(0.75).warmth
        (0.5, 1.0)
        """
        # DIFF their λ is 0 for some steps and then jumps.
        return replace(self, warmth=progress / self.warm_up) if progress < self.warm_up else self

    @property
    def on_hard_labels(self) -> Objective:
        """The same targets on hard labels alone."""
        return Objective(alpha=0.0, members=self.members)

    def __call__(self, z: Tensor, batch: Batches) -> Tensor:
        """Return the mean loss of a batch, in nats per row."""
        soft = z.detach() if batch.soft is None else batch.soft
        if self.members is None:
            return self._loss(z, soft, batch.y, batch)
        targets = [torch.tensor(flags, device=z.device) for flags in self.members]
        losses = [
            self._loss(marginal_logits(z, one), marginal_logits(soft, one), one[batch.y].long(), batch)
            for one in targets
        ]
        return torch.stack(losses).sum()

    def _loss(self, z: Tensor, soft: Tensor, y: Tensor, batch: Batches) -> Tensor:
        hard_weight = 1 - self.warmth * self.alpha if self.hard_weight is None else self.hard_weight
        return distillation_loss(
            z,
            soft,
            y,
            alpha=self.warmth * (1 - batch.real * (1 - self.alpha)),
            hard_weight=batch.real * hard_weight,
            temperature=self.temperature,
            kind=self.loss,
            beta=self.beta,
            weights=batch.weights,
        )


HARD_LABELS = Objective(alpha=0.0)


def device_of(settings: TrainingFields) -> torch.device:
    """Return where training runs.

    Raises:
        TrainingError: the device asked for is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if settings.device == "auto":
        return torch.device("cuda" if there["cuda"] else "cpu")
    if not there[settings.device]:
        raise TrainingError(f"device must be there, got {settings.device!r} and torch finds none; use auto or cpu")
    return torch.device(settings.device)


class Trainer:
    """Trains one network in place and leaves the weights of the epoch with the best validation loss.

    Args:
        network: takes `Batches.inputs`, gives logits ``(n, K)``.
        train, valid: the rows.
        settings: how.
        objective: what is minimised.
        stages: the parts of the schedule.
        fresh: gives the resampled rows of an epoch, or None.
        penalty: added to the loss of every batch.
    """

    def __init__(
        self,
        network: nn.Module,
        train: TrainingRows,
        valid: Batches,
        settings: TrainingFields,
        objective: Objective = HARD_LABELS,
        *,
        stages: tuple[Stage, ...] = (),
        fresh: Callable[[int], Batches] | None = None,
        penalty: Callable[[], Tensor] | None = None,
    ) -> None:
        self.device = device_of(settings)
        self.network, self.settings, self.objective = network.to(self.device), settings, objective
        self.train, self.valid = train.to(self.device), valid.to(self.device)
        self.stages = stages or (Stage(epochs=settings.epochs),)
        self.fresh, self.penalty = fresh, penalty
        decay = get_ema_multi_avg_fn(settings.average)  # type: ignore[no-untyped-call]
        self.averaged = AveragedModel(network, multi_avg_fn=decay) if settings.average else None
        gates = [p for name, p in network.named_parameters() if name.startswith("gates.")]
        others = [p for name, p in network.named_parameters() if not name.startswith("gates.")]
        undecayed = {"params": gates, "weight_decay": 0.0}  # λ alone closes gates
        groups: list[dict[str, Any]] = [{"params": others}, undecayed]
        self.optimizer = torch.optim.AdamW(
            groups, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )  # one pass over large tables, where plain loops take ten
        self.history: list[dict[str, float]] = []

    def run(
        self, on_epoch: OnEpoch | None = None, *, until: Callable[[], bool] = lambda: False
    ) -> list[dict[str, float]]:
        """Train; stop early when ``until`` says so after an epoch.

        Returns:
            Per epoch ``train_loss`` and ``valid_loss`` (the objective) and ``valid_log_loss`` (on hard
            labels alone), in nats per row.

        Raises:
            TrainingError: a loss is not finite.
        """
        best, best_state, waited = math.inf, self.network.state_dict(), 0
        plan = [stage for stage in self.stages for _ in range(stage.epochs)]
        with bar(len(plan), "training", unit="epoch") as advance:
            for epoch in range(len(plan)):
                kept = self._epoch(epoch, plan)
                self.history.append({"train_loss": self._loss, **self._validate(kept)})
                for name, loss in self.history[-1].items():
                    self._check_finite(name, loss, epoch)
                if on_epoch:
                    on_epoch(epoch, self.history[-1])
                waited += 1
                if self.history[-1]["valid_loss"] < best:
                    best, waited = self.history[-1]["valid_loss"], 0
                    best_state = copy.deepcopy(kept.state_dict())
                advance(1)
                if until() or (self.settings.patience is not None and waited >= self.settings.patience):
                    break
        self.network.load_state_dict(best_state)
        self.network.cpu().eval()
        return self.history

    def _epoch(self, epoch: int, plan: list[Stage]) -> nn.Module:
        """Train one epoch and return the network whose weights count: the averaged one, if any."""
        stage, rows = plan[epoch], self._rows(epoch, plan[epoch])
        objective = self.objective if stage.alpha is None else replace(self.objective, alpha=stage.alpha)
        self.network.train()
        total, steps = 0.0, math.ceil(len(rows) / self.settings.batch_size)
        for i, batch in enumerate(rows.shuffled(self.settings.batch_size)):
            self._set_rate((epoch + i / steps) / len(plan))
            loss = self._step(batch, objective.at((epoch + (i + 1) / steps) / len(plan)))
            self._check_finite("train_loss", loss, epoch, i)
            total += loss * len(batch)
        self._loss = total / len(rows)
        return self.network if self.averaged is None else self.averaged.module

    def _validate(self, network: nn.Module) -> dict[str, float]:
        """Measure the objective, which has less noise than hard labels alone, and the log loss."""
        z = predict(network, self.valid.inputs)
        objective = self.objective.on_hard_labels if self.valid.soft is None else self.objective
        losses = {"valid_loss": objective, "valid_log_loss": HARD_LABELS}
        return {name: float(measure(z, self.valid)) for name, measure in losses.items()}

    def _rows(self, epoch: int, stage: Stage) -> TrainingRows:
        if self.fresh is None or stage.rows == "real" or stage.alpha == 0:
            return self.train
        assert isinstance(self.train, Batches), "rows from disk are not resampled"
        fresh = self.fresh(epoch).to(self.device)
        return fresh if stage.rows == "resampled" else self.train.joined(fresh)

    def _step(self, batch: Batches, objective: Objective) -> float:
        inputs = batch.inputs
        if self.settings.noise:
            inputs = (inputs[0] + self.settings.noise * torch.randn_like(inputs[0]), *inputs[1:])
        mixed = self.device.type == "cuda" if self.settings.mixed_precision is None else self.settings.mixed_precision
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            z = self.network(*inputs)
        loss = objective(z.float(), batch)
        if self.penalty:
            loss = loss + self.penalty()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        if self.averaged:
            self.averaged.update_parameters(self.network)
        return float(loss.item())

    def _set_rate(self, progress: float) -> None:
        """One cycle (Smith 2018): a cosine up over the first 30 % of the training, and down to nothing."""
        up = 0.3
        share = progress / up if progress < up else (1 - progress) / (1 - up)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * (0.04 + 0.96 * (1 - math.cos(math.pi * share)) / 2)

    def _check_finite(self, name: str, loss: float, epoch: int, step: int | None = None) -> None:
        if not math.isfinite(loss):
            rate = self.optimizer.param_groups[0]["lr"]
            where = f"epoch {epoch + 1}" if step is None else f"step {step + 1} of epoch {epoch + 1}"
            raise TrainingError(
                f"{name} must be finite, got {loss} in {where} at learning rate {rate:.2g}; lower learning_rate, or"
                " look for extreme values in the columns"
            )
