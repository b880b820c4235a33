"""Teachers: one file each; a new kind is a new file here and a line in `distillery.teachers.kinds`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import PlainValidator, SerializeAsAny

from distillery.data.saved import SPEC_FILE
from distillery.teachers.base import Teacher as Teacher
from distillery.teachers.base import TeacherKind as TeacherKind
from distillery.teachers.catboost import CatBoostSpec as CatBoostSpec
from distillery.teachers.cnn import CNNTeacherSpec as CNNTeacherSpec
from distillery.teachers.dcn_v2 import DCNv2Spec as DCNv2Spec
from distillery.teachers.deepfm import DeepFMSpec as DeepFMSpec
from distillery.teachers.ensemble import EnsembleSpec as EnsembleSpec
from distillery.teachers.ensemble import EnsembleTeacher as EnsembleTeacher
from distillery.teachers.kinds import FITTED
from distillery.teachers.lightgbm import LightGBMSpec as LightGBMSpec
from distillery.teachers.mlp import MLPTeacherSpec as MLPTeacherSpec
from distillery.teachers.multi_task import MultiTaskTeacherSpec as MultiTaskTeacherSpec
from distillery.teachers.random_forest import RandomForestSpec as RandomForestSpec
from distillery.teachers.rechub import RechubSpec as RechubSpec
from distillery.teachers.registered import OpenModel as OpenModel
from distillery.teachers.registered import ReadyModel as ReadyModel
from distillery.teachers.registered import RegisteredSpec as RegisteredSpec
from distillery.teachers.xgboost import XGBoostSpec as XGBoostSpec

TEACHERS = FITTED.plus(EnsembleSpec, RegisteredSpec)
# A union, because ZenML would build a plain base class itself; the table reads it.
TeacherSpec = Annotated[SerializeAsAny[TeacherKind | XGBoostSpec], PlainValidator(TEACHERS.read)]


def load_teacher(files: Mapping[str, bytes], open_model: OpenModel | None = None) -> Teacher:
    """Read a teacher from what its ``to_files`` gave.

    Args:
        files: by name.
        open_model: opens a registered teacher's model; the others need none.

    Raises:
        InputError: it is a registered teacher, and nothing opens its model.
    """
    spec = TEACHERS.read_json(files[SPEC_FILE])
    if isinstance(spec, RegisteredSpec) and open_model is not None:
        return spec.reopen(files, open_model)
    return spec.load(files)


__all__ = [
    "TEACHERS",
    "CNNTeacherSpec",
    "CatBoostSpec",
    "DCNv2Spec",
    "DeepFMSpec",
    "EnsembleSpec",
    "EnsembleTeacher",
    "LightGBMSpec",
    "MLPTeacherSpec",
    "MultiTaskTeacherSpec",
    "OpenModel",
    "RandomForestSpec",
    "ReadyModel",
    "RechubSpec",
    "RegisteredSpec",
    "Teacher",
    "TeacherKind",
    "TeacherSpec",
    "XGBoostSpec",
    "load_teacher",
]
