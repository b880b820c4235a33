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
from scipy.special import softmax
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from distillery.data import Rows, Schema
from distillery.data.model import ParameterCount
from distillery.errors import DataError, did_you_mean
from distillery.networks.encoding import Scaler, quantile_bins, tree_bins
from distillery.networks.network import CanvasEncoder, ColumnEncoder, Network
from distillery.networks.settings import EncodingFields, TrainingFields
from distillery.networks.training import PREDICT_ROWS, Batches, Inputs, Objective, OnEpoch, Trainer

WEIGHTS = "weights.safetensors"
STRATA = 10  # a number's deciles


class NetworkFields(EncodingFields, TrainingFields):
    """Everything that shapes a network on raw columns; a kind adds its body."""

    @abstractmethod
    def body(self, width: int, outputs: int) -> nn.Module:
        """Return the layers between encoding and logits: ``(n, width) -> (n, outputs)``."""

    def build(self, schema: Schema, scaler: Scaler, edges: list[np.ndarray]) -> Network:
        """Return the network with fresh weights."""
        encoder = self.encoder(schema, scaler, edges)
        binary = schema.n_classes == 2
        return Network(encoder, self.body(encoder.width, 1 if binary else schema.n_classes), binary=binary)

    def encoder(self, schema: Schema, scaler: Scaler, edges: list[np.ndarray]) -> ColumnEncoder | CanvasEncoder:
        """Return what reads the columns."""
        return ColumnEncoder(schema, scaler, edges, frequencies=self.frequencies, embedding=self.embedding)


@final
@dataclass(frozen=True)
class Pupil:
    """A network before training, and the rows as it reads them.

    Attributes:
        network: with fresh weights.
        schema, scaler, edges: how it reads raw rows.
        train, valid: the rows.
    """

    network: Network
    schema: Schema
    scaler: Scaler
    edges: list[np.ndarray]
    train: Batches
    valid: Batches

    @classmethod
    def of(cls, fields: NetworkFields, schema: Schema, train: Rows, valid: Rows, soft: np.ndarray | None) -> Pupil:
        """Learn the encoding on the training rows and build the network; its weights come from torch's seed.

        Args:
            fields: what it is.
            schema: the columns it reads.
            train, valid: rows with hard labels.
            soft: the teacher's logits ``(n_train, K)``, or None.
        """
        scaler = Scaler.fit(schema, train.features, min_count=fields.min_count)
        inputs = scaler(train.features)
        edges = _edges(fields, inputs[0].numpy(), _targets(train, soft, schema.n_classes))
        return cls(
            fields.build(schema, scaler, edges),
            schema,
            scaler,
            edges,
            Batches.of(inputs, train, soft, _strata(fields.sampling, schema, train)),
            Batches.of(scaler(valid.features), valid, None),
        )

    def taught(
        self,
        fields: NetworkFields,
        objective: Objective,
        on_epoch: OnEpoch | None = None,
        **how: object,
    ) -> tuple[FittedNetwork, list[dict[str, float]]]:
        """Train, and return the fitted network with its history; see `Trainer`."""
        history = Trainer(self.network, self.train, self.valid, fields, objective, **how).run(on_epoch)  # type: ignore[arg-type]
        if isinstance(self.network.encoder, ColumnEncoder):
            self.network.encoder.fill_unseen(self.scaler, self.train.inputs[2])
        return FittedNetwork(self.schema, self.scaler, self.edges, self.network), history


def _targets(train: Rows, soft: np.ndarray | None, n_classes: int) -> np.ndarray:
    """Return what bins are placed by: class probabilities, the first one left out."""
    p = np.eye(n_classes)[train.labels] if soft is None else softmax(soft.astype(np.float64), axis=1)
    return np.asarray(p[:, 1:])


def _edges(fields: EncodingFields, numbers: np.ndarray, targets: np.ndarray) -> list[np.ndarray]:
    if not fields.bins:
        return []
    if fields.placement == "quantile":
        return quantile_bins(numbers, fields.bins)
    return tree_bins(numbers, targets, fields.bins)


def _strata(sampling: str, schema: Schema, train: Rows) -> np.ndarray | None:
    """Return what rows are spread by ``(n,)``.

    Raises:
        DataError: the column is none of the table's.
    """
    if sampling == "uniform":
        return None
    if sampling == "class":
        return train.labels
    column = next((c for c in schema.columns if c.name == sampling), None)
    if column is None:
        raise DataError(
            f"sampling must be uniform, class or a column, got {sampling!r}{did_you_mean(sampling, schema.names)}"
        )
    values = train.features[sampling]
    if column.kind == "numeric":
        values = pd.qcut(values.rank(method="first"), STRATA, labels=False)
    return pd.factorize(values, use_na_sentinel=False)[0]


@final
class FittedNetwork:
    """A trained network that reads raw rows.

    Attributes:
        schema: the raw columns it needs.
        scaler: reads them.
        edges: bin edges per numeric column; none without bins.
        network: in evaluation mode, on the CPU.
    """

    def __init__(self, schema: Schema, scaler: Scaler, edges: list[np.ndarray], network: Network) -> None:
        self.schema, self.scaler, self.edges = schema, scaler, edges
        self.network = network.eval()

    @torch.inference_mode()
    def logits(self, inputs: Inputs) -> np.ndarray:
        """Return logits ``(n, K)`` float64 of encoded rows."""
        parts = zip(*(x.split(PREDICT_ROWS) for x in inputs), strict=True)
        z: np.ndarray = torch.cat([self.network(*part) for part in parts]).double().numpy()
        return z

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return class probabilities ``(n, K)`` of raw rows."""
        starts = range(0, len(frame), PREDICT_ROWS)
        parts = [self.logits(self.scaler(frame.iloc[i : i + PREDICT_ROWS])) for i in starts]
        return softmax(np.concatenate(parts), axis=1) if parts else np.empty((0, self.schema.n_classes))

    def to_files(self) -> dict[str, bytes]:
        """Return ``weights.safetensors``: network, scaling, bin edges."""
        tensors = {f"network.{name}": t.contiguous() for name, t in self.network.state_dict().items()}
        tensors |= {f"scaler.{name}": torch.from_numpy(a) for name, a in self.scaler.arrays().items()}
        tensors["edges"] = torch.from_numpy(np.concatenate([*self.edges, np.empty(0)]))
        tensors["edge_counts"] = torch.tensor([len(e) for e in self.edges], dtype=torch.int64)
        return {WEIGHTS: save_tensors(tensors)}

    @classmethod
    def load(cls, content: bytes, schema: Schema, build: Callable[..., Network]) -> FittedNetwork:
        """Read what `to_files` gave; ``build`` makes the network of schema, scaler and edges."""
        tensors = load_tensors(content)
        scaler = Scaler(schema, {name: tensors[f"scaler.{name}"].numpy() for name in Scaler.ARRAYS})
        counts = tensors["edge_counts"].tolist()
        edges = np.split(tensors["edges"].numpy(), np.cumsum(counts)[:-1]) if counts else []
        network = build(schema, scaler, edges)
        prefix = "network."
        network.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        return cls(schema, scaler, edges, network)

    def parameter_count(self) -> ParameterCount:
        """Count weights and embeddings; bin edges, medians, means and scales come on top."""
        learnable = sum(p.numel() for p in self.network.parameters())
        fitted = sum(len(e) for e in self.edges) + 3 * len(self.schema.numeric)
        return ParameterCount(total=learnable + fitted, learnable=learnable)

    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """Matrix multiplications of one row by torch's own counter (a multiply-add is two)."""
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            self.network(*self.scaler(frame.iloc[:1]))
        return float(counter.get_total_flops())
