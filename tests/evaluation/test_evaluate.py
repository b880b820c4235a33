"""All models of a run, measured together."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from distillery.errors import InputError
from distillery.evaluation import METRICS, RANKING_METRICS, Entry, EvaluationSpec, Scorecards, cost, evaluate_models
from tests.terminal import error_terminal

SPEC = EvaluationSpec(replicates=40, cost=False, importance=False)
LABELS = (np.arange(60) * 7 % 3 > 0).astype(int)


def entry(role: Any, name: str, **fields: Any) -> Entry:
    return Entry(name=name, role=role, kind="toy", label=f"{role} toy", **fields)


def blend(sharpness: float) -> np.ndarray:
    """Return probabilities of `LABELS`: 0.5 for sharpness 0, certain and right for 1."""
    p = 0.5 + (LABELS - 0.5) * sharpness
    return np.column_stack([1 - p, p])


def evaluate(entries: Sequence[Entry], features: pd.DataFrame, **changes: Any) -> Scorecards:
    arguments: dict[str, Any] = {
        "y": LABELS,
        "features": features,
        "weights": None,
        "groups": None,
        "spec": SPEC,
        "seed": 0,
        "scenario": "toy",
        "classes": ("no", "yes"),
    }
    return evaluate_models(entries, **arguments | changes)


@pytest.fixture
def entries() -> list[Entry]:
    return [
        entry("teacher", "big", proba=blend(0.9)),
        entry("student", "a", proba=blend(0.8), settings={"alpha": 0.5}),
        entry("control", "a", proba=blend(0.6)),
        entry("student", "b", proba=blend(0.8)),
        entry("baseline", "trees", proba=blend(0.5)),
        entry("staged", "now", proba=blend(0.7)),
    ]


def test_models_and_resamples_are_counted_in_a_terminal(entries: list[Entry], features: pd.DataFrame) -> None:
    """The scorecards are the same."""
    with error_terminal() as terminal:
        counted = evaluate(entries, features)
    text = terminal.close()
    assert "measuring:   0%|" in text
    assert "bootstrap:   0%|" in text
    assert counted == evaluate(entries, features)


def test_each_role_has_its_comparisons(entries: list[Entry], features: pd.DataFrame) -> None:
    """Teacher none; others versus teacher and staged; lift for students that have a control."""
    cards = evaluate(entries, features)
    assert [(c.role, c.name) for c in cards.cards] == [(e.role, e.name) for e in entries]
    teacher, staged = cards.teacher, cards.staged
    assert staged is not None
    assert (teacher.agreement, teacher.retention, teacher.versus_teacher, teacher.versus_staged) == (
        None,
        {},
        {},
        {},
    )
    assert staged.versus_staged == {}
    assert set(staged.versus_teacher) == set(METRICS)
    assert {c.name: bool(c.lift) for c in cards.students} == {"a": True, "b": False}
    assert all(not c.lift for c in cards.cards if c.role != "student")
    for card in (*cards.students, cards.get("control", "a"), cards.get("baseline", "trees")):
        assert set(card.versus_teacher) == set(card.versus_staged) == set(METRICS)
        assert card.agreement is not None
        assert card.agreement.rate == 1


def test_rows_are_ranked_within_queries(entries: list[Entry], features: pd.DataFrame) -> None:
    """Every model, on the same queries; tracked by name and k. Without queries there is no ranking."""
    queries = np.arange(len(LABELS)) % 20
    cards = evaluate(entries, features, queries=queries, spec=SPEC.model_copy(update={"ranking_k": 5}))
    assert {card.ranking.k for card in cards.cards} == {5}
    student = cards.get("student", "a")
    assert set(student.ranking.lift) == set(student.ranking.versus_teacher) == set(RANKING_METRICS)
    assert cards.teacher.ranking.versus_teacher == {}
    assert {"test.gauc", "test.ndcg_at_5", "test.recall_at_5", "test.recall"} <= set(student.metrics())
    assert {card.ranking for card in evaluate(entries, features).cards} == {None}


def test_students_are_compared_with_the_teacher_without_privileged_columns(
    entries: list[Entry], features: pd.DataFrame
) -> None:
    """And no one else is."""
    regular = entry("regular_teacher", "big", proba=blend(0.7))
    cards = evaluate([*entries, regular], features)
    assert {card.name for card in cards.cards if card.versus_regular} == {"a", "b"}
    assert cards.get("student", "a").versus_regular["log_loss"].verdict == "better"
    assert cards.get("regular_teacher", "big").versus_teacher["log_loss"].verdict == "worse"


def test_comparisons_have_the_right_sign(entries: list[Entry], features: pd.DataFrame) -> None:
    """The student is blunter than the teacher, sharper than its control and the staged model."""
    student = evaluate(entries, features).get("student", "a")
    assert student.versus_teacher["log_loss"].verdict == "worse"
    assert student.lift["log_loss"].verdict == "better"
    assert student.lift["log_loss"].difference.value == pytest.approx(np.log(0.8 / 0.9))
    assert student.versus_staged["log_loss"].verdict == "better"
    assert student.versus_teacher["auc_roc"].verdict == "no difference shown"


def test_retention_is_of_scores_not_losses(entries: list[Entry], features: pd.DataFrame) -> None:
    """Metrics where bigger is better are retained; equal ranking retains all of the area."""
    retention = evaluate(entries, features).students[0].retention
    assert set(retention) == {name for name, metric in METRICS.items() if metric.bigger_is_better}
    assert retention["auc_roc"].value == 1


def test_the_same_run_twice_gives_the_same_scorecards(entries: list[Entry], features: pd.DataFrame) -> None:
    """Nothing is drawn but by the seed."""
    assert evaluate(entries, features) == evaluate(entries, features)


def test_scorecards_survive_json(entries: list[Entry], features: pd.DataFrame) -> None:
    """What is written is read back."""
    cards = evaluate(entries, features)
    assert Scorecards.model_validate_json(cards.model_dump_json()) == cards
    assert cards.students[0].settings == {"alpha": 0.5}
    assert (cards.seed, cards.replicates, cards.confidence, cards.cards[0].rows) == (0, 40, 0.95, 60)


def test_models_predict_and_are_costed(
    fake_model: Callable[..., Any], features: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without probabilities the model is asked; its cost is compared with the teacher's."""
    monkeypatch.setattr(cost, "LATENCY_CALLS", 5)
    models = [entry("teacher", "big", model=fake_model(10)), entry("student", "a", model=fake_model())]
    cards = evaluate([*models, entry("staged", "now", proba=blend(0.1))], features, spec=EvaluationSpec(replicates=20))
    student = cards.students[0]
    assert student.cost is not None
    assert student.compression["params"] == pytest.approx(0.9)
    assert student.compression["raw_columns"] == 0
    assert cards.teacher.compression == {}
    assert cards.staged is not None
    assert cards.staged.cost is None
    assert cards.staged.compression == {}


def test_costs_can_be_left_out(fake_model: Callable[..., Any], features: pd.DataFrame) -> None:
    """With ``cost: false`` a model is asked once, for its probabilities."""
    model = fake_model()
    card = evaluate([entry("teacher", "big", model=model)], features).teacher
    assert card.cost is None
    assert model.batches == [60]


def test_given_probabilities_are_not_asked_for_again(fake_model: Callable[..., Any], features: pd.DataFrame) -> None:
    """A model that brings its probabilities is not called for them."""
    model = fake_model()
    evaluate([entry("teacher", "big", model=model, proba=blend(0.5))], features)
    assert model.batches == []


def test_validation_loss_is_measured_where_known(features: pd.DataFrame) -> None:
    """Minus the mean log probability of the right class, in nats."""
    valid = np.array([[0.5, 0.5], [0.25, 0.75]])
    entries = [
        entry("teacher", "t", proba=blend(0.5), valid_proba=valid),
        entry("student", "a", proba=blend(0.5)),
    ]
    cards = evaluate(entries, features, valid_y=np.array([0, 0]))
    assert cards.teacher.valid_log_loss == pytest.approx((np.log(2) + np.log(4)) / 2)
    assert cards.students[0].valid_log_loss is None


def test_the_prior_is_measured_on_the_same_rows(features: pd.DataFrame) -> None:
    """Every row gets the class shares; weighted rows count by weight."""
    teacher, prior = [entry("teacher", "t", proba=blend(0.5))], np.array([0.25, 0.75])
    cards = evaluate(teacher, features, prior=prior)
    assert cards.prior_log_loss == pytest.approx(-np.log(prior)[LABELS].mean())
    weighted = evaluate(teacher, features, prior=prior, weights=LABELS.astype(float))
    assert weighted.prior_log_loss == pytest.approx(-np.log(0.75))
    assert evaluate(teacher, features).prior_log_loss is None


@pytest.mark.parametrize(("sharpness", "worse"), [(0.9, False), (0.2, False), (-0.5, True), (0.0, True)])
def test_a_teacher_no_better_than_the_prior_is_warned_of(sharpness: float, worse: bool, features: pd.DataFrame) -> None:
    """One that ties with it is no better."""
    cards = evaluate([entry("teacher", "t", proba=blend(sharpness))], features, prior=np.array([0.5, 0.5]))
    loss = cards.teacher.quality.metrics["log_loss"].value
    said = (
        f"teacher toy is no better than the prior: its log loss on the test rows is {loss:.4f}, that of the training"
        " rows' class shares 0.6931; distilling it is pointless"
    )
    assert cards.warnings == ([said] if worse else [])


def test_weights_and_groups_reach_the_metrics(features: pd.DataFrame) -> None:
    """Only the rows with weight count; whole groups are drawn."""
    proba = blend(0.5)
    proba[30:] = proba[30:, ::-1]
    weights = np.r_[np.ones(30), np.zeros(30)]
    cards = evaluate([entry("teacher", "t", proba=proba)], features, weights=weights, groups=np.arange(60) % 30)
    assert cards.teacher.quality.metrics["accuracy"].value == 1


def test_more_classes_work_alike(features: pd.DataFrame, case: Callable[..., Any]) -> None:
    """Three classes, one of them without test rows, with a whole set of comparisons."""
    y, proba = case(60, 3, 0)
    y = np.where(y == 1, 0, y)
    entries = [entry("teacher", "t", proba=proba), entry("student", "a", proba=np.full((60, 3), 1 / 3))]
    cards = evaluate(entries, features, y=y, classes=("x", "y", "z"))
    assert [one.support for one in cards.teacher.quality.per_class][1] == 0
    assert cards.students[0].quality.metrics["auc_roc"].value == 0.5
    assert cards.students[0].agreement is not None
    assert cards.students[0].agreement.spearman is None


def test_progress_is_told_of_each_model(entries: list[Entry], features: pd.DataFrame) -> None:
    """One line before each model."""
    lines: list[str] = []
    evaluate(entries[:2], features, progress=lines.append)
    assert lines == ["measuring teacher toy", "measuring student toy"]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "entries must hold exactly one teacher, got 0"),
        ([entry("teacher", "a"), entry("teacher", "b")], "entries must hold exactly one teacher, got 2"),
        (
            [entry("teacher", "t"), entry("staged", "a"), entry("staged", "b")],
            "entries must hold at most one staged model, got 2",
        ),
        (
            [entry("teacher", "t"), entry("student", "a"), entry("student", "a")],
            "entries must differ in role or name, got student 'a' twice",
        ),
        ([entry("teacher", "t")], "teacher 't' must bring a model or its test probabilities, got neither"),
        (
            [entry("teacher", "t", proba=np.ones((60, 1)))],
            "test probabilities of teacher 't' must be of shape (60, 2), got (60, 1)",
        ),
        (
            [entry("teacher", "t", proba=np.full((60, 2), 0.6))],
            "test probabilities of teacher 't' are wrong: probabilities must sum to 1 in each row",
        ),
        (
            [entry("teacher", "t", proba=np.full((60, 2), np.inf))],
            "test probabilities of teacher 't' are wrong: probabilities must be finite",
        ),
        (
            [entry("teacher", "t", proba=blend(0.5), valid_proba=np.ones((2, 2)))],
            "validation probabilities of teacher 't' must be of shape (1, 2), got (2, 2)",
        ),
    ],
)
def test_wrong_entries_are_named(entries: list[Entry], features: pd.DataFrame, message: str) -> None:
    """The message says whose probabilities they are, what must hold and what was seen."""
    with pytest.raises(InputError, match=re.escape(message)):
        evaluate(entries, features, valid_y=np.array([0]))


def test_features_must_match_the_labels(features: pd.DataFrame) -> None:
    """One row of raw columns per label."""
    with pytest.raises(InputError, match="features must have one row for each of 60 labels, got 10"):
        evaluate([entry("teacher", "t", proba=blend(0.5))], features.iloc[:10])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"replicates": 19}, "greater than or equal to 20"),
        ({"confidence": 0.5}, "greater than 0.5"),
        ({"confidence": 1.0}, "less than 1"),
        ({"replicate": 50}, "unknown key 'replicate'; did you mean 'replicates'"),
    ],
)
def test_a_wrong_spec_is_refused(settings: dict[str, object], message: str) -> None:
    """Bounds and spelling are checked before anything runs."""
    with pytest.raises(ValidationError, match=message):
        EvaluationSpec.model_validate(settings)


def test_agreement_is_of_the_same_weights_and_resamples(features: pd.DataFrame) -> None:
    """Rows of no weight are not counted, and the rate has its interval."""
    proba = blend(0.5)
    other = np.where(np.arange(60)[:, None] < 20, proba[:, ::-1], proba)
    entries = [entry("teacher", "t", proba=proba), entry("student", "a", proba=other)]
    agreement = evaluate(entries, features, weights=np.r_[np.ones(40), np.zeros(20)]).students[0].agreement
    assert agreement is not None
    assert agreement.rate == pytest.approx(0.5)
    rate = agreement.intervals["rate"]
    assert rate.low is not None
    assert rate.high is not None
    assert 0.2 < rate.low < 0.5 < rate.high < 0.8
