"""The network itself: an encoder that says which raw column owns each of its components, and a body."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from distillery.data import RawEncoder
from distillery.distillation.losses import binary_logits
from distillery.networks.encoding import PiecewiseLinear, Scaler
from distillery.networks.reading import Reading

BOUND = 5.0  # of the raw scaled number beside its encoding: keeps extremes harmless
SPREAD = 0.01  # of fresh field vectors; from ten times that, the products of many fields begin far too large


@final
class ColumnEncoder(nn.Module):
    """Raw columns as one vector: bins and scaled numbers, missing indicators, waves, embeddings.

    Waves are sines and cosines of learned frequencies (Gorishniy et al. 2022, section 3.3); only columns
    of many different values have them.

    Shape: numbers ``(n, d_numeric)``, missing ``(n, d_indicated)``, codes ``(n, d_categorical)``
    ``-> (n, width)``.

    Attributes:
        width: components.
        owner: the raw column of each component ``(width,)``, in the order of `Schema.encoded`.
    """

    def __init__(self, reading: Reading, *, frequencies: int, embedding: int) -> None:
        super().__init__()
        schema, scaler = reading.schema, reading.scaler
        d, n_categorical = len(schema.numeric), len(schema.categorical)
        self.bins = PiecewiseLinear(reading.edges)
        self.smooth: Tensor
        self.register_buffer("smooth", torch.from_numpy(scaler.smooth), persistent=False)
        self.waves = nn.Parameter(torch.randn(len(self.smooth), frequencies))
        self.table = nn.Embedding(scaler.n_codes, embedding)
        nn.init.normal_(self.table.weight, std=embedding**-0.5)
        owner = [
            self.bins.column,
            torch.arange(d),
            torch.from_numpy(scaler.indicated),
            self.smooth.repeat_interleave(2 * frequencies),
            d + torch.arange(n_categorical).repeat_interleave(embedding),
        ]
        self.owner: Tensor
        self.register_buffer("owner", torch.cat(owner), persistent=False)
        self.width = len(self.owner)

    def forward(self, numbers: Tensor, missing: Tensor, codes: Tensor) -> Tensor:
        """Encode rows."""
        bounded = numbers.clamp(-BOUND, BOUND)
        phase = math.tau * bounded[:, self.smooth, None] * self.waves  # (n, d) -> (n, d_smooth, frequencies)
        waves = torch.cat([phase.sin(), phase.cos()], dim=-1).flatten(1)
        return torch.cat([self.bins(numbers), bounded, missing, waves, self.table(codes).flatten(1)], dim=1)

    @torch.no_grad()
    def blank_unseen(self, counts: Tensor) -> None:
        """Give codes that no training row uses a vector of zeros: a random one is noise in the validation loss."""
        self.table.weight[counts == 0] = 0

    @torch.no_grad()
    def fill_unseen(self, scaler: Scaler, counts: Tensor) -> None:
        """Give codes that no training row used the mean vector of their column.

        Args:
            scaler: where each column's codes begin.
            counts: how often each code was used ``(n_codes,)``.
        """
        borders = [*scaler.offsets.tolist(), scaler.n_codes]
        for start, end in pairwise(borders):
            weights, vectors = counts[start:end, None].float(), self.table.weight[start:end]
            mean = (vectors * weights).sum(0) / weights.sum().clamp(min=1)
            vectors[counts[start:end] == 0] = mean

    def tables(self, scaler: Scaler) -> list[np.ndarray]:
        """Return each categorical column's vectors by `RawEncoder`'s codes; rare categories have the unseen ones'."""
        table = self.table.weight.detach().numpy()
        tables = []
        for start, end in pairwise([*scaler.offsets.tolist(), scaler.n_codes]):
            codes = np.arange(start, end)
            tables.append(table[np.where(np.isin(codes, scaler.rare), start + RawEncoder.UNSEEN, codes)])
        return tables


@final
class FieldEncoder(nn.Module):
    """Every raw column, a field, as one vector; for networks that multiply columns with each other.

    A category's vector is looked up. A number's is affine in the components c that `ColumnEncoder` gives it,
    ``b + Σ_t c_t · v_t``: bins, the scaled number, waves, and where training missed values an indicator,
    so that v of the indicator is what sets a missing number apart from the median that fills it.

    Shape: what `ColumnEncoder` takes ``-> (n, fields · size)``, field by field in the order of `Schema.encoded`.

    Attributes:
        size: numbers per field: ``scores`` that a network may add up as they are, and behind them its embedding.
        width: all of them.
        owner: the raw column of each ``(width,)``, in the order of `Schema.encoded`.
        slots: which components each numeric column has ``(d_numeric, most)``; behind them stands their number.

    Args:
        reading: how raw rows are read.
        frequencies: waves per numeric column of many values.
        embedding: dimensions of a field's vector.
        scores: see above.
        spread: standard deviation of fresh vectors.
    """

    def __init__(
        self, reading: Reading, *, frequencies: int, embedding: int, scores: int = 0, spread: float = SPREAD
    ) -> None:
        super().__init__()
        d, fields = len(reading.schema.numeric), len(reading.schema.columns)
        self.scores, self.size = scores, scores + embedding
        self.columns = ColumnEncoder(reading, frequencies=frequencies, embedding=self.size)
        nn.init.normal_(self.columns.table.weight, std=spread)
        owner = self.columns.owner[self.columns.owner < d]
        self.components = nn.Parameter(spread * torch.randn(len(owner), self.size))
        self.constants = nn.Parameter(spread * torch.randn(d, self.size))
        self.slots: Tensor
        self.owner: Tensor
        self.register_buffer("slots", _slots(owner, d), persistent=False)
        self.register_buffer("owner", torch.arange(fields).repeat_interleave(self.size), persistent=False)
        self.width = len(self.owner)

    def forward(self, numbers: Tensor, missing: Tensor, codes: Tensor) -> Tensor:
        """Encode rows."""
        x = self.columns(numbers, missing, codes)
        held = functional.pad(x[:, : len(self.components)], (0, 1))  # what empty slots point at
        parts = held.index_select(1, self.slots.flatten()).reshape(len(x), *self.slots.shape)  # (n, C) -> (n, d, most)
        vectors = torch.einsum("ndp,dps->nds", parts, self.matrices) + self.constants
        return torch.cat([vectors.flatten(1), x[:, len(self.components) :]], dim=1)

    @property
    def matrices(self) -> Tensor:
        """What the components of each numeric column are multiplied by ``(d_numeric, most, size)``; empty slots: 0."""
        return functional.pad(self.components, (0, 0, 0, 1))[self.slots]

    def embeddings(self, scaler: Scaler) -> list[np.ndarray]:
        """Return the embedding of each field, in the order of `Schema.encoded`, as `FittedNetwork.field_embeddings`."""
        constants, components = self.constants.detach().numpy(), self.components.detach().numpy()
        own = [slots[slots < len(components)] for slots in self.slots.numpy()]
        numeric = [np.vstack([constants[j], components[slots]]) for j, slots in enumerate(own)]
        return [table[:, self.scores :] for table in (*numeric, *self.columns.tables(scaler))]

    @torch.no_grad()
    def fill(self, scaler: Scaler, embeddings: Sequence[np.ndarray | None], waves: np.ndarray) -> None:
        """Put in what `embeddings` gave, of an encoder of the same columns without scores.

        Args:
            scaler: of the columns.
            embeddings: of each field, in the order of `Schema.encoded`; None for one that stays as it is.
            waves: learned frequencies ``(d_smooth, frequencies)``.
        """
        d = len(self.constants)
        given = [None if vectors is None else torch.from_numpy(vectors) for vectors in embeddings]
        for j, vectors in enumerate(given[:d]):
            if vectors is not None:
                self.constants[j] = vectors[0]
                self.components[self.slots[j][self.slots[j] < len(self.components)]] = vectors[1:]
        for start, vectors in zip(scaler.offsets.tolist(), given[d:], strict=True):
            if vectors is not None:
                self.columns.table.weight[start : start + len(vectors)] = vectors
        self.columns.waves.copy_(torch.from_numpy(waves))


def _slots(owner: Tensor, d: int) -> Tensor:
    """Return which components each of d columns owns ``(d, most)``, filled up with their number."""
    own = [(owner == j).nonzero().flatten() for j in range(d)]
    return pad_sequence(own, batch_first=True, padding_value=len(owner)) if own else owner.new_empty(0, 0)


@final
class CanvasEncoder(nn.Module):
    """Numeric columns as an image; where a column was not selected the canvas stays blank.

    Shape: numbers ``(n, d)``, missing, codes ``-> (n, channels · height · width)``.

    Attributes:
        width: pixels of the canvas.
        owner: the raw column of each pixel ``(width,)``; blank ones belong to column 0.
        positions: the pixel of each raw column ``(d,)``.
    """

    def __init__(self, positions: np.ndarray, size: int) -> None:
        super().__init__()
        self.width = size
        self.positions: Tensor
        self.owner: Tensor
        self.register_buffer("positions", torch.from_numpy(positions), persistent=False)
        owner = torch.zeros(size, dtype=torch.int64)
        owner[self.positions] = torch.arange(len(positions))
        self.register_buffer("owner", owner, persistent=False)

    def forward(self, numbers: Tensor, missing: Tensor, codes: Tensor) -> Tensor:
        """Place rows on the canvas."""
        blank = numbers.new_zeros(len(numbers), self.width)
        return blank.index_copy(1, self.positions, numbers.clamp(-BOUND, BOUND))


Encoder = ColumnEncoder | FieldEncoder | CanvasEncoder


@final
class Network(nn.Module):
    """Encoder and body. Shape: what the encoder takes ``-> (n, K)`` logits."""

    def __init__(self, encoder: Encoder, body: nn.Module, *, binary: bool) -> None:
        super().__init__()
        self.encoder, self.body, self.binary = encoder, body, binary
        self.gates: nn.Module | None = None

    def forward(self, numbers: Tensor, missing: Tensor, codes: Tensor) -> Tensor:
        """Return logits."""
        return self.logits(self.body(self.encoded(numbers, missing, codes)))

    def encoded(self, numbers: Tensor, missing: Tensor, codes: Tensor) -> Tensor:
        """Return what the body takes ``(n, width)``."""
        x: Tensor = self.encoder(numbers, missing, codes)
        if self.gates is not None:
            x = x * self.gates(len(x))[:, self.encoder.owner]  # one gate per raw column
        return x

    def logits(self, z: Tensor) -> Tensor:
        """Return logits ``(n, K)`` by the body's outputs; a binary network's single one stands for ``[0, z]``."""
        return binary_logits(z) if self.binary else z


def dense(
    width: int,
    widths: Sequence[int],
    outputs: int,
    *,
    dropout: float,
    rank: int | None = None,
    unit: type[nn.Module] = nn.SiLU,
) -> nn.Sequential:
    """Return dense layers; without ``widths`` a single linear one.

    Args:
        width: of the input.
        widths: of the hidden layers.
        outputs: of the last layer.
        dropout: after each hidden layer.
        rank: factorizes every hidden layer's matrix as U·V of at most this inner width.
        unit: what each hidden layer's sums go through.
    """
    layers: list[nn.Module] = []
    for units in widths:
        if rank is None or rank * (width + units) >= width * units:  # factors that save nothing are not used
            layers.append(nn.Linear(width, units))
        else:
            layers += [nn.Linear(width, rank, bias=False), nn.Linear(rank, units)]
        layers += [unit(), nn.Dropout(dropout)]
        width = units
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def last_layer(body: nn.Module) -> nn.Linear | None:
    """Return what is behind the last hidden layer of a body, or of its tower; None where there is no such layer."""
    layers = getattr(body, "tower", body)
    if not isinstance(layers, nn.Sequential) or len(layers) < 2:
        return None
    return layers[-1] if isinstance(layers[-1], nn.Linear) else None


def first_factor(body: nn.Module) -> Tensor | None:
    """Return V ``(rank, width)`` of a body from `dense` whose first layer is U·V; None where it is a whole matrix."""
    first = body[0] if isinstance(body, nn.Sequential) else None
    if not isinstance(first, nn.Linear) or first.bias is not None:  # only factors have none
        return None
    return first.weight.detach()


def convolutions(
    shape: tuple[int, int, int], channels: Sequence[int], units: int, outputs: int, *, dropout: float
) -> nn.Sequential:
    """Return 3 × 3 convolutions with ReLU, each halving height and width while both are above 3, then two dense layers.

    Args:
        shape: channels, height and width of the image.
        channels: of the convolutions.
        units: of the dense layer between.
        outputs: of the last layer.
        dropout: before the last layer.
    """
    depth, height, width = shape
    layers: list[nn.Module] = [nn.Unflatten(1, shape)]
    for n in channels:
        layers += [nn.Conv2d(depth, n, 3, padding=1), nn.ReLU()]
        depth = n
        if min(height, width) > 3:
            layers.append(nn.MaxPool2d(2))
            height, width = height // 2, width // 2
    flat = depth * height * width
    last = [nn.Linear(flat, units), nn.ReLU(), nn.Dropout(dropout), nn.Linear(units, outputs)]
    return nn.Sequential(*layers, nn.Flatten(), *last)
