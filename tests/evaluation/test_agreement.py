"""Agreement of teacher and student."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import spearmanr

from distillery.errors import InputError
from distillery.evaluation import Agreement, measure_agreement


@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_model_agrees_with_itself(case: Callable[..., tuple[np.ndarray, np.ndarray]], n_classes: int) -> None:
    """Rate 1, divergence 0, correlation 1."""
    _, proba = case(50, n_classes, 0)
    agreement = measure_agreement(proba, proba)
    assert (agreement.rate, agreement.disagreement, agreement.kl) == (1, 0, 0)
    assert agreement.spearman == pytest.approx(1)


def test_opposites_disagree() -> None:
    """Swapped classes: rate 0, correlation -1, KL in closed form."""
    p = np.array([[0.9, 0.1], [0.2, 0.8]])
    agreement = measure_agreement(p, p[:, ::-1])
    assert (agreement.rate, agreement.disagreement) == (0, 1)
    assert agreement.spearman == pytest.approx(-1)
    assert agreement.kl == pytest.approx((0.8 * math.log(9) + 0.6 * math.log(4)) / 2)


def test_the_divergence_is_from_the_teacher() -> None:
    """KL(p_t || p_s) weighs by the teacher's probabilities."""
    teacher, student = np.array([[1.0, 0.0]]), np.array([[0.25, 0.75]])
    assert measure_agreement(teacher, student).kl == pytest.approx(math.log(4), abs=1e-5)


def test_certain_and_wrong_is_finite() -> None:
    """Probabilities are clipped at 1e-7 before the logs."""
    kl = measure_agreement(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])).kl
    assert kl == pytest.approx(math.log(1e7), rel=1e-4)


def test_decisions_of_two_classes_are_made_at_a_half() -> None:
    """0.5 is decided positive, as 0.6 is."""
    assert measure_agreement(np.array([[0.5, 0.5]]), np.array([[0.4, 0.6]])).rate == 1


@pytest.mark.filterwarnings("error")
def test_constant_scores_have_no_correlation() -> None:
    """Ranks of a constant are no ranks: None, silently."""
    constant, other = np.full((3, 2), 0.5), np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
    assert measure_agreement(constant, other).spearman is None


def test_correlation_of_more_classes_is_their_mean(
    case: Callable[..., tuple[np.ndarray, np.ndarray]],
) -> None:
    """Each class's rank correlation is scipy's, ties included."""
    (_, a), (_, b) = case(60, 3, 0, ties=True), case(60, 3, 1, ties=True)
    expected = np.mean([spearmanr(a[:, k], b[:, k]).statistic for k in range(3)])
    assert measure_agreement(a, b).spearman == pytest.approx(expected)


def test_agreement_survives_json() -> None:
    """What is written is read back."""
    agreement = Agreement(rate=0.75, disagreement=0.25, kl=0.1, spearman=None)
    assert Agreement.model_validate_json(agreement.model_dump_json()) == agreement


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.full((3, 2), 0.5), "must have one shape, got (2, 2) and (3, 2)"),
        (np.full((2, 2), 0.4), "probabilities must sum to 1 in each row (within 1e-3), got 0.8 in row 0"),
    ],
)
def test_wrong_arguments_are_named(rows: np.ndarray, message: str) -> None:
    """The message says what must hold and what was seen."""
    with pytest.raises(InputError, match=re.escape(message)):
        measure_agreement(np.full((2, 2), 0.5), rows)


def test_no_rows_are_refused() -> None:
    """A mean over nothing is no number."""
    with pytest.raises(InputError, match="at least one row, got shape"):
        measure_agreement(np.empty((0, 2)), np.empty((0, 2)))
