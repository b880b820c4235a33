"""Teachers: one file each; a new kind is a new file here and a word in the union."""

from __future__ import annotations

from collections.abc import Mapping

from distillery.data.saved import SPEC_FILE
from distillery.teachers.base import Teacher as Teacher
from distillery.teachers.xgboost import XGBoostSpec as XGBoostSpec

TeacherSpec = XGBoostSpec  # a second kind makes this a union told apart by `kind`, as in students


def load_teacher(files: Mapping[str, bytes]) -> Teacher:
    """Read a teacher from what its ``to_files`` gave."""
    return TeacherSpec.model_validate_json(files[SPEC_FILE]).load(files)


__all__ = ["Teacher", "TeacherSpec", "XGBoostSpec", "load_teacher"]
