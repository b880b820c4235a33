"""Probabilities as the logits that soft labels hold."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd

LOGIT_BOUND = 1e-7  # a probability nearer to 0 carries no more information than this


class Answers(Protocol):
    """All that soft labels ask of a model."""

    def predict_proba(self, rows: pd.DataFrame, /) -> np.ndarray:
        """Return probabilities ``(n, K)`` of rows as `Schema.conform` reads them, in the schema's order of classes."""
        ...


def logits_of(model: Answers, features: pd.DataFrame) -> np.ndarray:
    """Return what a model says of rows as soft labels' logits ``(n, K)`` float32; see `to_logits`."""
    return to_logits(model.predict_proba(features)).astype(np.float32)


def to_logits(proba: np.ndarray) -> np.ndarray:
    """Return log probabilities ``(n, K)``, clipped below at log(1e-7), as the soft labels' logits.

    >>> to_logits(np.array([[0.0, 1.0], [0.5, 0.5]])).round(2)[:, 0].tolist()
    [-16.12, -0.69]
    """
    clipped = np.clip(proba, LOGIT_BOUND, 1.0)
    return np.asarray(np.log(clipped / clipped.sum(axis=1, keepdims=True)))
