"""Small reports made by hand; every figure differs from every other."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from distillery.data import Column, Schema
from distillery.data.validation import ValidationReport
from distillery.evaluation import METRICS, Agreement, Comparison, Cost, Estimate, Quality, Scorecard, Scorecards
from distillery.evaluation.cost import COMPRESSED
from distillery.evaluation.quality import ClassQuality
from distillery.promotion import GateResult, Judgement, StagedModel, Verdict
from distillery.report.model import DataFacts, Finding, Origin, Report, SoftLabelFacts

Classes = tuple[Any, ...]


class Figures:
    """Gives figures that are all different."""

    def __init__(self) -> None:
        self.numbers = count(1)

    def share(self) -> float:
        return 0.0123 * next(self.numbers) % 1

    def estimate(self) -> Estimate:
        value = self.share()
        return Estimate(value=value, low=value - 0.0101, high=value + 0.0202)

    def agreement(self) -> Agreement:
        intervals = {name: self.estimate() for name in ("rate", "disagreement", "kl", "spearman")}
        return Agreement.model_validate({n: e.value for n, e in intervals.items()} | {"intervals": intervals})

    def comparison(self) -> Comparison:
        return Comparison(difference=self.estimate(), verdict="better")

    def cost(self) -> Cost:
        n = next(self.numbers)
        return Cost(
            params=1234 * n,
            table_params=34 * n,
            network_params=1200 * n,
            learnable_params=1200 * n,
            flops_per_row=2345.0 * n,
            bytes=34_567 * n,
            peak_memory_bytes=None,
            latency_p50_us=12.0 * n,
            latency_p99_us=99.0 * n,
            rows_per_second=4567.0 * n,
            native_latency_p50_us=99.0,
            native_rows_per_second=9.0,
            raw_columns=20,
        )

    def card(self, role: Any, name: str, classes: Classes) -> Scorecard:
        per_class = [
            ClassQuality(precision=self.estimate(), recall=self.estimate(), f1=self.estimate(), support=9.0)
            for _ in classes
        ]
        metrics = {m: self.estimate() for m in METRICS}
        quality = Quality(
            metrics=metrics,
            per_class=tuple(per_class),
            overconfidence=self.estimate(),
            calibration_ratio=self.estimate(),
        )
        fields: dict[str, Any] = {"kind": "mlp", "label": f"{role} {name}", "rows": 2500, "cost": self.cost()}
        if role != "teacher":
            fields["agreement"] = self.agreement()
            fields["retention"] = {m: self.estimate() for m in METRICS if METRICS[m].bigger_is_better}
            fields["versus_teacher"] = {m: self.comparison() for m in METRICS}
        if role == "student":
            fields["lift"] = {m: self.comparison() for m in METRICS}
            fields["compression"] = {c: self.share() for c in COMPRESSED}
        return Scorecard(name=name, role=role, quality=quality, valid_log_loss=0.4, **fields)


def make_report(
    *, classes: Classes = ("no", "yes"), column: str = "age", warnings: tuple[str, ...] = (), **changes: Any
) -> Report:
    """Make a report of a teacher, a student and its control."""
    figures = Figures()
    roles = (("teacher", "big"), ("student", "small"), ("control", "small"))
    cards = tuple(figures.card(role, name, classes) for role, name in roles)
    columns = (
        Column(name=column, kind="numeric", lower=0, upper=90, missing=0.125),
        Column(name="plan", kind="categorical", categories=("a", "b", "c"), privileged=True),
    )
    size = Estimate(value=69_134, low=None, high=None)
    text = "bytes 69,134, at most 60,000 asked"
    gate = GateResult(gate="max_bytes", passed=False, text=text, asked=60_000, measured=size)
    base: dict[str, Any] = {
        "scenario": "toy",
        "data": DataFacts(
            digest="0123456789abcdef",
            rows={"train": 6000, "valid": 1500, "test": 2500},
            classes={name: tuple(figures.share() for _ in classes) for name in ("train", "valid", "test")},
        ),
        "table_schema": Schema(columns=columns, target="churned", classes=classes),
        "validation": ValidationReport(results=(), rows=10_000, columns=3),
        "soft_labels": SoftLabelFacts(method="cross_fitted", folds=5, train_log_loss=0.4321),
        "scorecards": Scorecards(scenario="toy", cards=cards, classes=classes, confidence=0.95, replicates=200, seed=0),
        "verdict": Verdict(
            action="refuse",
            winner=None,
            reason="no candidate passed every gate",
            judgements=(Judgement(name="small", gates=(gate,)),),
            staged=StagedModel(),
        ),
        "findings": tuple(Finding(code="few_rows", severity="warning", text=text) for text in warnings),
        "origin": Origin(
            created="2025-01-02T03:04:05+00:00",
            run="run-1",
            git_commit=None,
            versions={"numpy": "2"},
            settings={"seed": 0},
        ),
    }
    return Report(**base | changes)


@pytest.fixture
def report() -> Callable[..., Report]:
    return make_report
