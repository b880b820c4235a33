"""Logistic regression on one-hot and scaled columns, taught by weighted rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, PositiveInt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from distillery.students._sklearn import (
    SklearnStudent,
    linear_size,
    must_converge,
    preprocessing,
    target_shares,
    weighted_rows,
)
from distillery.students.base import CandidateSpec, Lesson, OnEpoch


class LogisticRegressionSpec(CandidateSpec):
    """A linear student; scikit-learn takes no soft targets, so each row enters once per class.

    Attributes:
        c: inverse strength of the L2 penalty, per row of weight 1.
        max_iterations: of L-BFGS; a fit that needs more is refused.
        min_frequency: rarer categories share one column with the unseen ones.
    """

    kind: Literal["logistic_regression"] = "logistic_regression"
    c: float = Field(1.0, gt=0)
    max_iterations: PositiveInt = 2000
    min_frequency: PositiveInt = 10

    def train(self, lesson: Lesson, *, seed: int, on_epoch: OnEpoch | None = None) -> SklearnStudent:
        """Fit on rows weighted by ``α · p_teacher + hard_weight · [y = k]``.

        Raises:
            TrainingError: L-BFGS did not converge.
        """
        features = lesson.schema.worded(lesson.train.features)
        encode = preprocessing(lesson.schema, self.min_frequency).fit(features)
        row, label, weight = weighted_rows(lesson, target_shares(lesson, self.alpha, self.hard))
        model = LogisticRegression(C=self.c, max_iter=self.max_iterations, tol=1e-5, random_state=seed)
        with must_converge(self.title, self.max_iterations):
            model.fit(encode.transform(features)[row], label, sample_weight=weight)
        return SklearnStudent(self, lesson.schema, make_pipeline(encode, model), linear_size)

    def load(self, files: Mapping[str, bytes]) -> SklearnStudent:
        """Read what the student's ``to_files`` gave."""
        return SklearnStudent.read(self, files, linear_size)

    def shrinking_advice(self, budget: str) -> str:
        """Rare categories are what can be merged."""
        return super().shrinking_advice(budget) if budget == "max_features" else "raise min_frequency"
