"""What every teacher can do."""

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
