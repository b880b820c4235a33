"""LightGBM's trees, shared by teachers and students: how they read raw rows, how they are saved and counted."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any, final

import lightgbm as lgb
import numpy as np
import pandas as pd

from distillery.data import RawEncoder, Schema
from distillery.data.model import ParameterCount

REPEATABLE = {"deterministic": True, "force_row_wise": True, "verbosity": -1}  # the same seed, the same trees


@final
class TreeEncoder:
    """Raw rows as LightGBM wants them: category codes as numbers, NaN for missing or unseen."""

    def __init__(self, schema: Schema) -> None:
        self._encode = RawEncoder(schema)
        self._first_code, self._width = len(schema.numeric), len(schema.columns)

    def __call__(self, frame: pd.DataFrame) -> np.ndarray:
        """Return rows ``(n, d)`` float64, in the order of `Schema.encoded`."""
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
