"""Distilling a teacher one already has into a student that comes with its scorecard."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd

from distillery.config import DistillConfig
from distillery.data.build import build_table
from distillery.data.schema import Label
from distillery.data.sources import FileSpec
from distillery.data.splits import SplitSpec
from distillery.distillation import SoftLabels
from distillery.errors import DataError
from distillery.evaluation import EvaluationSpec, Scorecard, Scorecards
from distillery.library.given import GivenTeacher
from distillery.library.memory import of_kind, score_on_test, teach, without_importance
from distillery.library.saved import load_teacher, save
from distillery.students import CandidateSpec, Student


class InSampleWarning(UserWarning):
    """The teacher may have been fitted on the rows it labels."""


@final
@dataclass(frozen=True)
class DistilledStudent:
    """A student with what was measured of it.

    Attributes:
        student: predicts from raw columns.
        control: the same student without the teacher; None where none was wanted.
        scorecards: of teacher, student and control on the test rows.
        soft_labels: the teacher's labels of all rows.
    """

    student: Student
    control: Student | None
    scorecards: Scorecards
    soft_labels: SoftLabels

    @property
    def scorecard(self) -> Scorecard:
        """Everything measured about the student."""
        return self.scorecards.students[0]

    @property
    def classes(self) -> tuple[Label, ...]:
        """The labels, in the order of the probabilities."""
        return self.student.schema.classes

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return probabilities ``(n, K)`` of raw rows."""
        return self.student.predict_proba(frame)

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the likeliest label of each raw row ``(n,)``."""
        return np.asarray(np.asarray(self.classes)[self.predict_proba(frame).argmax(axis=1)])

    def save(self, folder: str | Path) -> Path:
        """Write the student into a folder; see `distillery.save`, and `distillery.load_student`."""
        return save(self.student, folder)


def distil(
    teacher: Any,
    data: pd.DataFrame | str | Path,
    target: str,
    student: str | dict[str, Any] | CandidateSpec = "mlp",
    *,
    positive: Label | None = None,
    drop: Sequence[str] = (),
    privileged: Sequence[str] = (),
    categorical: Sequence[str] = (),
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    split: dict[str, Any] | SplitSpec | None = None,
    evaluation: dict[str, Any] | EvaluationSpec | None = None,
    control: bool = True,
    unseen: bool = False,
    seed: int = 0,
) -> DistilledStudent:
    """Teach a student what a fitted teacher knows, and measure both on held-out rows.

    The teacher is asked, never fitted, so its labels cannot be cross-fitted. It reads the rows as they
    are given, and any column of them but the target; the student reads the features alone.

    Args:
        teacher: a fitted model whose ``predict_proba`` takes raw columns (those of its
            ``feature_names_in_``, or else all features) and gives ``(n, K)`` probabilities in the
            order of its ``classes_`` (or else of the sorted labels); or the folder of a saved
            teacher.
        data: rows with the target; or the path of a CSV or Parquet file.
        target: the column to predict.
        student: a kind (``"mlp"``), its settings (``{"kind": "mlp", "widths": [64, 32]}``), or a spec.
        positive: with two classes, the one whose probability counts; by default the last in order.
        drop: columns the student does not get.
        privileged: features the teacher may use and the student may not.
        categorical: columns that hold categories though they look like numbers.
        group, time, weight: columns as in `FileSpec`; they are no features.
        split: shares of training, validation and test, or a column that says so; see `SplitSpec`.
        evaluation: how to measure, see `EvaluationSpec`; importances only where they are asked for.
        control: fit the same student without the teacher too.
        unseen: the teacher was fitted on none of these rows. Otherwise it is warned that its labels
            of rows it was fitted on are overconfident, and its scores there too good.
        seed: of the split and every fit.

    Raises:
        ArtifactError: the saved teacher is absent, incomplete or changed.
        ConfigError: the student's settings are wrong.
        DataError: the data cannot be used, or the teacher's columns or classes differ from theirs.
        TrainingError: a fit failed, or the student exceeds its budget.
    """
    model = load_teacher(teacher) if isinstance(teacher, str | Path) else teacher
    source = {
        "kind": "file",
        "path": "data" if isinstance(data, pd.DataFrame) else str(data),
        "target": target,
        "positive": positive,
        "drop": tuple(drop),
        "privileged": tuple(privileged),
        "categorical": tuple(categorical),
        "group": group,
        "time": time,
        "weight": weight,
        "split": split or {},
    }
    measured = without_importance(evaluation)
    config = DistillConfig.parse(
        {"source": source, "seed": seed, "students": [of_kind(student)], "evaluation": measured}
    )
    assert isinstance(config.source, FileSpec)
    raw = data if isinstance(data, pd.DataFrame) else _read(config.source)
    table = build_table(raw, config.source.roles, config.source.split, seed=seed)
    given = GivenTeacher(model, raw, table)
    if not unseen:
        warnings.warn(
            f"the teacher {given.kind} came fitted: of rows it was fitted on, its labels are overconfident and its"
            " scores too good; give rows it has not seen and say unseen=True, or let DistilledClassifier fit it",
            InSampleWarning,
            stacklevel=2,
        )
    labels = given.soft_labels()
    students, controls = teach(table, given, labels, config, control=control)
    cards = score_on_test(given.entry(), students, controls, table=table, config=config)
    return DistilledStudent(students[0], controls[0] if controls else None, cards, labels)


def _read(source: FileSpec) -> pd.DataFrame:
    try:
        return source.read()
    except DataError as error:
        raise DataError(f"{source.path}: {error}") from error
