"""A report that has everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from distillery.data.drift import ColumnDrift, DriftReport, SplitDrift
from distillery.evaluation import RANKING_METRICS, Estimate, Ranking, Scorecard
from distillery.evaluation.importance import ColumnImportance, Importance
from distillery.evaluation.slices import Slice, SliceSearch
from distillery.evaluation.targets import TargetScore
from distillery.report.model import (
    InheritedFacts,
    Report,
    SearchFacts,
    SelectionFacts,
    StepFacts,
    TrainingFacts,
)
from distillery.students import Inherited, Selected, Trial

Make = Callable[..., Report]


def ranking_of(card: Scorecard) -> Ranking:
    """A ranking whose figures are some of the card's."""
    metrics = dict(zip(RANKING_METRICS, card.quality.metrics.values(), strict=False))
    minus = [dict(zip(RANKING_METRICS, one.values(), strict=False)) for one in (card.versus_teacher, card.lift)]
    counted: dict[str, Any] = {"k": 10, "queries": 120, "left_out": 56, "relevant": ("yes",)}
    return Ranking(metrics=metrics, versus_teacher=minus[0], lift=minus[1], **counted)


def rich_report(make: Make, **changes: Any) -> Report:
    """A report that has everything: slices, importance, drift, searches, selections, steps, histories."""
    one = make(**changes)
    column = one.table_schema.columns[0].name
    rise = Estimate(value=0.0345, low=0.0123, high=0.0567)
    found = Slice(
        column=column,
        lower=12.5,
        rows=250,
        share=0.1,
        disagreement=0.2345,
        disagreement_elsewhere=0.0456,
        disagreement_p=0.0004,
        loss_increase=rise,
        loss_increase_elsewhere=-0.0012,
        loss_p=0.0321,
        calibration_ratio=1.2345,
        teacher_calibration_ratio=None,
        calibration_p=0.0004,
    )
    slices = SliceSearch(looked_at=77, least_rows=30, disagreeing=(found,), losing=(found,), miscalibrated=(found,))
    importance = Importance(rows=900, columns=(ColumnImportance(name=column, mean=0.0789, rises=(0.07, 0.0878)),))
    teacher, student, control = one.scorecards.cards
    of_targets = [
        {
            f"{column} {n}": TargetScore.model_validate(card.model_dump(include=set(TargetScore.model_fields)))
            for n in "01"
        }
        for card in (teacher, student, control)
    ]
    cards = (
        teacher.model_copy(update={"importance": importance, "targets": of_targets[0]}),
        student.model_copy(
            update={
                "slices": slices,
                "importance": importance,
                "versus_baseline": student.lift,
                "versus_regular": student.lift,
                "targets": of_targets[1],
            }
        ),
        control.model_copy(update={"targets": of_targets[2]}),
        control.model_copy(update={"role": "regular_teacher", "name": "big", "label": "regular teacher big"}),
    )
    cards = tuple(card.model_copy(update={"ranking": ranking_of(card)}) for card in cards)
    moved = ColumnDrift(
        column=column, method="Jensen-Shannon distance", kind="distance", score=0.234, threshold=0.1, drifted=True
    )
    gone = ColumnDrift(
        column=column, part="missing", method="chi-square p", kind="p_value", score=3e-9, threshold=2e-3, drifted=True
    )
    rows: dict[str, Any] = {"rows": (2500, 6000), "of_rows": (2500, 9000)}
    trials = (
        Trial(number=1, params={"alpha": 0.05}, valid_log_loss=0.4011),
        Trial(number=0, params={"alpha": 0.9}, valid_log_loss=None, refused="too large"),
    )
    return one.model_copy(
        update={
            "table_schema": one.table_schema.model_copy(update={"query": "customer"}),
            "scorecards": one.scorecards.model_copy(update={"cards": cards, "prior_log_loss": 0.6543}),
            "drift": DriftReport(splits=(SplitDrift(split="test", columns=(moved, gone), **rows),)),
            "searches": (SearchFacts(name="small", chosen=1, trials=trials),),
            "selections": (
                SelectionFacts(name="small", among=8, columns=(Selected(column, 0.75), Selected("plan", 0.5))),
            ),
            "inherited": (
                InheritedFacts(
                    name=student.name,
                    took=Inherited(asked="compressed", got="compressed", dimensions=3, hashed=("plan",)),
                ),
            ),
            "training": (
                TrainingFacts(
                    role="student",
                    name="small",
                    history=(
                        {"train_loss": 0.51, "valid_log_loss": 0.52},
                        {"train_loss": 0.41, "valid_log_loss": 0.42},
                    ),
                ),
            ),
            "steps": (StepFacts(name="ingest", seconds=75.2, peak_memory_bytes=123_456_789, cached=True),),
        }
    )
