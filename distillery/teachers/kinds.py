"""The table of teachers that are fitted; a new kind is a new file here and a line in it."""

from __future__ import annotations

from distillery.kinds import Kinds
from distillery.teachers.base import TeacherKind
from distillery.teachers.cnn import CNNTeacherSpec
from distillery.teachers.mlp import MLPTeacherSpec
from distillery.teachers.xgboost import XGBoostSpec

FITTED: Kinds[TeacherKind] = Kinds(
    "teacher",
    TeacherKind,  # type: ignore[type-abstract]  # only compared with
    XGBoostSpec,
    MLPTeacherSpec,
    CNNTeacherSpec,
    group="distillery.teachers",
)
