"""Models in a folder: their own files, and a manifest that says all are there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from uuid import uuid4

from distillery.data.model import Model
from distillery.data.saved import MANIFEST, digest, seal
from distillery.errors import ArtifactError
from distillery.students import Student
from distillery.students import load_student as student_of
from distillery.teachers import Teacher
from distillery.teachers import load_teacher as teacher_of


def save(model: Model, folder: str | Path) -> Path:
    """Write a teacher or a student into a folder, whole or not at all; a saved model there is replaced.

    The folder is what the pipeline's artifacts are: either can be loaded here.

    Raises:
        ArtifactError: there is something else already.
    """
    folder = Path(folder).absolute()
    occupied = folder.is_file() or (folder.is_dir() and any(folder.iterdir()))
    if occupied and not (folder / MANIFEST).is_file():
        raise ArtifactError(f"{folder} must be a new folder or a saved model's, got other files; choose another")
    files = dict(model.to_files())
    new, old = (folder.with_name(f".{folder.name}.{uuid4().hex}") for _ in range(2))
    new.mkdir(parents=True)
    try:
        for name, content in {**files, MANIFEST: seal(files)}.items():
            (new / name).write_bytes(content)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        for left_over in (new, old):
            shutil.rmtree(left_over, ignore_errors=True)
    return folder


def load_student(folder: str | Path) -> Student:
    """Read a student from its folder.

    Raises:
        ArtifactError: it is absent or incomplete, or was changed.
    """
    return student_of(_files(Path(folder)))


def load_teacher(folder: str | Path) -> Teacher:
    """Read a teacher from its folder.

    Raises:
        ArtifactError: it is absent or incomplete, or was changed.
    """
    return teacher_of(_files(Path(folder)))


def _files(folder: Path) -> dict[str, bytes]:
    if not (folder / MANIFEST).is_file():
        raise ArtifactError(f"{folder} must be a saved model's folder, but has no {MANIFEST}; see distillery.save")
    files = {}
    for name, sealed in json.loads((folder / MANIFEST).read_bytes()).items():
        if not (folder / name).is_file():
            raise ArtifactError(f"the model in {folder} is incomplete: {name} is missing; save it again")
        files[name] = (folder / name).read_bytes()
        if digest(files[name]) != sealed:
            raise ArtifactError(f"the model in {folder} was changed: {name} is not what was saved; save it again")
    return files
