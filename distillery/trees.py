"""LightGBM's trees, shared by teachers and students: how they read raw rows, how they are saved and counted."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, final

import lightgbm as lgb
import numpy as np
import pandas as pd

from distillery.data import RawEncoder, Schema
from distillery.data.model import ParameterCount
from distillery.export import RawColumns
from distillery.export.forest import Tree, add_forest, features, probabilities, set_numbers
from distillery.progress import bar, shown

CATEGORICAL, DEFAULT_LEFT, MISSING_IS_NAN = 1, 2, 8  # bits of a split's `decision_type`
ZERO = float(np.float32(1e-35))  # LightGBM reads numbers up to this as 0
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


def boost(settings: dict[str, Any], data: lgb.Dataset, stop: lgb.Dataset, rounds: int, patience: int) -> lgb.Booster:
    """Boost until the loss on ``stop`` has not fallen for ``patience`` rounds; ``best_iteration`` says when it was."""
    callbacks: list[Callable[..., Any]] = [lgb.early_stopping(patience, verbose=False)]
    with bar(rounds, "boosting lightgbm", unit="round") as advance:
        if shown():
            callbacks.append(lambda _: advance(1))
        return lgb.train(settings, data, rounds, valid_sets=[stop], callbacks=callbacks)


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

    def to_graph(self, raw: RawColumns, positions: np.ndarray) -> str:
        """Add the trees' nodes; see `distillery.export.Exportable`.

        Args:
            raw: the columns.
            positions: of each of them, the numeric ones first, in the rows that the trees read, ``(d,)``.
        """
        outputs = int(self._booster.num_model_per_iteration())
        blocks = re.split(r"\nTree=\d+\n", self.text.partition("end of trees")[0])[1:]
        trees = [_read_tree(block, positions, i % outputs, outputs) for i, block in enumerate(blocks)]
        sums = add_forest(raw.graph, features(raw, set_numbers(raw.schema)), trees)
        return probabilities(raw.graph, sums, outputs)

    @cached_property
    def _dump(self) -> list[dict[str, Any]]:
        trees: list[dict[str, Any]] = self._booster.dump_model()["tree_info"]
        return trees


def _read_tree(text: str, positions: np.ndarray, output: int, outputs: int) -> Tree:
    """Read a tree of LightGBM's text; what decides is `Tree::Decision` in its tree.h."""
    lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def array(name: str, dtype: type) -> np.ndarray:
        return np.array(lines.get(name, "").split(), dtype=dtype)

    kind, threshold, child = array("decision_type", np.int64), array("threshold", np.float64), {}
    leaves, by_set = array("leaf_value", np.float64), np.flatnonzero(kind & CATEGORICAL)
    for side in ("left", "right"):
        number = array(f"{side}_child", np.int64)
        child[side] = np.where(number < 0, len(kind) + ~number, number)
    # What is not known as missing counts as 0.
    missing_left = np.where(kind & MISSING_IS_NAN, kind & DEFAULT_LEFT, threshold >= 0).astype(bool)
    near_zero = np.where(threshold < 0, np.nextafter(-ZERO, -np.inf), ZERO)
    sets = np.split(array("cat_threshold", np.uint32), array("cat_boundaries", np.int64)[1:-1])
    values = np.zeros((len(leaves), outputs))
    values[:, output] = leaves
    return Tree(
        feature=np.searchsorted(positions, array("split_feature", np.int64)),
        threshold=np.where(np.abs(threshold) <= ZERO, near_zero, threshold),
        missing_left=missing_left,
        values=values,
        members={int(i): RawEncoder.FIRST + _bits(sets[int(threshold[i])]) for i in by_set},
        **child,
    )


def _bits(words: np.ndarray) -> np.ndarray:
    """Return which bits are set, the lowest of the first word first."""
    return np.flatnonzero(np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little"))


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
