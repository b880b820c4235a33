"""A factorization machine and a dense network over shared field vectors: Guo et al. (2017), arXiv:1703.04247."""

from __future__ import annotations

from typing import Literal, final

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from distillery.export.graph import Graph
from distillery.networks.fitted import output_count
from distillery.networks.graph import layers_graph, linear_graph, sliced
from distillery.networks.network import FieldEncoder, dense
from distillery.networks.reading import Reading
from distillery.teachers.torch_teacher import TorchTeacherSpec


@final
class DeepFMSpec(TorchTeacherSpec):
    """A factorization machine beside a dense network; every raw column is a field.

    Attributes:
        frequencies: as for other networks; by default none, since products of waves are hard to train.
        epochs: by default few; vectors of rare categories are learnt by heart in more.
        batch_size: by default twice that of other networks; on flights half as large is worse on every split.
        embedding: dimensions of a field's vector, of a number as of a category.
        widths: units of the dense network's hidden layers; none makes it a linear layer.
    """

    kind: Literal["deepfm"] = "deepfm"
    frequencies: int = Field(0, ge=0, le=256)
    embedding: PositiveInt = 8
    widths: tuple[PositiveInt, ...] = (256, 128)
    dropout: float = Field(0.2, ge=0, lt=1)
    epochs: PositiveInt = 6
    batch_size: PositiveInt = 1024

    def encoder(self, reading: Reading) -> FieldEncoder:
        """Return what gives each field its first-order weights and its vector."""
        scores = output_count(reading.schema)
        return FieldEncoder(reading, frequencies=self.frequencies, embedding=self.embedding, scores=scores)

    def body(self, width: int, outputs: int) -> DeepFM:
        """Return what adds up the parts."""
        return DeepFM(width // (outputs + self.embedding), self.embedding, outputs, self.widths, dropout=self.dropout)


@final
class DeepFM(nn.Module):
    """The logits ``Σ_i w_i + FM + tower``, equations 1 and 2; the tower's last bias is the only one.

    With more than two classes each class has weights and a tower's output of its own, and the FM's interaction
    vector ``Σ_{i<j} v_i ⊙ v_j`` is mapped to the classes by a matrix; with two classes it is summed up.

    Shape: ``(n, fields · (outputs + embedding)) -> (n, outputs)``; of each field its first-order weights w, then v.
    """

    # DIFF numbers enter by bins too, and the tower's units are SiLU, as in all networks here.

    def __init__(self, fields: int, embedding: int, outputs: int, widths: tuple[int, ...], *, dropout: float) -> None:
        super().__init__()
        self.fields, self.embedding, self.outputs = fields, embedding, outputs
        self.mix = None if outputs == 1 else nn.Linear(embedding, outputs, bias=False)
        self.tower = dense(fields * embedding, widths, outputs, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        both = x.reshape(len(x), self.fields, self.outputs + self.embedding)
        first, vectors = both[..., : self.outputs].sum(dim=1), both[..., self.outputs :]
        pairs = pairwise_products(vectors)
        second = pairs.sum(dim=1, keepdim=True) if self.mix is None else self.mix(pairs)
        z: Tensor = first + second + self.tower(vectors.flatten(1))
        return z

    def to_graph(self, graph: Graph, x: str) -> str:
        """Add its nodes; see `distillery.networks.graph.ExportableLayer`."""
        size, fields = self.outputs + self.embedding, graph.constant(np.array([1]))
        both = graph.add("Reshape", x, graph.constant(np.array([-1, self.fields, size])))
        vectors = sliced(graph, both, self.outputs, size, axis=2)
        first = graph.add("ReduceSum", sliced(graph, both, 0, self.outputs, axis=2), fields, keepdims=0)
        total = graph.add("ReduceSum", vectors, fields, keepdims=0)
        squares = graph.add("ReduceSum", graph.add("Mul", vectors, vectors), fields, keepdims=0)
        twice = graph.add("Sub", graph.add("Mul", total, total), squares)
        mix = torch.ones(1, self.embedding) if self.mix is None else self.mix.weight
        second = linear_graph(graph, twice, 0.5 * mix, None)
        deep = layers_graph(graph, graph.add("Flatten", vectors, axis=1), self.tower)
        return graph.add("Add", graph.add("Add", first, second), deep)


def pairwise_products(vectors: Tensor) -> Tensor:
    """Return ``Σ_{i<j} v_i ⊙ v_j`` as ``½ · ((Σ_i v_i)² − Σ_i v_i²)``; Rendle (2010), lemma 3.1.

    Args:
        vectors: of each field ``(n, fields, k)``.

    Returns:
        ``(n, k)``; summed over k it is the second-order term of a factorization machine.

    >>> pairwise_products(torch.tensor([[[1.0], [2.0], [5.0]]])).item()  # 1·2 + 1·5 + 2·5
    17.0
    """
    return 0.5 * (vectors.sum(dim=1).square() - vectors.square().sum(dim=1))
