"""Raw rows for networks: scaled numbers, category codes, and their encoding inside the network.

Numbers are encoded piecewise linearly (Gorishniy et al. 2022, arXiv:2203.05556): component t of a
column says how far the value has come through bin t, from 0 before it to 1 behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
import pandas as pd
import torch
from sklearn.tree import DecisionTreeRegressor
from torch import Tensor, nn

from distillery.data import RawEncoder, Schema

LEAST_BIN = 1e-6  # width of a bin, in scaled units
MANY_VALUES = 24  # different values above which bins alone blur a column


@final
class Scaler:
    """Reads raw rows as float32 numbers (imputed, scaled), a mask of the missing, and category codes.

    Attributes:
        median, center, scale: per numeric column, ``(d_numeric,)``.
        indicated: which numeric columns had missing values in training, as positions.
        smooth: which numeric columns have many different values, as positions.
        rare: category codes that count as unseen.
    """

    ARRAYS = ("median", "center", "scale", "indicated", "smooth", "rare")

    def __init__(self, schema: Schema, arrays: Mapping[str, np.ndarray]) -> None:
        self._encode = RawEncoder(schema)
        self.median, self.center, self.scale = (arrays[name] for name in ("median", "center", "scale"))
        self.indicated, self.smooth, self.rare = (arrays[name] for name in ("indicated", "smooth", "rare"))
        self.offsets = np.cumsum([0, *self._encode.cardinalities])[:-1].astype(np.int64)
        self.n_codes = sum(self._encode.cardinalities)

    @classmethod
    def fit(cls, schema: Schema, frame: pd.DataFrame, *, min_count: int, one_scale: bool = False) -> Scaler:
        """Learn medians and scales.

        Args:
            schema: the columns.
            frame: raw training rows.
            min_count: categories of fewer rows count as unseen.
            one_scale: scales all numbers alike, as the pixels of an image.
        """
        encode = RawEncoder(schema)
        numbers, codes = encode(frame)
        present = ~np.isnan(numbers)
        filled = np.where(present.any(axis=0), numbers, 0.0)  # a column without any value reads as 0
        center, scale = np.nanmean(filled, axis=0), np.nanstd(filled, axis=0)
        if one_scale and numbers.size:
            center, scale = np.full_like(center, np.nanmean(filled)), np.full_like(scale, np.nanstd(filled))
        offsets = np.cumsum([0, *encode.cardinalities])[:-1]
        counts = np.bincount((codes + offsets).ravel(), minlength=sum(encode.cardinalities))
        arrays = {
            "median": np.nanmedian(filled, axis=0),
            "center": center,
            "scale": np.where(scale > 0, scale, 1.0),
            "indicated": np.flatnonzero(~present.all(axis=0)),
            "smooth": np.flatnonzero([len(np.unique(column)) > MANY_VALUES for column in filled.T]),
            "rare": np.flatnonzero((counts > 0) & (counts < min_count)),
        }
        return cls(schema, arrays)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what `__init__` needs."""
        return {name: np.ascontiguousarray(getattr(self, name)) for name in self.ARRAYS}

    def __call__(self, frame: pd.DataFrame) -> tuple[Tensor, Tensor, Tensor]:
        """Return numbers ``(n, d_numeric)``, missing ``(n, d_indicated)``, codes ``(n, d_categorical)``.

        Codes count through one table shared by all columns: column j's begin at its offset.
        """
        numbers, codes = self._encode(frame)
        absent = np.isnan(numbers)
        with np.errstate(over="ignore"):  # what lies beyond float32 becomes infinite, and saturates in the network
            scaled = ((np.where(absent, self.median, numbers) - self.center) / self.scale).astype(np.float32)
        shared = codes + self.offsets
        if len(self.rare) and shared.size:
            shared = np.where(np.isin(shared, self.rare), self.offsets + RawEncoder.UNSEEN, shared)
        mask = absent[:, self.indicated].astype(np.float32)
        return torch.from_numpy(scaled), torch.from_numpy(mask), torch.from_numpy(shared)


def quantile_bins(numbers: np.ndarray, bins: int) -> list[np.ndarray]:
    """Return per column the bin edges at quantiles, at most ``bins`` bins, equal edges merged.

    Args:
        numbers: scaled training values ``(n, d)``.

    >>> [e.tolist() for e in quantile_bins(np.array([[0.0], [0.0], [0.0], [4.0]]), 2)]
    [[0.0, 4.0]]
    """
    levels = np.linspace(0, 1, bins + 1)
    edges = [_apart(column) for column in np.quantile(numbers, levels, axis=0).T]
    return [e if len(e) > 1 else np.array([e[0], e[0] + 1.0]) for e in edges]


def tree_bins(numbers: np.ndarray, targets: np.ndarray, bins: int, *, min_rows: int = 32) -> list[np.ndarray]:
    """Return per column the bin edges where a small regression tree on that column alone splits.

    Sharp edges and rare values are found where they matter for the target; a column that says
    nothing keeps one bin. Gorishniy et al. (2022), arXiv:2203.05556, section 3.2.2.

    Args:
        numbers: scaled training values ``(n, d)``.
        targets: what the trees predict, such as soft probabilities, ``(n, m)``.
        bins: leaves of a tree, at most.
        min_rows: rows of a leaf, at least.

    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> [e.tolist() for e in tree_bins(x, np.array([[0.0], [0.0], [0.0], [1.0]]), 2, min_rows=1)]
    [[0.0, 2.5, 3.0]]
    """
    return [_tree_edges(column, targets, bins, min_rows) for column in numbers.T]


def _tree_edges(column: np.ndarray, targets: np.ndarray, bins: int, min_rows: int) -> np.ndarray:
    low, high = column.min(), column.max()
    if low == high or bins == 1:
        return np.array([low, max(high, low + 1.0) if low == high else high])
    tree = DecisionTreeRegressor(max_leaf_nodes=bins, min_samples_leaf=min_rows, random_state=0)
    split = tree.fit(column[:, None], targets).tree_
    return _apart(np.array([low, *split.threshold[split.feature >= 0], high]))


def _apart(edges: np.ndarray) -> np.ndarray:
    """Sort edges and merge those so near each other that a slope between them would overflow."""
    ordered: np.ndarray = np.unique(edges)
    return np.asarray(ordered[np.concatenate([[True], np.diff(ordered) > LEAST_BIN])])


@final
class PiecewiseLinear(nn.Module):
    """Piecewise-linear encoding of all numeric columns at once.

    Shape: ``(n, d) -> (n, C)``, C the number of bins over all columns; values in [0, 1], so that
    extreme inputs saturate.
    """

    def __init__(self, edges: list[np.ndarray]) -> None:
        super().__init__()
        widths = [np.diff(e) for e in edges]
        column = np.repeat(np.arange(len(edges)), [len(w) for w in widths])
        left = np.concatenate([e[:-1] for e in edges]) if edges else np.empty(0)
        width = np.concatenate(widths) if edges else np.empty(0)
        self.column: Tensor
        self.left: Tensor
        self.slope: Tensor
        # Not saved: the edges say it all.
        self.register_buffer("column", torch.from_numpy(column.astype(np.int64)), persistent=False)
        self.register_buffer("left", torch.from_numpy(left.astype(np.float32)), persistent=False)
        self.register_buffer("slope", torch.from_numpy((1 / width).astype(np.float32)), persistent=False)

    def forward(self, numbers: Tensor) -> Tensor:
        """Encode scaled numbers."""
        return ((numbers[:, self.column] - self.left) * self.slope).clamp(0, 1)  # (n, d) -> (n, C)
