"""Students: one file each; a new kind is a new file here and a word in the union."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, TypeAdapter

from distillery.data.saved import SPEC_FILE
from distillery.students.base import CandidateSpec as CandidateSpec
from distillery.students.base import Lesson as Lesson
from distillery.students.base import Student as Student
from distillery.students.logistic_regression import LogisticRegressionSpec as LogisticRegressionSpec
from distillery.students.mlp import MLPSpec as MLPSpec

StudentSpec = Annotated[LogisticRegressionSpec | MLPSpec, Field(discriminator="kind")]
_ANY: TypeAdapter[LogisticRegressionSpec | MLPSpec] = TypeAdapter(StudentSpec)


def load_student(files: Mapping[str, bytes]) -> Student:
    """Read a student from what its ``to_files`` gave."""
    return _ANY.validate_json(files[SPEC_FILE]).load(files)


__all__ = [
    "CandidateSpec",
    "Lesson",
    "LogisticRegressionSpec",
    "MLPSpec",
    "Student",
    "StudentSpec",
    "load_student",
]
