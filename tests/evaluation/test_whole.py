"""Scores added up in one pass are scikit-learn's, and say how far they may be off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from distillery.data.sources.ctr_log import CtrLogSpec
from distillery.evaluation import ScoreSketch, WholeScores, measure_whole


def sketched(y: np.ndarray, p: np.ndarray, w: np.ndarray | None = None, pieces: int = 3) -> WholeScores:
    sketch = ScoreSketch()
    for part in np.array_split(np.arange(len(y)), pieces):
        sketch.add(y[part], p[part], None if w is None else w[part])
    scores = sketch.scores()
    assert scores is not None
    return scores


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), decimals=st.sampled_from([1, 2, 9]), weighted=st.booleans())
def test_scores_are_scikit_learns(seed: int, decimals: int, weighted: bool) -> None:
    """With ties and weights; the ROC AUC within the error it states."""
    rng = np.random.default_rng(seed)
    p = rng.random(300).round(decimals)
    y = np.append((rng.random(298) < p[:298]).astype(int), [0, 1])
    w = rng.integers(0, 4, 300).astype(float) + 0.5 if weighted else None
    scores = sketched(y, p, w)
    sure = np.clip(p, *(np.finfo(float).eps * np.array([1, -1]) + [0, 1]))
    assert scores.rows == 300
    assert scores.log_loss == pytest.approx(log_loss(y, sure, sample_weight=w))
    assert abs(scores.auc_roc - roc_auc_score(y, p, sample_weight=w)) <= scores.auc_error + 1e-12
    assert scores.auc_pr == pytest.approx(average_precision_score(y, p, sample_weight=w), abs=5e-3)
    assert scores.calibration_ratio == pytest.approx(np.average(p, weights=w) / np.average(y, weights=w))
    rate = np.full(300, np.average(y, weights=w))
    assert scores.normalized_entropy == pytest.approx(scores.log_loss / log_loss(y, rate, sample_weight=w))


def test_the_error_is_small_where_scores_differ() -> None:
    """Below 1e-4 for 200,000 rows of different scores."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=200_000)
    p = 1 / (1 + np.exp(-z))
    y = (rng.random(len(z)) < p).astype(int)
    scores = sketched(y, p, pieces=7)
    assert scores.auc_error < 1e-4
    assert scores.auc_roc == pytest.approx(roc_auc_score(y, p), abs=scores.auc_error)


def test_one_class_has_no_scores() -> None:
    """A ranking needs both."""
    sketch = ScoreSketch()
    sketch.add(np.zeros(3), np.full(3, 0.5))
    assert sketch.scores() is None


def test_all_rows_on_disk_are_read() -> None:
    """A model that is not at hand is left out."""
    table = CtrLogSpec(rows=3_000, chunk_rows=200, sample=50).load(0)

    class Constant:
        def predict_proba(self, frame) -> np.ndarray:
            return np.tile([0.8, 0.2], (len(frame), 1))

    stream = table.rows("test").stream
    assert stream is not None
    none, scores = measure_whole([None, Constant()], stream)
    assert none is None
    assert scores is not None
    labels = np.concatenate([rows.labels for _, rows in stream])
    assert (scores.rows, table.held["test"]) == (len(labels), 50)
    assert scores.log_loss == pytest.approx(log_loss(labels, np.full(len(labels), 0.2)))
    assert scores.auc_roc == pytest.approx(0.5)
