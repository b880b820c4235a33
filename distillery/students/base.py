"""What every student can do, and what it learns from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from pydantic import Field

from distillery.data import Rows, Schema
from distillery.data.model import ParameterCount
from distillery.spec import Spec

OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Lesson:
    """What a student learns from; privileged columns are already left out.

    Attributes:
        schema: the columns the student may see.
        train, valid: rows with hard labels.
        soft: the teacher's logits for the training rows, ``(n_train, K)``.
    """

    schema: Schema
    train: Rows
    valid: Rows
    soft: np.ndarray


class Student(ABC):
    """A fitted student; the methods mean what `distillery.data.model.Model` says.

    Attributes:
        schema: the raw columns it needs.
        spec: what it was fitted by.
        history: per epoch the training loss and validation log loss, in nats per row; empty for
            students fitted in one go.
    """

    schema: Schema
    spec: CandidateSpec
    history: list[dict[str, float]]

    @abstractmethod
    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return probabilities ``(n, K)`` of raw rows."""

    @abstractmethod
    def to_files(self) -> Mapping[str, bytes]:
        """Return everything needed to predict; nothing is pickled."""

    @abstractmethod
    def parameter_count(self) -> ParameterCount:
        """Count the fitted numbers."""

    @abstractmethod
    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """Floating point operations to predict one row, averaged over these rows."""


class CandidateSpec(Spec):
    """What every candidate's config holds.

    Attributes:
        name: names the step, the run and the rows of the report; by default the kind.
        alpha: weight of the soft labels against the hard ones, in [0, 1].
    """

    name: str = Field("", pattern=r"^[A-Za-z0-9_-]*$", max_length=60)
    alpha: float = Field(0.9, ge=0, le=1)

    @property
    def title(self) -> str:
        """The candidate's name, or its kind where none was given."""
        return self.name or str(getattr(self, "kind", ""))

    def control(self) -> Self:
        """Return the same student trained on hard labels only."""
        return self.model_copy(update={"alpha": 0.0})

    @property
    def lesson_title(self) -> str:
        """What it was taught by, for run names: ``α=0.7``, and the temperature where it has one."""
        temperature = getattr(self, "temperature", None)
        warmth = "" if temperature is None else f"T={temperature:g} "
        return f"{warmth}α={self.alpha:g}"

    @abstractmethod
    def fit(self, lesson: Lesson, *, seed: int, on_epoch: OnEpoch | None = None) -> Student:
        """Fit a student; the same seed gives the same student on one machine."""
