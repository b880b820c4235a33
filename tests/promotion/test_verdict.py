"""Which candidate is promoted, or why none is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from distillery.promotion import GatesSpec, StagedModel, Verdict, judge

Make = Callable[..., Any]
NOTHING = StagedModel()
STAGED = StagedModel(version="3", bytes=20_000)


@pytest.fixture
def against(card: Make, cards: Make, comparison: Make, cost: Make) -> Make:
    """Judge one student against a staged model."""

    def run(value: float, verdict: str, *, size: int = 30_000, staged: StagedModel = STAGED, **gates: Any) -> Verdict:
        versus = {"log_loss": comparison(value, verdict)}
        student = card("student", "small", versus_staged=versus, cost=cost(bytes=size))
        return judge(cards(student, staged=card("staged", "now")), GatesSpec(**gates), staged)

    return run


def test_the_first_student_that_passes_is_promoted(card: Make, cards: Make) -> None:
    """The gates are counted in the reason."""
    verdict = judge(cards(card("student", "small")), GatesSpec(), NOTHING)
    assert (verdict.action, verdict.winner) == ("promote", "small")
    assert verdict.reason == "7 of 7 gates; nothing was staged before"


def test_the_lowest_validation_log_loss_wins(card: Make, cards: Make) -> None:
    """The test split's figures play no part in the choice."""
    students = [
        card("student", "best_on_test", loss=0.30, valid_log_loss=0.42),
        card("student", "best_on_valid", loss=0.40, valid_log_loss=0.35),
        card("student", "unmeasured", loss=0.20, valid_log_loss=None),
    ]
    for order in (students, students[::-1]):
        assert judge(cards(*order), GatesSpec(), NOTHING).winner == "best_on_valid"


def test_a_failed_candidate_cannot_win(card: Make, cards: Make, estimate: Make) -> None:
    """However low its validation loss."""
    better = card("student", "better", valid_log_loss=0.1, retention={"auc_roc": estimate(0.5)})
    verdict = judge(cards(better, card("student", "sound")), GatesSpec(), NOTHING)
    assert verdict.winner == "sound"
    assert [j.passed for j in verdict.judgements] == [False, True]
    assert verdict.judgement("better").score == "6 of 7 gates"


def test_a_refusal_names_the_failed_gate_of_each_candidate(card: Make, cards: Make, estimate: Make, cost: Make) -> None:
    """With the numbers."""
    students = [
        card("student", "a", retention={"auc_roc": estimate(0.95)}),
        card("student", "b", cost=cost(bytes=2_000_000)),
    ]
    verdict = judge(cards(*students), GatesSpec(), NOTHING)
    assert (verdict.action, verdict.winner) == ("refuse", None)
    assert verdict.reason == (
        "no candidate passed every gate"
        " (a: min_auc_retention, ROC AUC retention 0.9500, at least 0.9900 asked;"
        " b: max_bytes, bytes 2,000,000, at most 1,000,000 asked)"
    )


@pytest.mark.parametrize(
    ("value", "verdict", "size", "action", "reason"),
    [
        (-0.02, "better", 30_000, "promote", "against the staged model: better"),
        (0.0, "no difference shown", 30_000, "keep_staged", "ties keep the staged model"),
        (-0.005, "no difference shown", 20_000, "keep_staged", "ties keep the staged model"),
        (0.005, "no difference shown", 19_999, "promote", "and it is smaller (19,999 bytes against 20,000)"),
    ],
    ids=["better", "tie", "as big", "as good but smaller"],
)
def test_the_staged_model_goes_only_for_a_better_or_smaller_one(
    against: Make, value: float, verdict: str, size: int, action: str, reason: str
) -> None:
    """Better must be shown; as good must be smaller; else the staged one stays."""
    found = against(value, verdict, size=size)
    assert (found.action, found.winner) == (action, "small")
    assert found.reason.startswith(f"7 of 7 gates; log loss {value:+.4f} [")
    assert found.reason.endswith(reason)


def test_worse_than_staged_is_refused(against: Make) -> None:
    """The gate fails, so no candidate passes."""
    found = against(0.02, "worse")
    assert found.action == "refuse"
    assert "not_worse_than_staged, log loss minus the staged model's +0.0200 [+0.0100, +0.0300]: worse" in found.reason


def test_worse_than_staged_stays_unpromoted_with_the_gate_off(against: Make) -> None:
    """The gate can be left out; a worse model still does not replace a better one."""
    assert against(0.02, "worse", size=10, not_worse_than_staged=False).action == "keep_staged"


def test_a_tie_with_a_model_of_unknown_size_keeps_it(against: Make) -> None:
    """Smaller than unknown is not known to be smaller."""
    assert against(0.0, "no difference shown", size=1, staged=StagedModel(version="3")).action == "keep_staged"


def test_a_staged_model_that_cannot_be_scored_blocks(card: Make, cards: Make) -> None:
    """The reason tells the problem; with the gate off the winner is promoted all the same."""
    student, staged = card("student", "small"), StagedModel(version="3", problem="files are incomplete")
    refused = judge(cards(student), GatesSpec(), staged)
    assert refused.action == "refuse"
    assert "could not be scored on these test rows: files are incomplete" in refused.reason
    promoted = judge(cards(student), GatesSpec(not_worse_than_staged=False), staged)
    assert promoted.action == "promote"
    assert promoted.reason == "6 of 6 gates; the staged model was not compared"


def test_a_verdict_survives_json(against: Make) -> None:
    """What is saved beside the model is read back."""
    found = against(-0.02, "better")
    assert Verdict.model_validate_json(found.model_dump_json()) == found
