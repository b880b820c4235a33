"""Puts a report together: the facts of a run, what follows from them, and the drawings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from distillery.data import Table
from distillery.data.drift import DriftReport
from distillery.data.validation import ValidationReport
from distillery.distillation import SoftLabels
from distillery.evaluation import Scorecards
from distillery.promotion import Verdict
from distillery.report.findings import conclude
from distillery.report.model import (
    DataFacts,
    FactorFacts,
    InheritedFacts,
    Origin,
    Report,
    SearchFacts,
    SelectionFacts,
    SoftLabelFacts,
    StepFacts,
    TrainingFacts,
)
from distillery.report.phrases import driving_phrases
from distillery.report.spec import ReportSpec
from distillery.report.texts import Texts
from distillery.students import Student
from distillery.teachers import Teacher, TeacherSpec


def build_report(
    *,
    scenario: str,
    table: Table,
    validation: ValidationReport,
    soft_labels: SoftLabels,
    ready_made: str,
    scorecards: Scorecards,
    verdict: Verdict,
    teacher: Teacher,
    students: Sequence[Student],
    controls: Sequence[Student] = (),
    baseline: TeacherSpec | None = None,
    drift: DriftReport | None = None,
    steps: Iterable[StepFacts] = (),
    origin: Origin,
    spec: ReportSpec,
) -> Report:
    """Gather every number of a run and conclude from them.

    Args:
        scenario: the run's.
        table, validation, drift: the data, and what it was held to.
        soft_labels: how it was labelled; ``ready_made`` says where a teacher came from that was not fitted.
        scorecards, verdict: what was measured and judged.
        teacher, students, controls: as they were fitted.
        baseline: what was fitted beside them, if anything.
        steps: what each step took.
        origin: how to make the run again.
        spec: the report's config.
    """
    report = Report(
        scenario=scenario,
        language=spec.language,
        data=DataFacts.of(table),
        table_schema=table.schema,
        validation=validation,
        soft_labels=SoftLabelFacts.of(soft_labels, table, ready_made=ready_made),
        scorecards=scorecards,
        verdict=verdict,
        selections=tuple(SelectionFacts.of(s, table.schema) for s in students if s.selected_features),
        searches=tuple(SearchFacts.of(student) for student in students if student.trials),
        gate_paths={s.spec.title: s.gate_path for s in students if s.gate_path is not None},
        factors=tuple(facts for facts in map(FactorFacts.of, students) if facts is not None),
        inherited=tuple(InheritedFacts(name=s.spec.title, took=s.inherited) for s in students if s.inherited),
        training=TrainingFacts.of_all(teacher, students, controls),
        sampled=_sampled(table, teacher, students, baseline, scorecards),
        drift=drift,
        steps=tuple(steps),
        phrases=driving_phrases(teacher, table),
        origin=origin,
    )
    return report.model_copy(update={"findings": conclude(report, spec, Texts(spec.language))})


def _sampled(
    table: Table, teacher: Teacher, students: Sequence[Student], baseline: TeacherSpec | None, cards: Scorecards
) -> tuple[str, ...]:
    """Return the models that learnt from the rows in memory, where these are not all."""
    if table.held["train"] == table.counts["train"]:
        return ()
    named = [(teacher.spec.kind, teacher.spec.streams), *((s.spec.title, s.spec.streams) for s in students)]
    named += [(card.label, teacher.spec.streams) for card in cards.of_role("regular_teacher")]
    named += [(card.label, baseline.streams) for card in cards.of_role("baseline") if baseline]
    return tuple(name for name, streams in named if not streams)
