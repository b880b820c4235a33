"""Probabilities as the logits that soft labels hold."""

from __future__ import annotations

import numpy as np
import pandas as pd

from distillery.data.model import Model

LOGIT_BOUND = 1e-7  # a probability nearer to 0 carries no more information than this


def logits_of(model: Model, features: pd.DataFrame) -> np.ndarray:
    """Return what a model says of rows as soft labels' logits ``(n, K)`` float32; see `to_logits`."""
    return to_logits(model.predict_proba(features)).astype(np.float32)


def to_logits(proba: np.ndarray) -> np.ndarray:
    """Return log probabilities ``(n, K)``, clipped below at log(1e-7), as the soft labels' logits.

    >>> to_logits(np.array([[0.0, 1.0], [0.5, 0.5]])).round(2)[:, 0].tolist()
    [-16.12, -0.69]
    """
    clipped = np.clip(proba, LOGIT_BOUND, 1.0)
    return np.asarray(np.log(clipped / clipped.sum(axis=1, keepdims=True)))
