"""A network with what it needs around it: from raw rows to probabilities, to files and back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from distillery.data import Rows, Schema
from distillery.data.model import ParameterCount
from distillery.errors import DataError, did_you_mean
from distillery.export import RawColumns
from distillery.networks.fields import FieldVectors
from distillery.networks.graph import network_graph
from distillery.networks.hints import Hinted
from distillery.networks.network import ColumnEncoder, Encoder, FieldEncoder, Network, first_factor, last_layer
from distillery.networks.reading import Reading
from distillery.networks.settings import EncodingFields, Stage, TrainingFields
from distillery.networks.streaming import Streamed
from distillery.networks.training import (
    HARD_LABELS,
    PREDICT_ROWS,
    Batches,
    Members,
    Objective,
    OnEpoch,
    Trainer,
    predict,
)

WEIGHTS = "weights.safetensors"
STRATA = 10  # a number's deciles


class NetworkFields(EncodingFields, TrainingFields):
    """Everything that shapes a network on raw columns; a kind adds its body."""

    @abstractmethod
    def body(self, width: int, outputs: int) -> nn.Module:
        """Return the layers between encoding and logits: ``(n, width) -> (n, outputs)``."""

    def encoder(self, reading: Reading) -> Encoder:
        """Return what encodes the columns."""
        return ColumnEncoder(reading, frequencies=self.frequencies, embedding=self.embedding)

    def learn_reading(
        self, schema: Schema, train: Rows, soft: np.ndarray | None, positions: np.ndarray | None
    ) -> Reading:
        """Learn how raw rows are read; see `Reading.learn`."""
        return Reading.learn(self, schema, train, soft, positions=positions)

    def members(self, schema: Schema) -> Members | None:
        """Return which classes each of several targets has, where each has a loss of its own; see `Objective`."""
        return None

    def build(self, reading: Reading) -> Network:
        """Return the network with fresh weights."""
        encoder = self.encoder(reading)
        body = self.body(encoder.width, output_count(reading.schema))
        return Network(encoder, body, binary=reading.schema.n_classes == 2)


def output_count(schema: Schema) -> int:
    """Return how many outputs a network has: one for two classes, or else one a class."""
    return 1 if schema.n_classes == 2 else schema.n_classes


def table_of(network: Network) -> ColumnEncoder | None:
    """Return what holds a network's category vectors; None where it takes numbers only."""
    encoder = network.encoder.columns if isinstance(network.encoder, FieldEncoder) else network.encoder
    return encoder if isinstance(encoder, ColumnEncoder) else None


@final
@dataclass(frozen=True)
class Pupil:
    """A network before training, and the rows as it reads them.

    Attributes:
        network: with fresh weights.
        reading: how it reads raw rows.
        train, valid: the rows.
        inherited: whether its vectors of columns came from elsewhere; those that no row uses are then kept.
        hinted: the network with what hints need in training; the training rows then bring them, too.
    """

    network: Network
    reading: Reading
    train: Batches | Streamed
    valid: Batches
    inherited: bool = False
    hinted: Hinted | None = None

    @classmethod
    def of(
        cls,
        fields: NetworkFields,
        schema: Schema,
        train: Rows,
        valid: Rows,
        *,
        soft: np.ndarray | None = None,
        valid_soft: np.ndarray | None = None,
        positions: np.ndarray | None = None,
        strata: np.ndarray | None = None,
        streamed_soft: np.ndarray | None = None,
        reading: Reading | None = None,
    ) -> Pupil:
        """Learn the reading on the training rows and build the network; its weights come from torch's seed.

        Of rows on disk the sample in memory teaches the reading, and all of them the network.

        Args:
            fields: what it is.
            schema: the columns it reads.
            train, valid: rows with hard labels.
            soft, valid_soft: the teacher's logits for them ``(n, K)``, or None.
            positions: of the columns among all of the table's.
            strata: of the training rows, see `strata_of`.
            streamed_soft: where rows lie on disk, the teacher's logits for all of them ``(n, K)``, or None.
            reading: instead of one learnt here.
        """
        # A log's schema leaves rare categories out already; in a sample of it others would only look rare.
        counted = fields if train.stream is None else fields.model_copy(update={"min_count": 1})
        reading = reading or counted.learn_reading(schema, train, soft, positions)
        validation, network = Batches.of(reading(valid), valid, valid_soft), fields.build(reading)
        if train.stream is not None:
            return cls(network, reading, Streamed(train.stream, reading, streamed_soft), validation)
        held = Batches.of(reading(train), train, soft, strata)
        if table := table_of(network):
            table.blank_unseen(held.code_counts(reading.scaler.n_codes))
        return cls(network, reading, held, validation)

    def taught(
        self,
        fields: NetworkFields,
        objective: Objective = HARD_LABELS,
        on_epoch: OnEpoch | None = None,
        *,
        stages: tuple[Stage, ...] = (),
        fresh: Callable[[int], Batches] | None = None,
    ) -> tuple[FittedNetwork, list[dict[str, float]]]:
        """Train, and return the fitted network with its history; see `Trainer`."""
        network, penalty = (self.hinted, self.hinted.penalty) if self.hinted else (self.network, None)
        rows, table = (self.train, self.valid), table_of(self.network)
        given = table.table.weight.detach().clone() if table and self.inherited else None
        trainer = Trainer(network, *rows, fields, objective, stages=stages, fresh=fresh, penalty=penalty)
        history = trainer.run(on_epoch)
        if table:
            counts = self.train.code_counts(self.reading.scaler.n_codes)
            if given is None:
                table.fill_unseen(self.reading.scaler, counts)
            else:  # weight decay shrank what no row uses
                table.table.weight.data[counts == 0] = given[counts == 0]
        return FittedNetwork(self.reading, self.network), history


def strata_of(sampling: str, schema: Schema, train: Rows) -> np.ndarray | None:
    """Return what rows are spread by ``(n,)``.

    Raises:
        DataError: the column is none of the table's, or the rows lie on disk.
    """
    if sampling == "uniform":
        return None
    if train.stream is not None:
        raise DataError(f"sampling must be uniform for rows that are read from disk, got {sampling!r}")
    if sampling == "class":
        return train.labels
    column = next((c for c in schema.columns if c.name == sampling), None)
    if column is None:
        raise DataError(
            f"sampling must be uniform, class or a column, got {sampling!r}{did_you_mean(sampling, schema.names)}"
        )
    values = train.features[sampling]
    if column.kind == "numeric":
        values = (values.rank(method="first", pct=True) * STRATA).round()
    return pd.factorize(values, use_na_sentinel=False)[0]


@final
class FittedNetwork:
    """A trained network that reads raw rows.

    Attributes:
        reading: how it reads them.
        network: in evaluation mode, on the CPU.
    """

    def __init__(self, reading: Reading, network: Network) -> None:
        self.reading, self.network = reading, network.eval()
        self.schema = reading.schema

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return class probabilities ``(n, K)`` of raw rows."""
        starts = range(0, len(frame), PREDICT_ROWS)
        parts = [predict(self.network, self.reading.scaler(frame.iloc[i : i + PREDICT_ROWS])) for i in starts]
        if not parts:
            return np.empty((0, self.schema.n_classes))
        proba: np.ndarray = torch.cat(parts).double().softmax(dim=1).numpy()
        return proba

    def to_graph(self, raw: RawColumns) -> str:
        """Add the network's nodes; see `distillery.export.Exportable`."""
        return network_graph(self.network, self.reading, raw)

    def to_files(self) -> dict[str, bytes]:
        """Return ``weights.safetensors``: the network, and how it reads rows."""
        tensors = {f"network.{name}": t.contiguous() for name, t in self.network.state_dict().items()}
        return {WEIGHTS: save_tensors(tensors | self.reading.tensors())}

    @classmethod
    def load(cls, content: bytes, schema: Schema, fields: NetworkFields) -> FittedNetwork:
        """Read what `to_files` gave."""
        tensors = load_tensors(content)
        reading = Reading.from_tensors(schema, tensors)
        network = fields.build(reading)
        prefix = "network."
        network.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        return cls(reading, network)

    def parameter_count(self) -> ParameterCount:
        """Count weights and embeddings; bin edges, medians, means, scales and running statistics come on top."""
        learnable = sum(p.numel() for p in self.network.parameters())
        running = sum(t.numel() for t in self.network.state_dict().values() if t.is_floating_point()) - learnable
        tables = sum(m.weight.numel() for m in self.network.modules() if isinstance(m, nn.Embedding))
        return ParameterCount(total=learnable + running + self.reading.size, learnable=learnable, tables=tables)

    def factors(self) -> np.ndarray | None:
        """Return what the factors of a low-rank first layer look at, None where it is no product of two matrices.

        Returns:
            Euclidean norm of each factor's weights on the components of each raw column ``(rank, d)``, in the
            order of ``schema.names``.
        """
        first = first_factor(self.network.body)
        if first is None:
            return None
        names = [column.name for column in self.schema.encoded]
        squares = torch.zeros(len(first), len(names)).index_add_(1, self.network.encoder.owner, first**2)
        norms: np.ndarray = squares.sqrt().double().numpy()
        return norms[:, [names.index(name) for name in self.schema.names]]

    def field_embeddings(self) -> dict[str, np.ndarray] | None:
        """Return what each raw column's vector is made of, None where the network has no vector per column.

        Returns:
            By column, in table order. Categorical: a vector per code of `distillery.data.RawEncoder`
            ``(codes, k)``; rare categories have that of the unseen ones, and codes that no training row
            used the mean. Numeric: a constant, and a vector per component (bins, the scaled number, an
            indicator where training missed values, waves) ``(1 + components, k)``; a number's vector is
            the constant plus the sum of its components times theirs.
        """
        encoder = self.network.encoder
        if not isinstance(encoder, FieldEncoder):
            return None
        names = [column.name for column in self.schema.encoded]
        found = dict(zip(names, encoder.embeddings(self.reading.scaler), strict=True))
        return {name: found[name] for name in self.schema.names}

    def inheritance(self) -> FieldVectors | None:
        """Return `field_embeddings` with what reads the columns, for a student to start from; None as there."""
        vectors, encoder = self.field_embeddings(), self.network.encoder
        if vectors is None or not isinstance(encoder, FieldEncoder):
            return None
        return FieldVectors(self.reading, encoder.columns.waves.detach().numpy(), vectors)

    def hidden(self, frame: pd.DataFrame) -> np.ndarray | None:
        """Return what the last hidden layer gives for raw rows ``(n, h)``; None where there is none."""
        last, found = last_layer(self.network.body), list[Tensor]()
        if last is None:
            return None
        watched = last.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
        self.predict_proba(frame)
        watched.remove()
        hidden: np.ndarray = torch.cat([*found, torch.empty(0, last.in_features)]).numpy()
        return hidden

    @torch.no_grad()
    def field_vectors(self, frame: pd.DataFrame) -> np.ndarray | None:
        """Return each raw column's vector of raw rows ``(n, d, k)``, in table order; None as `field_embeddings`."""
        encoder = self.network.encoder
        if not isinstance(encoder, FieldEncoder):
            return None
        fields = encoder(*self.reading.scaler(frame)).unflatten(1, (-1, encoder.size))
        names = [column.name for column in self.schema.encoded]
        order = [names.index(name) for name in self.schema.names]
        vectors: np.ndarray = fields[:, order, encoder.scores :].numpy()
        return vectors

    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """Matrix multiplications and convolutions of one row by torch's own counter (a multiply-add is two)."""
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            self.network(*self.reading.scaler(frame.iloc[:1]))
        return float(counter.get_total_flops())
