"""A wide torch network on piecewise-linear bins, waves and embeddings."""

from __future__ import annotations

from typing import Literal, final

from pydantic import Field, PositiveInt
from torch import nn

from distillery.networks.network import dense
from distillery.teachers.torch_teacher import TorchTeacherSpec


@final
class MLPTeacherSpec(TorchTeacherSpec):
    """A dense network.

    Attributes:
        widths: units of the hidden layers.
    """

    kind: Literal["mlp"] = "mlp"
    widths: tuple[PositiveInt, ...] = (256, 128)
    dropout: float = Field(0.2, ge=0, lt=1)
    epochs: PositiveInt = 20

    def body(self, width: int, outputs: int) -> nn.Module:
        """Return dense layers."""
        return dense(width, self.widths, outputs, dropout=self.dropout)
