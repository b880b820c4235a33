"""What every student can do, and what it learns from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np
import pandas as pd
from pydantic import Field, PositiveInt, model_validator

from distillery.data import Rows, Schema, Table
from distillery.data.model import ParameterCount, saved_bytes
from distillery.distillation import SoftLabels
from distillery.distillation.soft_labels import to_logits
from distillery.errors import TrainingError
from distillery.spec import Spec

OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Labeller:
    """The teacher at hand, for students that want labels for new rows.

    Attributes:
        schema: the teacher's columns, privileged ones included.
        features: the training rows in these columns, in the lesson's order.
        logits: labels raw rows, ``(n, K)`` float32.
    """

    schema: Schema
    features: pd.DataFrame
    logits: Callable[[pd.DataFrame], np.ndarray]


@dataclass(frozen=True)
class Lesson:
    """What a student learns from; privileged columns are already left out.

    Attributes:
        schema: the columns the student may see.
        train, valid: rows with hard labels.
        soft: the teacher's logits for the training rows, ``(n_train, K)``.
        valid_soft: the same for the validation rows, ``(n_valid, K)``, or None.
        labeller: the teacher itself, where new rows can be labelled.
    """

    schema: Schema
    train: Rows
    valid: Rows
    soft: np.ndarray
    valid_soft: np.ndarray | None = None
    labeller: Labeller | None = None


class Answers(Protocol):
    """All that a lesson asks of a teacher."""

    def predict_proba(self, rows: pd.DataFrame, /) -> np.ndarray:
        """Return probabilities ``(n, K)`` of rows as `Schema.conform` reads them, in the schema's order of classes."""
        ...


def lesson_of(table: Table, teacher: Answers, labels: SoftLabels) -> Lesson:
    """Return what any student learns from a table's labelled rows, with the teacher at hand."""
    schema, train = table.schema, table.rows("train")

    def logits(rows: pd.DataFrame) -> np.ndarray:
        return to_logits(teacher.predict_proba(rows)).astype(np.float32)

    return Lesson(
        schema.regular,
        train.regular(schema),
        table.rows("valid").regular(schema),
        labels.logits["train"],
        labels.logits["valid"],
        Labeller(schema, train.features, logits),
    )


@dataclass(frozen=True)
class Selected:
    """A raw column a student kept, and how much it mattered (in the selection's own unit)."""

    name: str
    score: float


class Student(ABC):
    """A fitted student; the methods mean what `distillery.data.model.Model` says.

    Attributes:
        schema: the raw columns it needs.
        spec: what it was fitted by.
        history: per epoch the training loss and validation log loss, in nats per row; empty for
            students fitted in one go.
        selected_features: where columns were selected, those kept, the most important first.
    """

    schema: Schema
    spec: CandidateSpec
    history: list[dict[str, float]]
    selected_features: tuple[Selected, ...] = ()

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


S = TypeVar("S", bound=Student)


class CandidateSpec(Spec, ABC):
    """What every candidate's config holds.

    Attributes:
        kind: names the class; a third party's is its entry point or import path.
        name: names the step, the run and the rows of the report; by default the kind.
        alpha: weight of the soft labels, in [0, 1].
        hard_weight: weight of the hard labels; by default 1 − α.
        max_parameters, max_bytes, max_features: hard budgets of the deployable student: fitted
            numbers, bytes of its files, raw columns. What can shrink shrinks to meet them; a
            student that still exceeds one is refused.
    """

    kind: str
    name: str = Field("", pattern=r"^[A-Za-z0-9_-]*$", max_length=60)
    alpha: float = Field(0.8, ge=0, le=1)
    hard_weight: float | None = Field(None, ge=0)
    max_parameters: PositiveInt | None = None
    max_bytes: PositiveInt | None = None
    max_features: PositiveInt | None = None

    @model_validator(mode="after")
    def _learns_from_something(self) -> Self:
        if self.alpha == 0 and self.hard == 0:
            raise ValueError("alpha or hard_weight must be above 0, got 0 for both: nothing would teach the student")
        return self

    @property
    def title(self) -> str:
        """The candidate's name, or its kind where none was given."""
        return self.name or self.kind.rpartition(":")[2]

    @property
    def hard(self) -> float:
        """Weight of the hard labels."""
        return 1 - self.alpha if self.hard_weight is None else self.hard_weight

    def control(self) -> Self:
        """Return the same student trained on hard labels only."""
        return self.model_copy(update={"alpha": 0.0, "hard_weight": 1.0})

    @property
    def lesson_title(self) -> str:
        """What it was taught by, for run names: ``α=0.7``, and the temperature where it has one."""
        temperature = getattr(self, "temperature", None)
        warmth = "" if temperature is None else f"T={temperature:g} "
        return f"{warmth}α={self.alpha:g}"

    def fit(self, lesson: Lesson, *, seed: int, on_epoch: OnEpoch | None = None) -> Student:
        """Fit a student; the same seed gives the same student on one machine.

        Raises:
            TrainingError: training failed, or the student exceeds a budget.
        """
        student = self.train(lesson, seed=seed, on_epoch=on_epoch)
        excess = self.excess(student)
        if excess is not None:
            raise TrainingError(excess)
        return student

    @abstractmethod
    def train(self, lesson: Lesson, *, seed: int, on_epoch: OnEpoch | None = None) -> Student:
        """Do what `fit` says; budgets are checked there."""

    @abstractmethod
    def load(self, files: Mapping[str, bytes]) -> Student:
        """Read what the student's ``to_files`` gave."""

    def excess(self, student: Student) -> str | None:
        """Say which budget a student exceeds and what to do; None where it keeps them all."""
        spent = {
            "max_parameters": (self.max_parameters, student.parameter_count().total, "parameters"),
            "max_bytes": (self.max_bytes, saved_bytes(student), "bytes"),
            "max_features": (self.max_features, len(student.schema.columns), "raw columns"),
        }
        for budget, (most, got, unit) in spent.items():
            if most is not None and got > most:
                return (
                    f"{self.title} must keep {budget} = {most:,}, got {got:,} {unit}; raise {budget}, or"
                    f" {self.shrinking_advice(budget)}"
                )
        return None

    def largest_within_budgets(self, make: Callable[[int], S], least: int, most: int) -> S:
        """Return the largest student that keeps the budgets, found by bisection; the smallest where none does.

        Args:
            make: makes a student of some size, say of so many leaves; what is larger spends more.
            least, most: the sizes to choose from.
        """
        student = make(most)
        if self.excess(student) is None:
            return student
        too_large = bisect_left(range(least, most), True, key=lambda size: self.excess(make(size)) is not None)
        return make(least + max(too_large - 1, 0))

    def shrinking_advice(self, budget: str) -> str:
        """Say what the user can do to stay below a budget."""
        return "drop columns of the source" if budget == "max_features" else "choose a smaller kind of student"
