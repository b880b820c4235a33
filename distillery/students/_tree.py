"""A decision tree as arrays, and the numbers it compares."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import final

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeRegressor

from distillery.data import RawEncoder, Rows, Schema
from distillery.export import forest


@final
@dataclass(frozen=True)
class RankEncoder:
    """Reads raw rows as float32 numbers: numeric columns as they are, categories by rank, NaN for missing.

    Attributes:
        schema: the columns.
        ranks: the rank of each code of each categorical column, one column's codes after another's;
            NaN for the missing, the unseen and the rare.
    """

    schema: Schema
    ranks: np.ndarray

    @classmethod
    def fit(cls, schema: Schema, rows: Rows, target: np.ndarray, *, min_frequency: int) -> RankEncoder:
        """Rank each column's categories by their mean target, so that one comparison parts any of its best subsets.

        With more than two classes the means are ranked along their first principal component
        (Coppersmith et al. 1999, doi:10.1023/A:1009869804967).

        Args:
            schema: the columns.
            rows: the training rows.
            target: ``(n, K)``, rows sum to 1.
            min_frequency: categories of fewer rows are not ranked.
        """
        _, codes = RawEncoder(schema)(rows.features)
        weights = np.ones(len(rows)) if rows.weights is None else rows.weights
        sizes = RawEncoder(schema).cardinalities
        ranks = [_rank(codes[:, j], size, target, weights, min_frequency) for j, size in enumerate(sizes)]
        return cls(schema, np.concatenate([*ranks, np.empty(0)]).astype(np.float32))

    @cached_property
    def _encode(self) -> RawEncoder:
        return RawEncoder(self.schema)

    @cached_property
    def tables(self) -> list[np.ndarray]:
        """Per categorical column the rank of each code."""
        return np.split(self.ranks, np.cumsum(self._encode.cardinalities)[:-1]) if self.schema.categorical else []

    def __call__(self, frame: pd.DataFrame) -> np.ndarray:
        """Return numbers ``(n, d)`` float32."""
        numbers, codes = self._encode(frame)
        ranks = [table[codes[:, j]] for j, table in enumerate(self.tables)]
        return np.column_stack([numbers.astype(np.float32), *ranks])

    def keep(self, used: np.ndarray) -> RankEncoder:
        """Return an encoder that needs only the columns at these positions."""
        columns = self.schema.encoded
        kept = {columns[i].name for i in used}
        tables = [t for c, t in zip(self.schema.categorical, self.tables, strict=True) if c.name in kept]
        return RankEncoder(self.schema.only(kept), np.concatenate([*tables, np.empty(0, dtype=np.float32)]))


def _rank(codes: np.ndarray, size: int, target: np.ndarray, weights: np.ndarray, min_frequency: int) -> np.ndarray:
    """Return the rank of each code of a column, ``(size,)``."""
    ranks = np.full(size, np.nan)
    counts = np.bincount(codes, minlength=size)
    counts[: RawEncoder.FIRST] = 0
    frequent = np.flatnonzero(counts >= min_frequency)
    if len(frequent):
        mass = np.bincount(codes, weights, minlength=size)[frequent, None]
        sums = np.stack([np.bincount(codes, weights * share, minlength=size) for share in target.T], axis=1)[frequent]
        mean = sums / np.maximum(mass, np.finfo(float).tiny)
        centred = mean - sums.sum(axis=0) / max(mass.sum(), np.finfo(float).tiny)
        direction = np.linalg.svd(np.sqrt(mass) * centred, full_matrices=False)[2][0]
        ranks[frequent[np.argsort(centred @ direction, kind="stable")]] = np.arange(len(frequent))
    return ranks


@final
@dataclass(frozen=True)
class Tree:
    """A tree of m splits and m + 1 leaves; a row starts at split 0.

    Attributes:
        feature, threshold: what a split compares, ``(m,)``; a value of at most the threshold goes left.
        missing_left: whether a missing value goes left, ``(m,)``.
        left, right: the next split, ``(m,)``; m or more is leaf 0 or more.
        proba: probabilities of a leaf's classes but the first, ``(m + 1, K − 1)``.
        importance: each feature's share of what the splits took off the squared error, ``(d,)``.
    """

    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    proba: np.ndarray
    importance: np.ndarray

    @classmethod
    def of(cls, fitted: DecisionTreeRegressor) -> Tree:
        """Read a tree fitted on class probabilities; a leaf is one row of the overall mean short of its own."""
        nodes = fitted.tree_
        rows, mean = nodes.n_node_samples[:, None], nodes.value[:, :, 0]
        read = forest.Tree.of_sklearn(nodes, ((rows * mean + mean[0]) / (rows + 1))[:, 1:])
        return cls(
            feature=read.feature.astype(np.int32),
            threshold=read.threshold,
            missing_left=read.missing_left,
            left=read.left.astype(np.int32),
            right=read.right.astype(np.int32),
            proba=read.values.astype(np.float32),
            importance=fitted.feature_importances_.astype(np.float32),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what `__init__` needs."""
        return {field.name: np.ascontiguousarray(getattr(self, field.name)) for field in fields(self)}

    def keep(self, used: np.ndarray) -> Tree:
        """Return the same tree for rows that have only these features, all it uses among them."""
        feature = np.searchsorted(used, self.feature).astype(np.int32)
        return replace(self, feature=feature, importance=self.importance[used])

    def descend(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each row's leaf and how many comparisons led there, each ``(n,)``.

        Args:
            x: ``(n, d)`` float32, NaN for missing.
        """
        node, comparisons = np.zeros(len(x), dtype=np.int64), np.zeros(len(x), dtype=np.int64)
        while len(moving := np.flatnonzero(node < len(self.feature))):
            at = node[moving]
            value = x[moving, self.feature[at]]
            to_left = np.where(np.isnan(value), self.missing_left[at], value <= self.threshold[at])
            node[moving] = np.where(to_left, self.left[at], self.right[at])
            comparisons[moving] += 1
        return node - len(self.feature), comparisons

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Return class probabilities ``(n, K)``."""
        leaf, _ = self.descend(x)
        return np.asarray(self._leaves[leaf])

    @property
    def _leaves(self) -> np.ndarray:
        """All classes' probabilities of each leaf, ``(m + 1, K)``."""
        others = self.proba.astype(np.float64)
        return np.column_stack([np.maximum(1 - others.sum(axis=1), 0), others])

    def exported(self) -> forest.Tree:
        """Return the tree as `distillery.export.forest` knows it; its values are the probabilities."""
        values = self.proba if self.proba.shape[1] == 1 else self._leaves
        return forest.Tree(self.feature, self.threshold, self.missing_left, self.left, self.right, values)
