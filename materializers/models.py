"""Teachers and students in their libraries' own formats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from zenml.enums import ArtifactType
from zenml.metadata.metadata_types import MetadataType

from distillery.data.model import saved_bytes
from distillery.students import Student, Trial, load_student
from distillery.teachers import Teacher, load_teacher
from materializers.files import FilesMaterializer
from materializers.registered import open_model

HISTORY, TRIALS = "history.json", "trials.json"


class TeacherMaterializer(FilesMaterializer):
    """A teacher as ``spec.json``, ``schema.json`` and its library's own file; a registered one as where it lies.

    What is trained in epochs has a ``history.json``, too.
    """

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Teacher,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.MODEL

    def to_files(self, data: Teacher) -> Mapping[str, bytes]:
        files = data.to_files()
        return {**files, HISTORY: json.dumps(data.history).encode()} if data.history else files

    def from_files(self, files: Mapping[str, bytes]) -> Teacher:
        teacher = load_teacher(files, open_model)
        if HISTORY in files:
            teacher.history = tuple(json.loads(files[HISTORY]))
        return teacher

    def pages(self, data: Teacher) -> Mapping[str, str]:
        return {"spec.md": _spec_page(data)}

    def extract_metadata(self, data: Teacher) -> dict[str, MetadataType]:
        return _metadata(data)


class StudentMaterializer(FilesMaterializer):
    """A student as ``spec.json``, ``schema.json``, its weights, and the history of its training and its search."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Student,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.MODEL

    def to_files(self, data: Student) -> Mapping[str, bytes]:
        trials = [trial.model_dump(mode="json") for trial in data.trials]
        return {**data.to_files(), HISTORY: json.dumps(data.history).encode(), TRIALS: json.dumps(trials).encode()}

    def from_files(self, files: Mapping[str, bytes]) -> Student:
        student = load_student(files)
        student.history = json.loads(files[HISTORY])
        student.trials = tuple(Trial.model_validate(trial) for trial in json.loads(files[TRIALS]))
        return student

    def pages(self, data: Student) -> Mapping[str, str]:
        return {"spec.md": _spec_page(data)}

    def extract_metadata(self, data: Student) -> dict[str, MetadataType]:
        return {**_metadata(data), "epochs": len(data.history), "trials": len(data.trials)}


def _spec_page(model: Teacher | Student) -> str:
    return f"```json\n{model.spec.model_dump_json(indent=1)}\n```\n"


def _metadata(model: Teacher | Student) -> dict[str, MetadataType]:
    count = model.parameter_count()
    return {
        "kind": str(getattr(model.spec, "kind", "")),
        **({} if count is None else {"params": count.total}),
        "bytes": saved_bytes(model),
        "raw_columns": len(model.schema.inputs.columns),
    }
