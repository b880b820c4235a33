"""Column selection: which raw columns a network can do with, and how much each matters."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from distillery.networks.fitted import NetworkFields, Pupil
from distillery.networks.settings import FeaturesSpec
from distillery.networks.training import Batches, Objective, Trainer, predict

REPEATS = 3  # shuffles per column


@final
class Gates(nn.Module):
    """One stochastic gate per raw column: ``z = clip(μ + σε, 0, 1)`` in training, ``clip(μ, 0, 1)`` after it.

    Yamada et al. (2020), arXiv:1810.04247, section 4.

    Shape: number of rows n ``-> (n, d)``; every row draws its own noise.
    """

    def __init__(self, d: int, *, temperature: float) -> None:
        super().__init__()
        self.mu = nn.Parameter(torch.full((d,), 0.5))
        self.temperature = temperature

    def forward(self, n: int) -> Tensor:
        """Return the gates of n rows."""
        mu = self.mu.expand(n, -1)
        return (mu + self.temperature * torch.randn_like(mu) if self.training else mu).clamp(0, 1)

    def open_share(self) -> Tensor:
        """Return the expected number of open gates, ``Σ Φ(μ/σ)``."""
        expected: Tensor = torch.special.ndtr(self.mu / self.temperature).sum()
        return expected


@dataclass(frozen=True)
class Selection:
    """Columns in order of importance.

    Attributes:
        names: the most important first.
        scores: gates: μ, from 0 (closed) to 1 and above; permutation: nats per row that the loss rises.
    """

    names: tuple[str, ...]
    scores: tuple[float, ...]


def select(pupil: Pupil, fields: NetworkFields, features: FeaturesSpec, objective: Objective) -> Selection:
    """Choose columns on the pupil's rows; its network is trained on the way and of no further use.

    Raises:
        DataError: more columns are asked for than there are.
    """
    keep = features.limit(pupil.reading.schema)
    if features.method == "gates":
        scores = _gate_scores(pupil, fields, features, objective, keep)
    else:
        scores = _permutation_scores(pupil, fields, objective)
    best = np.argsort(-scores, kind="stable")[:keep]
    names = [column.name for column in pupil.reading.schema.encoded]
    return Selection(tuple(names[i] for i in best), tuple(float(scores[i]) for i in best))


def _gate_scores(
    pupil: Pupil, fields: NetworkFields, features: FeaturesSpec, objective: Objective, keep: int
) -> np.ndarray:
    """Train with gates while λ rises, until no more than ``keep`` of them are open; return μ ``(d,)``."""
    gates = Gates(len(pupil.reading.schema.columns), temperature=features.temperature)
    network = copy.deepcopy(pupil.network)
    network.gates = gates
    weight = features.penalty
    seen = gates.mu.detach().clone()

    def rise(*_: object) -> None:
        nonlocal weight, seen
        weight, seen = weight * features.growth, gates.mu.detach().cpu().clone()

    settings = fields.model_copy(update={"epochs": features.epochs, "patience": None, "average": 0.0})
    Trainer(network, pupil.train, pupil.valid, settings, objective, penalty=lambda: weight * gates.open_share()).run(
        rise, until=lambda: int((seen > 0).sum()) <= keep
    )
    return np.asarray(seen.numpy(), dtype=np.float64)


def _permutation_scores(pupil: Pupil, fields: NetworkFields, objective: Objective) -> np.ndarray:
    """Train on all columns; return how much the validation loss rises when each is shuffled ``(d,)``."""
    Trainer(pupil.network, pupil.train, pupil.valid, fields, objective).run()

    def loss(rows: Batches) -> float:
        return float(objective(predict(pupil.network, rows.inputs), rows))

    base = loss(pupil.valid)
    scores = np.empty(len(pupil.reading.schema.columns))
    for column in range(len(scores)):
        rises = [loss(_shuffled(pupil, column)) - base for _ in range(REPEATS)]
        scores[column] = np.mean(rises)
    return scores


def _shuffled(pupil: Pupil, column: int) -> Batches:
    """Return the validation rows with one raw column, and what says whether it is missing, in another order."""
    valid, d = pupil.valid, len(pupil.reading.schema.numeric)
    order = torch.randperm(len(valid))
    numbers, missing, codes = (x.clone() for x in valid.inputs)
    if column >= d:
        codes[:, column - d] = codes[order, column - d]
    else:
        numbers[:, column] = numbers[order, column]
        for place in np.flatnonzero(pupil.reading.scaler.indicated == column):
            missing[:, place] = missing[order, place]
    return Batches((numbers, missing, codes), valid.y, valid.soft, valid.weights, valid.real)
