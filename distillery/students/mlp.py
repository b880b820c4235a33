"""A small torch network over piecewise-linear bins, missing indicators and embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal, final

import numpy as np
import pandas as pd
import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from distillery.data import RawEncoder, Schema
from distillery.data.model import ParameterCount
from distillery.data.saved import header_files, read_schema
from distillery.distillation.losses import binary_logits
from distillery.students._encoding import PiecewiseLinear, Scaler, quantile_bins
from distillery.students._training import Batches, Schedule, train_network
from distillery.students.base import CandidateSpec, Lesson, OnEpoch, Student

PREDICT_ROWS = 16_384  # rows encoded at once: bounds the memory of a large prediction


class MLPSpec(CandidateSpec):
    """A torch student.

    Attributes:
        temperature: T > 0, softens both sides of the soft loss.
        widths: units of the hidden layers.
        bins: piecewise-linear bins per numeric column, at most.
        embedding: dimensions of a category's vector.
        min_count: categories of fewer training rows share the vector of the unseen ones.
        dropout: after each hidden layer.
        epochs, patience: training stops after ``patience`` epochs without a better validation
            log loss; the best epoch's weights are kept.
        batch_size, learning_rate, weight_decay: of AdamW with a one-cycle rate.
    """

    kind: Literal["mlp"] = "mlp"
    temperature: PositiveFloat = 1.0
    widths: tuple[PositiveInt, ...] = Field((64, 32), min_length=1)
    bins: int = Field(16, ge=1, le=256)
    embedding: PositiveInt = 8
    min_count: PositiveInt = 10
    dropout: float = Field(0.1, ge=0, lt=1)
    epochs: PositiveInt = 40
    patience: PositiveInt = 12
    batch_size: PositiveInt = 512
    learning_rate: PositiveFloat = 3e-3
    weight_decay: NonNegativeFloat = 1e-2

    def control(self) -> MLPSpec:
        """Return the same network trained on hard labels only; its temperature plays no part."""
        return self.model_copy(update={"alpha": 0.0, "hard_weight": 1.0, "temperature": 1.0})

    def train(self, lesson: Lesson, *, seed: int, on_epoch: OnEpoch | None = None) -> MLPStudent:
        """Train on the lesson; early stopping looks at the validation split's hard labels.

        Raises:
            TrainingError: the loss became NaN.
        """
        scaler = Scaler.fit(lesson.schema, lesson.train.features, min_count=self.min_count)
        train_inputs = scaler(lesson.train.features)
        edges = quantile_bins(train_inputs[0].numpy(), self.bins)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = _Network(self, lesson.schema, scaler, edges)
            history = train_network(
                network,
                Batches.of(train_inputs, lesson.train, lesson.soft),
                Batches.of(scaler(lesson.valid.features), lesson.valid, None),
                self._schedule(),
                on_epoch=on_epoch,
            )
        network.fill_unseen(scaler, train_inputs[2])
        student = MLPStudent(self, lesson.schema, scaler, network)
        student.history = history
        return student

    def _schedule(self) -> Schedule:
        return Schedule(
            alpha=self.alpha,
            temperature=self.temperature,
            epochs=self.epochs,
            patience=self.patience,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
        )

    def load(self, files: Mapping[str, bytes]) -> MLPStudent:
        """Read what `MLPStudent.to_files` gave."""
        schema, tensors = read_schema(files), load_tensors(files["weights.safetensors"])
        scaler = Scaler(schema, {name: tensors[f"scaler.{name}"].numpy() for name in Scaler.ARRAYS})
        edges = np.split(tensors["edges"].numpy(), tensors["edge_borders"].tolist())
        network = _Network(self, schema, scaler, edges if schema.numeric else [])
        prefix = "network."
        network.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        return MLPStudent(self, schema, scaler, network.eval())


@final
class _Network(nn.Module):
    """Encoding and layers. Shape: numbers, missing, codes of ``n`` rows ``-> (n, K)`` logits."""

    def __init__(self, spec: MLPSpec, schema: Schema, scaler: Scaler, edges: list[np.ndarray]) -> None:
        super().__init__()
        self.edges = edges
        self.binary = schema.n_classes == 2
        self.bins = PiecewiseLinear(edges)
        self.table = nn.Embedding(scaler.n_codes, spec.embedding)
        nn.init.normal_(self.table.weight, std=spec.embedding**-0.5)
        n_numeric = len(schema.numeric)
        width = len(self.bins.left) + n_numeric + len(scaler.indicated) + spec.embedding * len(schema.categorical)
        layers: list[nn.Module] = []
        for units in spec.widths:
            layers += [nn.Linear(width, units), nn.SiLU(), nn.Dropout(spec.dropout)]
            width = units
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1 if self.binary else schema.n_classes))

    def forward(self, numbers: Tensor, missing: Tensor, codes: Tensor) -> Tensor:
        vectors = self.table(codes).flatten(1)  # (n, c) -> (n, c * embedding)
        bounded = numbers.clamp(-5, 5)  # the raw column beside its bins; a bound keeps extremes harmless
        z: Tensor = self.layers(torch.cat([self.bins(numbers), bounded, missing, vectors], dim=1))
        return binary_logits(z) if self.binary else z

    @torch.no_grad()
    def fill_unseen(self, scaler: Scaler, codes: Tensor) -> None:
        """Give reserved codes that no training row used the mean vector of their column."""
        counts = torch.bincount(codes.flatten(), minlength=scaler.n_codes).float()
        borders = [*scaler.offsets.tolist(), scaler.n_codes]
        for start, end in pairwise(borders):
            weights = counts[start:end, None]
            mean = (self.table.weight[start:end] * weights).sum(0) / weights.sum().clamp(min=1)
            for code in (start + RawEncoder.MISSING, start + RawEncoder.UNSEEN):
                if counts[code] == 0:
                    self.table.weight[code] = mean


@final
class MLPStudent(Student):
    """A fitted torch student."""

    def __init__(self, spec: MLPSpec, schema: Schema, scaler: Scaler, network: _Network) -> None:
        self.spec = spec
        self.schema = schema
        self.history: list[dict[str, float]] = []
        self._scaler = scaler
        self._network = network.eval()

    @torch.inference_mode()
    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return class probabilities ``(n, K)`` of raw rows."""
        starts = range(0, len(frame), PREDICT_ROWS)
        parts = [self._network(*self._scaler(frame.iloc[i : i + PREDICT_ROWS])) for i in starts]
        if not parts:
            return np.empty((0, self.schema.n_classes))
        proba: np.ndarray = torch.cat(parts).double().softmax(dim=1).numpy()
        return proba

    def to_files(self) -> dict[str, bytes]:
        """Return ``weights.safetensors`` (network, scaling, bin edges) beside spec and schema."""
        edges = self._network.edges
        tensors = {f"network.{name}": t.contiguous() for name, t in self._network.state_dict().items()}
        tensors |= {f"scaler.{name}": torch.from_numpy(a) for name, a in self._scaler.arrays().items()}
        tensors["edges"] = torch.from_numpy(np.concatenate([*edges, np.empty(0)]))
        tensors["edge_borders"] = torch.tensor(np.cumsum([len(e) for e in edges])[:-1], dtype=torch.int64)
        return {**header_files(self.spec, self.schema), "weights.safetensors": save_tensors(tensors)}

    def parameter_count(self) -> ParameterCount:
        """Count weights and embeddings; bin edges, medians, means and scales come on top."""
        learnable = sum(p.numel() for p in self._network.parameters())
        fitted = sum(len(e) for e in self._network.edges) + 3 * len(self.schema.numeric)
        return ParameterCount(total=learnable + fitted, learnable=learnable)

    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """Matrix multiplications of one row by torch's own counter (a multiply-add is two)."""
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            self._network(*self._scaler(frame.iloc[:1]))
        return float(counter.get_total_flops())
