"""Support vector machine, linear or with an RBF kernel against landmarks, taught by weighted rows.

The squared hinge gives decision values; a logistic regression on those of the validation split turns
them into probabilities (Platt 1999; multinomial where there are more than two classes). Both are linear,
and so is the Nystroem map in the similarities to its landmarks: what is deployed is one linear map.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt
from sklearn.compose import ColumnTransformer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from distillery.data import Rows, Schema
from distillery.errors import TrainingError, shortlist
from distillery.students._sklearn import (
    Size,
    SklearnStudent,
    linear_size,
    must_converge,
    preprocessing,
    target_shares,
    weighted_rows,
)
from distillery.students.base import CandidateSpec, Lesson, OnEpoch

TOLERANCE = 1e-2  # of liblinear; a closer fit takes half as long again and moves the log loss by a thousandth


class SVMSpec(CandidateSpec):
    """A support vector machine; scikit-learn takes no soft targets, so each row enters once per class.

    Attributes:
        kernel: ``linear``, or ``rbf`` through a Nystroem map (Williams & Seeger 2001).
        landmarks: training rows that the kernel compares with (``rbf`` only).
        gamma: of the kernel exp(−gamma · distance²); by default 1 / the total variance of the encoded columns.
        c: inverse strength of the L2 penalty, per row of weight 1.
        max_iterations: of liblinear; a fit that needs more is refused.
        min_frequency: rarer categories share one column with the unseen ones.
    """

    kind: Literal["svm"] = "svm"
    kernel: Literal["linear", "rbf"] = "linear"
    landmarks: PositiveInt = 256
    gamma: PositiveFloat | None = None
    c: float = Field(1.0, gt=0)
    max_iterations: PositiveInt = 2000
    min_frequency: PositiveInt = 10

    def train(self, lesson: Lesson, *, seed: int, on_epoch: OnEpoch | None = None) -> SklearnStudent:
        """Fit on rows weighted by ``α · p_teacher + hard_weight · [y = k]``, calibrate on the validation split.

        Raises:
            TrainingError: liblinear did not converge, or the validation split lacks a class.
        """
        _check_classes(lesson.valid, lesson.schema)
        features = lesson.schema.worded(lesson.train.features)
        encode = preprocessing(lesson.schema, self.min_frequency).fit(features)
        x, kernel = encode.transform(features), None
        if self.kernel == "rbf":
            kernel = self._nystroem(x, seed)
            x = kernel.transform(x)
        with must_converge(self.title, self.max_iterations):
            models = self._one_vs_rest(x, lesson, seed)
        return SklearnStudent(self, lesson.schema, _deployed(encode, kernel, models, lesson), _size)

    def _one_vs_rest(self, x: Any, lesson: Lesson, seed: int) -> list[LinearSVC]:
        """Fit a model per class, one for two classes; a row enters each at most twice, however many classes.

        A class that no row has any share in gets none: the calibration knows how often it comes.
        """
        share = target_shares(lesson, self.alpha, self.hard)
        models = []
        for k in range(1 if share.shape[1] == 2 else 0, share.shape[1]):
            row, label, weight = weighted_rows(lesson, np.stack([share.sum(axis=1) - share[:, k], share[:, k]], axis=1))
            if label.any():
                model = LinearSVC(C=self.c, dual=False, tol=TOLERANCE, max_iter=self.max_iterations, random_state=seed)
                models.append(model.fit(x[row], label, sample_weight=weight))
        return models

    def _nystroem(self, x: Any, seed: int) -> Nystroem:
        variance = StandardScaler(with_mean=False).fit(x).var_.sum()
        gamma = self.gamma or 1 / (variance or 1.0)
        return Nystroem(gamma=gamma, n_components=min(self.landmarks, x.shape[0]), random_state=seed).fit(x)

    def load(self, files: Mapping[str, bytes]) -> SklearnStudent:
        """Read what the student's ``to_files`` gave."""
        return SklearnStudent.read(self, files, _size)

    def shrinking_advice(self, budget: str) -> str:
        """Landmarks are what can be dropped; without them, rare categories can be merged."""
        if budget == "max_features":
            return super().shrinking_advice(budget)
        return "raise min_frequency" if self.kernel == "linear" else "lower landmarks"


def _check_classes(valid: Rows, schema: Schema) -> None:
    absent = [name for k, name in enumerate(schema.classes) if k not in valid.labels]
    if absent:
        raise TrainingError(
            f"an svm is calibrated on validation rows of every class, got none of {shortlist(map(repr, absent))};"
            " enlarge the validation split, merge the class with another, or choose another kind of student"
        )


def _deployed(encode: ColumnTransformer, kernel: Nystroem | None, models: list[LinearSVC], lesson: Lesson) -> Pipeline:
    """Fold Nystroem's normalization, decision values and their calibration into one linear map.

    Weights of near landmarks can be large and cancel: the map is computed in float64.
    """
    valid = encode.transform(lesson.schema.worded(lesson.valid.features))
    valid = valid if kernel is None else kernel.transform(valid)
    decisions = np.column_stack([model.decision_function(valid) for model in models])
    calibrated = LogisticRegression(max_iter=1000).fit(decisions, lesson.valid.labels, lesson.valid.weights)
    coef = np.vstack([model.coef_ for model in models])
    coef = coef if kernel is None else coef @ kernel.normalization_
    calibrated.intercept_ = calibrated.intercept_ + calibrated.coef_ @ np.concatenate([m.intercept_ for m in models])
    calibrated.coef_ = calibrated.coef_ @ coef
    calibrated.n_features_in_ = coef.shape[1]
    between = [] if kernel is None else [_similarity(kernel)]
    return make_pipeline(encode, *between, calibrated)


def _similarity(kernel: Nystroem) -> FunctionTransformer:
    basis = kernel.components_
    landmarks = np.asarray(basis.toarray() if hasattr(basis, "toarray") else basis)
    return FunctionTransformer(rbf_kernel, accept_sparse=True, kw_args={"Y": landmarks, "gamma": float(kernel.gamma)})


def _size(pipeline: Pipeline) -> Size:
    """Count the landmarks' coordinates beside the linear map, three operations each and an exponential a landmark."""
    linear = linear_size(pipeline)
    if len(pipeline) == 2:
        return linear
    landmarks = pipeline[1].kw_args["Y"]
    return Size(linear.learned, landmarks.size + 1, linear.flops + 3 * landmarks.size + 2 * len(landmarks))
