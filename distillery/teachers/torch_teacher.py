"""What every torch teacher shares: training on hard labels, and files."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import ClassVar, final

import numpy as np
import pandas as pd
import torch

from distillery.data import Rows, Schema
from distillery.data.model import ParameterCount
from distillery.data.saved import header_files, read_schema
from distillery.export import RawColumns
from distillery.networks import FieldVectors, FittedNetwork, NetworkFields, Objective, Pupil
from distillery.networks.fitted import WEIGHTS, strata_of
from distillery.teachers.base import Teacher, TeacherKind


class TorchTeacherSpec(NetworkFields, TeacherKind, ABC):
    """A torch teacher, trained on hard labels."""

    streams: ClassVar[bool] = True

    def fit(self, train: Rows, valid: Rows, schema: Schema, *, seed: int) -> TorchTeacher:
        """Train on ``train``; keep the epoch with the best log loss on ``valid``.

        Raises:
            TrainingError: a loss became NaN.
        """
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            strata = strata_of(self.sampling, schema, train)
            objective = Objective(alpha=0.0, members=self.members(schema))
            fitted, history = Pupil.of(self, schema, train, valid, strata=strata).taught(self, objective)
        teacher = TorchTeacher(self, fitted)
        teacher.history = tuple(history)
        return teacher

    def load(self, files: Mapping[str, bytes]) -> TorchTeacher:
        """Read what `TorchTeacher.to_files` gave."""
        return TorchTeacher(self, FittedNetwork.load(files[WEIGHTS], read_schema(files), self))


@final
class TorchTeacher(Teacher):
    """A fitted torch teacher of any kind."""

    spec: TorchTeacherSpec

    def __init__(self, spec: TorchTeacherSpec, fitted: FittedNetwork) -> None:
        self.spec, self.fitted = spec, fitted
        self.schema: Schema = fitted.schema

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return class probabilities ``(n, K)`` of raw rows."""
        return self.fitted.predict_proba(frame)

    def to_graph(self, raw: RawColumns) -> str:
        """Add the network's nodes; see `distillery.export.Exportable`."""
        return self.fitted.to_graph(raw)

    def to_files(self) -> dict[str, bytes]:
        """Return ``weights.safetensors`` beside spec and schema."""
        return {**header_files(self.spec, self.schema), **self.fitted.to_files()}

    def field_embeddings(self) -> dict[str, np.ndarray] | None:
        """Return each raw column's embedding, of kinds that have one; see `FittedNetwork.field_embeddings`."""
        return self.fitted.field_embeddings()

    def inheritance(self) -> FieldVectors | None:
        """Return what a student can start from; see `FittedNetwork.inheritance`."""
        return self.fitted.inheritance()

    def hidden(self, frame: pd.DataFrame) -> np.ndarray | None:
        """Return its last hidden layer's activations; see `FittedNetwork.hidden`."""
        return self.fitted.hidden(frame)

    def field_vectors(self, frame: pd.DataFrame) -> np.ndarray | None:
        """Return each raw column's vector of raw rows ``(n, d, k)``; see `FittedNetwork.field_vectors`."""
        return self.fitted.field_vectors(frame)

    def parameter_count(self) -> ParameterCount:
        """Count as `FittedNetwork.parameter_count`."""
        return self.fitted.parameter_count()

    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """Count as `FittedNetwork.flops_per_row`."""
        return self.fitted.flops_per_row(frame)
