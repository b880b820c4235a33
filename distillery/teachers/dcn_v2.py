"""Cross layers and a dense network over field vectors: Wang et al. (2021), arXiv:2008.13535."""

from __future__ import annotations

from typing import Literal, final

from pydantic import Field, PositiveInt
from torch import Tensor, nn

from distillery.export.graph import Graph
from distillery.networks.graph import layers_graph, linear_graph
from distillery.networks.network import FieldEncoder, dense
from distillery.networks.reading import Reading
from distillery.teachers.torch_teacher import TorchTeacherSpec


@final
class DCNv2Spec(TorchTeacherSpec):
    """Cross layers, which multiply fields with each other, with a dense network; every raw column is a field.

    Attributes:
        frequencies: as for other networks; by default none, since products of waves are hard to train.
        epochs: by default few; vectors of rare categories are learnt by heart in more.
        embedding: dimensions of a field's vector, of a number as of a category.
        layers: cross layers; l of them make products of up to l + 1 fields.
        rank: factorizes their matrices as U·V of this inner width; null leaves them whole.
        structure: whether the dense network stands beside the cross layers (``parallel``) or behind them (``stacked``).
        widths: units of the dense network's hidden layers; none makes it a linear layer.
    """

    kind: Literal["dcn_v2"] = "dcn_v2"
    frequencies: int = Field(0, ge=0, le=256)
    embedding: PositiveInt = 8
    layers: PositiveInt = 2
    rank: PositiveInt | None = None
    structure: Literal["parallel", "stacked"] = "parallel"
    widths: tuple[PositiveInt, ...] = (256, 128)
    dropout: float = Field(0.2, ge=0, lt=1)
    epochs: PositiveInt = 6

    def encoder(self, reading: Reading) -> FieldEncoder:
        """Return what gives each field its vector."""
        return FieldEncoder(reading, frequencies=self.frequencies, embedding=self.embedding)

    def body(self, width: int, outputs: int) -> DCNv2:
        """Return cross layers and dense ones."""
        crosses = [Cross(width, self.rank) for _ in range(self.layers)]
        tower = dense(width, self.widths, outputs, dropout=self.dropout)
        beside = nn.Linear(width, outputs, bias=False) if self.structure == "parallel" else None
        return DCNv2(crosses, tower, beside)


@final
class Cross(nn.Module):
    """A cross layer ``x_0 ⊙ (W x + b) + x``, equation 1; with a rank W = U·V, equation 2.

    Shape: x_0 and x, each ``(n, width) -> (n, width)``.
    """

    def __init__(self, width: int, rank: int | None) -> None:
        super().__init__()
        thin = rank is not None and 2 * rank < width  # factors that save nothing are not used
        self.inner = nn.Linear(width, rank, bias=False) if thin and rank else None
        self.outer = nn.Linear(rank if thin and rank else width, width)

    def forward(self, x0: Tensor, x: Tensor) -> Tensor:
        """Multiply once more by x_0."""
        z: Tensor = x0 * self.outer(x if self.inner is None else self.inner(x)) + x
        return z

    def to_graph(self, graph: Graph, x0: str, x: str) -> str:
        """Add its nodes."""
        inner = x if self.inner is None else linear_graph(graph, x, self.inner.weight, None)
        product = graph.add("Mul", x0, linear_graph(graph, inner, self.outer.weight, self.outer.bias))
        return graph.add("Add", product, x)


@final
class DCNv2(nn.Module):
    """Logits of cross layers and a tower.

    In parallel the paper joins what both give before a last linear layer; that is the sum of one such layer for
    each, and the tower's own last layer is its share.

    Shape: ``(n, width) -> (n, outputs)``.

    Args:
        crosses: the cross layers.
        tower: from its input to logits.
        beside: from the last cross layer to logits; None stacks the tower on the cross layers.
    """

    # DIFF the tower's units are SiLU, as in all networks here, not ReLU.

    def __init__(self, crosses: list[Cross], tower: nn.Sequential, beside: nn.Linear | None) -> None:
        super().__init__()
        self.crosses, self.tower, self.beside = nn.ModuleList(crosses), tower, beside

    def forward(self, x0: Tensor) -> Tensor:
        """Return logits."""
        x = x0
        for cross in self.crosses:
            x = cross(x0, x)
        z: Tensor = self.tower(x) if self.beside is None else self.tower(x0) + self.beside(x)
        return z

    def to_graph(self, graph: Graph, x0: str) -> str:
        """Add its nodes; see `distillery.networks.graph.ExportableLayer`."""
        x = x0
        for cross in self.crosses:
            x = cross.to_graph(graph, x0, x)  # type: ignore[operator]
        if self.beside is None:
            return layers_graph(graph, x, self.tower)
        return graph.add("Add", layers_graph(graph, x0, self.tower), linear_graph(graph, x, self.beside.weight, None))
