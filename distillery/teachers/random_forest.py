"""A random forest by scikit-learn; category codes as numbers, missing values natively."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, final

import numpy as np
import pandas as pd
from pydantic import Field, PositiveInt
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from distillery.data import RawEncoder, Rows, Schema, skops_file
from distillery.data.model import ParameterCount
from distillery.data.saved import header_files, read_schema
from distillery.export import RawColumns
from distillery.export.forest import Tree, add_forest, features
from distillery.progress import bar, shown
from distillery.teachers.base import Teacher, TeacherKind
from distillery.trees import TreeEncoder

MODEL_FILE = "model.skops"
LARGEST = 1e30  # scikit-learn reads rows as float32, adds them up to look for NaN, and refuses what overflows


class RandomForestSpec(TeacherKind):
    """A random forest; it has nothing to stop, so the validation split plays no part.

    Attributes:
        trees: how many.
        min_samples_leaf: training rows of a leaf, at least: smooth probabilities need several.
        max_leaf_nodes: of a tree; null for any number.
        column_share: of each split.
        threads: CPU threads while it grows; 0 takes all.
    """

    kind: Literal["random_forest"] = "random_forest"
    trees: PositiveInt = 200
    min_samples_leaf: PositiveInt = 10
    max_leaf_nodes: int | None = Field(None, ge=2)
    column_share: float = Field(0.3, gt=0, le=1)
    threads: int = Field(0, ge=0)

    def fit(self, train: Rows, valid: Rows, schema: Schema, *, seed: int) -> RandomForestTeacher:
        """Grow the trees on ``train``."""
        forest = RandomForestClassifier(
            n_estimators=self.trees,
            min_samples_leaf=self.min_samples_leaf,
            max_leaf_nodes=self.max_leaf_nodes,
            max_features=self.column_share,
            n_jobs=self.threads or -1,
            random_state=seed,
        )
        _grow(forest, _read(TreeEncoder(schema), train.features), train)
        forest.n_jobs = 1  # several threads add the trees' answers up in any order: the last digits would vary
        return RandomForestTeacher(self, schema, forest)

    def load(self, files: Mapping[str, bytes]) -> RandomForestTeacher:
        """Read what `RandomForestTeacher.to_files` gave.

        Raises:
            ArtifactError: the file holds types that are not trusted.
        """
        return RandomForestTeacher(self, read_schema(files), skops_file.load(files[MODEL_FILE]))


def _read(encode: TreeEncoder, frame: pd.DataFrame) -> np.ndarray:
    return np.asarray(np.clip(encode(frame), -LARGEST, LARGEST), dtype=np.float32)


def _grow(forest: RandomForestClassifier, rows: np.ndarray, train: Rows) -> None:
    """Grow all trees; where a bar is shown a tenth of them at a time, which gives the same ones."""
    trees, parts = forest.n_estimators, 10 if shown() else 1
    with bar(trees, "growing trees", unit="tree") as advance:
        for i in range(1, parts + 1):
            forest.set_params(n_estimators=max(1, trees * i // parts), warm_start=parts > 1)
            before = len(getattr(forest, "estimators_", ()))
            if before < forest.n_estimators:
                forest.fit(rows, train.labels, sample_weight=train.weights)
                advance(forest.n_estimators - before)
    forest.set_params(warm_start=False)


@final
class RandomForestTeacher(Teacher):
    """A fitted random forest."""

    spec: RandomForestSpec

    def __init__(self, spec: RandomForestSpec, schema: Schema, forest: RandomForestClassifier) -> None:
        self.spec, self.schema, self._forest = spec, schema, forest
        self._encode = TreeEncoder(schema)

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return class probabilities ``(n, K)`` of raw rows."""
        proba = np.zeros((len(frame), self.schema.n_classes))  # a class absent from training stays 0
        if len(frame):
            proba[:, self._forest.classes_] = self._forest.predict_proba(_read(self._encode, frame))
        return proba

    def to_graph(self, raw: RawColumns) -> str:
        """Add the trees as one node; see `distillery.export.Exportable`."""
        sizes = RawEncoder(self.schema).cardinalities
        tables = [np.r_[[np.nan] * RawEncoder.FIRST, : size - RawEncoder.FIRST] for size in sizes]
        trees = [self._exported(tree) for tree in self._forest.estimators_]
        return add_forest(raw.graph, features(raw, tables, largest=LARGEST), trees)

    def _exported(self, fitted: DecisionTreeClassifier) -> Tree:
        """Return a tree with its share of the probabilities as values."""
        values = np.zeros((fitted.tree_.node_count, self.schema.n_classes))
        values[:, self._forest.classes_] = fitted.tree_.value[:, 0] / len(self._forest.estimators_)
        return Tree.of_sklearn(fitted.tree_, values[:, 1:] if self.schema.n_classes == 2 else values)

    def to_files(self) -> dict[str, bytes]:
        """Return ``model.skops`` (no pickle) beside spec and schema."""
        return {**header_files(self.spec, self.schema), MODEL_FILE: skops_file.dump(self._forest)}

    def parameter_count(self) -> ParameterCount:
        """Count a feature and a threshold per split, and K values per leaf."""
        trees = [tree.tree_ for tree in self._forest.estimators_]
        leaves = sum(int(tree.n_leaves) for tree in trees)
        splits = sum(int(tree.node_count) for tree in trees) - leaves
        total = 2 * splits + leaves * self.schema.n_classes
        return ParameterCount(total=total, learnable=total)

    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """Mean comparisons along the path to the leaf, over all trees, plus K additions a tree."""
        rows = _read(self._encode, frame)
        paths = sum(tree.decision_path(rows).nnz - len(rows) for tree in self._forest.estimators_)
        return float(paths / len(rows) + self.schema.n_classes * len(self._forest.estimators_))
