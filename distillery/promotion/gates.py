"""Gates: the conditions a candidate must meet before it may be promoted.

Limits are compared with point values; comparisons with another model look at the paired interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from distillery.evaluation import Comparison, Estimate, Scorecard, Scorecards
from distillery.spec import Spec

Against = Literal["shown", "point", "off"]


class GatesSpec(Spec):
    """The conditions; None (or ``off``) leaves a gate out.

    Attributes:
        min_auc_retention: student's ROC AUC over the teacher's, at least.
        max_log_loss_increase: student's log loss over the teacher's, less 1, at most.
        min_agreement: share of test rows decided alike, at least.
        max_bytes, max_params, max_latency_p50_us: of the saved student.
        smaller_than_teacher: the saved student must hold fewer bytes than the teacher.
        beats_control: lower log loss than the same student without the teacher: ``shown`` asks
            for a paired interval wholly below zero, ``point`` for a lower value.
        max_onnx_difference: the largest difference between a probability of the exported file and of the
            fitted student, on the test rows and on edge rows; a quantized file is judged by the other gates.
            Without an exported file nothing is promoted, whatever is set here.
        not_worse_than_staged: the paired log loss interval against the staged model, on the same
            test rows, must not lie wholly above zero.
    """

    min_auc_retention: float | None = Field(0.99, gt=0)
    max_log_loss_increase: float | None = Field(0.05, ge=0)
    min_agreement: float | None = Field(None, ge=0, le=1)
    max_bytes: PositiveInt | None = 1_000_000
    max_params: PositiveInt | None = None
    max_latency_p50_us: PositiveFloat | None = None
    smaller_than_teacher: bool = True
    beats_control: Against = "shown"
    max_onnx_difference: PositiveFloat | None = 1e-5
    not_worse_than_staged: bool = True


class GateResult(BaseModel):
    """One gate, judged for one candidate.

    Attributes:
        gate: its name in the config.
        passed: whether the candidate meets it.
        text: what was asked and what was measured, with the numbers.
        asked: the limit; None where the gate compares with another model.
        measured: what is held against it: a value, with its interval where it has one; None where unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: str
    passed: bool
    text: str
    asked: float | None = None
    measured: Estimate | None = None


def judge_gates(card: Scorecard, cards: Scorecards, spec: GatesSpec, *, staged_problem: str = "") -> list[GateResult]:
    """Judge every gate of the spec for one student.

    Args:
        card: the student's.
        cards: all of the run.
        spec: the gates.
        staged_problem: why the staged model could not be scored; the gate that needs it then fails.
    """
    results = [*_limits(card, cards.teacher, spec)]
    if spec.smaller_than_teacher:
        results.append(_size_gate(card, cards.teacher))
    if spec.beats_control != "off":
        results.append(_control_gate(card, spec.beats_control))
    if spec.max_onnx_difference is not None or card.parity is None:
        results.append(_export_gate(card, spec.max_onnx_difference))
    if spec.not_worse_than_staged:
        results.append(_staged_gate(card, cards, staged_problem))
    return results


def _gate(
    name: str, passed: bool, text: str, *, asked: float | None = None, measured: Estimate | float | None = None
) -> GateResult:
    if isinstance(measured, int | float):
        measured = Estimate(value=measured, low=None, high=None)
    return GateResult(gate=name, passed=passed, text=text, asked=asked, measured=measured)


def _limits(card: Scorecard, teacher: Scorecard, spec: GatesSpec) -> Iterator[GateResult]:
    retention = card.retention["auc_roc"]
    loss, teacher_loss = _value(card, "log_loss"), _value(teacher, "log_loss")
    agreement = card.agreement.estimate("rate") if card.agreement else None
    size, params, p50 = (
        (card.cost.bytes, card.cost.params, card.cost.latency_p50_us) if card.cost else (None, None, None)
    )
    yield from _limit("min_auc_retention", "ROC AUC retention", retention, spec.min_auc_retention, ".4f")
    increase = loss / teacher_loss - 1 if teacher_loss > 0 else math.nan
    yield from _limit(
        "max_log_loss_increase", "log loss over the teacher's", increase, spec.max_log_loss_increase, "+.4f"
    )
    yield from _limit("min_agreement", "agreement with the teacher", agreement, spec.min_agreement, ".4f")
    yield from _limit("max_bytes", "bytes", size, spec.max_bytes, ",.0f")
    yield from _limit("max_params", "parameters", params, spec.max_params, ",.0f")
    yield from _limit("max_latency_p50_us", "µs a row (p50)", p50, spec.max_latency_p50_us, ",.0f")


def _limit(
    gate: str, what: str, measured: Estimate | float | None, limit: float | None, form: str
) -> Iterator[GateResult]:
    """Judge a value by one bound, lower or upper by the gate's name; what could not be measured does not pass."""
    if limit is None:
        return
    value = measured.value if isinstance(measured, Estimate) else measured
    least = gate.startswith("min_")
    known = value is not None and math.isfinite(value)
    passed = known and (value >= limit if least else value <= limit)  # type: ignore[operator]
    seen = format(value, form) if known else "not measured"
    text = f"{what} {seen}, {'at least' if least else 'at most'} {format(limit, form)} asked"
    yield _gate(gate, passed, text, asked=limit, measured=measured if known else None)


def _value(card: Scorecard, metric: str) -> float:
    value = card.quality.metrics[metric].value
    return math.nan if value is None else value


def _size_gate(card: Scorecard, teacher: Scorecard) -> GateResult:
    name = "smaller_than_teacher"
    if card.cost is None or teacher.cost is None:
        return _gate(name, False, "bytes not measured")
    own, other = card.cost.bytes, teacher.cost.bytes
    return _gate(name, own < other, f"{own:,} bytes, the teacher {other:,}", asked=other, measured=own)


def _export_gate(card: Scorecard, limit: float | None) -> GateResult:
    name = "max_onnx_difference"
    if card.parity is None:
        return _gate(name, False, card.export_problem or "it was not exported")
    seen = f"the ONNX file differs by {card.parity.max_difference:.1e} at most, on {card.parity.rows:,} rows"
    quantize, measured = card.settings.get("quantize", "none"), card.parity.max_difference
    if quantize != "none":
        return _gate(name, True, f"{seen}; {quantize}, so judged by the gates above", measured=measured)
    assert limit is not None
    return _gate(name, measured <= limit, f"{seen}, at most {limit:.0e} asked", asked=limit, measured=measured)


def _control_gate(card: Scorecard, how: Against) -> GateResult:
    comparison = card.lift.get("log_loss")
    if comparison is None:
        return _gate("beats_control", False, "there is no control to compare with")
    difference = comparison.difference.value
    lower = difference is not None and difference < 0
    passed = comparison.verdict == "better" if how == "shown" else lower
    text = f"log loss minus the control's {interval(comparison)}: {comparison.verdict}"
    return _gate("beats_control", passed, text, measured=comparison.difference)


def _staged_gate(card: Scorecard, cards: Scorecards, problem: str) -> GateResult:
    name = "not_worse_than_staged"
    if problem:
        return _gate(name, False, f"the staged model could not be scored on these test rows: {problem}")
    if cards.staged is None:
        return _gate(name, True, "nothing is staged")
    comparison = card.versus_staged["log_loss"]
    text = f"log loss minus the staged model's {interval(comparison)}: {comparison.verdict}"
    return _gate(name, comparison.verdict != "worse", text, measured=comparison.difference)


def interval(comparison: Comparison) -> str:
    """Write a difference with its interval, signs shown.

    >>> from distillery.evaluation import Comparison, Estimate
    >>> interval(Comparison(difference=Estimate(value=-0.01, low=-0.02, high=-0.001), verdict="better"))
    '-0.0100 [-0.0200, -0.0010]'
    """
    numbers = [comparison.difference.value, comparison.difference.low, comparison.difference.high]
    value, low, high = ("undefined" if x is None else f"{x:+.4f}" for x in numbers)
    return f"{value} [{low}, {high}]"
