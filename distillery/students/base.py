"""What every student can do, and what it learns from."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
import pandas as pd
from pydantic import Field, PositiveInt, model_validator
from sklearn.metrics import log_loss

from distillery.data import Rows, Schema, Table
from distillery.data.model import ParameterCount, saved_bytes
from distillery.distillation import SoftLabels
from distillery.distillation.logits import Answers, logits_of
from distillery.errors import TrainingError
from distillery.export import ExportError, OnnxModel, Quantize, RawColumns, quantized, to_onnx
from distillery.export.raw import Form
from distillery.networks import FieldVectors, GatePath
from distillery.spec import Spec
from distillery.students.inherit import Inherited
from distillery.students.search import OnTrial, SearchSpec, Trial, best_of, run_trials

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
        schema: the columns the student may see, a text as the terms it may hold.
        train, valid: rows with hard labels.
        soft: the teacher's logits for the training rows, ``(n_train, K)``.
        valid_soft: the same for the validation rows, ``(n_valid, K)``, or None.
        labeller: the teacher itself, where new rows can be labelled.
        streamed_soft: where training rows lie on disk, the teacher's logits for all of them ``(n, K)``.
        embeddings: gives the teacher's vectors of its columns, None where it has none.
        hidden: gives the teacher's last hidden layer for the training rows ``(n_train, h)``, None where it has none.
    """

    schema: Schema
    train: Rows
    valid: Rows
    soft: np.ndarray
    valid_soft: np.ndarray | None = None
    labeller: Labeller | None = None
    streamed_soft: np.ndarray | None = None
    embeddings: Callable[[], FieldVectors | None] = lambda: None
    hidden: Callable[[], np.ndarray | None] = lambda: None

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of schema, rows and soft labels, which stand for the teacher."""
        total = hashlib.sha256(self.schema.digest.encode())
        for rows in (self.train, self.valid):
            weights = np.ones(len(rows)) if rows.weights is None else rows.weights
            features = pd.util.hash_pandas_object(rows.features, index=False)
            for values in (features.to_numpy(), rows.labels, weights):
                total.update(np.ascontiguousarray(values).tobytes())
        for soft in (self.soft, self.valid_soft):
            if soft is not None:
                total.update(np.ascontiguousarray(soft).tobytes())
        if self.train.stream is not None:
            total.update(self.train.stream.parts.digest.encode())
        return total.hexdigest()[:16]


@runtime_checkable
class Bequeathing(Protocol):
    """A teacher that students can inherit vectors from."""

    def inheritance(self) -> FieldVectors | None:
        """Return its columns' vectors, privileged ones included; None where it has none."""
        ...


@runtime_checkable
class Hinting(Protocol):
    """A teacher whose hidden layer students can be held to."""

    def hidden(self, frame: pd.DataFrame) -> np.ndarray | None:
        """Return what its last hidden layer gives for raw rows ``(n, h)``; None where it has none."""
        ...


def lesson_of(table: Table, teacher: Answers, labels: SoftLabels) -> Lesson:
    """Return what any student learns from a table's labelled rows, with the teacher at hand.

    Its vectors and hidden layer are those of the one teacher that was fitted on all training rows.
    """
    # DIFF soft labels may be cross-fitted; vectors and hidden layers of several teachers do not fit together.
    schema, train = table.schema, table.rows("train")
    seen = schema.regular.spread("terms")
    return Lesson(
        seen,
        train.regular(schema).spread(seen),
        table.rows("valid").regular(schema).spread(seen),
        labels.logits["train"],
        labels.logits["valid"],
        Labeller(schema, train.features, partial(logits_of, teacher)),
        None if labels.streamed is None else labels.streamed.values,
        teacher.inheritance if isinstance(teacher, Bequeathing) else lambda: None,
        (lambda: teacher.hidden(train.features)) if isinstance(teacher, Hinting) else lambda: None,
    )


@dataclass(frozen=True)
class Selected:
    """A raw column a student kept, and how much it mattered (in the selection's own unit)."""

    name: str
    score: float


class Student(ABC):
    """A fitted student; the methods mean what `distillery.data.model.Model` says.

    Attributes:
        schema: the columns it needs; its ``inputs`` are the raw ones.
        spec: what it was fitted by.
        history: per epoch the training loss and validation log loss, in nats per row; empty for
            students fitted in one go.
        selected_features: where columns were selected, those kept, the most important first.
        gate_path: where gates chose these, how they closed.
        trials: where settings were searched, what was tried, in order.
        inherited: of kinds that can take more than labels from the teacher, what was taken.
    """

    schema: Schema
    spec: CandidateSpec
    history: list[dict[str, float]]
    selected_features: tuple[Selected, ...] = ()
    gate_path: GatePath | None = None
    trials: tuple[Trial, ...] = ()
    inherited: Inherited | None = None

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

    def factors(self) -> np.ndarray | None:
        """Return what the factors of a low-rank first layer look at, None where it has none.

        Returns:
            Norm of each factor's weights on each raw column ``(rank, d)``, in the order of ``schema.names``.
        """
        return None

    def to_graph(self, raw: RawColumns) -> str:
        """Add its nodes to an ONNX graph; see `distillery.export.Exportable`.

        Raises:
            ExportError: its kind has no ONNX form.
        """
        raise ExportError(f"a student of kind {self.spec.kind} cannot be exported: its class defines no `to_graph`")

    def exported(self, form: Form = "columns") -> OnnxModel:
        """Return the file that is deployed; see `distillery.export.to_onnx`.

        Raises:
            ExportError: its kind has no ONNX form.
        """
        return quantized(to_onnx(self, form=form), self.spec.quantize)


S = TypeVar("S", bound=Student)


class CandidateSpec(Spec, ABC):
    """What every candidate's config holds.

    Attributes:
        kind: names the class; a third party's is its entry point or import path.
        name: names the step, the run and the rows of the report; by default the kind.
        alpha: weight of the soft labels, in [0, 1].
        hard_weight: weight of the hard labels; by default 1 − α.
        quantize: the weights of the exported file: ``int8``, ``float16``, or ``none`` for float32; torch
            students only. What is measured, judged and promoted is the quantized file.
        max_parameters, max_bytes, max_features: hard budgets of the deployable student: fitted
            numbers, bytes of its exported file, raw columns. What can shrink shrinks to meet them; a
            student that still exceeds one is refused.
        search: which settings to choose on the validation split; a fitted student's own spec holds
            those that were chosen.
    """

    quantizable: ClassVar[bool] = False
    streams: ClassVar[bool] = False  # whether it learns from rows on disk; if not, from the sample in memory
    kind: str
    name: str = Field("", pattern=r"^[A-Za-z0-9_-]*$", max_length=60)
    alpha: float = Field(0.8, ge=0, le=1)
    hard_weight: float | None = Field(None, ge=0)
    quantize: Quantize = "none"
    max_parameters: PositiveInt | None = None
    max_bytes: PositiveInt | None = None
    max_features: PositiveInt | None = None
    search: SearchSpec | None = None

    @model_validator(mode="after")
    def _can_be_searched(self) -> Self:
        if self.search is not None:
            self.search.points(self)
        return self

    @model_validator(mode="after")
    def _can_be_quantized(self) -> Self:
        if self.quantize != "none" and not self.quantizable:
            raise ValueError(f"quantize must be none for {self.kind}, got {self.quantize}: it has no layers of weights")
        return self

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
        """Return the same student trained on hard labels only.

        It is not searched: where more than the lesson was (``widths``), it keeps what the config says.
        """
        return self.model_copy(update={"alpha": 0.0, "hard_weight": 1.0, "search": None})

    @property
    def lesson_title(self) -> str:
        """What it was taught by, for run names: ``α=.7``, and the temperature where it has one; or ``searched``."""
        if self.search is not None:
            return "searched"
        temperature = getattr(self, "temperature", None)
        warmth = "" if temperature is None else f"T={temperature:g} "
        return f"{warmth}α={self.alpha:g}".replace("α=0.", "α=.")

    def fit(
        self, lesson: Lesson, *, seed: int, on_epoch: OnEpoch | None = None, on_trial: OnTrial | None = None
    ) -> Student:
        """Fit a student; the same seed gives the same student on one machine.

        Args:
            lesson: what it learns from.
            seed: of everything random.
            on_epoch: told each epoch's losses; of a search, those of the chosen student at its end.
            on_trial: told each trial of a search.

        Raises:
            TrainingError: training failed, the student exceeds a budget, or no trial of a search succeeded.
        """
        if self.search is not None:
            return self._fit_best(self.search, lesson, seed=seed, on_epoch=on_epoch, on_trial=on_trial)
        return self.fit_as_is(lesson, seed=seed, on_epoch=on_epoch)

    def fit_as_is(self, lesson: Lesson, *, seed: int, on_epoch: OnEpoch | None = None) -> Student:
        """Do what `fit` says with the settings as they stand, without a search."""
        student = self.train(lesson, seed=seed, on_epoch=on_epoch)
        excess = self.excess(student)
        if excess is not None:
            raise TrainingError(excess)
        return student

    def _fit_best(
        self, search: SearchSpec, lesson: Lesson, *, seed: int, on_epoch: OnEpoch | None, on_trial: OnTrial | None
    ) -> Student:
        """Return the student of the trial that did best on the validation split."""
        points = search.points(self)
        best: tuple[float, str, Student] | None = None

        def score(key: str) -> float:
            nonlocal best
            student = points[key].fit_as_is(lesson, seed=seed)
            loss = valid_log_loss(student, lesson.valid)
            if best is None or loss < best[0]:
                best = loss, key, student
            return loss

        study = self._study_name(lesson, seed, points.values())
        trials = run_trials(search, list(points), study=study, seed=seed, score=score, on_trial=on_trial)
        key = best_of(trials).key
        student = best[2] if best and best[1] == key else points[key].fit_as_is(lesson, seed=seed)
        student.trials = trials
        if on_epoch:
            for epoch, values in enumerate(student.history):
                on_epoch(epoch, values)
        return student

    def _study_name(self, lesson: Lesson, seed: int, points: Iterable[Self]) -> str:
        """Name the search by what decides its trials' values, the code apart: another lesson, another study."""
        settings = [point.model_dump_json(exclude={"name", "search"}) for point in points]
        decided = "\n".join([lesson.digest, str(seed), *settings])
        return f"{self.kind}-{hashlib.sha256(decided.encode()).hexdigest()[:16]}"

    def fault(self, targets: Sequence[str], *, funnel: bool) -> str | None:
        """Say why it cannot learn a table of these several targets, or of none; None where it can."""
        return None

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
            "max_bytes": (self.max_bytes, self.max_bytes and deployed_bytes(student), "bytes"),
            "max_features": (self.max_features, len(student.schema.inputs.columns), "raw columns"),
        }
        for budget, (most, got, unit) in spent.items():
            if most is not None and got is not None and got > most:
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


def deployed_bytes(student: Student) -> int:
    """Return the size of the exported file, or of the files it is saved as where its kind has no ONNX form."""
    try:
        return len(student.exported().content)
    except ExportError:
        return saved_bytes(student)


def valid_log_loss(student: Student, valid: Rows) -> float:
    """Return the weighted mean log loss on hard labels, in nats per row."""
    classes = np.arange(student.schema.n_classes)
    proba = student.predict_proba(valid.features)
    return float(log_loss(valid.labels, proba, sample_weight=valid.weights, labels=classes))
