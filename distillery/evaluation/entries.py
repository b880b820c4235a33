"""Models that are to be measured, and what they answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
import pandas as pd
from pydantic import JsonValue

from distillery.data.model import Model
from distillery.errors import InputError
from distillery.evaluation._rows import as_probabilities
from distillery.evaluation.predictions import Predictions
from distillery.evaluation.scorecard import Role
from distillery.export import OnnxModel


@final
@dataclass(frozen=True)
class Entry:
    """A model to be measured.

    Attributes:
        name, role, kind, label, settings: as in `Scorecard`.
        model: asked for probabilities where none are given, and measured for its cost.
        deployed: its exported file: compared with it, and measured for its cost.
        export_problem: why there is none.
        proba: its test probabilities ``(n, K)``; needed of a model that is not at hand.
        valid_proba: its validation probabilities ``(n_valid, K)``.
    """

    name: str
    role: Role
    kind: str
    label: str
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    model: Model | None = None
    deployed: OnnxModel | None = None
    export_problem: str = ""
    proba: np.ndarray | None = None
    valid_proba: np.ndarray | None = None

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return what it answers ``(n, K)``: the model, or its file where that was quantized.

        Raises:
            InputError: it is not at hand.
        """
        quantized = self.settings.get("quantize", "none") != "none"
        answering = self.deployed if quantized else self.model
        if answering is None:
            raise InputError(f"{self.role} {self.name!r} must bring a model or its test probabilities, got neither")
        return answering.predict_proba(frame)

    def test_proba(self, features: pd.DataFrame) -> np.ndarray:
        """Return the probabilities it brought ``(n, K)``, or else what it answers for the test rows.

        Raises:
            InputError: it brought none and is not at hand.
        """
        return self.predict_proba(features) if self.proba is None else self.proba


def check_entries(entries: Sequence[Entry]) -> None:
    """See that there is one teacher, at most one staged model, and no role and name twice.

    Raises:
        InputError: it is not so.
    """
    roles = Counter(entry.role for entry in entries)
    if roles["teacher"] != 1:
        raise InputError(f"entries must hold exactly one teacher, got {roles['teacher']}")
    if roles["staged"] > 1:
        raise InputError(f"entries must hold at most one staged model, got {roles['staged']}")
    twice = [key for key, count in Counter((e.role, e.name) for e in entries).items() if count > 1]
    if twice:
        raise InputError(f"entries must differ in role or name, got {twice[0][0]} {twice[0][1]!r} twice")


def checked(entry: Entry, split: str, proba: np.ndarray, n: int, n_classes: int) -> np.ndarray:
    """Return probabilities as `as_probabilities` does, and say whose they are where they are wrong."""
    if np.shape(proba) != (n, n_classes):
        raise InputError(
            f"{split} probabilities of {_called(entry)} must be of shape ({n}, {n_classes}), got {np.shape(proba)}"
        )
    try:
        return as_probabilities(proba, n)
    except InputError as error:
        raise InputError(f"{split} probabilities of {_called(entry)} are wrong: {error}") from error


def _called(entry: Entry) -> str:
    return f"{entry.role} {entry.name!r}"


def predicted(entries: Sequence[Entry], features: pd.DataFrame) -> list[Entry]:
    """Return the entries with their probabilities of the test rows, so that each model is asked once.

    Raises:
        InputError: a model is not at hand and brought none.
    """
    return [replace(entry, proba=entry.test_proba(features)) for entry in entries]


def gathered(
    entries: Sequence[Entry], features: pd.DataFrame, y: np.ndarray, weights: np.ndarray | None, n_classes: int
) -> Predictions:
    """Return what every model answers for the test rows; float32's rounding is divided out, as where it is measured.

    Args:
        entries: the models; see `predicted`.
        features: raw columns of the test rows ``(n, d)``, for models that brought no probabilities.
        y: class indices ``(n,)``.
        weights: of the rows ``(n,)``, or None.
        n_classes: K.

    Raises:
        InputError: a model gives no valid probabilities.
    """
    proba: dict[tuple[str, str], np.ndarray] = {}
    for entry in entries:
        proba[entry.role, entry.name] = checked(entry, "test", entry.test_proba(features), len(y), n_classes)
    return Predictions(y, weights, proba)
