"""Column selection: which raw columns a network can do with, and how much each matters."""

from __future__ import annotations

import copy
from typing import final

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from distillery.networks.fitted import NetworkFields, Pupil
from distillery.networks.settings import FeaturesSpec
from distillery.networks.training import Batches, Objective, Trainer, predict

REPEATS = 3  # shuffles per column
DECIMALS = 6  # of a gate's path, which is drawn and no more


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


class GatePath(BaseModel):
    """How a network's gates closed while λ rose.

    Attributes:
        columns: the d raw columns it chose from.
        penalties: λ during each epoch ``(epochs,)``.
        gates: μ after each epoch, of each column ``(epochs, d)``, to six decimals; above 0 is open.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[str, ...]
    penalties: tuple[float, ...]
    gates: tuple[tuple[float, ...], ...]


class Selection(BaseModel):
    """Columns in order of importance.

    Attributes:
        names: the most important first.
        scores: gates: μ, from 0 (closed) to 1 and above; permutation: nats per row that the loss rises.
        path: of the gates; None where there were none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: tuple[str, ...]
    scores: tuple[float, ...]
    path: GatePath | None = None


def select(pupil: Pupil, fields: NetworkFields, features: FeaturesSpec, objective: Objective) -> Selection:
    """Choose columns on the pupil's rows; its network is trained on the way and of no further use.

    Raises:
        DataError: more columns are asked for than there are.
    """
    keep, path = features.limit(pupil.reading.schema), None
    if features.method == "gates":
        scores, path = _gate_scores(pupil, fields, features, objective, keep)
    else:
        scores = _permutation_scores(pupil, fields, objective)
    best = np.argsort(-scores, kind="stable")[:keep]
    names = [column.name for column in pupil.reading.schema.encoded]
    return Selection(names=tuple(names[i] for i in best), scores=tuple(float(scores[i]) for i in best), path=path)


def _gate_scores(
    pupil: Pupil, fields: NetworkFields, features: FeaturesSpec, objective: Objective, keep: int
) -> tuple[np.ndarray, GatePath]:
    """Train with gates while λ rises, until no more than ``keep`` of them are open; return μ ``(d,)`` and its path."""
    gates = Gates(len(pupil.reading.schema.columns), temperature=features.temperature)
    network = copy.deepcopy(pupil.network)
    network.gates = gates
    weights, path = [features.penalty], [gates.mu.detach().clone()]

    def rise(*_: object) -> None:
        weights.append(weights[-1] * features.growth)
        path.append(gates.mu.detach().cpu().clone())

    settings = fields.model_copy(update={"epochs": features.epochs, "patience": None, "average": 0.0})
    Trainer(
        network, pupil.train, pupil.valid, settings, objective, penalty=lambda: weights[-1] * gates.open_share()
    ).run(rise, until=lambda: int((path[-1] > 0).sum()) <= keep)
    columns = tuple(column.name for column in pupil.reading.schema.encoded)
    rows = tuple(tuple(round(mu, DECIMALS) for mu in after.tolist()) for after in path[1:])
    closing = GatePath(columns=columns, penalties=tuple(weights[:-1]), gates=rows)
    return np.asarray(path[-1].numpy(), dtype=np.float64), closing


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
