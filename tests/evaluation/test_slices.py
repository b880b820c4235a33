"""Where a student differs from its teacher."""

from __future__ import annotations

import re
import time

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import false_discovery_control
from scipy.stats import t as student_t

from distillery.errors import InputError
from distillery.evaluation import Slice, SliceSearch, find_slices
from distillery.evaluation._contrast import Contrasts

N = 4000


def answers(y: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Probabilities of two classes that are 0.8 sure of the right one, or of the wrong one."""
    p = np.where((y == 1) ^ wrong, 0.8, 0.2)
    return np.column_stack([1 - p, p])


@pytest.fixture
def rows() -> tuple[pd.DataFrame, np.ndarray, np.random.Generator]:
    """4,000 rows of a text, a number with gaps, a count and a constant; and class indices."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "carrier": rng.choice(["AA", "UA", "DL", None], N, p=[0.3, 0.3, 0.3, 0.1]),
            "distance": np.where(rng.random(N) < 0.1, np.nan, rng.uniform(0, 1000, N)),
            "seats": rng.integers(1, 5, N).astype(float),
            "same": np.ones(N),
        }
    )
    return frame, rng.integers(0, 2, N), rng


def both(frame, y, wrong, **more) -> SliceSearch:
    """Search where the teacher is always right and the student wrong on some rows."""
    return find_slices(frame, y, answers(y, np.zeros(len(y), dtype=bool)), answers(y, wrong), **more)


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (lambda f: f["carrier"] == "UA", "carrier = UA"),
        (lambda f: f["carrier"].isna(), "carrier = (missing)"),
        (lambda f: f["seats"] == 3, "seats = 3"),
        (lambda f: f["distance"].isna(), "distance = (missing)"),
        (lambda f: f["distance"] > 805, "… < distance"),
        (lambda f: f["distance"] <= 195, "distance ≤ …"),
    ],
)
def test_a_planted_slice_is_found_first(where, text, rows):
    """By both measures, and nothing else is called worse."""
    frame, y, rng = rows
    wrong = rng.random(N) < np.where(where(frame), 0.3, 0.05)
    found = both(frame, y, wrong)
    for listed, p in ((found.disagreeing, "disagreement_p"), (found.losing, "loss_p")):
        assert re.sub(r"\d+\.\d+", "…", listed[0].text) == text
        assert getattr(listed[0], p) < 1e-6
        assert all(getattr(one, p) > 0.05 for one in listed[1:])


def test_its_figures_are_those_of_its_rows(rows):
    """Shares and means by hand, inside and elsewhere."""
    frame, y, rng = rows
    inside = (frame["carrier"] == "UA").to_numpy()
    wrong = rng.random(N) < np.where(inside, 0.3, 0.05)
    first = both(frame, y, wrong).losing[0]
    cost = np.log(0.8 / 0.2)
    assert (first.column, first.category, first.rows) == ("carrier", "UA", inside.sum())
    assert first.share == inside.mean()
    assert first.disagreement == pytest.approx(wrong[inside].mean())
    assert first.disagreement_elsewhere == pytest.approx(wrong[~inside].mean())
    assert first.loss_increase.value == pytest.approx(cost * wrong[inside].mean())
    assert first.loss_increase_elsewhere == pytest.approx(cost * wrong[~inside].mean())
    width = student_t.ppf(0.975, inside.sum() - 1) * cost * wrong[inside].std(ddof=1) / np.sqrt(inside.sum())
    assert first.loss_increase.high - first.loss_increase.value == pytest.approx(width)
    assert first.loss_increase.value - first.loss_increase.low == pytest.approx(width)


def test_a_slice_that_promises_too_much_is_found(rows):
    """By Σp / Σy, by hand, and the teacher's beside it."""
    frame, _, rng = rows
    inside = (frame["carrier"] == "UA").to_numpy()
    truth = rng.uniform(0.1, 0.5, N)
    y = (rng.random(N) < truth).astype(int)
    p = np.where(inside, 1.4 * truth, truth)
    found = find_slices(frame, y, np.column_stack([1 - truth, truth]), np.column_stack([1 - p, p]))
    first = found.miscalibrated[0]
    assert (first.column, first.category) == ("carrier", "UA")
    assert first.calibration_ratio == pytest.approx(p[inside].sum() / y[inside].sum())
    assert first.teacher_calibration_ratio == pytest.approx(truth[inside].sum() / y[inside].sum())
    assert first.calibration_p < 1e-6


def test_a_slice_without_a_positive_row_has_no_ratio(rows):
    """None, and not infinite; the gap is known all the same."""
    frame, y, _ = rows
    y = np.where(frame["carrier"] == "UA", 0, y)
    p = np.full((N, 2), 0.5)
    first = find_slices(frame, y, p, p).miscalibrated[0]
    assert (first.category, first.calibration_ratio, first.teacher_calibration_ratio) == ("UA", None, None)
    assert first.calibration_p < 1e-6


@pytest.mark.parametrize(("rate", "weighted"), [(0.005, False), (0.02, True)])
def test_a_calibrated_model_of_rare_events_is_not_called_off(rate, weighted):
    """A slice without any of the few positives it expects is no proof: its rows only look alike."""
    n, named = 5000, 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame(rng.choice(80, (n, 3)).astype(str)).rename(columns="x{}".format)
        truth = rng.beta(2, 2 / rate, n)
        y, proba = (rng.random(n) < truth).astype(int), np.column_stack([1 - truth, truth])
        weights = rng.uniform(0.5, 2, n) if weighted else None
        found = find_slices(frame, y, proba, proba, weights=weights)
        named += any(one.calibration_p < 0.05 for one in found.miscalibrated)
    assert named <= 2


def test_every_row_of_a_column_is_in_one_of_its_parts(rows):
    """Four categories and gaps, five ranges and gaps, four values; a constant column has no slice."""
    frame, y, rng = rows
    found = both(frame, y, rng.random(N) < 0.2)
    assert found.looked_at == 4 + 6 + 4
    parts = [one for one in {*found.disagreeing, *found.losing} if one.column == "distance" and not one.missing]
    for one in parts:
        low, high = one.lower or -np.inf, one.upper or np.inf
        assert one.rows == ((frame["distance"] > low) & (frame["distance"] <= high)).sum()
        assert one.rows == pytest.approx(0.18 * N, rel=0.05)


def test_ranges_of_a_number_that_is_mostly_zero_are_not_empty():
    """Equal quantiles are one edge: zeros, and everything above."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random(1000) < 0.9, 0.0, rng.uniform(size=1000))
    found = both(pd.DataFrame({"x": x}), np.zeros(1000, dtype=int), x > 0)
    assert found.looked_at == 2
    assert (found.losing[0].lower, found.losing[0].upper) == (0, None)
    assert found.losing[0].disagreement == 1
    assert found.losing[0].loss_p < 1e-9


@pytest.mark.parametrize("clusters", [None, 40])
def test_errors_are_those_of_a_regression_on_the_slice(clusters):
    """The cluster-robust variance of the slope (without groups, the robust one), up to the small-sample factor."""
    rng = np.random.default_rng(2)
    n = 600
    groups = np.arange(n) if clusters is None else rng.integers(0, clusters, n)
    codes = rng.integers(0, 3, n)
    values = rng.normal(size=(n, 2)) + rng.normal(size=n)[groups][:, None] + codes[:, None]
    labelled = np.unique(groups, return_inverse=True)[1]
    for k, contrast in enumerate(Contrasts(values, np.ones(n), labelled).of(codes, 3)):
        for s in range(3):
            dummy = sm.add_constant((codes == s).astype(float))
            options = {"groups": labelled, "use_correction": False}
            fit = sm.OLS(values[:, k], dummy).fit(cov_type="cluster", cov_kwds=options)
            total = len(np.unique(labelled))
            assert contrast.inside[s] - contrast.outside[s] == pytest.approx(fit.params[1])
            assert contrast.error[s] == pytest.approx(fit.bse[1] * np.sqrt(total / (total - 1)))
            inside = codes == s
            alone = sm.OLS(values[inside, k], np.ones(inside.sum()))
            alone = alone.fit(cov_type="cluster", cov_kwds={**options, "groups": labelled[inside]})
            held = len(np.unique(labelled[inside]))
            assert contrast.inside_error[s] == pytest.approx(alone.bse[0] * np.sqrt(held / (held - 1)))


def test_p_values_are_students_of_the_rarer_side():
    """One degree of freedom less than groups inside or outside, whichever are fewer; then corrected for all."""
    rng = np.random.default_rng(3)
    n = 1000
    codes = rng.choice(4, n, p=[0.1, 0.2, 0.3, 0.4])
    y, wrong = np.zeros(n, dtype=int), rng.random(n) < 0.2
    contrast = Contrasts(wrong[:, None].astype(float), np.ones(n), np.arange(n)).of(codes, 4)[0]
    sizes = np.bincount(codes)
    difference = contrast.inside - contrast.outside
    pooled = wrong.std() * np.sqrt(1 / sizes + 1 / (n - sizes)) * np.sqrt(n / (n - 1))
    np.testing.assert_allclose(contrast.null_error, pooled)
    ratio = difference / np.maximum(pooled, contrast.error)
    expected = student_t.sf(ratio, np.minimum(sizes, n - sizes) - 1)
    np.testing.assert_allclose(contrast.p_values(), expected)
    found = both(pd.DataFrame({"kind": codes.astype(str)}), y, wrong).disagreeing
    corrected = false_discovery_control(expected, method="by")
    assert {one.category: one.disagreement_p for one in found} == pytest.approx(
        {str(i): p for i, p in enumerate(corrected)}
    )


def test_chance_is_seldom_called_a_finding():
    """Where slices say nothing, at most the promised share of searches names one."""
    y = np.zeros(600, dtype=int)
    named = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame(rng.normal(size=(600, 6))).rename(columns="x{}".format)
        frame["city"] = rng.choice(list("abcdef"), 600)
        found = both(frame, y, rng.random(600) < 0.1)
        named += any(one.disagreement_p < 0.05 for one in found.disagreeing)
        named += any(one.loss_p < 0.05 for one in found.losing)
    assert named <= 0.05 * 120


@pytest.mark.parametrize("share", [0.02, 0.15])
def test_neither_are_accidents_of_small_slices(share):
    """Of rare events 30 rows have none, or several, by chance; neither they nor all the others are findings."""
    n, named = 1500, 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame({f"rare{i}": np.where(np.arange(n) // 30 == i, "odd", "usual") for i in range(40)})
        found = both(frame, np.zeros(n, dtype=int), rng.random(n) < share)
        named += any(one.disagreement_p < 0.05 for one in found.disagreeing)
    assert named <= 3


def test_rows_of_a_group_are_no_evidence_of_their_own(rows):
    """Ten copies of each row widen the interval by √10 where they are known to be copies."""
    frame, y, rng = rows
    some = rng.choice(N, 400, replace=False)
    wrong = rng.random(400) < np.where(frame["seats"].iloc[some] == 2, 0.4, 0.1)
    copies = np.repeat(np.arange(400), 10)
    frame, y = frame.iloc[some].iloc[copies].reset_index(drop=True), y[some][copies]
    alone, together = both(frame, y, wrong[copies]), both(frame, y, wrong[copies], groups=copies)
    first, same = alone.losing[0], together.losing[0]
    assert first.text == same.text == "seats = 2"
    assert first.loss_increase.value == pytest.approx(same.loss_increase.value)
    assert first.loss_p < same.loss_p

    def width(one: Slice) -> float:
        return one.loss_increase.high - one.loss_increase.low

    assert width(same) / width(first) == pytest.approx(np.sqrt(10), rel=0.03)


def test_whole_weights_are_repeated_rows(rows):
    """A row of weight 3 says what three rows of one group say; one of weight 0 nothing."""
    frame, y, rng = rows
    wrong, weights = rng.random(N) < 0.2, rng.integers(0, 4, N)
    weighted = both(frame[["carrier", "seats"]], y, wrong, weights=weights.astype(float), groups=np.arange(N))
    copies = np.repeat(np.arange(N), weights)
    repeated = both(frame.loc[copies, ["carrier", "seats"]], y[copies], wrong[copies], groups=copies)
    assert weighted.looked_at == repeated.looked_at
    for one, other in zip(weighted.losing, repeated.losing, strict=True):
        for name in ("text", "disagreement", "disagreement_elsewhere", "loss_increase_elsewhere"):
            assert getattr(one, name) == pytest.approx(getattr(other, name)), name
        assert one.loss_increase.model_dump() == pytest.approx(other.loss_increase.model_dump())
    values, there = rng.normal(size=(N, 1)), weights > 0
    codes, kept = np.unique(copies, return_inverse=True)
    slices = frame["seats"].to_numpy(int) - 1
    light = Contrasts(values[codes], weights[there].astype(float), np.arange(len(codes))).of(slices[codes], 4)[0]
    heavy = Contrasts(values[copies], np.ones(len(copies)), kept).of(slices[copies], 4)[0]
    np.testing.assert_allclose(light.error, heavy.error)
    heavier = both(frame, y, wrong, weights=np.full(N, 7.0))
    same = both(frame, y, wrong)
    assert [one.text for one in heavier.losing] == [one.text for one in same.losing]
    assert heavier.losing[0].loss_p == pytest.approx(same.losing[0].loss_p)


def test_of_few_groups_nothing_can_be_told(rows):
    """A slice that nine groups share has no p value and no interval, and corrects nobody else's."""
    frame, y, rng = rows
    groups = rng.integers(0, 200, N)
    frame = frame.assign(place=np.where(groups < 9, "few", np.where(groups < 100, "many", "more")))
    found = both(frame, y, (groups < 9) | (rng.random(N) < 0.1), groups=groups)
    few = next(one for one in found.losing if one.category == "few")
    assert (few.disagreement, few.disagreement_p, few.loss_p) == (1, None, None)
    assert (few.loss_increase.low, few.loss_increase.high) == (None, None)
    assert all(one.loss_p is not None for one in found.losing if one.category != "few")
    nobody = both(frame, y, rng.random(N) < 0.1, groups=np.arange(N) % 9)
    assert nobody.looked_at == found.looked_at
    assert {one.loss_p for one in nobody.losing} == {None}


def test_what_is_shown_comes_before_what_is_large():
    """A slice of 30 rows is far off by chance; it does not hide one that is worse for sure."""
    rng = np.random.default_rng(5)
    n = 3000
    frame = pd.DataFrame({"big": rng.choice(["a", "b"], n)})
    wrong = rng.random(n) < np.where(frame["big"] == "a", 0.2, 0.1)
    for i in range(40):
        frame[f"rare{i}"] = np.where(np.arange(n) // 30 == i, "odd", "usual")
    listed = both(frame, np.zeros(n, dtype=int), wrong).disagreeing
    assert len(listed) == 10
    assert listed[0].text == "big = a"
    assert listed[0].disagreement < listed[1].disagreement
    shares = [one.disagreement for one in listed[1:]]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize("n_columns", [0, 1])
@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_tables_of_one_kind_or_none_are_searched(kind, n_columns):
    """No numbers, no texts, one column, no column."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(500, n_columns)) if kind == "numeric" else rng.choice(list("ab"), (500, n_columns))
    frame = pd.DataFrame(values, index=range(500)).rename(columns="x{}".format)
    found = both(frame, np.zeros(500, dtype=int), rng.random(500) < 0.3)
    assert found.looked_at == n_columns * (5 if kind == "numeric" else 2)


def test_few_rows_have_no_slices(rows):
    """Of 20 rows none is large enough."""
    frame, y, _ = rows
    found = both(frame.head(20), y[:20], np.arange(20) % 2 == 0)
    assert found == SliceSearch(looked_at=0, least_rows=30, disagreeing=(), losing=())


def test_a_student_that_says_what_the_teacher_says_has_no_finding(rows):
    """No disagreement, no loss, no p value below one half."""
    frame, y, _ = rows
    found = both(frame, y, np.zeros(N, dtype=bool))
    assert found.looked_at == 14
    for one in (*found.disagreeing, *found.losing):
        assert (one.disagreement, one.loss_increase.value) == (0, 0)
        assert min(one.disagreement_p, one.loss_p) >= 0.5


def test_constant_answers_and_many_classes_are_searched():
    """26 classes, and a student that gives every row the same."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 26, 2000)
    teacher = np.full((2000, 26), 0.5 / 25)
    teacher[np.arange(2000), y] = 0.5
    frame = pd.DataFrame({"half": np.where(y < 13, "first", "last")})
    found = find_slices(frame, y, teacher, np.full((2000, 26), 1 / 26))
    assert found.disagreeing[0].text == "half = last"  # equal shares are decided as the first class
    assert found.losing[0].loss_increase.value == pytest.approx(np.log(13))
    assert SliceSearch.model_validate_json(found.model_dump_json()) == found


def test_a_wide_table_takes_seconds():
    """784 columns of 5,000 rows."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(np.maximum(rng.normal(size=(5000, 784)), 0)).rename(columns="p{}".format)
    start = time.process_time()
    both(frame, np.zeros(5000, dtype=int), rng.random(5000) < 0.1)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": np.zeros(3, dtype=int)}, "labels and both models' probabilities must be of the 40 rows"),
        ({"student_proba": np.full((40, 3), 1 / 3)}, "and the same classes, got (40,), (40, 2) and (40, 3)"),
        ({"student_proba": np.full((7, 2), 0.5)}, "probabilities must be of shape (40, K)"),
        ({"weights": np.zeros(40)}, "weights must be finite, not negative and not all 0"),
        ({"groups": np.zeros(3)}, "groups must be of shape (40,), got (3,)"),
    ],
)
def test_wrong_arguments_are_named(changes, message):
    """The message says what must hold and what was seen."""
    arguments = {
        "features": pd.DataFrame({"a": np.arange(40.0)}),
        "y": np.zeros(40, dtype=int),
        "teacher_proba": np.full((40, 2), 0.5),
        "student_proba": np.full((40, 2), 0.5),
    }
    with pytest.raises(InputError, match=re.escape(message)):
        find_slices(**arguments | changes)
