"""Students: one file each; a new kind is a new file here and a line in `distillery.students.kinds`."""

from __future__ import annotations

from collections.abc import Mapping

from distillery.data.saved import SPEC_FILE
from distillery.distillation.logits import Answers as Answers
from distillery.networks import GatePath as GatePath
from distillery.students.base import CandidateSpec as CandidateSpec
from distillery.students.base import Labeller as Labeller
from distillery.students.base import Lesson as Lesson
from distillery.students.base import Selected as Selected
from distillery.students.base import Student as Student
from distillery.students.base import lesson_of as lesson_of
from distillery.students.boosted import BoostedSpec as BoostedSpec
from distillery.students.cnn import CNNSpec as CNNSpec
from distillery.students.decision_tree import DecisionTreeSpec as DecisionTreeSpec
from distillery.students.factorized_mlp import FactorizedMLPSpec as FactorizedMLPSpec
from distillery.students.inherit import Inherited as Inherited
from distillery.students.inherit import InheritSpec as InheritSpec
from distillery.students.kinds import STUDENTS as STUDENTS
from distillery.students.kinds import StudentSpec as StudentSpec
from distillery.students.light_ctr import LightCTRSpec as LightCTRSpec
from distillery.students.logistic_regression import LogisticRegressionSpec as LogisticRegressionSpec
from distillery.students.mlp import MLPSpec as MLPSpec
from distillery.students.multi_task import MultiTaskSpec as MultiTaskSpec
from distillery.students.search import SearchSpec as SearchSpec
from distillery.students.search import Trial as Trial
from distillery.students.sklearn_mlp import SklearnMLPSpec as SklearnMLPSpec
from distillery.students.svm import SVMSpec as SVMSpec


def load_student(files: Mapping[str, bytes]) -> Student:
    """Read a student from what its ``to_files`` gave."""
    return STUDENTS.read_json(files[SPEC_FILE]).load(files)


__all__ = [
    "STUDENTS",
    "Answers",
    "BoostedSpec",
    "CNNSpec",
    "CandidateSpec",
    "DecisionTreeSpec",
    "FactorizedMLPSpec",
    "GatePath",
    "InheritSpec",
    "Inherited",
    "Labeller",
    "Lesson",
    "LightCTRSpec",
    "LogisticRegressionSpec",
    "MLPSpec",
    "MultiTaskSpec",
    "SVMSpec",
    "SearchSpec",
    "Selected",
    "SklearnMLPSpec",
    "Student",
    "StudentSpec",
    "Trial",
    "lesson_of",
    "load_student",
]
