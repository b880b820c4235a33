"""Gradient boosted trees by LightGBM, with native categories and missing values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, final

import lightgbm as lgb
import numpy as np
import pandas as pd
from pydantic import Field, NonNegativeFloat, PositiveInt

from distillery.data import RawEncoder, Rows, Schema
from distillery.data.model import ParameterCount
from distillery.data.saved import header_files, read_schema
from distillery.teachers.base import Teacher, TeacherKind


class LightGBMSpec(TeacherKind):
    """A LightGBM teacher; the names and meanings are LightGBM's own unless said otherwise.

    Attributes:
        trees: boosting rounds at most; fewer when the validation log loss stops falling.
        patience: rounds without a better validation log loss before boosting stops.
        column_share, row_share: of each tree.
        threads: CPU threads; 0 takes all.
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
        callbacks = [lgb.early_stopping(self.patience, verbose=False)]
        booster = lgb.train(settings, data, self.trees, valid_sets=[stop], callbacks=callbacks)
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
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }

    def load(self, files: Mapping[str, bytes]) -> LightGBMTeacher:
        """Read what `LightGBMTeacher.to_files` gave."""
        return LightGBMTeacher(self, read_schema(files), Trees(files["model.txt"].decode()))


@final
class TreeEncoder:
    """Raw rows as LightGBM wants them: category codes as numbers, NaN for missing or unseen."""

    def __init__(self, schema: Schema) -> None:
        self._encode = RawEncoder(schema)
        self._first_code, self._width = len(schema.numeric), len(schema.columns)

    def __call__(self, frame: pd.DataFrame) -> np.ndarray:
        """Return rows ``(n, d)`` float64, the numeric columns first."""
        numbers, codes = self._encode(frame)
        return np.hstack([numbers, np.where(codes >= RawEncoder.FIRST, codes - RawEncoder.FIRST, np.nan)])

    def dataset(
        self, frame: pd.DataFrame, labels: np.ndarray, weights: np.ndarray | None, settings: dict[str, Any]
    ) -> lgb.Dataset:
        """Return training rows as LightGBM's own data set."""
        categorical = list(range(self._first_code, self._width))
        return lgb.Dataset(self(frame), labels, weight=weights, categorical_feature=categorical, params=settings)


@final
class Trees:
    """LightGBM's trees by their text: what is saved is what predicts.

    Attributes:
        text: LightGBM's own format, without the parameters of the training.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._booster = lgb.Booster(model_str=text)

    @classmethod
    def of(cls, booster: lgb.Booster, rounds: int) -> Trees:
        """Keep the first rounds of a booster."""
        text = booster.model_to_string(num_iteration=rounds)
        return cls(re.sub(r"\nparameters:.*?end of parameters\n", "\n", text, flags=re.DOTALL))

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Return what the objective gives: ``(n,)``, or ``(n, K)``."""
        return np.asarray(self._booster.predict(rows), dtype=np.float64)

    @property
    def n_features(self) -> int:
        """How many features a row has, used or not."""
        return int(self._booster.num_feature())

    @property
    def rounds(self) -> int:
        """How many boosting rounds there are, of a tree each or of one per class."""
        return int(self._booster.current_iteration())

    @cached_property
    def used(self) -> np.ndarray:
        """The positions of the features that are split on."""
        return np.flatnonzero(self._booster.feature_importance("split"))

    @cached_property
    def gains(self) -> np.ndarray:
        """What each feature's splits took off the loss, ``(d,)``."""
        return np.asarray(self._booster.feature_importance("gain"))

    def parameter_count(self) -> ParameterCount:
        """Count a feature and a threshold per split (each category of a set counts), a value per leaf."""
        total = sum(_numbers(tree["tree_structure"]) for tree in self._dump)
        return ParameterCount(total=total, learnable=total)

    def flops_per_row(self, rows: np.ndarray) -> float:
        """Mean comparisons along the path to the leaf, over all trees, plus one addition a tree."""
        leaves = np.atleast_2d(self._booster.predict(rows, pred_leaf=True)).reshape(len(rows), -1).astype(np.int64)
        depths = [_leaf_depths(tree["tree_structure"])[leaves[:, i]].mean() for i, tree in enumerate(self._dump)]
        return float(np.sum(depths) + len(self._dump))

    @cached_property
    def _dump(self) -> list[dict[str, Any]]:
        trees: list[dict[str, Any]] = self._booster.dump_model()["tree_info"]
        return trees


def _numbers(node: dict[str, Any]) -> int:
    if "split_feature" not in node:
        return 1
    threshold = len(str(node["threshold"]).split("||")) if node["decision_type"] == "==" else 1
    return 1 + threshold + _numbers(node["left_child"]) + _numbers(node["right_child"])


def _leaf_depths(root: dict[str, Any]) -> np.ndarray:
    """Return each leaf's depth, by LightGBM's own index."""
    depths: dict[int, int] = {}
    todo = [(root, 0)]
    while todo:
        node, depth = todo.pop()
        if "split_feature" in node:
            todo += [(node["left_child"], depth + 1), (node["right_child"], depth + 1)]
        else:
            depths[node.get("leaf_index", 0)] = depth
    return np.array([depths[i] for i in range(len(depths))])


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

    def to_files(self) -> dict[str, bytes]:
        """Return ``model.txt``, LightGBM's own text format, beside spec and schema."""
        return {**header_files(self.spec, self.schema), "model.txt": self._trees.text.encode()}

    def parameter_count(self) -> ParameterCount:
        """Count as `Trees.parameter_count`."""
        return self._trees.parameter_count()

    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """Count as `Trees.flops_per_row`."""
        return self._trees.flops_per_row(self._encode(frame))
