"""LightGBM's trees, shared by teachers and students: how they read raw rows, how they are saved and counted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, final

import lightgbm as lgb
import numpy as np
import pandas as pd

from distillery.data import RawEncoder, Schema
from distillery.data.model import ParameterCount
from distillery.export import Graph, RawColumns
from distillery.export.forest import AT_MOST, IN_SET, Forest, ForestTree
from distillery.export.graph import DOUBLE

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

    def to_graph(self, raw: RawColumns, kind: int = DOUBLE) -> str:
        """Add the nodes that read raw columns so; return ``(rows, d)`` of this type, `DOUBLE` or `FLOAT`."""
        parts = []
        if raw.schema.numeric:
            parts.append(raw.numbers if kind == DOUBLE else raw.graph.add("Cast", raw.numbers, to=kind))
        if raw.schema.categorical:
            dtype = np.float64 if kind == DOUBLE else np.float32
            nothing = [np.nan] * RawEncoder.FIRST
            parts.append(raw.lookup([np.array([*nothing, *range(n - 2)], dtype) for n in self._encode.cardinalities]))
        return raw.graph.concat(parts, 1)

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

    def to_graph(self, graph: Graph, features: str, places: Sequence[int] | None = None) -> str:
        """Add the trees; return the sums before the objective's own function, ``(rows, 1)`` or ``(rows, K)`` float64.

        Args:
            graph: where to.
            features: ``(rows, d)`` float64.
            places: where among these each feature of a row in training stands; by default where it stood.
        """
        outputs = int(self._booster.num_model_per_iteration())
        forest = Forest(outputs, np.float64)
        for i, tree in enumerate(self._dump):
            forest.add(_forest_tree(tree["tree_structure"], i % outputs, outputs, places))
        return forest.to_graph(graph, features)

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


def _forest_tree(root: dict[str, Any], output: int, outputs: int, places: Sequence[int] | None) -> ForestTree:
    """Read one of LightGBM's trees; see its `Tree::NumericalDecision` and `Tree::CategoricalDecision`."""
    splits: list[dict[str, Any]] = []
    leaves: list[float] = []

    def enter(node: dict[str, Any]) -> int:
        if "split_feature" not in node:
            leaves.append(node["leaf_value"])
            return -len(leaves)
        number = len(splits)
        splits.append(row := _split(node))
        row["true"], row["false"] = enter(node["left_child"]), enter(node["right_child"])
        return number

    enter(root)
    values = np.zeros((len(leaves), outputs))
    values[:, output] = leaves
    if not splits:
        return ForestTree.of_leaf(values[0].tolist())
    feature = np.array([row["feature"] for row in splits])
    columns = {name: np.array([row[name] for row in splits]) for name in ("threshold", "missing_true", "true", "false")}
    return ForestTree(
        feature=feature if places is None else np.asarray(places)[feature],
        comparison=np.array([IN_SET if row["members"] else AT_MOST for row in splits]),
        leaves=values,
        sets={i: row["members"] for i, row in enumerate(splits) if row["members"]},
        **columns,
    )


def _split(node: dict[str, Any]) -> dict[str, Any]:
    if node["decision_type"] == "==":  # the missing is in no set
        members = [int(code) for code in str(node["threshold"]).split("||")]
        return {"feature": node["split_feature"], "threshold": 0.0, "missing_true": False, "members": members}
    threshold = node["threshold"]
    missing_left = node["default_left"] if node["missing_type"] == "NaN" else threshold >= 0  # else it is read as 0
    return {"feature": node["split_feature"], "threshold": threshold, "missing_true": missing_left, "members": []}
