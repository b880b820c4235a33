"""How a network reads raw rows: what is learnt from the training rows before any weight is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor

from distillery.data import Rows, Schema
from distillery.networks.encoding import Scaler, quantile_bins, tree_bins
from distillery.networks.settings import EncodingFields
from distillery.networks.training import Inputs


@final
@dataclass(frozen=True)
class Reading:
    """What turns raw rows into a network's inputs.

    Attributes:
        schema: the raw columns.
        scaler: reads them as numbers, masks and codes.
        edges: bin edges per numeric column; none without bins.
        positions: each column's place among all of the table's, ``(d,)``: which pixel it is.
    """

    schema: Schema
    scaler: Scaler
    edges: list[np.ndarray]
    positions: np.ndarray

    @classmethod
    def learn(
        cls,
        fields: EncodingFields,
        schema: Schema,
        train: Rows,
        soft: np.ndarray | None = None,
        *,
        one_scale: bool = False,
        positions: np.ndarray | None = None,
    ) -> Reading:
        """Learn it on training rows; bins are placed by the soft labels ``(n, K)``, or else by the hard ones."""
        scaler = Scaler.fit(schema, train.features, min_count=fields.min_count, one_scale=one_scale)
        edges = _edges(fields, scaler(train.features)[0].numpy(), _targets(train, soft, schema.n_classes))
        return cls(schema, scaler, edges, np.arange(len(schema.columns)) if positions is None else positions)

    def __call__(self, rows: Rows) -> Inputs:
        """Return rows as the network takes them."""
        return self.scaler(rows.features)

    def tensors(self) -> dict[str, Tensor]:
        """Return what `from_tensors` needs beside the schema."""
        tensors = {f"scaler.{name}": torch.from_numpy(a) for name, a in self.scaler.arrays().items()}
        tensors["edges"] = torch.from_numpy(np.concatenate([*self.edges, np.empty(0)]))
        tensors["edge_counts"] = torch.tensor([len(e) for e in self.edges], dtype=torch.int64)
        tensors["positions"] = torch.from_numpy(np.ascontiguousarray(self.positions))
        return tensors

    @classmethod
    def from_tensors(cls, schema: Schema, tensors: Mapping[str, Tensor]) -> Reading:
        """Read what `tensors` gave."""
        scaler = Scaler(schema, {name: tensors[f"scaler.{name}"].numpy() for name in Scaler.ARRAYS})
        counts = tensors["edge_counts"].tolist()
        edges = np.split(tensors["edges"].numpy(), np.cumsum(counts)[:-1]) if counts else []
        return cls(schema, scaler, edges, tensors["positions"].numpy())

    @property
    def size(self) -> int:
        """How many numbers it holds: bin edges, medians, means and scales."""
        return sum(len(e) for e in self.edges) + 3 * len(self.schema.numeric)


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
