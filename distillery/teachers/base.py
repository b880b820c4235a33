"""What every teacher can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import pandas as pd

from distillery.data import Rows, Schema
from distillery.data.model import ParameterCount
from distillery.data.schema import TextReading
from distillery.export import ExportError, RawColumns
from distillery.spec import Spec


class Teacher(ABC):
    """A fitted teacher; the methods mean what `distillery.data.model.Model` says.

    Attributes:
        schema: the columns it reads, privileged ones included; its ``inputs`` are the raw ones.
        spec: what it was fitted by.
        history: per epoch the losses in nats per row, of teachers that are trained in epochs.
    """

    schema: Schema
    spec: TeacherKind
    history: tuple[dict[str, float], ...] = ()

    @abstractmethod
    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return probabilities ``(n, K)`` of raw rows."""

    @abstractmethod
    def to_files(self) -> Mapping[str, bytes]:
        """Return everything needed to predict, in the library's own format."""

    @abstractmethod
    def parameter_count(self) -> ParameterCount | None:
        """Count the fitted numbers; None where only the model's answers are known."""

    @abstractmethod
    def flops_per_row(self, frame: pd.DataFrame) -> float | None:
        """Floating point operations to predict one row, averaged over these rows; None where unknown."""

    def to_graph(self, raw: RawColumns) -> str:
        """Add its nodes to an ONNX graph; see `distillery.export.Exportable`.

        Raises:
            ExportError: its kind has no ONNX form.
        """
        raise ExportError(f"a teacher of kind {self.spec.kind} cannot be exported: its class defines no `to_graph`")


class TeacherKind(Spec, ABC):
    """What every teacher's config holds.

    Attributes:
        kind: names the class; a third party's is its entry point or import path.
        fitted: whether a run fits it; one that comes ready-made cannot be cross-fitted.
        streams: whether it learns from rows on disk; if not, from the sample in memory.
    """

    fitted: ClassVar[bool] = True
    streams: ClassVar[bool] = False
    kind: str

    def fault(self, targets: Sequence[str], *, funnel: bool) -> str | None:
        """Say why it cannot learn a table of these several targets, or of none; None where it can."""
        return None

    @abstractmethod
    def fit(self, train: Rows, valid: Rows, schema: Schema, *, seed: int) -> Teacher:
        """Fit on ``train``; ``valid`` decides when to stop. The same seed gives the same teacher."""

    def fit_on(
        self, train: Rows, valid: Rows, schema: Schema, *, seed: int, reading: TextReading = "hashed"
    ) -> Teacher:
        """Do what `fit` does with rows that may hold texts; see `distillery.data.Schema.spread`."""
        spread = schema.spread(reading)
        return self.fit(train.spread(spread), valid.spread(spread), spread, seed=seed)

    @abstractmethod
    def load(self, files: Mapping[str, bytes]) -> Teacher:
        """Read what the teacher's ``to_files`` gave."""
