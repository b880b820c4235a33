"""Quality on rows that are too many for memory: one pass, and memory of a fixed size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, final

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from distillery.data.rows import Stream
from distillery.evaluation._rows import EPSILON, as_probabilities, normalized_entropy, ratio_or_nan
from distillery.progress import bar

BINS = 1 << 16
REACH = 20.0  # log odds beyond this share the outermost bins


class WholeScores(BaseModel):
    """What a two-class model is worth on all test rows, those on disk included.

    Attributes:
        rows: how many.
        log_loss: in nats per row.
        auc_roc: with scores rounded to bins of log odds; ``auc_error`` bounds what the rounding changes.
        auc_error: half the share of pairs of a positive and a negative row that lie in one bin.
        auc_pr: average precision over the same bins.
        calibration_ratio: Σp / Σy; above 1 the model promises more than it keeps.
        normalized_entropy: see `distillery.evaluation._rows.normalized_entropy`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    log_loss: float
    auc_roc: float
    auc_error: float
    auc_pr: float
    calibration_ratio: float
    normalized_entropy: float


@final
class ScoreSketch:
    """Adds up rows and forgets them; only sums, and the positives and negatives of each bin of scores, stay."""

    def __init__(self) -> None:
        self._bins = np.zeros((2, BINS))  # negatives, positives
        self._sums = np.zeros(4)  # weight, positives, probabilities, losses
        self.rows = 0

    def add(self, y: np.ndarray, p: np.ndarray, weights: np.ndarray | None = None) -> None:
        """Take rows in.

        Args:
            y: 0 or 1 ``(n,)``.
            p: probability of 1 ``(n,)``.
            weights: ``(n,)``, or None for equal ones.
        """
        w = np.ones(len(y)) if weights is None else weights
        sure = np.clip(p, EPSILON, 1 - EPSILON)
        odds = np.clip(np.log(sure) - np.log1p(-sure), -REACH, REACH)
        place = np.minimum(((odds + REACH) * (BINS / (2 * REACH))).astype(np.int64), BINS - 1)
        for label in (0, 1):
            of = y == label
            self._bins[label] += np.bincount(place[of], w[of], BINS)
        loss = -np.log(np.where(y == 1, sure, 1 - sure))
        self._sums += [w.sum(), w @ y, w @ p, w @ loss]
        self.rows += len(y)

    def scores(self) -> WholeScores | None:
        """Return what the rows add up to; None unless both classes occur."""
        negatives, positives = self._bins[:, ::-1]  # from the highest score down
        total, hits, promised, loss = self._sums.tolist()
        if not (0 < hits < total):
            return None
        pairs = positives.sum() * negatives.sum()
        above = np.cumsum(positives) - positives
        tied = float(positives @ negatives) / 2
        found = np.cumsum(positives)
        precision = np.divide(found, found + np.cumsum(negatives), out=np.zeros(BINS), where=found > 0)
        return WholeScores(
            rows=self.rows,
            log_loss=loss / total,
            auc_roc=float((above @ negatives + tied) / pairs),
            auc_error=tied / pairs,
            auc_pr=float(positives @ precision / positives.sum()),
            calibration_ratio=float(ratio_or_nan(promised, np.asarray(hits))),
            normalized_entropy=float(normalized_entropy(loss / total, np.array([1 - hits / total, hits / total]))),
        )


class Answering(Protocol):
    """What can be asked for probabilities."""

    def predict_proba(self, frame: pd.DataFrame, /) -> np.ndarray:
        """Return probabilities ``(n, K)`` of raw rows."""
        ...


def measure_whole(models: Sequence[Answering | None], stream: Stream) -> list[WholeScores | None]:
    """Measure models on all rows, read once; with three classes or more there is nothing to return.

    Args:
        models: None for one that is not at hand.
        stream: the rows.

    Raises:
        InputError: a model gives no valid probabilities.
    """
    asked = [(i, model) for i, model in enumerate(models) if model is not None and stream.schema.n_classes == 2]
    sketches = {i: ScoreSketch() for i, _ in asked}
    with bar(len(stream), "all test rows", unit="row") as advance:
        for _, rows in stream if asked else ():
            for i, model in asked:
                proba = as_probabilities(model.predict_proba(rows.features), len(rows))
                sketches[i].add(rows.labels, proba[:, 1], rows.weights)
            advance(len(rows))
    return [sketches[i].scores() if i in sketches else None for i in range(len(models))]
