"""Small scenes: real models on small tables, and made-up ones where a table is too odd to learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distillery.data import Schema, Table
from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.data.table import SPLITS
from distillery.data.validation import ValidationReport
from distillery.distillation import SoftLabels
from distillery.distillation.soft_labels import to_logits
from distillery.evaluation import Cost, Entry, Estimate, EvaluationSpec, Scorecard, Scorecards, evaluate_models
from distillery.evaluation.importance import ColumnImportance, Importance
from distillery.evaluation.predictions import Predictions
from distillery.evaluation.slices import Slice, SliceSearch
from distillery.promotion import StagedModel, Verdict
from distillery.report.model import (
    DataFacts,
    FactorFacts,
    Origin,
    Report,
    SelectionFacts,
    SoftLabelFacts,
    TrainingFacts,
)
from distillery.report.scene import Scene
from distillery.students import CandidateSpec, GatePath, Selected, lesson_of

Key = tuple[Any, str]
ROLES: tuple[Key, ...] = (
    ("teacher", "big"),
    ("student", "small"),
    ("control", "small"),
    ("student", "tiny"),
    ("baseline", "lightgbm"),
    ("staged", "old"),
)


@dataclass(frozen=True)
class Guess:
    """A model that looks at numbers only: how likely a class is follows from their ranks; ``sharp`` 0 is constant."""

    schema: Schema
    sharp: float = 2.0

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        numbers = frame[[c.name for c in self.schema.numeric]].to_numpy(np.float64)
        place = np.tanh(np.nan_to_num(numbers, posinf=1e3, neginf=-1e3)).sum(axis=1) if numbers.size else np.zeros(1)
        classes = np.arange(self.schema.n_classes)
        z = self.sharp * np.cos(place[:, None] + 2 * np.pi * classes / len(classes)) * np.ones((len(frame), 1))
        return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def make_scene(
    table: Table,
    *,
    models: dict[Key, Any] | None = None,
    labels: dict[Key, str] | None = None,
    importance: bool = True,
) -> Scene:
    """Return a scene with all there is to draw; models that are not given guess."""
    models = models or {key: Guess(table.schema, 2.5 - i / 4) for i, key in enumerate(ROLES)}
    test = table.rows("test")
    proba = {key: model.predict_proba(test.features) for key, model in models.items()}
    cards = _cards(table, proba, labels or {}, importance=importance)
    teacher = models["teacher", "big"]
    logits = {name: to_logits(teacher.predict_proba(table.rows(name).features)).astype(np.float32) for name in SPLITS}
    soft = SoftLabels(logits, np.full(table.counts["train"], -1), "in_sample")
    students = {name: model for (role, name), model in models.items() if role == "student"}
    report = _report(table, soft, cards)
    return Scene(report, table, Predictions(test.labels, test.weights, proba), soft, teacher, students)


def _cards(table: Table, proba: dict[Key, np.ndarray], labels: dict[Key, str], *, importance: bool) -> Scorecards:
    test = table.rows("test")
    entries = [
        Entry(name, role, "mlp", labels.get((role, name), f"{role} {name}"), proba=p)
        for (role, name), p in proba.items()
    ]
    cards = evaluate_models(
        entries,
        y=test.labels,
        features=test.features,
        weights=test.weights,
        groups=None,
        spec=EvaluationSpec(replicates=20, cost=False),
        seed=0,
        scenario="toy",
        classes=table.schema.classes,
    )
    return cards.model_copy(
        update={"cards": tuple(_filled(c, i, table, importance) for i, c in enumerate(cards.cards))}
    )


def _filled(card: Scorecard, i: int, table: Table, importance: bool) -> Scorecard:
    names = table.schema.names
    found: dict[str, Any] = {"cost": make_cost(bytes=40_000 * (1 + (5 * i) % 7), latency_p50_us=20.0 + 9 * i)}
    if importance and card.role in {"teacher", "student"}:
        rises = {name: tuple(0.1 / (j + 1 + i) + 0.01 * k for k in range(3)) for j, name in enumerate(names)}
        columns = tuple(ColumnImportance(name=n, mean=float(np.mean(r)), rises=r) for n, r in rises.items())
        found["importance"] = Importance(rows=100, columns=columns)
    if card.role == "student":
        one = make_slice(names[0])
        found["slices"] = SliceSearch(looked_at=9, least_rows=5, disagreeing=(one,), losing=(one,))
    return card.model_copy(update=found)


def make_cost(**changes: Any) -> Cost:
    known: dict[str, Any] = dict.fromkeys(("params", "learnable_params", "flops_per_row", "peak_memory_bytes"))
    times = dict.fromkeys(("latency_p99_us", "rows_per_second", "native_latency_p50_us", "native_rows_per_second"), 9.0)
    return Cost(**known | times | {"raw_columns": 3, "runtime": "onnx"} | changes)


def make_slice(column: str) -> Slice:
    return Slice(
        column=column,
        category="<b>$x$</b>",
        rows=12,
        share=0.1,
        disagreement=0.3,
        disagreement_elsewhere=0.1,
        disagreement_p=None,
        loss_increase=Estimate(value=0.2, low=None, high=None),
        loss_increase_elsewhere=0.05,
        loss_p=0.01,
    )


def _report(table: Table, soft: SoftLabels, cards: Scorecards) -> Report:
    names, d = tuple(table.schema.names), len(table.schema.names)
    rng = np.random.default_rng(0)
    mu = 0.5 + np.linspace(0, 1, 6)[:, None] * rng.uniform(-1, 0.5, d)
    path = GatePath(
        columns=names, penalties=tuple(1e-3 * 2.0**e for e in range(6)), gates=tuple(map(tuple, mu.tolist()))
    )
    chosen = tuple(Selected(name, 1.0 / (i + 1)) for i, name in enumerate(names[:3]))
    weights = tuple(map(tuple, rng.exponential(size=(4, d)).tolist()))
    history = tuple({"train_loss": 1 / (e + 1), "valid_log_loss": 0.5 + 0.1 / (e + 1)} for e in range(4))
    return Report(
        scenario="toy",
        data=DataFacts.of(table),
        table_schema=table.schema,
        validation=ValidationReport(results=(), rows=len(table.frame), columns=d),
        soft_labels=SoftLabelFacts.of(soft, table),
        scorecards=cards,
        verdict=Verdict(action="refuse", winner=None, reason="none", judgements=(), staged=StagedModel()),
        selections=(SelectionFacts(name="small", among=d, columns=chosen),),
        gate_paths={"small": path},
        factors=(FactorFacts(name="tiny", columns=names, weights=weights),),
        training=tuple(TrainingFacts(role=role, name="small", history=history) for role in ("student", "control")),
        origin=Origin(created="2025-01-02T03:04:05+00:00", run="run", git_commit=None, versions={}, settings={}),
    )


def fit_models(table: Table, teacher: CandidateSpec, specs: Sequence[CandidateSpec]) -> dict[Key, Any]:
    """Fit a teacher, students and the first one's control."""
    guess = Guess(table.schema)
    logits = {name: to_logits(guess.predict_proba(table.rows(name).features)).astype(np.float32) for name in SPLITS}
    soft = SoftLabels(logits, np.full(table.counts["train"], -1), "in_sample")
    lesson = lesson_of(table, guess, soft)
    models: dict[Key, Any] = {("teacher", "big"): teacher.control().fit(lesson, seed=0)}
    models |= {("student", spec.title): spec.fit(lesson, seed=0) for spec in specs}
    models["control", specs[0].title] = specs[0].control().fit(lesson, seed=0)
    return models


def table_of(raw: pd.DataFrame, **roles: Any) -> Table:
    return build_table(raw, Roles("y", **roles), SplitSpec(), seed=0)


def make_raw(n: int = 400, classes: int = 2) -> pd.DataFrame:
    """Return rows whose class follows from ``signal`` and ``city``."""
    rng = np.random.default_rng(1)
    signal, city = rng.normal(size=n), rng.choice(["Oslo", "Lima", "Kyiv"], n)
    score = signal + (city == "Oslo") + 0.5 * rng.normal(size=n)
    return pd.DataFrame(
        {
            "signal": np.where(rng.random(n) < 0.1, np.nan, signal),
            "noise": rng.normal(1000, 50, n),
            "count": rng.integers(0, 5, n),
            "city": np.where(rng.random(n) < 0.1, None, city),
            "y": pd.qcut(score, classes, labels=False),
        }
    )


@pytest.fixture(scope="session")
def scene() -> Scene:
    """All roles, two classes, made-up models."""
    return make_scene(table_of(make_raw()))


Make = Callable[..., Scene]
