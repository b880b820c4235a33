"""The verdict: which candidate is promoted, or why none is."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict

from distillery.evaluation import Scorecard, Scorecards
from distillery.promotion.gates import GateResult, GatesSpec, interval, judge_gates

Action = Literal["promote", "keep_staged", "refuse"]


class StagedModel(BaseModel):
    """The model that held the alias when the candidates were judged.

    Attributes:
        version: its version in the registry; None where nothing was staged.
        problem: why it could not be scored on this run's test rows; empty where it could.
        bytes: of its saved files; None where unknown.
        other_data: it was made from another dataset or another split of it, so this run's test
            rows may have been among its training rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str | None = None
    problem: str = ""
    bytes: int | None = None
    other_data: bool = False


class Judgement(BaseModel):
    """One candidate's gates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    gates: tuple[GateResult, ...]

    @property
    def passed(self) -> bool:
        return all(gate.passed for gate in self.gates)

    @property
    def score(self) -> str:
        """Such as ``5 of 6 gates``."""
        return f"{sum(gate.passed for gate in self.gates)} of {len(self.gates)} gates"


class Verdict(BaseModel):
    """What is to be done with the registry, and why.

    Attributes:
        action: ``promote`` the winner, ``keep_staged``, or ``refuse`` (no candidate passed).
        winner: the candidate that passed every gate with the lowest validation log loss; None
            where none did.
        reason: the action in one sentence, with its numbers.
        judgements: every candidate's gates.
        staged: what held the alias at that moment.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Action
    winner: str | None
    reason: str
    judgements: tuple[Judgement, ...]
    staged: StagedModel

    def focus(self, cards: Scorecards) -> Scorecard:
        """Return the student the run stands for: the winner, else the best on the validation split."""
        if self.winner is not None:
            return cards.get("student", self.winner)
        return min(cards.students, key=_validation_loss)

    def judgement(self, name: str) -> Judgement:
        """Return one candidate's gates."""
        return next(j for j in self.judgements if j.name == name)


def judge(cards: Scorecards, spec: GatesSpec, staged: StagedModel) -> Verdict:
    """Judge every candidate and say what to do.

    Among those that pass, the one with the lowest *validation* log loss wins: choosing on the
    test split would make its figures too good. A tie with the staged model keeps the staged one.
    """
    judgements = tuple(
        Judgement(name=card.name, gates=tuple(judge_gates(card, cards, spec, staged_problem=staged.problem)))
        for card in cards.students
    )
    passed = [cards.get("student", j.name) for j in judgements if j.passed]
    if not passed:
        reasons = "; ".join(_first_failure(j) for j in judgements)
        return _verdict("refuse", None, f"no candidate passed every gate ({reasons})", judgements, staged)
    winner = min(passed, key=_validation_loss)
    score = next(j.score for j in judgements if j.name == winner.name)
    if cards.staged is None:
        before = "nothing was staged before" if staged.version is None else "the staged model was not compared"
        return _verdict("promote", winner.name, f"{score}; {before}", judgements, staged)
    action, why = _against_staged(winner, staged.bytes)
    return _verdict(action, winner.name, f"{score}; {why}", judgements, staged)


def _verdict(
    action: Action, winner: str | None, reason: str, judgements: tuple[Judgement, ...], staged: StagedModel
) -> Verdict:
    return Verdict(action=action, winner=winner, reason=reason, judgements=judgements, staged=staged)


def _validation_loss(card: Scorecard) -> float:
    return math.inf if card.valid_log_loss is None else card.valid_log_loss


def _first_failure(judgement: Judgement) -> str:
    failed = next(gate for gate in judgement.gates if not gate.passed)
    return f"{judgement.name}: {failed.gate}, {failed.text}"


def _against_staged(card: Scorecard, old: int | None) -> tuple[Action, str]:
    """Replace the staged model when better is shown, or as good is smaller; otherwise keep it."""
    comparison = card.versus_staged["log_loss"]
    seen = f"log loss {interval(comparison)} against the staged model: {comparison.verdict}"
    if comparison.verdict == "better":
        return "promote", seen
    if comparison.verdict == "worse":
        return "keep_staged", seen
    own = card.cost.bytes if card.cost else None
    if own is not None and old is not None and own < old:
        return "promote", f"{seen}, and it is smaller ({own:,} bytes against {old:,})"
    return "keep_staged", f"{seen}; ties keep the staged model"
