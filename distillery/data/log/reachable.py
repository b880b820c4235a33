"""How well the truth itself scores on a generated log: the best that any model can reach there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from distillery.data.log.truth import DAYS

BINS = 1 << 16
WIDEST = 12.0  # log odds beyond it share the outer bins


@final
@dataclass(frozen=True)
class Reachable:
    """How the true probabilities score on some rows.

    Attributes:
        rows: how many.
        base_rate: share of clicks.
        roc_auc: area under the ROC curve, in [0, 1].
        roc_auc_error: it is exact to so much.
        log_loss: in nats per row.
    """

    rows: int
    base_rate: float
    roc_auc: float
    roc_auc_error: float
    log_loss: float


@final
class ReachableScores:
    """Collects true probabilities and clicks day by day; its memory does not grow with the rows."""

    def __init__(self) -> None:
        self._counts = np.zeros((DAYS, 2, BINS), dtype=np.int64)
        self._losses = np.zeros(DAYS)

    def add(self, day: np.ndarray, probability: np.ndarray, click: np.ndarray) -> None:
        """Add rows.

        Args:
            day: 0 to 9, ``(n,)``.
            probability: of a click, inside (0, 1), ``(n,)``.
            click: 0 or 1, ``(n,)``.
        """
        odds = np.log(probability) - np.log1p(-probability)
        bins = np.clip((odds / WIDEST + 1) / 2 * BINS, 0, BINS - 1).astype(np.int64)
        flat = (day * 2 + click) * BINS + bins
        self._counts += np.bincount(flat, minlength=self._counts.size).reshape(self._counts.shape)
        loss = -np.log(np.where(click == 1, probability, 1 - probability))
        self._losses += np.bincount(day, loss, minlength=DAYS)

    def last(self, days: int = DAYS) -> Reachable:
        """Return the scores on the last so many days (all by default).

        Raises:
            ValueError: they have no click, or nothing else.
        """
        without, clicked = self._counts[-days:].sum(axis=0)
        n, clicks = int(without.sum() + clicked.sum()), int(clicked.sum())
        if clicks in {0, n}:
            raise ValueError(f"the last {days} days must have rows with and without click, got {clicks} clicks of {n}")
        below = np.cumsum(without) - without
        pairs = float(clicks) * (n - clicks)
        ties = float((clicked * without.astype(np.float64)).sum()) / pairs
        return Reachable(
            rows=n,
            base_rate=clicks / n,
            roc_auc=float((clicked * below.astype(np.float64)).sum()) / pairs + ties / 2,
            roc_auc_error=ties / 2,
            log_loss=float(self._losses[-days:].sum()) / n,
        )
