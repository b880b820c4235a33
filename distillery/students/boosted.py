"""A small LightGBM on soft labels; as many trees as the budgets allow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, final

import lightgbm as lgb
import numpy as np
import pandas as pd
from pydantic import Field, NonNegativeFloat, PositiveInt

from distillery.data import Schema
from distillery.data.model import ParameterCount
from distillery.data.saved import header_files, read_schema
from distillery.errors import TrainingError
from distillery.export import RawColumns
from distillery.students._sklearn import target_shares, weighted_rows
from distillery.students.base import CandidateSpec, Lesson, OnEpoch, Selected, Student, valid_log_loss
from distillery.trees import REPEATABLE, TreeEncoder, Trees, boost


class BoostedSpec(CandidateSpec):
    """A small LightGBM; the names and meanings are its own unless said otherwise.

    Attributes:
        trees: boosting rounds at most; fewer when the validation log loss stops falling, or where
            a budget asks for it.
        patience: rounds without a better validation log loss before boosting stops.
        learning_rate: doubled, where a budget cuts trees off, as long as that lowers the validation log loss.
        threads: CPU threads; 0 takes all.
    """

    kind: Literal["boosted"] = "boosted"
    trees: PositiveInt = 100
    patience: PositiveInt = 10
    num_leaves: int = Field(15, ge=2)
    learning_rate: float = Field(0.1, gt=0, le=1)
    min_data_in_leaf: PositiveInt = 20
    l2: NonNegativeFloat = 1.0
    threads: int = Field(0, ge=0)

    def train(self, lesson: Lesson, *, seed: int, on_epoch: OnEpoch | None = None) -> BoostedStudent:
        """Boost on ``α · p_teacher + hard_weight · [y = k]`` until the log loss on the validation labels stops falling.

        With ``max_features`` it is boosted again on its most important columns; with ``max_parameters``
        or ``max_bytes`` the first trees are kept, as many as these allow.

        Raises:
            TrainingError: no tree splits.
        """
        schema = lesson.schema
        if self.max_features is not None and self.max_features < len(schema.columns):
            gains = self._boost(lesson, schema, self.learning_rate, seed).feature_importance("gain")
            schema = schema.only(_names(schema, np.argsort(-gains, kind="stable")[: self.max_features]))
        student, whole = self._within_budgets(lesson, schema, self.learning_rate, seed)
        rate = 2 * self.learning_rate
        while not whole and rate <= 1:  # few trees want longer steps
            faster, whole = self._within_budgets(lesson, schema, rate, seed)
            if valid_log_loss(faster, lesson.valid) >= valid_log_loss(student, lesson.valid):
                break
            student, rate = faster, 2 * rate
        return student

    def _within_budgets(self, lesson: Lesson, schema: Schema, rate: float, seed: int) -> tuple[BoostedStudent, bool]:
        """Return the first trees that the budgets allow, and whether these are all."""
        booster = self._boost(lesson, schema, rate, seed)

        def keep(rounds: int) -> BoostedStudent:
            trees = Trees.of(booster, rounds)
            return BoostedStudent(self, schema.only(_names(schema, trees.used)), trees)

        student = self.largest_within_budgets(keep, 1, booster.best_iteration)
        return student, student.trees.rounds == booster.best_iteration

    def _boost(self, lesson: Lesson, schema: Schema, rate: float, seed: int) -> lgb.Booster:
        """Boost on the soft labels themselves where there are two classes, else on weighted rows."""
        share, train, valid = target_shares(lesson, self.alpha, self.hard), lesson.train, lesson.valid
        settings, encode = self._settings(schema, rate, seed), TreeEncoder(schema)
        if schema.n_classes == 2:
            data = encode.dataset(train.features, share[:, 1] / share.sum(axis=1), train.weights, settings)
        else:
            row, label, weight = weighted_rows(lesson, share)
            data = encode.dataset(train.features.iloc[row], label, weight, settings)
        stop = data.create_valid(encode(valid.features), valid.labels, weight=valid.weights, params=settings)
        booster = boost(settings, data, stop, self.trees, self.patience)
        if not booster.feature_importance().any():
            raise TrainingError(
                f"{self.title} must split its {len(train):,} training rows, got no tree that does with"
                f" {self.min_data_in_leaf} rows in a leaf; lower min_data_in_leaf, or look at the columns"
            )
        return booster

    def _settings(self, schema: Schema, rate: float, seed: int) -> dict[str, object]:
        binary = schema.n_classes == 2
        objective = (
            {"objective": "cross_entropy"} if binary else {"objective": "multiclass", "num_class": schema.n_classes}
        )
        return {
            **objective,
            "num_leaves": self.num_leaves,
            "learning_rate": rate,
            "min_data_in_leaf": self.min_data_in_leaf,
            "lambda_l2": self.l2,
            "num_threads": self.threads,
            "seed": seed,
            **REPEATABLE,
        }

    def load(self, files: Mapping[str, bytes]) -> BoostedStudent:
        """Read what `BoostedStudent.to_files` gave."""
        return BoostedStudent(self, read_schema(files), Trees(files["model.txt"].decode()))

    def shrinking_advice(self, budget: str) -> str:
        """Of a forest that has shrunk to one tree already, the leaves are left."""
        return "lower num_leaves"


def _names(schema: Schema, positions: np.ndarray) -> set[str]:
    """Return the columns at these positions of encoded rows."""
    columns = schema.encoded
    return {columns[i].name for i in positions}


@final
class BoostedStudent(Student):
    """Fitted trees; the i-th encoded column is the i-th feature that they split on."""

    def __init__(self, spec: BoostedSpec, schema: Schema, trees: Trees) -> None:
        self.spec = spec
        self.schema = schema
        self.history: list[dict[str, float]] = []
        gains = trees.gains[trees.used] / trees.gains.sum()
        columns = schema.encoded
        self.selected_features = tuple(
            Selected(columns[i].name, float(gains[i])) for i in np.argsort(-gains, kind="stable")
        )
        self.trees = trees
        self._encode = TreeEncoder(schema)

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return class probabilities ``(n, K)`` of raw rows."""
        if len(frame) == 0:
            return np.empty((0, self.schema.n_classes))
        p = self.trees.predict(self._rows(frame))
        return np.column_stack([1 - p, p]) if p.ndim == 1 else p

    def to_graph(self, raw: RawColumns) -> str:
        """Add the trees' nodes; see `distillery.export.Exportable`."""
        return self.trees.to_graph(raw, self.trees.used)

    def to_files(self) -> dict[str, bytes]:
        """Return ``model.txt``, LightGBM's own text format, beside spec and schema."""
        return {**header_files(self.spec, self.schema), "model.txt": self.trees.text.encode()}

    def parameter_count(self) -> ParameterCount:
        """Count as `Trees.parameter_count`."""
        return self.trees.parameter_count()

    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """Count as `Trees.flops_per_row`."""
        return self.trees.flops_per_row(self._rows(frame))

    def _rows(self, frame: pd.DataFrame) -> np.ndarray:
        """Return rows as wide as in training; what no tree splits on is missing."""
        rows = np.full((len(frame), self.trees.n_features), np.nan)
        rows[:, self.trees.used] = self._encode(frame)
        return rows
