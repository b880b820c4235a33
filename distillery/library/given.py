"""A teacher one already has, asked about the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn, final

import numpy as np
import pandas as pd

from distillery.data import Schema, Table
from distillery.data.probabilities import put_right
from distillery.data.schema import as_text
from distillery.data.table import SPLIT_COLUMN, SPLITS
from distillery.distillation import SoftLabels
from distillery.distillation.soft_labels import to_logits
from distillery.errors import DataError, did_you_mean, shortlist
from distillery.evaluation import Entry
from distillery.library.memory import teacher_entry
from distillery.students import Student
from distillery.teachers import Teacher


@final
class GivenTeacher:
    """A fitted model whose answers about a table's rows are known.

    Args:
        model: anything with ``predict_proba``.
        raw: the rows the table was made of, in its order; the model reads them as they are.
        table: what the student will see of them.

    Attributes:
        kind: its class's name, or what kind of our own it is.

    Raises:
        TypeError: the model has no ``predict_proba``.
        DataError: its columns or classes differ from the data's, or it gives no probabilities.
    """

    def __init__(self, model: Any, raw: pd.DataFrame, table: Table) -> None:
        if not callable(getattr(model, "predict_proba", None)):
            raise TypeError(
                "teacher must be a fitted model with predict_proba, or a saved teacher's folder, got"
                f" {type(model).__name__}"
            )
        self._model, self._raw, self._table = model, raw, table
        self._own = isinstance(model, Teacher | Student)
        self.kind: str = model.spec.kind if self._own else type(model).__name__
        self._columns = _columns(model, table.schema, raw)
        self._order = _order(model, table.schema)
        self._proba = self._ask(raw)

    def soft_labels(self) -> SoftLabels:
        """Return its labels of every row."""
        logits = to_logits(self._proba).astype(np.float32)
        splits = {name: logits[self._in(name)] for name in SPLITS}
        return SoftLabels(splits, np.full(len(splits["train"]), -1, dtype=np.int64), "in_sample")

    def entry(self) -> Entry:
        """Return it as something to be measured: with its cost where it is our own and reads features alone."""
        if self._own and set(self._columns) <= set(self._table.schema.names):
            return teacher_entry(self._model)
        return Entry(self.kind, "teacher", self.kind, f"teacher {self.kind}", proba=self._proba[self._in("test")])

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        """Return its probabilities ``(n, K)`` of new rows in the types of `Schema.conform`.

        Raises:
            DataError: it reads a column that is no feature, or one that cannot be given its type back.
        """
        return self._ask(pd.DataFrame({name: self._as_given(rows, name) for name in self._columns}))

    def _in(self, split: str) -> np.ndarray:
        return (self._table.frame[SPLIT_COLUMN] == split).to_numpy()

    def _ask(self, rows: pd.DataFrame) -> np.ndarray:
        return _checked(self._model.predict_proba(rows[self._columns]), len(rows), len(self._order))[:, self._order]

    def _as_given(self, rows: pd.DataFrame, name: str) -> pd.Series:
        """Return a column of new rows in the type the model knows."""
        given = self._raw[name]
        kind = next((c.kind for c in self._table.schema.columns if c.name == name), None)
        as_text_only = kind == "numeric" and not pd.api.types.is_numeric_dtype(given.dtype)
        if kind is None or (as_text_only and not self._own):
            raise DataError(
                f"the teacher can label new rows by features alone, but column {name!r}"
                f" {'is none' if kind is None else 'holds numbers as text'}; set `augment` to null, or"
                f" {'make it a feature' if kind is None else 'name it in `categorical`'}"
            )
        if self._own:
            return rows[name]  # read as any raw column is
        if kind == "numeric":
            return rows[name].astype(given.dtype)
        known = given.drop_duplicates()
        return rows[name].map(dict(zip(as_text(known), known, strict=True))).astype(given.dtype)


def _columns(model: Any, schema: Schema, raw: pd.DataFrame) -> list[str]:
    """Return what the model reads: what it says itself, or else all features."""
    told = (
        model.schema.inputs.names if isinstance(model, Teacher | Student) else getattr(model, "feature_names_in_", None)
    )
    if told is None:
        told = getattr(model, "feature_names_", None)  # CatBoost's name for it
    names = schema.names if told is None else [str(name) for name in told]
    absent = [name for name in names if name not in raw.columns]
    if absent:
        raise DataError(
            f"the teacher reads columns that the data lack: {shortlist(map(repr, absent), 20)}"
            f"{did_you_mean(absent[0], raw.columns)}"
        )
    return names


def _order(model: Any, schema: Schema) -> list[int]:
    """Return where each class of the schema stands among the model's."""
    told = model.schema.classes if isinstance(model, Teacher | Student) else getattr(model, "classes_", None)
    theirs = sorted(schema.classes, key=lambda c: (isinstance(c, str), c)) if told is None else list(told)
    found = pd.Index(theirs, dtype=object).get_indexer(pd.Index(schema.classes, dtype=object))
    if (found < 0).any() or len(theirs) != schema.n_classes:
        raise DataError(
            f"the teacher's classes must be those of {schema.target!r}, {_listed(schema.classes)}, got"
            f" {_listed(theirs)}; write the target as the teacher was taught it"
        )
    return [int(position) for position in found]


def _listed(labels: Sequence[Any]) -> str:
    return shortlist((repr(label.item() if isinstance(label, np.generic) else label) for label in labels), 20)


def _checked(answer: Any, n: int, n_classes: int) -> np.ndarray:
    """Return an answer as probabilities ``(n, K)`` that sum to 1."""
    proba = np.asarray(answer, dtype=np.float64)
    if proba.shape != (n, n_classes):
        raise DataError(f"the teacher must give probabilities ({n}, {n_classes}), got shape {proba.shape}")
    return put_right(proba, _refuse)


def _refuse(got: str) -> NoReturn:
    raise DataError(f"the teacher must give probabilities in [0, 1] that sum to 1, got {got}")
