"""A small torch network over piecewise-linear bins, missing indicators and embeddings."""

from __future__ import annotations

from typing import Literal, final

from pydantic import PositiveInt
from torch import nn

from distillery.networks.network import dense
from distillery.students.torch_student import TorchSpec


@final
class MLPSpec(TorchSpec):
    """A dense network.

    Attributes:
        widths: units of the hidden layers; none makes it a single linear layer.
    """

    kind: Literal["mlp"] = "mlp"
    widths: tuple[PositiveInt, ...] = (80, 40)

    def body(self, width: int, outputs: int) -> nn.Module:
        """Return dense layers."""
        return dense(width, self.widths, outputs, dropout=self.dropout)
