"""Distilling without a pipeline: a scikit-learn estimator, and one call for a teacher one has."""

from distillery.library.classifier import EXPECTED_FAILED_CHECKS as EXPECTED_FAILED_CHECKS
from distillery.library.classifier import DistilledClassifier as DistilledClassifier
from distillery.library.distilled import DistilledStudent as DistilledStudent
from distillery.library.distilled import InSampleWarning as InSampleWarning
from distillery.library.distilled import distil as distil
from distillery.library.memory import Outcome as Outcome
from distillery.library.memory import distil_table as distil_table
from distillery.library.memory import measure as measure
from distillery.library.memory import score as score
from distillery.library.memory import student_entry as student_entry
from distillery.library.memory import teacher_entry as teacher_entry
from distillery.library.saved import load_student as load_student
from distillery.library.saved import load_teacher as load_teacher
from distillery.library.saved import save as save

__all__ = [
    "EXPECTED_FAILED_CHECKS",
    "DistilledClassifier",
    "DistilledStudent",
    "InSampleWarning",
    "Outcome",
    "distil",
    "distil_table",
    "load_student",
    "load_teacher",
    "measure",
    "save",
    "score",
    "student_entry",
    "teacher_entry",
]
