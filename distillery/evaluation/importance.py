"""Which raw columns a model's answers rest on: permutation importance."""

from __future__ import annotations

from typing import Protocol, final

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict
from sklearn.inspection import permutation_importance

from distillery.data import Schema
from distillery.evaluation._resampling import checked_weights
from distillery.evaluation._rows import RowScores, as_labels, as_probabilities
from distillery.export import OnnxModel

PREDICTED_ROWS = 100_000  # of one model, about
LEAST_ROWS = 200  # fewer say nothing, so a table of very many columns costs more
REPEATS = 5


class ColumnImportance(BaseModel):
    """How much worse a model is without one column.

    Attributes:
        name: the raw column.
        mean: rise of the log loss when the column is shuffled, in nats per row, averaged over the shuffles.
        rises: of each shuffle; none of a column the model does not read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    mean: float
    rises: tuple[float, ...]


class Importance(BaseModel):
    """Permutation importance of every column.

    Attributes:
        rows: how many test rows it was measured on, drawn at random.
        columns: the most important first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    columns: tuple[ColumnImportance, ...]


class Answering(Protocol):
    """A model that says which columns it reads."""

    @property
    def schema(self) -> Schema:
        """The raw columns it needs."""
        ...

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return probabilities ``(n, K)`` of raw rows."""
        ...


def measure_importance(
    model: Answering,
    features: pd.DataFrame,
    y: np.ndarray,
    *,
    seed: int,
    weights: np.ndarray | None = None,
    predicted_rows: int = PREDICTED_ROWS,
) -> Importance:
    """Shuffle one column after the other and see how much worse the model gets (Breiman 2001; Fisher et al. 2019).

    Columns the model does not read, and those that do not vary over the rows, have importance 0.

    Args:
        model: asked about rows and shuffled rows.
        features: raw columns of the test rows ``(n, d)``, those the model reads among them.
        y: class indices ``(n,)``.
        seed: of the rows drawn and the shuffles, the same for each column.
        weights: of the rows ``(n,)``, or None; rows of weight 0 are never drawn.
        predicted_rows: how many the model is asked about, about; it decides how many rows are drawn, and how
            often each column is shuffled (5 times at most).

    Raises:
        InputError: weights or labels are wrong, or the model gives no probabilities.
    """
    base = checked_weights(weights, len(features))
    read = list(model.schema.inputs.names)
    repeats = int(np.clip(predicted_rows // (LEAST_ROWS * len(read)), 1, REPEATS))
    most = max(LEAST_ROWS, predicted_rows // (len(read) * repeats))
    rows = np.flatnonzero(base > 0)
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    frame = features.iloc[rows][read].reset_index(drop=True)
    varying = [str(name) for name, values in frame.nunique(dropna=False).items() if values > 1]
    rises: dict[str, tuple[float, ...]] = dict.fromkeys(map(str, features), ())
    if varying:
        asked = _Shuffled(model, frame, varying)
        found = permutation_importance(
            asked,
            asked.positions,
            y[rows],
            scoring=_minus_log_loss,
            n_repeats=repeats,
            random_state=seed,
            sample_weight=base[rows],
        )
        rises |= {name: tuple(map(float, each)) for name, each in zip(varying, found.importances, strict=True)}
    columns = [ColumnImportance(name=n, mean=float(np.mean(r)) if r else 0.0, rises=r) for n, r in rises.items()]
    return Importance(rows=len(rows), columns=tuple(sorted(columns, key=lambda one: -one.mean)))


@final
class _Shuffled:
    """A model as scikit-learn wants an estimator: told of each value which row it is taken from.

    So raw rows are read once, and not at each shuffle: of many columns, reading takes longer than predicting.

    Attributes:
        positions: of unshuffled rows ``(n, number of varying columns)``.
    """

    def __init__(self, model: Answering, frame: pd.DataFrame, varying: list[str]) -> None:
        self._varying = varying
        if isinstance(model, OnnxModel):
            self._columns, self._ask = model.read(frame), model.answer
        else:
            self._columns = {str(name): frame[name].to_numpy() for name in frame}
            self._ask = lambda columns: model.predict_proba(pd.DataFrame(columns))
        self.positions = np.repeat(np.arange(len(frame))[:, None], len(varying), axis=1)

    def fit(self) -> None:
        """Do nothing; scikit-learn asks that there be such a method."""

    def predict_proba(self, positions: np.ndarray) -> np.ndarray:
        """Return probabilities ``(n, K)`` of rows put together from these."""
        moved = {name: self._columns[name][at] for name, at in zip(self._varying, positions.T, strict=True)}
        return self._ask({**self._columns, **moved})


def _minus_log_loss(asked: _Shuffled, positions: np.ndarray, y: np.ndarray, sample_weight: np.ndarray) -> float:
    proba = as_probabilities(asked.predict_proba(positions), len(y))
    return -float(np.average(RowScores.of(as_labels(y, proba.shape[1]), proba).log_loss, weights=sample_weight))
