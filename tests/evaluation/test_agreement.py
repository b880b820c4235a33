"""Agreement of teacher and student."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from distillery.errors import InputError
from distillery.evaluation import Agreement, Estimate, Resamples, measure_agreement


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


NAMES = ("rate", "disagreement", "kl", "spearman")
Case = Callable[..., tuple[np.ndarray, np.ndarray]]


def ends(one: Estimate) -> tuple[float, float]:
    assert one.low is not None
    assert one.high is not None
    return one.low, one.high


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("grouped", [False, True])
def test_intervals_are_the_bootstraps(case: Case, n_classes: int, grouped: bool) -> None:
    """Means by hand over the same weights; the value is the float, and inside its interval."""
    (_, a), (_, b) = case(80, n_classes, 0), case(80, n_classes, 1, ties=True)
    base = np.random.default_rng(2).uniform(0.5, 2, 80)
    drawn = Resamples.draw(80, 60, 0, groups=np.arange(80) % 20 if grouped else None, weights=base)
    found = measure_agreement(a, b, drawn, confidence=0.9)
    a_decides, b_decides = (p[:, 1] >= 0.5 if n_classes == 2 else p.argmax(axis=1) for p in (a, b))
    rows = {"rate": a_decides == b_decides, "kl": (a * np.log(a / b)).sum(axis=1)}
    for name, values in rows.items():
        by_hand = np.quantile([np.average(values, weights=w) for w in drawn.weights], [0.05, 0.95])
        assert ends(found.intervals[name]) == pytest.approx(tuple(by_hand), rel=1e-5)
        assert getattr(found, name) == pytest.approx(np.average(values, weights=base), rel=1e-5)
    assert tuple(found.intervals) == NAMES
    for name, one in found.intervals.items():
        low, high = ends(one)
        assert one.value == getattr(found, name)
        assert low < one.value < high  # type: ignore[operator]
    low, high = ends(found.intervals["rate"])
    assert ends(found.intervals["disagreement"]) == pytest.approx((1 - high, 1 - low))


def test_the_rank_correlation_keeps_its_ranks(case: Case) -> None:
    """Each resample correlates the ranks among all rows, by its weights."""
    (_, a), (_, b) = case(80, 2, 0), case(80, 2, 1)
    drawn = Resamples.draw(80, 60, 0)
    ranks = [rankdata(proba[:, 1]) for proba in (a, b)]
    values = [np.cov(*ranks, aweights=w, ddof=0) for w in drawn.weights]
    by_hand = np.quantile([c[0, 1] / math.sqrt(c[0, 0] * c[1, 1]) for c in values], [0.025, 0.975])
    assert ends(measure_agreement(a, b, drawn).intervals["spearman"]) == pytest.approx(tuple(by_hand))


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.97])
def test_intervals_are_as_wide_as_chance(rho: float) -> None:
    """About four standard deviations of the rank correlation over fresh samples."""
    rng = np.random.default_rng(0)

    def fresh() -> list[np.ndarray]:
        x, e = rng.normal(size=(2, 400))
        scores = [1 / (1 + np.exp(-z)) for z in (x, rho * x + math.sqrt(1 - rho**2) * e)]
        return [np.column_stack([1 - p, p]) for p in scores]

    spread = np.std([measure_agreement(*fresh()).spearman for _ in range(300)])  # type: ignore[arg-type]
    found = [ends(measure_agreement(*fresh(), Resamples.draw(400, 200, i)).intervals["spearman"]) for i in range(20)]
    assert np.mean([high - low for low, high in found]) == pytest.approx(2 * 1.96 * spread, rel=0.2)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_weight_counts_as_repeated_rows(case: Case, n_classes: int) -> None:
    """A row of weight 3 is three rows; one of weight 0 is none."""
    (_, a), (_, b) = case(40, n_classes, 0, ties=True), case(40, n_classes, 1)
    weights = np.random.default_rng(0).integers(0, 4, 40)
    weighed = measure_agreement(a, b, Resamples.draw(40, 20, 0, weights=weights))
    repeated = measure_agreement(*(np.repeat(proba, weights, axis=0) for proba in (a, b)))
    for name in NAMES:
        assert getattr(weighed, name) == pytest.approx(getattr(repeated, name))


def test_too_few_groups_leave_no_interval(case: Case) -> None:
    """The values stand bare."""
    (_, a), (_, b) = case(40, 2, 0), case(40, 2, 1)
    found = measure_agreement(a, b, Resamples.draw(40, 20, 0, groups=np.arange(40) % 5))
    for name in NAMES:
        assert found.intervals[name] == Estimate(value=getattr(found, name), low=None, high=None)
    assert found.model_copy(update={"intervals": {}}) == measure_agreement(a, b)


@pytest.mark.filterwarnings("error")
def test_the_undefined_has_no_interval(case: Case) -> None:
    """Constant scores have ranks in no resample; all else is known."""
    _, a = case(40, 2, 0)
    found = measure_agreement(a, np.full((40, 2), 0.5), Resamples.draw(40, 20, 0))
    assert found.intervals["spearman"] == Estimate(value=None, low=None, high=None)
    assert found.intervals["kl"].low is not None


def test_resamples_of_other_rows_are_refused(case: Case) -> None:
    """One weight for each row."""
    _, a = case(40, 2, 0)
    with pytest.raises(InputError, match=re.escape("probabilities must be of shape (39, K)")):
        measure_agreement(a, a, Resamples.draw(39, 20, 0))
