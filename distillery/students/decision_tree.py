"""A single decision tree on soft targets: a leaf's probabilities are the mean target of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, final

import numpy as np
import pandas as pd
from pydantic import Field, PositiveInt
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays
from sklearn.tree import DecisionTreeRegressor

from distillery.data.model import ParameterCount
from distillery.data.saved import header_files, read_schema
from distillery.data.schema import LARGEST
from distillery.errors import TrainingError
from distillery.export import RawColumns
from distillery.export.forest import add_forest, features
from distillery.students._sklearn import target_shares
from distillery.students._tree import RankEncoder, Tree
from distillery.students.base import CandidateSpec, Lesson, OnEpoch, Selected, Student


class DecisionTreeSpec(CandidateSpec):
    """One tree, grown best split first; it needs only the columns it splits on.

    Attributes:
        max_leaves: leaves at most; fewer where a budget asks for it.
        max_depth: comparisons per row at most; by default any number.
        min_leaf_rows: training rows in a leaf, at least.
        min_frequency: categories of fewer training rows count as missing, as unseen ones do.
    """

    kind: Literal["decision_tree"] = "decision_tree"
    max_leaves: int = Field(64, ge=2)
    max_depth: PositiveInt | None = None
    min_leaf_rows: PositiveInt = 20
    min_frequency: PositiveInt = 10

    def train(self, lesson: Lesson, *, seed: int, on_epoch: OnEpoch | None = None) -> DecisionTreeStudent:
        """Grow on the targets ``α · p_teacher + hard_weight · [y = k]``, scaled to sum to 1.

        With ``max_features`` the tree is grown again on its most important columns; with
        ``max_parameters`` or ``max_bytes`` it has as many leaves as these allow.

        Raises:
            TrainingError: the training rows cannot be split.
        """
        share = target_shares(lesson, self.alpha, self.hard)
        target = share / share.sum(axis=1, keepdims=True)
        encode = RankEncoder.fit(lesson.schema, lesson.train, target, min_frequency=self.min_frequency)
        x = encode(lesson.train.features)

        def grow(columns: np.ndarray, leaves: int) -> DecisionTreeStudent:
            tree = self._grow(x[:, columns], target, lesson.train.weights, leaves, seed)
            used = np.unique(tree.feature)
            return DecisionTreeStudent(self, encode.keep(columns[used]), tree.keep(used))

        columns = np.arange(x.shape[1])
        if self.max_features is not None and self.max_features < len(columns):
            importance = self._grow(x, target, lesson.train.weights, self.max_leaves, seed).importance
            columns = np.sort(np.argsort(-importance, kind="stable")[: self.max_features])
        return self.largest_within_budgets(lambda leaves: grow(columns, leaves), 2, self.max_leaves)

    def _grow(self, x: np.ndarray, target: np.ndarray, weights: np.ndarray | None, leaves: int, seed: int) -> Tree:
        model = DecisionTreeRegressor(
            max_leaf_nodes=leaves, max_depth=self.max_depth, min_samples_leaf=self.min_leaf_rows, random_state=seed
        )
        tree = Tree.of(model.fit(x, target, weights))
        if not len(tree.feature):
            raise TrainingError(
                f"{self.title} must split its {len(x):,} training rows, got no split that leaves {self.min_leaf_rows}"
                " rows on both sides and tells classes apart; lower min_leaf_rows, or look at the columns"
            )
        return tree

    def load(self, files: Mapping[str, bytes]) -> DecisionTreeStudent:
        """Read what `DecisionTreeStudent.to_files` gave."""
        arrays = load_arrays(files["tree.safetensors"])
        encode = RankEncoder(read_schema(files), arrays.pop("ranks"))
        return DecisionTreeStudent(self, encode, Tree(**arrays))

    def shrinking_advice(self, budget: str) -> str:
        """A tree has shrunk already: what is left are the categories of its columns."""
        return "raise min_frequency or choose a smaller kind of student"


@final
class DecisionTreeStudent(Student):
    """A fitted tree."""

    def __init__(self, spec: DecisionTreeSpec, encode: RankEncoder, tree: Tree) -> None:
        self.spec = spec
        self.schema = encode.schema
        self.history: list[dict[str, float]] = []
        order = np.argsort(-tree.importance, kind="stable")
        columns = self.schema.encoded
        self.selected_features = tuple(Selected(columns[i].name, float(tree.importance[i])) for i in order)
        self._encode = encode
        self._tree = tree

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return class probabilities ``(n, K)`` of raw rows."""
        return self._tree.predict_proba(self._encode(frame))

    def to_graph(self, raw: RawColumns) -> str:
        """Add the tree as one node; see `distillery.export.Exportable`."""
        return add_forest(raw.graph, features(raw, self._encode.tables, largest=LARGEST), [self._tree.exported()])

    def to_files(self) -> dict[str, bytes]:
        """Return ``tree.safetensors`` (splits, leaves, ranks of categories) beside spec and schema."""
        arrays = {**self._tree.arrays(), "ranks": self._encode.ranks}
        return {**header_files(self.spec, self.schema), "tree.safetensors": save_arrays(arrays)}

    def parameter_count(self) -> ParameterCount:
        """Count a feature and a threshold per split and K − 1 values per leaf; ranks of categories come on top."""
        learnable = 2 * len(self._tree.feature) + self._tree.proba.size
        return ParameterCount(total=learnable + int(np.isfinite(self._encode.ranks).sum()), learnable=learnable)

    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """Count comparisons along the path to the leaf, averaged over these rows."""
        return float(self._tree.descend(self._encode(frame))[1].mean())
