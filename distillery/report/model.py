"""The compression report: every number of a run in one place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, computed_field

from distillery.data import Schema, Table
from distillery.data.drift import DriftReport
from distillery.data.parts import LogFacts
from distillery.data.table import SPLITS
from distillery.data.validation import ValidationReport
from distillery.distillation import SoftLabels
from distillery.evaluation import Role, Scorecard, Scorecards
from distillery.promotion import Verdict
from distillery.report.phrases import ProductPhrases
from distillery.report.texts import Language
from distillery.students import GatePath, Inherited, Selected, Student, Trial
from distillery.students.search import best_of
from distillery.teachers import Teacher

Severity = Literal["warning", "result"]


class DataFacts(BaseModel):
    """The table in figures.

    Attributes:
        digest: of schema, values and split.
        rows: per split.
        classes: per split the share of rows of each class, by weight, in class order.
        held: per split how many of the rows are in memory, where not all are; shares are of these.
        log: how the log was read, where the table comes from one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str
    rows: dict[str, int]
    classes: dict[str, tuple[float, ...]]
    held: dict[str, int] | None = None
    log: LogFacts | None = None

    @classmethod
    def of(cls, table: Table) -> DataFacts:
        """Count a table."""
        k = table.schema.n_classes
        shares = {name: tuple(table.rows(name).class_shares(k).tolist()) for name in SPLITS}
        facts = None if table.parts is None else table.parts.facts
        held = None if table.held == table.counts else table.held
        return cls(digest=table.digest, rows=table.counts, classes=shares, held=held, log=facts)


class SoftLabelFacts(BaseModel):
    """How the training rows were labelled, and how good those labels are.

    Attributes:
        method: ``cross_fitted`` or ``in_sample``.
        folds: K; None in sample.
        train_log_loss: of the labels against the hard ones, by weight, in nats per row. In-sample labels
            look far better here than the teacher is.
        ready_made: where the teacher came from; empty where the run fitted it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    folds: int | None
    train_log_loss: float
    ready_made: str = ""

    @classmethod
    def of(cls, labels: SoftLabels, table: Table, *, ready_made: str = "") -> SoftLabelFacts:
        """Look at soft labels."""
        train = table.rows("train")
        rows = -labels.logits["train"][range(len(train)), train.labels]
        folds = int(labels.fold.max()) + 1
        loss = float(np.average(rows, weights=train.weights))
        return cls(method=labels.method, folds=folds or None, train_log_loss=loss, ready_made=ready_made)


class SelectionFacts(BaseModel):
    """Which raw columns a student kept.

    Attributes:
        name: the candidate's.
        among: how many columns it was given.
        columns: those it needs, the most important first, with scores in the selection's own unit.
    """

    model_config = ConfigDict(frozen=True)  # what is computed is written, and ignored when it is read back

    name: str
    among: int
    columns: tuple[Selected, ...]

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def share(self) -> float:
        """Needed columns over given ones."""
        return len(self.columns) / self.among

    @classmethod
    def of(cls, student: Student, schema: Schema) -> SelectionFacts:
        """Look at a student that selected columns of a table."""
        return cls(
            name=student.spec.title,
            among=len(schema.regular.spread("terms").columns),
            columns=student.selected_features,
        )


class SearchFacts(BaseModel):
    """What was tried to find a student's settings.

    Attributes:
        name: the candidate's.
        chosen: the number of the trial whose settings it has.
        trials: the best on the validation split first, refused ones last.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    chosen: int
    trials: tuple[Trial, ...]

    @classmethod
    def of(cls, student: Student) -> SearchFacts:
        """Look at a student whose settings were searched."""
        best = best_of(student.trials).number
        ranked = sorted(student.trials, key=lambda t: math.inf if t.valid_log_loss is None else t.valid_log_loss)
        return cls(name=student.spec.title, chosen=best, trials=tuple(ranked))


class TrainingFacts(BaseModel):
    """How a model's training went.

    Attributes:
        role, name: of its scorecard.
        history: per epoch ``train_loss``, ``valid_loss`` and ``valid_log_loss``, in nats per row.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    name: str
    history: tuple[dict[str, float], ...]

    @classmethod
    def of_all(
        cls, teacher: Teacher, students: Sequence[Student], controls: Sequence[Student]
    ) -> tuple[TrainingFacts, ...]:
        """Look at all models of a run; those that were not trained in epochs are left out."""
        models: list[tuple[Role, str, Sequence[dict[str, float]]]] = [("teacher", teacher.spec.kind, teacher.history)]
        models += [("student", one.spec.title, one.history) for one in students]
        models += [("control", one.spec.title, one.history) for one in controls]
        return tuple(cls(role=role, name=name, history=tuple(each)) for role, name, each in models if each)


class FactorFacts(BaseModel):
    """What the factors of a student's first layer look at.

    Attributes:
        name: the candidate's.
        columns: the d raw columns.
        weights: norm of each factor's weights on each column ``(rank, d)``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    columns: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, student: Student) -> FactorFacts | None:
        """Look at a student; None where its first layer has no factors."""
        factors = student.factors()
        if factors is None:
            return None
        return cls(name=student.spec.title, columns=tuple(student.schema.names), weights=factors.tolist())


class InheritedFacts(BaseModel):
    """What a student took from the teacher.

    Attributes:
        name: the candidate's.
        took: what it was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    took: Inherited


class StepFacts(BaseModel):
    """What a step of the pipeline took.

    Attributes:
        name: the step's.
        seconds: wall time; of a cached step that of the run that made it.
        peak_memory_bytes: most resident memory of the process during it; None where it is unknown.
        cached: whether it came from cache.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    seconds: float | None
    peak_memory_bytes: int | None = None
    cached: bool = False


class Origin(BaseModel):
    """How to make the run again.

    Attributes:
        created: when, ISO 8601 in UTC.
        run: the pipeline run's name.
        mlflow_run: the tracker's id of it; None without one.
        machine: whose costs are measured: system, processor kind, cores.
        git_commit: of the working folder; None outside a repository.
        versions: of the packages that decide the numbers.
        settings: the whole config.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    created: str
    run: str
    mlflow_run: str | None = None
    machine: str = ""
    git_commit: str | None
    versions: dict[str, str]
    settings: dict[str, JsonValue]


class Finding(BaseModel):
    """A conclusion that follows from the report's numbers; see `distillery.report.findings`.

    Attributes:
        code: the rule's.
        severity: ``warning`` or ``result``.
        text: in the report's language.
        values: what it follows from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    severity: Severity
    text: str
    values: dict[str, JsonValue] = Field(default_factory=dict)


class Report(BaseModel):
    """What was lost, what was saved, and why this student.

    Attributes:
        scenario: the run's scenario.
        language: of its sentences.
        data: the table in figures; ``table_schema`` its columns.
        validation: what the table was held to.
        soft_labels: how the teacher's opinion was taken.
        scorecards: every model, measured.
        verdict: what is to be promoted and why.
        selections: of each candidate that selected columns, which.
        searches: of each candidate whose settings were searched, what was tried.
        gate_paths: by candidate, of those whose columns gates chose.
        factors: of each candidate with a factorized first layer.
        inherited: of each candidate that can take more than labels from the teacher.
        training: of each network.
        sampled: the models that were fitted on the rows in memory alone, for their kind reads no rows from disk;
            baseline and regular teacher by their labels.
        drift: of the splits against training.
        steps: what each step took, in run order.
        phrases: where there are texts, which of their phrases drive the teacher, by group.
        findings: what follows from all this, warnings first.
        origin: how to make it again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: str
    language: Language = "en"
    data: DataFacts
    table_schema: Schema
    validation: ValidationReport
    soft_labels: SoftLabelFacts
    scorecards: Scorecards
    verdict: Verdict
    selections: tuple[SelectionFacts, ...] = ()
    searches: tuple[SearchFacts, ...] = ()
    gate_paths: dict[str, GatePath] = Field(default_factory=dict)
    factors: tuple[FactorFacts, ...] = ()
    inherited: tuple[InheritedFacts, ...] = ()
    training: tuple[TrainingFacts, ...] = ()
    sampled: tuple[str, ...] = ()
    drift: DriftReport | None = None
    steps: tuple[StepFacts, ...] = ()
    phrases: tuple[ProductPhrases, ...] = ()
    findings: tuple[Finding, ...] = ()
    origin: Origin

    @property
    def teacher(self) -> Scorecard:
        return self.scorecards.teacher

    @property
    def focus(self) -> Scorecard:
        """See `Verdict.focus`."""
        return self.verdict.focus(self.scorecards)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader must know before believing a number."""
        return tuple(one.text for one in self.findings if one.severity == "warning")
