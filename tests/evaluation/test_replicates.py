"""Vectorised replicate values against scikit-learn, one replicate at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillery.evaluation import METRICS, Resamples, calibration_ratio, per_class, point_metrics
from distillery.evaluation._replicates import replicate_metrics


def assert_same_as_one_by_one(y: np.ndarray, proba: np.ndarray, resamples: Resamples) -> None:
    """Compare with the point values (scikit-learn's) under each replicate's weights."""
    drawn = replicate_metrics(y, proba, resamples)
    for b, weights in enumerate(resamples.weights):
        expected = point_metrics(y, proba, weights)
        values = {name: drawn.metrics[name][b] for name in METRICS}
        assert values == pytest.approx(expected, abs=1e-9, nan_ok=True)
        ratio = calibration_ratio(y, proba, weights)
        assert drawn.metrics["calibration_ratio"][b] == pytest.approx(ratio, nan_ok=True)
        for k, scores in enumerate(per_class(y, proba, weights)):
            ours = [drawn.by_class[name][b, k] for name in ("precision", "recall", "f1")]
            assert ours == pytest.approx([scores.precision, scores.recall, scores.f1], abs=1e-9)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_replicates_are_scikit_learns(
    case: Callable[..., tuple[np.ndarray, np.ndarray]], n_classes: int, ties: bool, weighted: bool
) -> None:
    """Every metric of every replicate is scikit-learn's with sample_weight."""
    y, proba = case(150, n_classes, 5, ties=ties)
    base = np.random.default_rng(1).uniform(size=150) if weighted else None
    assert_same_as_one_by_one(y, proba, Resamples.draw(150, replicates=12, seed=2, weights=base))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_classes", [2, 4])
def test_classes_absent_from_a_replicate_are_left_out(
    case: Callable[..., tuple[np.ndarray, np.ndarray]], n_classes: int
) -> None:
    """With a handful of rows some replicates lack a class, and some all but one."""
    y, proba = case(5, n_classes, 1, ties=True)
    assert_same_as_one_by_one(y, proba, Resamples.draw(5, replicates=60, seed=0))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("positive", [0, 1])
def test_a_single_class_gives_nan_areas(positive: int) -> None:
    """Labels of one class leave the ROC area undefined in every replicate."""
    y, proba = np.full(10, positive), np.full((10, 2), 0.5)
    resamples = Resamples.draw(10, replicates=5, seed=0)
    assert np.isnan(replicate_metrics(y, proba, resamples).metrics["auc_roc"]).all()
    assert_same_as_one_by_one(y, proba, resamples)


@pytest.mark.filterwarnings("error")
def test_a_replicate_without_weight_is_nan() -> None:
    """If only rows of weight 0 are drawn, the mean over rows is undefined and stays silent."""
    resamples = Resamples(np.zeros((1, 3), dtype=np.float32), np.ones(3))
    drawn = replicate_metrics(np.array([0, 1, 1]), np.full((3, 2), 0.5), resamples)
    assert all(np.isnan(drawn.metrics[name]).all() for name in ("accuracy", "log_loss", "auc_roc", "auc_pr", "ece"))


@pytest.mark.parametrize("elements", [1, 100, 10_000])
def test_chunks_change_nothing(
    case: Callable[..., tuple[np.ndarray, np.ndarray]], monkeypatch: pytest.MonkeyPatch, elements: int
) -> None:
    """The values do not depend on how many replicates are computed at once."""
    y, proba = case(40, 3, 0, ties=True)
    resamples = Resamples.draw(40, replicates=9, seed=0)
    whole = replicate_metrics(y, proba, resamples).metrics
    monkeypatch.setattr("distillery.evaluation._resampling.CHUNK_ELEMENTS", elements)
    parts = replicate_metrics(y, proba, resamples).metrics
    assert all(parts[name] == pytest.approx(whole[name]) for name in METRICS)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    rows=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4)), min_size=1, max_size=12),
    seed=st.integers(0, 100),
)
def test_any_small_binary_case_agrees(rows: list[tuple[int, int]], seed: int) -> None:
    """Few rows of few scores, 0 and 1 among them: ties, missing classes, certainty."""
    y, p = np.array([label for label, _ in rows]), np.array([score for _, score in rows]) / 4
    resamples = Resamples.draw(len(rows), replicates=4, seed=seed)
    assert_same_as_one_by_one(y, np.column_stack([1 - p, p]), resamples)
