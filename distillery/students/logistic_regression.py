"""Logistic regression on one-hot and scaled columns, taught by weighted rows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Literal, final

import numpy as np
import pandas as pd
from pydantic import Field, PositiveInt
from scipy.special import softmax
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from distillery.data import Schema, skops_file
from distillery.data.model import ParameterCount
from distillery.data.saved import header_files, read_schema
from distillery.errors import TrainingError
from distillery.students.base import CandidateSpec, Lesson, OnEpoch, Student

LEAST_WEIGHT = 1e-3  # a row of less weight teaches nothing, and costs as much as any other


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

    def train(self, lesson: Lesson, *, seed: int, on_epoch: OnEpoch | None = None) -> LogisticRegressionStudent:
        """Fit on rows weighted by ``α · p_teacher + (1 − α) · [y = k]``; weights under 1e-3 are dropped.

        Raises:
            TrainingError: L-BFGS did not converge.
        """
        features = lesson.schema.conform(lesson.train.features)
        encode = _preprocessing(lesson.schema, self.min_frequency).fit(features)
        row, label, weight = weighted_rows(lesson, self.alpha, self.hard)
        model = LogisticRegression(C=self.c, max_iter=self.max_iterations, tol=1e-5, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            try:
                model.fit(encode.transform(features)[row], label, sample_weight=weight)
            except ConvergenceWarning as warning:
                raise TrainingError(
                    f"logistic_regression must converge, got no convergence after {self.max_iterations}"
                    " iterations; raise max_iterations or lower c"
                ) from warning
        return LogisticRegressionStudent(self, lesson.schema, make_pipeline(encode, model))

    def load(self, files: Mapping[str, bytes]) -> LogisticRegressionStudent:
        """Read what `LogisticRegressionStudent.to_files` gave.

        Raises:
            ArtifactError: the file holds types that are not trusted.
        """
        return LogisticRegressionStudent(self, read_schema(files), skops_file.load(files["model.skops"]))


def weighted_rows(lesson: Lesson, alpha: float, hard_weight: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row number, class and weight of each weighted row, each ``(m,)``.

    A row's weights over the classes sum to its own weight (1 by default) times ``α + hard_weight``,
    up to what is dropped.
    """
    hard = np.eye(lesson.schema.n_classes)[lesson.train.labels]
    share = alpha * softmax(lesson.soft.astype(np.float64), axis=1) + hard_weight * hard
    row, label = np.nonzero(share >= LEAST_WEIGHT)
    weight = share[row, label]
    own = lesson.train.weights
    return row, label, weight if own is None else weight * own[row]


def _preprocessing(schema: Schema, min_frequency: int) -> ColumnTransformer:
    numeric = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    categorical = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=min_frequency)
    named = [
        ("numeric", numeric, [c.name for c in schema.numeric]),
        ("categorical", categorical, [c.name for c in schema.categorical]),
    ]
    return ColumnTransformer([step for step in named if step[2]])


@final
class LogisticRegressionStudent(Student):
    """A fitted linear student."""

    def __init__(self, spec: LogisticRegressionSpec, schema: Schema, pipeline: Pipeline) -> None:
        self.spec = spec
        self.schema = schema
        self.history: list[dict[str, float]] = []
        self._pipeline = pipeline

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return class probabilities ``(n, K)`` of raw rows."""
        if len(frame) == 0:
            return np.empty((0, self.schema.n_classes))
        proba = np.zeros((len(frame), self.schema.n_classes))  # a class absent from training stays 0
        proba[:, self._linear.classes_] = self._pipeline.predict_proba(self.schema.conform(frame))
        return proba

    def to_files(self) -> dict[str, bytes]:
        """Return ``model.skops`` (scikit-learn pipeline, no pickle) beside spec and schema."""
        return {**header_files(self.spec, self.schema), "model.skops": skops_file.dump(self._pipeline)}

    def parameter_count(self) -> ParameterCount:
        """Count coefficients and intercepts; a median per number, and mean and scale of what is scaled, come on top."""
        learnable = self._linear.coef_.size + self._linear.intercept_.size
        return ParameterCount(total=learnable + len(self.schema.numeric) + 2 * self._n_scaled, learnable=learnable)

    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """A multiplication and an addition per coefficient, and two operations per scaled number."""
        return float(2 * self._linear.coef_.size + 2 * self._n_scaled)

    @property
    def _n_scaled(self) -> int:
        """How many numbers are scaled: the numeric columns and their missing indicators."""
        numeric = self._pipeline[0].named_transformers_.get("numeric")
        return 0 if numeric is None else int(numeric[-1].n_features_in_)

    @property
    def _linear(self) -> LogisticRegression:
        return self._pipeline[-1]
