"""A torch network whose hidden layers are products of two thin matrices."""

from __future__ import annotations

from typing import Literal, final

from pydantic import Field, PositiveInt
from torch import nn

from distillery.networks.network import dense
from distillery.students.torch_student import TorchSpec


@final
class FactorizedMLPSpec(TorchSpec):
    """A dense network of low-rank layers, W ≈ U·V; with ``features`` a gate per raw column before it.

    Attributes:
        widths: units of the hidden layers.
        rank: inner width of the factors, at most.
    """

    kind: Literal["factorized_mlp"] = "factorized_mlp"
    widths: tuple[PositiveInt, ...] = Field((96, 48), min_length=1)
    rank: PositiveInt = 16

    def body(self, width: int, outputs: int) -> nn.Module:
        """Return dense layers of this rank."""
        return dense(width, self.widths, outputs, dropout=self.dropout, rank=self.rank)
