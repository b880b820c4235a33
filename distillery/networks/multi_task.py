"""Networks for several binary targets: what they share, a tower for each, and the classes their answers make."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, final

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from distillery.data import Schema
from distillery.errors import TrainingError, shortlist
from distillery.export.graph import Graph
from distillery.networks.fitted import NetworkFields
from distillery.networks.graph import layers_graph, sliced
from distillery.networks.network import Network
from distillery.networks.reading import Reading
from distillery.networks.training import Members

Architecture = Literal["shared_bottom", "mmoe", "esmm"]


class MultiTaskFields(NetworkFields):
    """A network with a tower for each of the table's ``targets``.

    In a funnel a tower gives the probability of its target where the one before is 1, in every architecture, so that
    p(click and conversion) = p(click) · p(conversion | click) and can never exceed p(click). What differs is the loss.
    ``shared_bottom`` and ``mmoe`` minimise that of the classes, which trains each tower on the rows that reached its
    stage; ``esmm`` that of p(click) and of their product, each over all rows, so that the second tower is trained on
    all of them. Without a funnel the towers give the targets' own probabilities, independent given the columns.

    Attributes:
        architecture: ``shared_bottom`` (Caruana 1997), ``mmoe`` (Ma et al. 2018, KDD, equations 6 and 7), or ``esmm``
            (Ma et al. 2018, arXiv:1804.07931), whose targets share the columns' encoding alone; for funnels only.
        experts: of ``mmoe``.
        widths: units of the hidden layers of the bottom, or of each expert.
        tower: units of the hidden layers of each tower.
    """

    # DIFF units are SiLU, as in all networks here, not ReLU.

    architecture: Architecture = "mmoe"
    experts: PositiveInt = 4
    widths: tuple[PositiveInt, ...] = Field((32,), min_length=1)
    tower: tuple[PositiveInt, ...] = (16,)

    def build(self, reading: Reading) -> Network:
        """Return the network with fresh weights; it gives the classes' log probabilities, of one target its logit.

        Raises:
            TrainingError: the table has no several targets, or they are no funnel and ``esmm`` needs one.
        """
        self.members(reading.schema)
        encoder, members = self.encoder(reading), torch.from_numpy(reading.schema.members)
        layers = list(self.body(encoder.width, len(members)))
        if len(members) > 1:
            layers.append(Joint(members, funnel=reading.schema.funnel))
        return Network(encoder, nn.Sequential(*layers), binary=len(members) == 1)

    def body(self, width: int, outputs: int) -> nn.Sequential:
        """Return the layers between encoding and the towers' logits: ``(n, width) -> (n, outputs)``.

        The first layers of all experts, and the gates, are one matrix, so that the encoding is multiplied once.
        """
        count = {"shared_bottom": 1, "mmoe": self.experts, "esmm": outputs}[self.architecture]
        gates = outputs if self.architecture == "mmoe" else 0
        first, *rest = self.widths
        mixture = Mixture(self._side_by_side(count, first, rest), (count, first), gates=gates, targets=outputs)
        towers = self._side_by_side(outputs, self.widths[-1], self.tower)[2:]  # what it takes is activated already
        last = Parallel(outputs, (self.widths[-1], *self.tower)[-1], 1)
        return nn.Sequential(nn.Linear(width, count * (first + gates)), mixture, *towers, last, nn.Flatten())

    def _side_by_side(self, count: int, units: int, widths: Sequence[int]) -> list[nn.Module]:
        """Return the activation of so many units, and further hidden layers, of several networks at once."""
        layers: list[nn.Module] = [nn.SiLU(), nn.Dropout(self.dropout)]
        for before, after in pairwise((units, *widths)):
            layers += [Parallel(count, before, after), nn.SiLU(), nn.Dropout(self.dropout)]
        return layers

    def fault(self, targets: Sequence[str], *, funnel: bool) -> str | None:
        """Say why it cannot learn a table of these targets; None where it can."""
        if not targets:
            return (
                "kind multi_task must have a source with several `targets`, got one; name the targets, or choose"
                " another kind, such as mlp"
            )
        if self.architecture == "esmm" and not funnel:
            return (
                f"architecture esmm must have targets that are a funnel, got {shortlist(map(repr, targets))}, of which"
                " any can be 1; set funnel: true if they are one, or choose mmoe"
            )
        return None

    def members(self, schema: Schema) -> Members | None:
        """Return which classes each target's loss is taken over; None where the classes' own loss is minimised.

        Raises:
            TrainingError: as `build`.
        """
        fault = self.fault([task.name for task in schema.tasks], funnel=schema.funnel)
        if fault:
            raise TrainingError(fault)
        if schema.funnel and self.architecture != "esmm":
            return None
        return tuple(map(tuple, schema.members.tolist()))


@final
class Parallel(nn.Module):
    """Linear layers side by side, one each of E networks. Shape: ``(n, E, u) -> (n, E, v)``."""

    def __init__(self, count: int, units: int, outputs: int) -> None:
        super().__init__()
        bound = units**-0.5  # as in `nn.Linear`
        self.weight = nn.Parameter(torch.empty(count, units, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(count, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Multiply each network's rows by its own matrix."""
        return torch.einsum("neu,euv->nev", x, self.weight) + self.bias

    def to_graph(self, graph: Graph, x: str) -> str:
        """Add its nodes; see `distillery.networks.graph.ExportableLayer`."""
        z = graph.add("Einsum", x, graph.constant(self.weight.detach().numpy()), equation="neu,euv->nev")
        return graph.add("Add", z, graph.constant(self.bias.detach().numpy()))


@final
class Mixture(nn.Module):
    """Experts, mixed for each target by a gate of its own.

    Without gates each target takes the expert of its number, or the only one.

    Shape: ``(n, E · u + gates · E) -> (n, T, v)``; first what the experts' first layers give, then each gate's scores.

    Args:
        layers: what follows of all experts ``(n, E, u) -> (n, E, v)``.
        shape: E and u.
        gates: T, or 0.
        targets: T.
    """

    def __init__(self, layers: Sequence[nn.Module], shape: tuple[int, int], *, gates: int, targets: int) -> None:
        super().__init__()
        assert gates == targets or (not gates and shape[0] in (1, targets)), "an expert for each target, or for all"
        self.experts, self.shape, self.gates, self.targets = nn.Sequential(*layers), shape, gates, targets
        self.units = math.prod(shape)

    def forward(self, x: Tensor) -> Tensor:
        """Return what each tower takes."""
        found: Tensor = self.experts(x[:, : self.units].reshape(-1, *self.shape))
        if self.gates:
            return torch.einsum("nte,nev->ntv", self.shares(x), found)
        return found.expand(-1, self.targets, -1)

    def shares(self, x: Tensor) -> Tensor:
        """Return how each target mixes the experts ``(n, T, E)``; they sum to 1."""
        return x[:, self.units :].reshape(-1, self.gates, self.shape[0]).softmax(dim=2)

    def to_graph(self, graph: Graph, x: str) -> str:
        """Add its nodes; see `distillery.networks.graph.ExportableLayer`."""
        own = sliced(graph, x, 0, self.units, axis=1) if self.gates else x
        own = graph.add("Reshape", own, graph.constant(np.array([-1, *self.shape])))
        found = layers_graph(graph, own, self.experts)
        if not self.gates:
            return found if self.shape[0] == self.targets else graph.concat([found] * self.targets, 1)
        scores = sliced(graph, x, self.units, self.units + self.gates * self.shape[0], axis=1)
        scores = graph.add("Reshape", scores, graph.constant(np.array([-1, self.gates, self.shape[0]])))
        return graph.add("Einsum", graph.add("Softmax", scores, axis=2), found, equation="nte,nev->ntv")


@final
class Joint(nn.Module):
    """The classes' log probabilities from the towers' logits u.

    In a funnel a class is ``Σ log σ(u_t)`` over the stages it has passed, and ``log σ(−u)`` of the next one; without,
    ``log σ(±u_t)`` of every target. Either way ``A · log σ(u) + B · log σ(−u)`` with matrices of 0 and 1.

    Shape: ``(n, T) -> (n, K)``.

    Args:
        members: whether a target is 1 in a class ``(T, K)`` bool.
        funnel: whether a target is asked for only where the one before is 1.
    """

    def __init__(self, members: Tensor, *, funnel: bool) -> None:
        super().__init__()
        asked = torch.ones_like(members)
        if funnel:
            asked[1:] = members[:-1]
        self.won: Tensor
        self.lost: Tensor
        # Not saved: the schema says it all.
        self.register_buffer("won", members.float(), persistent=False)
        self.register_buffer("lost", (asked & ~members).float(), persistent=False)

    def forward(self, u: Tensor) -> Tensor:
        """Return log probabilities."""
        z: Tensor = functional.logsigmoid(u) @ self.won + functional.logsigmoid(-u) @ self.lost
        return z

    def to_graph(self, graph: Graph, u: str) -> str:
        """Add its nodes; see `distillery.networks.graph.ExportableLayer`. log σ(u) is minus the softplus of −u."""
        lost = graph.add("MatMul", graph.add("Softplus", u), graph.constant(-self.lost.numpy()))
        won = graph.add("Softplus", graph.add("Neg", u))
        return graph.add("Add", graph.add("MatMul", won, graph.constant(-self.won.numpy())), lost)
