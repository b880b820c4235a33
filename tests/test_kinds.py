"""Kinds of third parties: by import path and by entry point."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Literal

import numpy as np
import pytest

from distillery.config import DistillConfig
from distillery.data.model import ParameterCount
from distillery.data.saved import header_files, read_schema
from distillery.errors import ConfigError
from distillery.students import CandidateSpec, Student, load_student
from distillery.teachers import Teacher, TeacherKind, load_teacher
from tests.checks import make_table
from tests.test_models import lesson_of

PATH = "their_package.models:Prior"


class Fixed:
    """Gives the class shares of training, whatever the row."""

    def __init__(self, spec, schema, shares):
        self.history = []
        self.spec, self.schema, self.shares = spec, schema, shares

    def predict_proba(self, frame):
        return np.tile(self.shares, (len(frame), 1))

    def to_files(self):
        return {**header_files(self.spec, self.schema), "shares.txt": repr(self.shares.tolist()).encode()}

    def parameter_count(self):
        return ParameterCount(total=len(self.shares), learnable=len(self.shares))

    def flops_per_row(self, frame):
        return 0.0


class FixedTeacher(Fixed, Teacher):
    """As a teacher."""


class FixedStudent(Fixed, Student):
    """As a student."""


def shares_of(rows, schema):
    """Class shares."""
    return np.bincount(rows.labels, minlength=schema.n_classes) / len(rows)


def read_shares(files):
    """What `Fixed.to_files` wrote."""
    return np.array([float(x) for x in files["shares.txt"].decode().strip("[]").split(",")])


class PriorTeacherSpec(TeacherKind):
    """Somebody else's teacher."""

    kind: str = PATH
    strength: float = 1.0

    def fit(self, train, valid, schema, *, seed):
        return FixedTeacher(self, schema, shares_of(train, schema))

    def load(self, files):
        return FixedTeacher(self, read_schema(files), read_shares(files))


class PriorStudentSpec(CandidateSpec):
    """Somebody else's student."""

    kind: Literal["their_package.models:PriorStudent"] = "their_package.models:PriorStudent"

    def train(self, lesson, *, seed, on_epoch=None):
        return FixedStudent(self, lesson.schema, shares_of(lesson.train, lesson.schema))

    def load(self, files):
        return FixedStudent(self, read_schema(files), read_shares(files))


@pytest.fixture(autouse=True)
def their_package(monkeypatch):
    """A module that can be imported."""
    module = ModuleType("their_package.models")
    module.Prior, module.PriorStudent, module.Other = PriorTeacherSpec, PriorStudentSpec, dict
    monkeypatch.setitem(sys.modules, "their_package", ModuleType("their_package"))
    monkeypatch.setitem(sys.modules, "their_package.models", module)


def test_a_class_by_import_path_teaches_and_learns():
    """It is read from the config, fitted, saved and loaded like our own."""
    parameters = {
        "teacher": {"kind": PATH, "strength": 2},
        "students": [{"kind": "their_package.models:PriorStudent"}],
    }
    config = DistillConfig.parse(parameters)
    assert config.teacher.strength == 2
    assert config.students[0].title == "PriorStudent"
    table = make_table()
    teacher = config.teacher.fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    student = config.students[0].fit(lesson_of(table), seed=0)
    rows = table.rows("test").features
    for model, load in ((teacher, load_teacher), (student, load_student)):
        loaded = load(model.to_files())
        assert loaded.spec == model.spec
        np.testing.assert_array_equal(loaded.predict_proba(rows), model.predict_proba(rows))


def test_settings_of_a_third_party_are_kept_when_a_config_is_written():
    """A spec is written with its own fields, not those of the base."""
    config = DistillConfig.parse({"teacher": {"kind": PATH, "strength": 3}})
    assert config.model_dump(mode="json")["teacher"] == {"kind": PATH, "strength": 3.0}
    assert DistillConfig.parse(config.model_dump(mode="json")) == config


def test_a_class_by_entry_point_has_a_short_name(monkeypatch):
    """An installed package offers it under the group ``distillery.teachers``."""

    class Entry:
        name, value = "prior", PATH

    def entry_points(*, group):
        return [Entry] if group == "distillery.teachers" else []

    monkeypatch.setattr("distillery.kinds.entry_points", entry_points)
    assert isinstance(DistillConfig.parse({"teacher": {"kind": "prior"}}).teacher, PriorTeacherSpec)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("xgbost", r"one of xgboost, .*or a class's import path \(package\.module:Class\), got 'xgbost'; did you mean"),
        ("nowhere.at_all:Teacher", "teacher kind 'nowhere.at_all:Teacher' must be importable, got: No module"),
        ("their_package.models:Absent", "must be importable, got: .*has no attribute 'Absent'"),
        ("their_package.models:Other", "teacher kind 'their_package.models:Other' must be a subclass of TeacherKind"),
        ("their_package.models:PriorStudent", "must be a subclass of TeacherKind"),
    ],
)
def test_a_kind_that_cannot_be_used_is_refused(kind, message):
    """Before the first step, with what was tried."""
    with pytest.raises(ConfigError, match=message):
        DistillConfig.parse({"teacher": {"kind": kind}})


@pytest.mark.parametrize("given", ["xgboost", {}, {"depth": 3}, None])
def test_a_kind_must_be_given(given):
    """The message lists those there are."""
    with pytest.raises(ConfigError, match="a teacher must have a `kind`, one of xgboost, lightgbm"):
        DistillConfig.parse({"teacher": given})
