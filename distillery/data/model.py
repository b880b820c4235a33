"""What every fitted model can do, be it teacher, student or baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from distillery.data.schema import Schema


@dataclass(frozen=True)
class ParameterCount:
    """How many fitted numbers a model needs to predict.

    Attributes:
        total: all of them, those of the preprocessing (bin edges, means) included.
        learnable: those found by gradient descent or boosting.
        tables: those that are looked up by category: embeddings, and first-order weights.
    """

    total: int
    learnable: int
    tables: int = 0


class Model(Protocol):
    """A fitted model that reads raw columns."""

    @property
    def schema(self) -> Schema:
        """The raw columns it needs, and its classes."""
        ...

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return probabilities ``(n, K)`` of raw rows, in the order of ``schema.classes``."""
        ...

    def to_files(self) -> Mapping[str, bytes]:
        """Return everything needed to predict, as file name and content; nothing is pickled."""
        ...

    def parameter_count(self) -> ParameterCount | None:
        """Count the fitted numbers; None where only the model's answers are known."""
        ...

    def flops_per_row(self, frame: pd.DataFrame) -> float | None:
        """Floating point operations to predict one row, averaged over these rows; None where unknown."""
        ...


@runtime_checkable
class KeptElsewhere(Protocol):
    """A model whose own files only say where it lies.

    Attributes:
        bytes_elsewhere: summed size of the files that lie there.
    """

    bytes_elsewhere: int


def saved_bytes(model: Model) -> int:
    """Return the summed size of all files needed to predict, wherever they lie."""
    own = sum(len(content) for content in model.to_files().values())
    return own + (model.bytes_elsewhere if isinstance(model, KeptElsewhere) else 0)
