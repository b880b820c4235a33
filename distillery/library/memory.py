"""In memory, and in one call, what the pipeline does in steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, final

import numpy as np
import pandas as pd

from distillery.config import DistillConfig, flatten
from distillery.data import Rows, Table
from distillery.data.schema import Label, Task
from distillery.distillation import SoftLabels, generate_soft_labels
from distillery.evaluation import Entry, EvaluationSpec, Scorecards, evaluate_models
from distillery.export import ExportError, OnnxModel, to_onnx
from distillery.students import Answers, Student, lesson_of
from distillery.teachers import Teacher

Progress = Callable[[str], None]


def silent(line: str) -> None:
    """Tell nobody."""


@final
@dataclass(frozen=True)
class Outcome:
    """What a distillation gave.

    Attributes:
        teacher: fitted on all training rows.
        soft_labels: its labels of every row; those of training rows as the config says.
        students: one per candidate.
        controls: the same students without the teacher; none where none were wanted.
    """

    teacher: Teacher
    soft_labels: SoftLabels
    students: tuple[Student, ...]
    controls: tuple[Student, ...]


def distil_table(table: Table, config: DistillConfig, *, control: bool = True, progress: Progress = silent) -> Outcome:
    """Fit the teacher, take its labels, teach every candidate and its control.

    Args:
        table: its source need not be the config's.
        config: teacher, soft labels, students and seed; the rest plays no part.
        control: fit the controls too.
        progress: told one line about each fit.

    Raises:
        DataError: a class has fewer training rows than folds.
        TrainingError: a fit failed, or a student exceeds its budget.
    """

    def fit(rows: Rows, stop: Rows) -> Teacher:
        return config.teacher.fit_on(rows, stop, table.schema, seed=config.seed)

    train, valid = table.rows("train"), table.rows("valid")
    teacher = fit(train, valid)
    labels = generate_soft_labels(table, teacher, fit, config.soft_labels, seed=config.seed, progress=progress)
    students, controls = teach(table, teacher, labels, config, control=control, progress=progress)
    return Outcome(teacher, labels, students, controls)


def teach(
    table: Table,
    teacher: Answers,
    labels: SoftLabels,
    config: DistillConfig,
    *,
    control: bool,
    progress: Progress = silent,
) -> tuple[tuple[Student, ...], tuple[Student, ...]]:
    """Return every candidate taught by the soft labels, and every control where wanted.

    Args:
        table: rows in training and validation.
        teacher: at hand for new rows.
        labels: its opinion of the table's rows.
        config: students and seed.
        control: fit the controls too.
        progress: told one line about each fit.

    Raises:
        TrainingError: a fit failed, or a student exceeds its budget.
    """
    lesson = lesson_of(table, teacher, labels)
    fitted: dict[str, list[Student]] = {"student": [], "control": []}
    for spec in config.students:
        for role, one in (("student", spec), ("control", spec.control()))[: 1 + control]:
            start = time.perf_counter()
            fitted[role].append(one.fit(lesson, seed=config.seed))
            progress(f"{role} {spec.title} fitted in {time.perf_counter() - start:.1f} s")
    return tuple(fitted["student"]), tuple(fitted["control"])


def measure(table: Table, config: DistillConfig, *, progress: Progress = silent) -> tuple[Outcome, Scorecards]:
    """Do what `distil_table` does, and measure teacher, students and controls on the table's test rows.

    Raises:
        DataError: a class has fewer training rows than folds.
        InputError: the table cannot be measured as the config says.
        TrainingError: a fit failed, or a student exceeds its budget.
    """
    config.evaluation.check(table.schema)
    outcome = distil_table(table, config, progress=progress)
    teacher = teacher_entry(outcome.teacher, export=config.evaluation.cost)
    return outcome, score_on_test(teacher, outcome.students, outcome.controls, table=table, config=config)


def teacher_entry(
    teacher: Teacher,
    valid_proba: np.ndarray | None = None,
    *,
    role: Literal["teacher", "baseline", "regular_teacher"] = "teacher",
    export: bool = True,
) -> Entry:
    """Return a fitted teacher, or what it is compared with, as something to be measured.

    Args:
        teacher: as it was fitted.
        valid_proba: its probabilities of the validation rows ``(n, K)``, if any.
        role: what it is in the run.
        export: say it in ONNX, too; only its costs are measured by that, and large ones take seconds.
    """
    kind, settings = teacher.spec.kind, flatten(teacher.spec.model_dump(mode="json"))
    entry = Entry(kind, role, kind, f"{role.replace('_', ' ')} {kind}", settings, teacher, valid_proba=valid_proba)
    return _with_file(entry, lambda: to_onnx(teacher)) if export else entry


def student_entry(role: Literal["student", "control"], student: Student, valid: pd.DataFrame | None = None) -> Entry:
    """Return a student or a control as something to be measured, also on validation rows, if any."""
    title, settings = student.spec.title, flatten(student.spec.model_dump(mode="json"))
    entry = Entry(title, role, student.spec.kind, f"{role} {title}", settings, student)
    entry = _with_file(entry, student.exported)
    return entry if valid is None else replace(entry, valid_proba=entry.predict_proba(valid))


def _with_file(entry: Entry, export: Callable[[], OnnxModel]) -> Entry:
    """Return an entry with its exported file, or with the reason why there is none."""
    try:
        return replace(entry, deployed=export())
    except ExportError as error:
        return replace(entry, export_problem=str(error))


def score_on_test(
    teacher: Entry, students: Sequence[Student], controls: Sequence[Student], *, table: Table, config: DistillConfig
) -> Scorecards:
    """Do what `score` does with a table's test rows."""
    return score(
        teacher,
        students,
        controls,
        rows=table.rows("test"),
        classes=table.schema.classes,
        config=config,
        groups=table.units("test"),
        queries=table.queries("test"),
        tasks=table.schema.tasks,
        prior=table.rows("train").class_shares(table.schema.n_classes),
    )


def score(
    teacher: Entry,
    students: Sequence[Student],
    controls: Sequence[Student],
    *,
    rows: Rows,
    classes: Sequence[Label],
    config: DistillConfig,
    groups: np.ndarray | None = None,
    queries: np.ndarray | None = None,
    tasks: Sequence[Task] = (),
    prior: np.ndarray | None = None,
) -> Scorecards:
    """Measure the teacher, every student and every control on the same rows.

    Args:
        teacher: see `teacher_entry`.
        students, controls: as `distil_table` gave them.
        rows: with all of the teacher's columns.
        classes: the K labels, in probability order.
        config: how to measure, with which seed, and under which name.
        groups: which rows are resampled together ``(n,)``, or None.
        queries: within which rows are ranked ``(n,)``, or None.
        tasks: the binary targets that the classes are combinations of, if any.
        prior: class shares of the training rows ``(K,)``, for the warning that a teacher knows nothing.

    Raises:
        InputError: a model gives no valid probabilities.
    """
    measured = [student_entry("student", model) for model in students]
    measured += [student_entry("control", model) for model in controls]
    return evaluate_models(
        [teacher, *measured],
        y=rows.labels,
        features=rows.features,
        weights=rows.weights,
        groups=groups,
        queries=queries,
        tasks=tasks,
        stream=rows.stream if rows.stream is not None and len(rows.stream) > len(rows) else None,
        spec=config.evaluation,
        seed=config.seed,
        scenario=config.name,
        classes=classes,
        prior=prior,
    )


def without_importance(evaluation: dict[str, Any] | EvaluationSpec | None) -> dict[str, Any] | EvaluationSpec:
    """Return how to measure, without importances unless they are asked for: they take seconds.

    >>> without_importance({"replicates": 50})
    {'importance': False, 'replicates': 50}
    """
    return evaluation if isinstance(evaluation, EvaluationSpec) else {"importance": False, **(evaluation or {})}


def of_kind(given: object) -> object:
    """Return settings of a kind that was given by name alone; anything else as it is.

    >>> of_kind("mlp"), of_kind({"kind": "mlp", "widths": [8]})
    ({'kind': 'mlp'}, {'kind': 'mlp', 'widths': [8]})
    """
    return {"kind": given} if isinstance(given, str) else given
