"""The table of students; a new kind is a new file here and a line in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import PlainValidator, SerializeAsAny

from distillery.kinds import Kinds
from distillery.students.base import CandidateSpec
from distillery.students.boosted import BoostedSpec
from distillery.students.cnn import CNNSpec
from distillery.students.decision_tree import DecisionTreeSpec
from distillery.students.factorized_mlp import FactorizedMLPSpec
from distillery.students.light_ctr import LightCTRSpec
from distillery.students.logistic_regression import LogisticRegressionSpec
from distillery.students.mlp import MLPSpec
from distillery.students.multi_task import MultiTaskSpec
from distillery.students.sklearn_mlp import SklearnMLPSpec
from distillery.students.svm import SVMSpec

STUDENTS: Kinds[CandidateSpec] = Kinds(
    "student",
    CandidateSpec,  # type: ignore[type-abstract]  # only compared with
    LogisticRegressionSpec,
    MLPSpec,
    FactorizedMLPSpec,
    LightCTRSpec,
    CNNSpec,
    SVMSpec,
    SklearnMLPSpec,
    DecisionTreeSpec,
    BoostedSpec,
    MultiTaskSpec,
    group="distillery.students",
)
# A union, because ZenML would build a plain base class itself; the table reads it.
StudentSpec = Annotated[SerializeAsAny[CandidateSpec | MLPSpec], PlainValidator(STUDENTS.read)]
