"""Measures all models of a run on the same rows and resamples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, final

import numpy as np
import pandas as pd
from pydantic import Field, JsonValue

from distillery.data.model import Model
from distillery.data.schema import Label
from distillery.errors import InputError
from distillery.evaluation._resampling import Resamples
from distillery.evaluation._rows import RowScores, as_labels, as_probabilities
from distillery.evaluation.agreement import measure_agreement
from distillery.evaluation.cost import Cost, compression, measure_cost
from distillery.evaluation.metrics import METRICS
from distillery.evaluation.quality import (
    Comparison,
    Estimate,
    ModelReplicates,
    Quality,
    measure_quality,
    paired_difference,
    paired_ratio,
)
from distillery.evaluation.scorecard import Role, Scorecard, Scorecards
from distillery.export import OnnxModel, Parity, measure_parity
from distillery.progress import bar
from distillery.spec import Spec


class EvaluationSpec(Spec):
    """How models are measured.

    Attributes:
        replicates: bootstrap resamples behind every interval.
        confidence: of the intervals.
        cost: measure costs too; False leaves them, and so compression, out.
    """

    replicates: Annotated[int, Field(ge=20)] = 200
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    cost: bool = True


@final
@dataclass(frozen=True)
class Entry:
    """A model to be measured.

    Attributes:
        name, role, kind, label, settings: as in `Scorecard`.
        model: asked for probabilities where none are given, and measured for its cost.
        deployed: its exported file: compared with it, and measured for its cost.
        export_problem: why there is none.
        proba: its test probabilities ``(n, K)``; needed of a model that is not at hand.
        valid_proba: its validation probabilities ``(n_valid, K)``.
    """

    name: str
    role: Role
    kind: str
    label: str
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    model: Model | None = None
    deployed: OnnxModel | None = None
    export_problem: str = ""
    proba: np.ndarray | None = None
    valid_proba: np.ndarray | None = None

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return what it answers ``(n, K)``: the model, or its file where that was quantized.

        Raises:
            InputError: it is not at hand.
        """
        quantized = self.settings.get("quantize", "none") != "none"
        answering = self.deployed if quantized else self.model
        if answering is None:
            raise InputError(f"{self.role} {self.name!r} must bring a model or its test probabilities, got neither")
        return answering.predict_proba(frame)


@final
@dataclass(frozen=True)
class _Measured:
    """An entry with what is known of it alone."""

    entry: Entry
    proba: np.ndarray
    quality: Quality
    replicates: ModelReplicates
    valid_log_loss: float | None
    cost: Cost | None
    parity: Parity | None

    def minus(self, other: _Measured | None, confidence: float) -> dict[str, Comparison]:
        """Compare every metric; with nothing where there is no other."""
        if other is None:
            return {}
        return {m: paired_difference(self.replicates, other.replicates, m, confidence) for m in METRICS}

    def over(self, other: _Measured | None, confidence: float) -> dict[str, Estimate]:
        """Divide the metrics where bigger is better; a ratio of losses is no share of anything."""
        if other is None:
            return {}
        names = [m.name for m in METRICS.values() if m.bigger_is_better]
        return {m: paired_ratio(self.replicates, other.replicates, m, confidence) for m in names}

    def saves(self, other: _Measured | None) -> dict[str, float]:
        """Return the compression; nothing where either's cost is unknown."""
        if other is None or self.cost is None or other.cost is None:
            return {}
        return compression(self.cost, other.cost)


def evaluate_models(
    entries: Sequence[Entry],
    *,
    y: np.ndarray,
    features: pd.DataFrame,
    weights: np.ndarray | None,
    groups: np.ndarray | None,
    spec: EvaluationSpec,
    seed: int,
    scenario: str,
    classes: Sequence[Label],
    valid_y: np.ndarray | None = None,
    valid_weights: np.ndarray | None = None,
    prior: np.ndarray | None = None,
    progress: Callable[[str], None] | None = None,
) -> Scorecards:
    """Measure every model on the test rows and compare it with teacher, control and staged model.

    Args:
        entries: the models; exactly one teacher, at most one staged model, and no role and name
            twice. A student's control has the student's name.
        y: class indices ``(n,)`` of the test rows.
        features: their raw columns ``(n, d)``.
        weights: their weights ``(n,)``, or None.
        groups: which rows are resampled together ``(n,)``, or None.
        spec: replicates, confidence, and whether costs are measured.
        seed: of the resamples.
        scenario: what the run is about.
        classes: the K class labels, in probability order.
        valid_y: class indices of the validation rows, for ``valid_log_loss``.
        valid_weights: their weights, or None.
        prior: class shares of the training rows ``(K,)``, for ``prior_log_loss``.
        progress: told one line before each model.

    Raises:
        InputError: an argument is not as said above, or a model gives no valid probabilities.
    """
    _check_entries(entries)
    if len(features) != len(y):
        raise InputError(f"features must have one row for each of {len(y)} labels, got {len(features)}")
    labels = as_labels(y, len(classes))
    resamples = Resamples.draw(len(labels), spec.replicates, seed, groups, weights)
    measured = []
    with bar(len(entries), "measuring", unit="model") as advance:
        for entry in entries:
            if progress is not None:
                progress(f"measuring {entry.label}")
            loss = _valid_log_loss(entry, valid_y, len(classes), valid_weights)
            measured.append(_measure(entry, labels, features, resamples, spec, len(classes), loss))
            advance(1)
    return Scorecards(
        scenario=scenario,
        cards=tuple(_card(one, measured, spec.confidence) for one in measured),
        classes=tuple(classes),
        confidence=spec.confidence,
        replicates=spec.replicates,
        seed=seed,
        prior_log_loss=None if prior is None else _log_loss(labels, np.tile(prior, (len(labels), 1)), weights),
    )


def _check_entries(entries: Sequence[Entry]) -> None:
    roles = Counter(entry.role for entry in entries)
    if roles["teacher"] != 1:
        raise InputError(f"entries must hold exactly one teacher, got {roles['teacher']}")
    if roles["staged"] > 1:
        raise InputError(f"entries must hold at most one staged model, got {roles['staged']}")
    twice = [key for key, count in Counter((e.role, e.name) for e in entries).items() if count > 1]
    if twice:
        raise InputError(f"entries must differ in role or name, got {twice[0][0]} {twice[0][1]!r} twice")


def _measure(
    entry: Entry,
    y: np.ndarray,
    features: pd.DataFrame,
    resamples: Resamples,
    spec: EvaluationSpec,
    n_classes: int,
    valid_log_loss: float | None,
) -> _Measured:
    proba = _checked(entry, "test", _test_proba(entry, features), len(y), n_classes)
    quality, replicates = measure_quality(y, proba, resamples, spec.confidence)
    cost = measure_cost(entry.model, features, entry.deployed) if spec.cost and entry.model is not None else None
    parity = None
    if entry.model is not None and entry.deployed is not None:
        parity = measure_parity(entry.model, entry.deployed, features)
    return _Measured(entry, proba, quality, replicates, valid_log_loss, cost, parity)


def _test_proba(entry: Entry, features: pd.DataFrame) -> np.ndarray:
    return entry.predict_proba(features) if entry.proba is None else entry.proba


def _valid_log_loss(
    entry: Entry, valid_y: np.ndarray | None, n_classes: int, weights: np.ndarray | None
) -> float | None:
    if valid_y is None or entry.valid_proba is None:
        return None
    proba = _checked(entry, "validation", entry.valid_proba, len(valid_y), n_classes)
    return _log_loss(as_labels(valid_y, n_classes), proba, weights)


def _log_loss(y: np.ndarray, proba: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.average(RowScores.of(y, proba).log_loss, weights=weights))


def _checked(entry: Entry, split: str, proba: np.ndarray, n: int, n_classes: int) -> np.ndarray:
    """Check probabilities, and say whose they are where they are wrong."""
    if np.shape(proba) != (n, n_classes):
        raise InputError(
            f"{split} probabilities of {_called(entry)} must be of shape ({n}, {n_classes}), got {np.shape(proba)}"
        )
    try:
        return as_probabilities(proba, n)
    except InputError as error:
        raise InputError(f"{split} probabilities of {_called(entry)} are wrong: {error}") from error


def _called(entry: Entry) -> str:
    return f"{entry.role} {entry.name!r}"


def _card(one: _Measured, measured: Sequence[_Measured], confidence: float) -> Scorecard:
    entry = one.entry
    teacher = None if entry.role == "teacher" else _find(measured, "teacher")
    control = _find(measured, "control", entry.name) if entry.role == "student" else None
    baseline = _find(measured, "baseline") if entry.role == "student" else None
    staged = None if entry.role in ("teacher", "staged") else _find(measured, "staged")
    return Scorecard(
        name=entry.name,
        role=entry.role,
        kind=entry.kind,
        label=entry.label,
        settings=dict(entry.settings),
        rows=len(one.proba),
        quality=one.quality,
        valid_log_loss=one.valid_log_loss,
        agreement=None if teacher is None else measure_agreement(teacher.proba, one.proba),
        cost=one.cost,
        parity=one.parity,
        export_problem=entry.export_problem,
        retention=one.over(teacher, confidence),
        versus_teacher=one.minus(teacher, confidence),
        lift=one.minus(control, confidence),
        versus_baseline=one.minus(baseline, confidence),
        versus_staged=one.minus(staged, confidence),
        compression=one.saves(teacher),
    )


def _find(measured: Sequence[_Measured], role: Role, name: str | None = None) -> _Measured | None:
    found = (m for m in measured if m.entry.role == role and name in (None, m.entry.name))
    return next(found, None)
