"""What scikit-learn students share: their encoding, soft labels as weighted rows, and the fitted student."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
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
from distillery.export import RawColumns
from distillery.students._linear_graph import pipeline_graph
from distillery.students.base import CandidateSpec, Lesson, Student

LEAST_WEIGHT = 1e-3  # a row of less weight teaches nothing, and costs as much as any other
_MODEL_FILE = "model.skops"


def target_shares(lesson: Lesson, alpha: float, hard_weight: float) -> np.ndarray:
    """Return ``α · p_teacher + hard_weight · [y = k]`` of each training row, ``(n, K)`` float64."""
    hard = np.eye(lesson.schema.n_classes)[lesson.train.labels]
    return np.asarray(alpha * softmax(lesson.soft.astype(np.float64), axis=1) + hard_weight * hard)


def weighted_rows(lesson: Lesson, share: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row number, class and weight of each weighted row, each ``(m,)``.

    Each row enters once per class with its share of it, times the row's own weight; shares under 1e-3
    are dropped. A log loss of these rows is, up to what is dropped, the soft loss of the original ones.

    Args:
        lesson: tells the rows' own weights.
        share: ``(n, K)``, as `target_shares` gives it.
    """
    own = np.ones(len(share)) if lesson.train.weights is None else lesson.train.weights
    row, label = np.nonzero((share >= LEAST_WEIGHT) & (own[:, None] > 0))
    return row, label, share[row, label] * own[row]


def preprocessing(schema: Schema, min_frequency: int) -> ColumnTransformer:
    """Return what encodes raw rows: numbers imputed and scaled, categories one-hot.

    Args:
        schema: the columns.
        min_frequency: categories of fewer training rows share one column with the unseen ones.
    """
    numeric = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    categorical = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=min_frequency)
    named = [
        ("numeric", numeric, [c.name for c in schema.numeric]),
        ("categorical", categorical, [c.name for c in schema.categorical]),
    ]
    return ColumnTransformer([step for step in named if step[2]])


@contextmanager
def must_converge(title: str, max_iterations: int) -> Iterator[None]:
    """Turn scikit-learn's warning into a `TrainingError` that says what to do."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            yield
        except ConvergenceWarning as warning:
            raise TrainingError(
                f"{title} must converge, got no convergence after {max_iterations} iterations; raise"
                " max_iterations or lower c"
            ) from warning


@dataclass(frozen=True)
class Size:
    """What stands behind the encoding.

    Attributes:
        learned: coefficients and intercepts.
        drawn: further fitted numbers, such as landmark rows.
        flops: operations per row.
    """

    learned: int
    drawn: int
    flops: int


def linear_size(pipeline: Pipeline) -> Size:
    """Count a linear map: a multiplication and an addition per coefficient."""
    model: LogisticRegression = pipeline[-1]
    return Size(model.coef_.size + model.intercept_.size, 0, 2 * model.coef_.size)


@final
class SklearnStudent(Student):
    """A fitted pipeline: `preprocessing` first, a classifier of class indices last."""

    def __init__(
        self, spec: CandidateSpec, schema: Schema, pipeline: Pipeline, size: Callable[[Pipeline], Size]
    ) -> None:
        self.spec = spec
        self.schema = schema
        self.history: list[dict[str, float]] = []
        self._pipeline = pipeline
        self._size = size(pipeline)

    @classmethod
    def read(cls, spec: CandidateSpec, files: Mapping[str, bytes], size: Callable[[Pipeline], Size]) -> SklearnStudent:
        """Read what `to_files` gave.

        Raises:
            ArtifactError: the file holds types that are not trusted.
        """
        return cls(spec, read_schema(files), skops_file.load(files[_MODEL_FILE]), size)

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return class probabilities ``(n, K)`` of raw rows."""
        proba = np.zeros((len(frame), self.schema.n_classes))  # a class absent from training stays 0
        if len(frame):
            proba[:, self._pipeline.classes_] = self._pipeline.predict_proba(self.schema.worded(frame))
        return proba

    def to_graph(self, raw: RawColumns) -> str:
        """Add the pipeline's nodes; see `distillery.export.Exportable`."""
        return pipeline_graph(self._pipeline, raw)

    def to_files(self) -> dict[str, bytes]:
        """Return ``model.skops`` (scikit-learn pipeline, no pickle) beside spec and schema."""
        return {**header_files(self.spec, self.schema), _MODEL_FILE: skops_file.dump(self._pipeline)}

    def parameter_count(self) -> ParameterCount:
        """Count the classifier; a median per number, and mean and scale of what is scaled, come on top."""
        encoding = len(self.schema.numeric) + 2 * self._n_scaled
        return ParameterCount(total=self._size.learned + self._size.drawn + encoding, learnable=self._size.learned)

    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """Count the classifier's operations and two per scaled number."""
        return float(self._size.flops + 2 * self._n_scaled)

    @property
    def _n_scaled(self) -> int:
        """How many numbers are scaled: the numeric columns and their missing indicators."""
        numeric = self._pipeline[0].named_transformers_.get("numeric")
        return 0 if numeric is None else int(numeric[-1].n_features_in_)
