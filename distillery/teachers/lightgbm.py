"""Gradient boosted trees by LightGBM, with native categories and missing values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, final

import numpy as np
import pandas as pd
from pydantic import Field, NonNegativeFloat, PositiveInt

from distillery.data import Rows, Schema
from distillery.data.model import ParameterCount
from distillery.data.saved import header_files, read_schema
from distillery.export import RawColumns
from distillery.teachers.base import Teacher, TeacherKind
from distillery.trees import REPEATABLE, TreeEncoder, Trees, boost


class LightGBMSpec(TeacherKind):
    """A LightGBM teacher; the names and meanings are LightGBM's own unless said otherwise.

    Attributes:
        trees: boosting rounds at most; fewer when the validation log loss stops falling.
        patience: rounds without a better validation log loss before boosting stops.
        column_share, row_share: of each tree.
        threads: CPU threads; 0 takes all. With other processes on the machine, 1 can be ten times faster than 0.
    """

    kind: Literal["lightgbm"] = "lightgbm"
    trees: PositiveInt = 2000
    patience: PositiveInt = 50
    num_leaves: int = Field(31, ge=2)
    learning_rate: float = Field(0.04, gt=0, le=1)
    min_data_in_leaf: PositiveInt = 40
    row_share: float = Field(0.8, gt=0, le=1)
    column_share: float = Field(0.5, gt=0, le=1)
    l2: NonNegativeFloat = 1.0
    max_bin: int = Field(255, ge=2)
    cat_smooth: NonNegativeFloat = 10.0
    threads: int = Field(0, ge=0)

    def fit(self, train: Rows, valid: Rows, schema: Schema, *, seed: int) -> LightGBMTeacher:
        """Boost on ``train`` until the log loss on ``valid`` stops falling; keep the best length."""
        binary = schema.n_classes == 2
        objective = {"objective": "binary"} if binary else {"objective": "multiclass", "num_class": schema.n_classes}
        encode, settings = TreeEncoder(schema), {**self.settings(seed), **objective}
        data = encode.dataset(train.features, train.labels, train.weights, settings)
        stop = data.create_valid(encode(valid.features), valid.labels, weight=valid.weights, params=settings)
        booster = boost(settings, data, stop, self.trees, self.patience)
        return LightGBMTeacher(self, schema, Trees.of(booster, booster.best_iteration))

    def settings(self, seed: int) -> dict[str, Any]:
        """Return LightGBM's parameters, but for the objective."""
        return {
            "num_leaves": self.num_leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.min_data_in_leaf,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1,
            "feature_fraction": self.column_share,
            "lambda_l2": self.l2,
            "cat_smooth": self.cat_smooth,
            "max_bin": self.max_bin,
            "num_threads": self.threads,
            "seed": seed,
            **REPEATABLE,
        }

    def load(self, files: Mapping[str, bytes]) -> LightGBMTeacher:
        """Read what `LightGBMTeacher.to_files` gave."""
        return LightGBMTeacher(self, read_schema(files), Trees(files["model.txt"].decode()))


@final
class LightGBMTeacher(Teacher):
    """A fitted LightGBM teacher."""

    spec: LightGBMSpec

    def __init__(self, spec: LightGBMSpec, schema: Schema, trees: Trees) -> None:
        self.spec, self.schema = spec, schema
        self._trees, self._encode = trees, TreeEncoder(schema)

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return class probabilities ``(n, K)`` of raw rows."""
        if len(frame) == 0:
            return np.empty((0, self.schema.n_classes))
        p = self._trees.predict(self._encode(frame))
        return np.column_stack([1 - p, p]) if p.ndim == 1 else p

    def to_graph(self, raw: RawColumns) -> str:
        """Add the trees' nodes; see `distillery.export.Exportable`."""
        return self._trees.to_graph(raw, np.arange(len(self.schema.columns)))

    def to_files(self) -> dict[str, bytes]:
        """Return ``model.txt``, LightGBM's own text format, beside spec and schema."""
        return {**header_files(self.spec, self.schema), "model.txt": self._trees.text.encode()}

    def parameter_count(self) -> ParameterCount:
        """Count as `Trees.parameter_count`."""
        return self._trees.parameter_count()

    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """Count as `Trees.flops_per_row`."""
        return self._trees.flops_per_row(self._encode(frame))
