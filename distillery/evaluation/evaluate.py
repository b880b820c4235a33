"""Measures all models of a run on the same rows and resamples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, final

import numpy as np
import pandas as pd
from pydantic import Field, PositiveInt

from distillery.data.rows import Stream
from distillery.data.schema import Label, Schema, Task
from distillery.errors import InputError
from distillery.evaluation._resampling import Resamples
from distillery.evaluation._rows import RowScores, as_labels
from distillery.evaluation.agreement import measure_agreement
from distillery.evaluation.cost import Cost, compression, measure_cost
from distillery.evaluation.entries import Entry, check_entries, checked
from distillery.evaluation.importance import Importance, measure_importance
from distillery.evaluation.quality import Comparison, Estimate, ModelReplicates, Quality, measure_quality
from distillery.evaluation.ranking import RankedModel, Ranking, RankingExam, relevant_classes
from distillery.evaluation.scorecard import Role, Scorecard, Scorecards
from distillery.evaluation.slices import SliceSearch, find_slices
from distillery.evaluation.targets import TargetMeasured, TargetScore, differences, measure_targets, ratios
from distillery.evaluation.whole import WholeScores, measure_whole
from distillery.export import Parity, measure_parity
from distillery.progress import bar
from distillery.spec import Spec

NO_QUERY = (
    "evaluation.relevant_from must come with a query to rank within, got {!r} and no query; set source.query, or"
    " leave it out"
)


class EvaluationSpec(Spec):
    """How models are measured.

    Attributes:
        replicates: bootstrap resamples behind every interval.
        confidence: of the intervals.
        cost: measure costs too; False leaves them, and so compression, out.
        slices: look for the rows on which students differ most from the teacher.
        importance: measure how much teacher and students rest on each column, which takes seconds.
        ranking_k: how many of a query's first rows NDCG and recall look at, where the table names a query.
        relevant_from: the first class that is relevant there, and with it all after it; by default the last class.
    """

    replicates: Annotated[int, Field(ge=20)] = 200
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    cost: bool = True
    slices: bool = True
    importance: bool = True
    ranking_k: PositiveInt = 10
    relevant_from: Label | None = None

    def check(self, schema: Schema) -> None:
        """See that a table can be measured so, before anything is trained on it.

        Raises:
            InputError: ``relevant_from`` is no class that can begin the relevant ones, or the table names no query.
        """
        if self.relevant_from is None:
            return
        if schema.query is None:
            raise InputError(NO_QUERY.format(self.relevant_from))
        relevant_classes(schema.classes, self.relevant_from)


@final
@dataclass(frozen=True)
class _Exam:
    """What every model is measured on, and how; see `evaluate_models`."""

    features: pd.DataFrame
    y: np.ndarray
    weights: np.ndarray | None
    groups: np.ndarray | None
    n_classes: int
    members: Mapping[str, np.ndarray]
    resamples: Resamples
    spec: EvaluationSpec
    seed: int
    ranking: RankingExam | None


@final
@dataclass(frozen=True)
class _Measured:
    """An entry with what is known of it alone."""

    entry: Entry
    proba: np.ndarray
    quality: Quality
    replicates: ModelReplicates
    targets: Mapping[str, TargetMeasured]
    valid_log_loss: float | None
    whole: WholeScores | None
    cost: Cost | None
    parity: Parity | None
    importance: Importance | None
    ranked: RankedModel | None

    def minus(self, other: _Measured | None, confidence: float) -> dict[str, Comparison]:
        """Compare every metric; with nothing where there is no other."""
        return {} if other is None else differences(self.replicates, other.replicates, confidence)

    def over(self, other: _Measured | None, confidence: float) -> dict[str, Estimate]:
        """Divide the metrics where bigger is better."""
        return {} if other is None else ratios(self.replicates, other.replicates, confidence)

    def scores(self, teacher: _Measured | None, control: _Measured | None, confidence: float) -> dict[str, TargetScore]:
        """Return how it does on each of several targets."""

        def of(other: _Measured | None, name: str) -> TargetMeasured | None:
            return None if other is None else other.targets[name]

        return {n: one.score(of(teacher, n), of(control, n), confidence) for n, one in self.targets.items()}

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
    tasks: Sequence[Task] = (),
    valid_y: np.ndarray | None = None,
    valid_weights: np.ndarray | None = None,
    prior: np.ndarray | None = None,
    stream: Stream | None = None,
    queries: np.ndarray | None = None,
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
        spec: replicates, confidence, and what is measured.
        seed: of the resamples, and of the shuffles behind importances.
        scenario: what the run is about.
        classes: the K class labels, in probability order.
        tasks: the binary targets that these are combinations of, to be measured one by one too.
        valid_y: class indices of the validation rows, for ``valid_log_loss``.
        valid_weights: their weights, or None.
        prior: class shares of the training rows ``(K,)``, for ``prior_log_loss``.
        stream: all test rows, where those above are a sample of them.
        queries: within which rows are ranked ``(n,)``, as integers, below 0 for none; None without ranking metrics.
        progress: told one line before each model.

    Raises:
        InputError: an argument is not as said above, or a model gives no valid probabilities.
    """
    check_entries(entries)
    if len(features) != len(y):
        raise InputError(f"features must have one row for each of {len(y)} labels, got {len(features)}")
    labels = as_labels(y, len(classes))
    resamples = Resamples.draw(len(labels), spec.replicates, seed, groups, weights)
    here = [entry if entry.model is not None else None for entry in entries]
    whole = [None] * len(entries) if stream is None else measure_whole(here, stream)
    members = {task.name: np.array([label in task.positive for label in classes]) for task in tasks}
    ranking = None if queries is None else _ranking_exam(labels, queries, classes, weights, spec, seed)
    exam = _Exam(features, labels, weights, groups, len(classes), members, resamples, spec, seed, ranking)
    measured = []
    with bar(len(entries), "measuring", unit="model") as advance:
        for entry, scores in zip(entries, whole, strict=True):
            if progress is not None:
                progress(f"measuring {entry.label}")
            loss = _valid_log_loss(entry, valid_y, len(classes), valid_weights)
            measured.append(_measure(entry, exam, loss, scores))
            advance(1)
    return Scorecards(
        scenario=scenario,
        cards=tuple(_card(one, measured, exam) for one in measured),
        classes=tuple(classes),
        confidence=spec.confidence,
        replicates=spec.replicates,
        seed=seed,
        prior_log_loss=None if prior is None else _log_loss(labels, np.tile(prior, (len(labels), 1)), weights),
    )


def _ranking_exam(
    y: np.ndarray,
    queries: np.ndarray,
    classes: Sequence[Label],
    weights: np.ndarray | None,
    spec: EvaluationSpec,
    seed: int,
) -> RankingExam:
    return RankingExam(
        y,
        queries,
        classes,
        weights=weights,
        k=spec.ranking_k,
        start=spec.relevant_from,
        replicates=spec.replicates,
        confidence=spec.confidence,
        seed=seed,
    )


def _measure(entry: Entry, exam: _Exam, valid_log_loss: float | None, whole: WholeScores | None) -> _Measured:
    features, spec = exam.features, exam.spec
    proba = checked(entry, "test", entry.test_proba(features), len(exam.y), exam.n_classes)
    quality, replicates = measure_quality(exam.y, proba, exam.resamples, spec.confidence)
    cost = measure_cost(entry.model, features, entry.deployed) if spec.cost and entry.model is not None else None
    parity = None
    if entry.model is not None and entry.deployed is not None:
        parity = measure_parity(entry.model, entry.deployed, features)
    targets = measure_targets(exam.y, proba, exam.members, exam.resamples, spec.confidence)
    ranked, importance = exam.ranking.measure(proba) if exam.ranking else None, _importance(entry, exam)
    return _Measured(
        entry, proba, quality, replicates, targets, valid_log_loss, whole, cost, parity, importance, ranked
    )


def _importance(entry: Entry, exam: _Exam) -> Importance | None:
    answering = entry.deployed or entry.model  # the file says the same, and sooner
    if not exam.spec.importance or answering is None or entry.role not in ("teacher", "student"):
        return None
    return measure_importance(answering, exam.features, exam.y, seed=exam.seed, weights=exam.weights)


def _slices(one: _Measured, teacher: _Measured | None, exam: _Exam) -> SliceSearch | None:
    if not exam.spec.slices or teacher is None or one.entry.role != "student":
        return None
    return find_slices(
        exam.features,
        exam.y,
        teacher.proba,
        one.proba,
        weights=exam.weights,
        groups=exam.groups,
        confidence=exam.spec.confidence,
    )


def _valid_log_loss(
    entry: Entry, valid_y: np.ndarray | None, n_classes: int, weights: np.ndarray | None
) -> float | None:
    if valid_y is None or entry.valid_proba is None:
        return None
    proba = checked(entry, "validation", entry.valid_proba, len(valid_y), n_classes)
    return _log_loss(as_labels(valid_y, n_classes), proba, weights)


def _log_loss(y: np.ndarray, proba: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.average(RowScores.of(y, proba).log_loss, weights=weights))


def _card(one: _Measured, measured: Sequence[_Measured], exam: _Exam) -> Scorecard:
    entry, confidence = one.entry, exam.spec.confidence
    teacher = None if entry.role == "teacher" else _find(measured, "teacher")
    control = _find(measured, "control", entry.name) if entry.role == "student" else None
    baseline = _find(measured, "baseline") if entry.role == "student" else None
    regular = _find(measured, "regular_teacher") if entry.role == "student" else None
    staged = None if entry.role in ("teacher", "staged") else _find(measured, "staged")
    return Scorecard(
        name=entry.name,
        role=entry.role,
        kind=entry.kind,
        label=entry.label,
        settings=dict(entry.settings),
        rows=len(one.proba),
        quality=one.quality,
        whole=one.whole,
        valid_log_loss=one.valid_log_loss,
        agreement=None if teacher is None else measure_agreement(teacher.proba, one.proba, exam.resamples, confidence),
        cost=one.cost,
        parity=one.parity,
        export_problem=entry.export_problem,
        retention=one.over(teacher, confidence),
        versus_teacher=one.minus(teacher, confidence),
        lift=one.minus(control, confidence),
        versus_baseline=one.minus(baseline, confidence),
        versus_regular=one.minus(regular, confidence),
        versus_staged=one.minus(staged, confidence),
        compression=one.saves(teacher),
        targets=one.scores(teacher, control, confidence),
        slices=_slices(one, teacher, exam),
        importance=one.importance,
        ranking=_ranking(one, teacher, control),
    )


def _ranking(one: _Measured, teacher: _Measured | None, control: _Measured | None) -> Ranking | None:
    others = (None if other is None else other.ranked for other in (teacher, control))
    return one.ranked.ranking(*others) if one.ranked else None


def _find(measured: Sequence[_Measured], role: Role, name: str | None = None) -> _Measured | None:
    found = (m for m in measured if m.entry.role == role and name in (None, m.entry.name))
    return next(found, None)
