"""Gradient boosted trees by XGBoost, with native categories and missing values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, final

import numpy as np
import pandas as pd
import xgboost as xgb
from pydantic import Field, NonNegativeFloat, PositiveInt
from scipy.special import logit

from distillery.data import RawEncoder, Rows, Schema
from distillery.data.model import ParameterCount
from distillery.data.saved import header_files, read_schema
from distillery.data.schema import LARGEST
from distillery.export import RawColumns
from distillery.export.forest import Tree, add_forest, features, probabilities, set_numbers
from distillery.progress import Advance, bar, shown
from distillery.teachers.base import Teacher, TeacherKind


class XGBoostSpec(TeacherKind):
    """An XGBoost teacher; the names and meanings are XGBoost's own unless said otherwise.

    Attributes:
        trees: boosting rounds at most; fewer when the validation log loss stops falling.
        patience: rounds without a better validation log loss before boosting stops.
        threads: CPU threads; 0 takes all.
    """

    kind: Literal["xgboost"] = "xgboost"
    trees: PositiveInt = 2000
    patience: PositiveInt = 50
    depth: int = Field(7, ge=1, le=16)
    learning_rate: float = Field(0.03, gt=0, le=1)
    min_child_weight: NonNegativeFloat = 10.0
    subsample: float = Field(0.8, gt=0, le=1)
    column_share: float = Field(0.5, gt=0, le=1)
    l2: NonNegativeFloat = 1.0
    max_bin: int = Field(256, ge=2)
    categorical_max_onehot: PositiveInt = 200
    gamma: NonNegativeFloat = 0.0
    threads: int = Field(0, ge=0)

    def fit(self, train: Rows, valid: Rows, schema: Schema, *, seed: int) -> XGBoostTeacher:
        """Boost on ``train`` until the log loss on ``valid`` stops falling; keep the best length."""
        encode = _Encoder(schema)
        data = encode.matrix(train.features, train.labels, train.weights)
        stop = encode.matrix(valid.features, valid.labels, valid.weights)
        with bar(self.trees, "boosting xgboost", unit="round") as advance:
            booster = xgb.train(
                self._parameters(schema, seed),
                data,
                num_boost_round=self.trees,
                evals=[(stop, "valid")],
                early_stopping_rounds=self.patience,
                verbose_eval=False,
                callbacks=[_Count(advance)] if shown() else None,
            )
        return XGBoostTeacher(self, schema, booster[: booster.best_iteration + 1])

    def load(self, files: Mapping[str, bytes]) -> XGBoostTeacher:
        """Read what `XGBoostTeacher.to_files` gave."""
        return XGBoostTeacher(self, read_schema(files), xgb.Booster(model_file=bytearray(files["model.ubj"])))

    def _parameters(self, schema: Schema, seed: int) -> dict[str, Any]:
        binary = schema.n_classes == 2
        objective = (
            {"objective": "binary:logistic", "eval_metric": "logloss"}
            if binary
            else {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": schema.n_classes}
        )
        return {
            **objective,
            "max_depth": self.depth,
            "eta": self.learning_rate,
            "min_child_weight": self.min_child_weight,
            "subsample": self.subsample,
            "colsample_bytree": self.column_share,
            "lambda": self.l2,
            "gamma": self.gamma,
            "max_bin": self.max_bin,
            "max_cat_to_onehot": self.categorical_max_onehot,
            "tree_method": "hist",
            "nthread": self.threads or None,
            "seed": seed,
            "verbosity": 0,
        }


class _Count(xgb.callback.TrainingCallback):  # type: ignore[misc]
    """Tells a bar about each round."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance

    def after_iteration(self, *_: Any) -> bool:
        """Count a round; do not stop."""
        self._advance(1)
        return False


class _Encoder:
    """Raw rows as XGBoost wants them: category codes as numbers, NaN for missing or unseen."""

    def __init__(self, schema: Schema) -> None:
        self._encode = RawEncoder(schema)
        self._types = ["q"] * len(schema.numeric) + ["c"] * len(schema.categorical)

    def matrix(
        self, frame: pd.DataFrame, labels: np.ndarray | None = None, weights: np.ndarray | None = None
    ) -> xgb.DMatrix:
        numbers, codes = self._encode(frame)
        known = np.where(codes >= RawEncoder.FIRST, codes - RawEncoder.FIRST, np.nan)
        data = np.hstack([numbers, known]).astype(np.float32)
        return xgb.DMatrix(data, labels, weight=weights, feature_types=self._types, enable_categorical=True)


@final
class XGBoostTeacher(Teacher):
    """A fitted XGBoost teacher."""

    spec: XGBoostSpec

    def __init__(self, spec: XGBoostSpec, schema: Schema, booster: xgb.Booster) -> None:
        self.spec = spec
        self.schema = schema
        self._booster = booster
        self._encode = _Encoder(schema)

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return class probabilities ``(n, K)`` of raw rows."""
        if len(frame) == 0:
            return np.empty((0, self.schema.n_classes))
        p = np.asarray(self._booster.predict(self._encode.matrix(frame)), dtype=np.float64)
        return np.column_stack([1 - p, p]) if p.ndim == 1 else p / p.sum(axis=1, keepdims=True)

    def to_graph(self, raw: RawColumns) -> str:
        """Add the trees' nodes; see `distillery.export.Exportable`."""
        learner = self._learner()
        start = np.array(json.loads(learner["learner_model_param"]["base_score"]))
        start, n = logit(start) if len(start) == 1 else start, len(start)
        boosted = enumerate(learner["gradient_booster"]["model"]["trees"])
        # The first tree of each output begins at the intercept.
        trees = [_exported(tree, start[i] if i < n else 0, np.arange(n) == i % n) for i, tree in boosted]
        x = features(raw, set_numbers(self.schema), largest=LARGEST)
        return probabilities(raw.graph, add_forest(raw.graph, x, trees, below=True), n)

    def to_files(self) -> dict[str, bytes]:
        """Return ``model.ubj``, XGBoost's own binary format, beside spec and schema."""
        return {**header_files(self.spec, self.schema), "model.ubj": bytes(self._booster.save_raw("ubj"))}

    def parameter_count(self) -> ParameterCount:
        """Count a feature and a threshold per split (each category of a set counts), a value per leaf."""
        inner = sum(int((tree["left"] >= 0).sum()) for tree in self._trees)
        leaves = sum(int((tree["left"] < 0).sum()) for tree in self._trees)
        in_sets = sum(tree["categories"] for tree in self._trees)
        by_set = sum(tree["set_splits"] for tree in self._trees)
        total = 2 * inner + leaves + in_sets - by_set
        return ParameterCount(total=total, learnable=total)

    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """Mean comparisons along the path to the leaf, over all trees, plus one addition a tree."""
        leaves = np.atleast_2d(self._booster.predict(self._encode.matrix(frame), pred_leaf=True))
        leaves = leaves.reshape(len(frame), -1).astype(np.int64)
        depths = [tree["depth"][leaves[:, i]].mean() for i, tree in enumerate(self._trees)]
        return float(np.sum(depths) + len(self._trees))

    def _learner(self) -> dict[str, Any]:
        learner: dict[str, Any] = json.loads(bytes(self._booster.save_raw("json")))["learner"]
        return learner

    @cached_property
    def _trees(self) -> list[dict[str, Any]]:
        return [_read_tree(tree) for tree in self._learner()["gradient_booster"]["model"]["trees"]]


def _read_tree(tree: dict[str, Any]) -> dict[str, Any]:
    left, right = np.asarray(tree["left_children"]), np.asarray(tree["right_children"])
    depth = np.zeros(len(left), dtype=np.int64)
    for node in np.flatnonzero(left >= 0):  # parents come before their children
        depth[[left[node], right[node]]] = depth[node] + 1
    return {
        "left": left,
        "depth": depth,
        "categories": len(tree["categories"]),
        "set_splits": len(tree["categories_nodes"]),
    }


def _exported(tree: dict[str, Any], start: float, outputs: np.ndarray) -> Tree:
    """Return a tree as `distillery.export.forest` knows it.

    Args:
        tree: as XGBoost saves it in JSON.
        start: added to its leaves.
        outputs: which output they add to, ``(outputs,)`` bool.
    """
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    missing_left, condition = np.array(tree["default_left"], bool), np.array(tree["split_conditions"], np.float32)
    begin, members = np.cumsum([0, *tree["categories_sizes"]]), {}
    for node, i, j in zip(tree["categories_nodes"], begin[:-1], begin[1:], strict=True):
        # XGBoost sends members right, and a missing category along with them where the node says so.
        missing = [] if missing_left[node] else [RawEncoder.UNSEEN]
        members[node] = np.array([*missing, *(RawEncoder.FIRST + c for c in tree["categories"][i:j])])
        left[node], right[node] = right[node], left[node]
    values = np.outer(start + condition.astype(np.float64), outputs)  # a leaf's condition is its value
    return Tree.of_nodes(np.array(tree["split_indices"]), condition, missing_left, left, right, values, members)
