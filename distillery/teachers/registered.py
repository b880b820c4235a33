"""The teacher a team already has: a model from a registry, opened instead of fitted.

Whoever knows the registry hands the model in as a `ReadyModel`, so that the domain needs no registry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NoReturn, final

import numpy as np
import pandas as pd
from pydantic import field_validator

from distillery.data import Rows, Schema
from distillery.data.probabilities import put_right
from distillery.data.saved import header_files, read_schema
from distillery.data.schema import Label, as_text
from distillery.errors import ArtifactError, DataError, InputError, one_line, shortlist
from distillery.teachers.base import Teacher, TeacherKind

MODEL_FILE = "model.json"
URIS = "models:/<name>@<alias>, models:/<name>/<version or latest>, models:/<model id> or runs:/<run id>/<path>"


@final
@dataclass(frozen=True)
class ReadyModel:
    """A fitted model as its opener hands it in.

    Attributes:
        uri: where it lies, by version: what an alias points to may change.
        identity: no other model has it, not even one that later lies under the same URI.
        bytes: summed size of its files.
        columns: the raw columns it reads, in its order; None where it does not say.
        classes: whose probabilities it gives, in its order; None where it does not say.
        predict: asked with ``columns`` (or else all columns of the table), numbers as float64 and
            text as objects with None for missing. Answers with probabilities: ``(n, K)``; a frame
            with a column for each class; or with two classes one number a row.
    """

    uri: str
    identity: str
    bytes: int
    columns: tuple[str, ...] | None
    classes: tuple[Any, ...] | None
    predict: Callable[[pd.DataFrame], Any]


class RegisteredSpec(TeacherKind):
    """A ready-made model in an MLflow registry or run; nothing is trained.

    Attributes:
        uri: ``models:/<name>@<alias>``, ``models:/<name>/<version>`` (or ``latest``),
            ``models:/<model id>`` or ``runs:/<run id>/<path>``.
        tracking_uri: of the MLflow server where it lies; by default the active stack's.
        classes: whose probabilities it gives, in its order, where it was trained on codes. By
            default what it says itself; where it does not, (n, K) probabilities are taken in
            ascending order of the classes, and one number a row for the positive class's.
    """

    fitted: ClassVar[bool] = False
    kind: Literal["registered"] = "registered"
    uri: str
    tracking_uri: str | None = None
    classes: tuple[Label, ...] | None = None

    @field_validator("uri")
    @classmethod
    def _lies_in_mlflow(cls, uri: str) -> str:
        if not uri.startswith(("models:/", "runs:/")):
            raise ValueError(f"must be {URIS}, got {uri!r}")
        return uri

    def open(self, schema: Schema, open_model: OpenModel) -> RegisteredTeacher:
        """Open the model as a teacher whose spec names its version.

        Raises:
            DataError: its columns or classes differ from the table's.
        """
        model = open_model(self)
        return RegisteredTeacher(self.model_copy(update={"uri": model.uri}), schema, model)

    def reopen(self, files: Mapping[str, bytes], open_model: OpenModel) -> RegisteredTeacher:
        """Open the model again that a teacher was made of; see `RegisteredTeacher.to_files`.

        Raises:
            ArtifactError: another model lies there by now.
        """
        model, identity = open_model(self), json.loads(files[MODEL_FILE])["identity"]
        if model.identity != identity:
            raise ArtifactError(
                f"{self.uri} must still be the model {identity}, got {model.identity}; open the teacher anew"
            )
        return RegisteredTeacher(self, read_schema(files), model)

    def fit(self, train: Rows, valid: Rows, schema: Schema, *, seed: int) -> NoReturn:
        """Refuse: there is nothing to fit, see `open`."""
        raise TypeError(f"the registered teacher {self.uri} comes ready-made: it must be opened, not fitted")

    def load(self, files: Mapping[str, bytes]) -> NoReturn:
        """Refuse: the files only say where the model lies, see `reopen`."""
        raise InputError(
            f"the registered teacher {self.uri} must be loaded with something that opens its model; give load_teacher"
            " an open_model, such as materializers.registered.open_model"
        )


OpenModel = Callable[[RegisteredSpec], ReadyModel]


@final
class RegisteredTeacher(Teacher):
    """A ready-made model behind a table's schema.

    Attributes:
        model: as its opener handed it in.
        bytes_elsewhere: of the model's own files.

    Raises:
        DataError: the model's columns or classes differ from the schema's.
    """

    spec: RegisteredSpec

    def __init__(self, spec: RegisteredSpec, schema: Schema, model: ReadyModel) -> None:
        self.spec, self.schema, self.model = spec, schema, model
        self.bytes_elsewhere = model.bytes
        if model.columns is not None:
            _refuse_other_columns(spec.uri, model.columns, schema.names)
        told = model.classes if spec.classes is None else spec.classes
        self._order = None if told is None else self._positions(told)

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return class probabilities ``(n, K)`` of raw rows.

        Raises:
            DataError: as `Schema.conform`; or the model fails, or answers with anything but probabilities.
        """
        rows = self.schema.conform(frame)
        if len(rows) == 0:
            return np.empty((0, self.schema.n_classes))
        answer = self._ask(rows if self.model.columns is None else rows[list(self.model.columns)])
        proba = self._checked(answer, len(rows))
        return proba[:, self._order or self._positions(_told(answer, self.schema.classes))]

    def to_files(self) -> dict[str, bytes]:
        """Return the spec, which names the model's version, the schema, and the model's identity."""
        identity = json.dumps({"identity": self.model.identity}).encode()
        return {**header_files(self.spec, self.schema), MODEL_FILE: identity}

    def parameter_count(self) -> None:
        """Only the model's answers are known."""

    def flops_per_row(self, frame: pd.DataFrame) -> None:
        """Only the model's answers are known."""

    def _ask(self, rows: pd.DataFrame) -> pd.DataFrame | np.ndarray:
        try:
            answer = self.model.predict(rows)
            return answer if isinstance(answer, pd.DataFrame) else np.asarray(answer)
        except InputError:
            raise
        except Exception as error:
            problem = f"{type(error).__name__}: {one_line(error)}"
            raise DataError(f"the registered teacher {self.spec.uri} cannot read these rows: {problem}") from error

    def _checked(self, answer: pd.DataFrame | np.ndarray, n: int) -> np.ndarray:
        """Return an answer as probabilities ``(n, K)``, in the model's order of classes."""
        values = np.asarray(answer)
        if self.schema.n_classes == 2 and _one_number_a_row(values) and values.dtype.kind == "f":
            positive = values.reshape(-1).astype(np.float64)
            values = np.column_stack([1 - positive, positive])
        if values.shape != (n, self.schema.n_classes):
            seen = one_line(shortlist(values.ravel(), 3))
            self._refuse(f"values of type {values.dtype} and shape {values.shape}: {seen}", n)
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError):
            self._refuse(f"{values[0].tolist()} in row 0", n)
        return put_right(values, lambda got: self._refuse(got, n))

    def _refuse(self, got: str, n: int) -> NoReturn:
        raise DataError(
            f"the registered teacher {self.spec.uri} must answer with probabilities ({n}, {self.schema.n_classes}):"
            f" in [0, 1], rows that sum to 1; got {got}. Where these are labels, log the model so that it gives"
            ' probabilities (scikit-learn: pyfunc_predict_fn="predict_proba")'
        )

    def _positions(self, told: Sequence[Any]) -> list[int]:
        """Where each class of the schema stands among those told; labels are compared as text."""
        ours, theirs = _texts(self.schema.classes), _texts(told)
        if sorted(ours) != sorted(theirs):
            raise DataError(
                f"the registered teacher {self.spec.uri} must know the classes of the table, {shortlist(ours, 20)}, got"
                f" {shortlist(theirs, 20)}; {_difference('class', theirs, ours)}. Where these are codes, say in"
                " teacher.classes which class each of them stands for, in their order"
            )
        return [theirs.index(label) for label in ours]


def _one_number_a_row(values: np.ndarray) -> bool:
    return values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)


def _told(answer: pd.DataFrame | np.ndarray, classes: tuple[Label, ...]) -> Sequence[Any]:
    """Whose probabilities an answer holds, in its order, where the model does not say."""
    if _one_number_a_row(np.asarray(answer)):
        return classes
    if isinstance(answer, pd.DataFrame) and not isinstance(answer.columns, pd.RangeIndex):
        return list(answer.columns)
    return sorted(classes, key=lambda label: (isinstance(label, str), label))


def _texts(labels: Sequence[Any]) -> list[str]:
    return [str(text) for text in as_text(pd.Series(list(labels), dtype=object))]


def _refuse_other_columns(uri: str, theirs: Sequence[str], ours: Sequence[str]) -> None:
    if set(theirs) != set(ours):
        raise DataError(
            f"the registered teacher {uri} must read the columns of the table; {_difference('column', theirs, ours)}."
            " Bring or rename what the table lacks, and list what the teacher lacks under source.drop"
        )


def _difference(what: str, theirs: Sequence[str], ours: Sequence[str]) -> str:
    """Say what only one side has.

    >>> _difference("column", ["a", "b"], ["b", "c"])
    "the table lacks column 'a'; the teacher lacks column 'c'"
    """
    missing = {
        "the table": [name for name in theirs if name not in ours],
        "the teacher": [name for name in ours if name not in theirs],
    }
    return "; ".join(f"{who} lacks {what} {shortlist(map(repr, names), 20)}" for who, names in missing.items() if names)
