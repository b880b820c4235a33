"""Every gate passes and fails at its limit, and says so in numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from distillery.evaluation import Agreement
from distillery.export import Parity
from distillery.promotion import GateResult, GatesSpec
from distillery.promotion.gates import judge_gates

Make = Callable[..., Any]
OFF: dict[str, Any] = {
    "min_auc_retention": None,
    "max_log_loss_increase": None,
    "max_bytes": None,
    "smaller_than_teacher": False,
    "beats_control": "off",
    "max_onnx_difference": None,
    "not_worse_than_staged": False,
}


def only(name: str, limit: object) -> GatesSpec:
    return GatesSpec(**OFF | {name: limit})


@pytest.fixture
def judge_one(card: Make, cards: Make) -> Make:
    """Judge one gate of one student."""

    def judge(
        name: str, limit: object, *, problem: str = "", others: dict[str, Any] | None = None, **fields: Any
    ) -> Any:
        student = card("student", "small", **fields)
        results = judge_gates(student, cards(student, **others or {}), only(name, limit), staged_problem=problem)
        assert [result.gate for result in results] == [name]
        return results[0]

    return judge


def agreement(rate: float) -> Agreement:
    return Agreement(rate=rate, disagreement=1 - rate, kl=0.01, spearman=None)


@pytest.mark.parametrize(
    ("name", "limit", "value", "passed", "text"),
    [
        ("min_auc_retention", 0.99, 0.99, True, "ROC AUC retention 0.9900, at least 0.9900 asked"),
        ("min_auc_retention", 0.99, 0.9899, False, "ROC AUC retention 0.9899, at least 0.9900 asked"),
        ("max_log_loss_increase", 0.25, 0.5, True, "log loss over the teacher's +0.2500, at most +0.2500 asked"),
        ("max_log_loss_increase", 0.25, 0.501, False, "log loss over the teacher's +0.2525, at most +0.2500 asked"),
        ("max_log_loss_increase", 0.0, 0.4, True, "log loss over the teacher's +0.0000, at most +0.0000 asked"),
        ("min_agreement", 0.9, 0.9, True, "agreement with the teacher 0.9000, at least 0.9000 asked"),
        ("min_agreement", 0.9, 0.8999, False, "agreement with the teacher 0.8999, at least 0.9000 asked"),
        ("max_bytes", 10_000, 10_000, True, "bytes 10,000, at most 10,000 asked"),
        ("max_bytes", 10_000, 10_001, False, "bytes 10,001, at most 10,000 asked"),
        ("max_params", 1000, 1000, True, "parameters 1,000, at most 1,000 asked"),
        ("max_params", 1000, 1001, False, "parameters 1,001, at most 1,000 asked"),
        ("max_latency_p50_us", 100.0, 100.0, True, "µs a row (p50) 100, at most 100 asked"),
        ("max_latency_p50_us", 100.0, 101.0, False, "µs a row (p50) 101, at most 100 asked"),
    ],
)
def test_a_limit_is_inclusive(
    judge_one: Make, estimate: Make, cost: Make, name: str, limit: float, value: float, passed: bool, text: str
) -> None:
    """Both what was asked and what was measured stand in the text."""
    fields = {
        "min_auc_retention": {"retention": {"auc_roc": estimate(value)}},
        "max_log_loss_increase": {"loss": value},
        "min_agreement": {"agreement": agreement(value if name == "min_agreement" else 1.0)},
        "max_bytes": {"cost": cost(bytes=int(value))},
        "max_params": {"cost": cost(params=int(value))},
        "max_latency_p50_us": {"cost": cost(latency_p50_us=value)},
    }[name]
    result = judge_one(name, limit, **fields)
    assert (result.gate, result.passed, result.text, result.asked) == (name, passed, text, limit)
    assert (result.measured is None) == ("not measured" in text)


def test_what_has_an_interval_is_held_with_it(judge_one: Make, estimate: Make) -> None:
    """The value alone is judged: an end below the limit fails nothing."""
    seen = estimate(0.95, 0.02)
    kept = judge_one("min_auc_retention", 0.94, retention={"auc_roc": seen})
    alike = agreement(0.95).model_copy(update={"intervals": {"rate": seen}})
    agreed = judge_one("min_agreement", 0.94, agreement=alike)
    assert (kept.passed, kept.measured) == (agreed.passed, agreed.measured) == (True, seen)
    assert not judge_one("min_agreement", 0.96, agreement=alike).passed, "nor does an end above it pass"
    assert judge_one("min_agreement", 0.9, agreement=agreement(0.95)).measured == estimate(0.95).model_copy(
        update={"low": None, "high": None}
    )


@pytest.mark.parametrize(
    ("name", "limit", "fields"),
    [
        ("min_agreement", 0.0, {"agreement": None}),
        ("max_log_loss_increase", 9.0, {"loss": None}),
        ("max_bytes", 10**9, {"cost": None}),
        ("max_params", 10**9, {"cost": None}),
        ("max_latency_p50_us", 1e9, {"cost": None}),
        ("smaller_than_teacher", True, {"cost": None}),
    ],
)
def test_what_was_not_measured_does_not_pass(judge_one: Make, name: str, limit: object, fields: dict[str, Any]) -> None:
    """However generous the limit."""
    result = judge_one(name, limit, **fields)
    assert not result.passed
    assert "not measured" in result.text


def test_an_undefined_retention_does_not_pass(judge_one: Make, estimate: Make) -> None:
    """A test split of one class has no ROC AUC."""
    result = judge_one("min_auc_retention", 0.5, retention={"auc_roc": estimate(None)})
    assert not result.passed
    assert result.text == "ROC AUC retention not measured, at least 0.5000 asked"


def test_an_increase_over_a_teacher_without_loss_does_not_pass(judge_one: Make, card: Make) -> None:
    """A ratio to zero is nothing measured."""
    result = judge_one("max_log_loss_increase", 9.0, others={"teacher": card("teacher", "big", loss=0.0)})
    assert (result.passed, result.text.split(",")[0]) == (False, "log loss over the teacher's not measured")


@pytest.mark.parametrize(("size", "passed"), [(999_999, True), (1_000_000, False)])
def test_the_student_must_be_smaller_than_the_teacher(judge_one: Make, cost: Make, size: int, passed: bool) -> None:
    """As many bytes are too many."""
    result = judge_one("smaller_than_teacher", True, cost=cost(bytes=size))
    assert (result.passed, result.text) == (passed, f"{size:,} bytes, the teacher 1,000,000")


@pytest.mark.parametrize(
    ("how", "value", "verdict", "passed"),
    [
        ("shown", -0.02, "better", True),
        ("shown", -0.005, "no difference shown", False),
        ("shown", 0.02, "worse", False),
        ("point", -0.02, "better", True),
        ("point", -0.005, "no difference shown", True),
        ("point", 0.0, "no difference shown", False),
        ("point", 0.02, "worse", False),
        ("point", None, "no difference shown", False),
    ],
)
def test_beating_the_control_is_shown_or_pointwise(
    judge_one: Make, comparison: Make, how: str, value: float | None, verdict: str, passed: bool
) -> None:
    """``shown`` asks for the whole interval, ``point`` for the value alone."""
    result = judge_one("beats_control", how, lift={"log_loss": comparison(value, verdict)})
    assert result.passed is passed
    assert result.text.startswith("log loss minus the control's ")
    assert result.text.endswith(f": {verdict}")
    assert ("undefined" if value is None else f"{value:+.4f} [{value - 0.01:+.4f}") in result.text


def test_without_a_control_nothing_is_beaten(judge_one: Make) -> None:
    """The text says why."""
    result = judge_one("beats_control", "point", lift={})
    assert (result.passed, result.text) == (False, "there is no control to compare with")


@pytest.mark.parametrize(
    ("value", "verdict", "passed"),
    [(-0.02, "better", True), (0.005, "no difference shown", True), (0.02, "worse", False)],
)
def test_only_worse_than_staged_fails(
    judge_one: Make, card: Make, comparison: Make, value: float, verdict: str, passed: bool
) -> None:
    """No difference shown is good enough for the gate; the verdict decides on ties."""
    fields = {"versus_staged": {"log_loss": comparison(value, verdict)}}
    result = judge_one("not_worse_than_staged", True, others={"staged": card("staged", "now")}, **fields)
    assert result.passed is passed
    assert result.text == (
        f"log loss minus the staged model's {value:+.4f} [{value - 0.01:+.4f}, {value + 0.01:+.4f}]: {verdict}"
    )


def test_nothing_staged_passes(judge_one: Make) -> None:
    """The first student has nobody to be worse than."""
    result = judge_one("not_worse_than_staged", True)
    assert (result.passed, result.text) == (True, "nothing is staged")


def test_a_staged_model_that_cannot_be_scored_fails(judge_one: Make) -> None:
    """Not to know is not to be as good; the problem is told."""
    result = judge_one("not_worse_than_staged", True, problem="column 'age' is missing")
    assert not result.passed
    assert result.text == "the staged model could not be scored on these test rows: column 'age' is missing"


def test_gates_left_out_are_not_judged(card: Make, cards: Make) -> None:
    """None, False and ``off`` leave a gate out altogether."""
    student = card("student", "small")
    assert judge_gates(student, cards(student), GatesSpec(**OFF)) == []


def test_the_defaults_judge_seven_gates(card: Make, cards: Make) -> None:
    """Quality, size, the control, the exported file and the staged model."""
    student = card("student", "small")
    results = judge_gates(student, cards(student), GatesSpec())
    assert [r.gate for r in results] == [
        "min_auc_retention",
        "max_log_loss_increase",
        "max_bytes",
        "smaller_than_teacher",
        "beats_control",
        "max_onnx_difference",
        "not_worse_than_staged",
    ]
    assert all(r.passed for r in results)


@pytest.mark.parametrize(
    ("difference", "quantize", "passed", "text"),
    [
        (1e-5, "none", True, "the ONNX file differs by 1.0e-05 at most, on 900 rows, at most 1e-05 asked"),
        (2e-5, "none", False, "the ONNX file differs by 2.0e-05 at most, on 900 rows, at most 1e-05 asked"),
        (float("inf"), "none", False, "the ONNX file differs by inf at most, on 900 rows, at most 1e-05 asked"),
        (2e-3, "int8", True, "the ONNX file differs by 2.0e-03 at most, on 900 rows; int8, so judged by the gates"),
    ],
)
def test_the_exported_file_must_say_what_the_student_says(
    judge_one: Make, difference: float, quantize: str, passed: bool, text: str
) -> None:
    """A quantized file has its own quality figures, and those are judged."""
    parity = Parity(max_difference=difference, rows=900, edge_rows=30)
    result = judge_one("max_onnx_difference", 1e-5, parity=parity, settings={"quantize": quantize})
    assert result.passed == passed
    assert result.text.startswith(text)


def test_what_cannot_be_exported_cannot_be_promoted(card: Make, cards: Make) -> None:
    """Even where the gate is switched off."""
    student = card("student", "small", parity=None, export_problem="its class defines no `to_graph`")
    (result,) = judge_gates(student, cards(student), GatesSpec(**OFF))
    assert result == GateResult(gate="max_onnx_difference", passed=False, text="its class defines no `to_graph`")
