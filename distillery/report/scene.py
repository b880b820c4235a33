"""What a report is made of: the numbers, and what its pictures are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

from distillery.data import Table
from distillery.data.model import Model
from distillery.distillation import SoftLabels
from distillery.evaluation.predictions import Predictions
from distillery.report.model import Report
from distillery.students import Student

Section = Literal["overview", "data", "columns", "quality", "agreement", "cost", "distillation", "training"]


@final
@dataclass(frozen=True)
class Scene:
    """Everything the pictures of one report are drawn from.

    Attributes:
        report: the numbers.
        table: the rows.
        predictions: of every model on the test rows.
        soft_labels: the teacher's opinion of every row.
        teacher: the fitted teacher.
        students: the fitted students by name.
    """

    report: Report
    table: Table
    predictions: Predictions
    soft_labels: SoftLabels
    teacher: Model
    students: Mapping[str, Student]


@final
@dataclass(frozen=True)
class Drawing:
    """A picture.

    Attributes:
        name: its file's, without the ending; its title and caption are ``plot.<name>.title`` and ``.caption``.
        section: where in the report it stands.
        svg: the picture.
        note: what was left out, such as ``2,000 of 25,000 rows, 12 of 784 columns``; may be empty.
    """

    name: str
    section: Section
    svg: str
    note: str = ""
