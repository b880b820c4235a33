"""The table of teachers that are fitted; a new kind is a new file here and a line in it."""

from __future__ import annotations

from distillery.kinds import Kinds
from distillery.teachers.base import TeacherKind
from distillery.teachers.catboost import CatBoostSpec
from distillery.teachers.cnn import CNNTeacherSpec
from distillery.teachers.dcn_v2 import DCNv2Spec
from distillery.teachers.deepfm import DeepFMSpec
from distillery.teachers.lightgbm import LightGBMSpec
from distillery.teachers.mlp import MLPTeacherSpec
from distillery.teachers.multi_task import MultiTaskTeacherSpec
from distillery.teachers.random_forest import RandomForestSpec
from distillery.teachers.rechub import RechubSpec
from distillery.teachers.xgboost import XGBoostSpec

FITTED: Kinds[TeacherKind] = Kinds(
    "teacher",
    TeacherKind,  # type: ignore[type-abstract]  # only compared with
    XGBoostSpec,
    LightGBMSpec,
    CatBoostSpec,
    RandomForestSpec,
    MLPTeacherSpec,
    CNNTeacherSpec,
    DeepFMSpec,
    DCNv2Spec,
    RechubSpec,
    MultiTaskTeacherSpec,
    group="distillery.teachers",
)
