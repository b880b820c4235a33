"""What every teacher can do, and the logits its soft labels are stored as."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import pandas as pd

from distillery.data import Schema
from distillery.data.model import ParameterCount
from distillery.spec import Spec


class Teacher(ABC):
    """A fitted teacher; the methods mean what `distillery.data.model.Model` says.

    Attributes:
        schema: the raw columns it reads, privileged ones included.
        spec: what it was fitted by.
    """

    schema: Schema
    spec: Spec

    @abstractmethod
    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return probabilities ``(n, K)`` of raw rows."""

    @abstractmethod
    def to_files(self) -> Mapping[str, bytes]:
        """Return everything needed to predict, in the library's own format."""

    @abstractmethod
    def parameter_count(self) -> ParameterCount:
        """Count the fitted numbers."""

    @abstractmethod
    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """Floating point operations to predict one row, averaged over these rows."""


LOGIT_BOUND = 1e-7  # a probability nearer to 0 carries no more information than this


def to_logits(proba: np.ndarray) -> np.ndarray:
    """Return log probabilities ``(n, K)``, clipped below at log(1e-7), as the soft labels' logits.

    >>> to_logits(np.array([[0.0, 1.0]])).round(2).tolist()
    [[-16.12, 0.0]]
    """
    clipped = np.clip(proba, LOGIT_BOUND, 1.0)
    return np.log(clipped / clipped.sum(axis=1, keepdims=True))
