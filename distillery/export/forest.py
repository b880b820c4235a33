"""Trees of any library as one ONNX node.

The converters at hand refuse splits by sets of categories, or unroll them into a node per category;
``TreeEnsemble`` of ai.onnx.ml 5 takes them as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from distillery.export.graph import ML, TREES_OPSETS, Graph

AT_MOST, BELOW, IN_SET = 0, 1, 6  # ai.onnx.ml's BRANCH_LEQ, BRANCH_LT, BRANCH_MEMBER


@final
@dataclass(frozen=True)
class ForestTree:
    """A tree of m splits; a row starts at split 0 and goes on to split c, or for c < 0 to leaf −1 − c.

    Attributes:
        feature: what a split looks at, ``(m,)``.
        threshold: what it compares with, ``(m,)``.
        comparison: `AT_MOST`, `BELOW` or `IN_SET`, ``(m,)``.
        missing_true: whether a missing value counts as true, ``(m,)``.
        true, false: where a row goes, ``(m,)``.
        leaves: what each leaf adds to each output, ``(l, outputs)``.
        sets: the members of each split by set, by its number.
    """

    feature: np.ndarray
    threshold: np.ndarray
    comparison: np.ndarray
    missing_true: np.ndarray
    true: np.ndarray
    false: np.ndarray
    leaves: np.ndarray
    sets: dict[int, list[int]] = field(default_factory=dict)

    @classmethod
    def of_leaf(cls, values: Sequence[float]) -> ForestTree:
        """Return the tree without a split: ONNX wants one, so both ways lead to the same leaf."""
        no, end = np.zeros(1, np.int64), np.full(1, -1)
        return cls(no, no, no, no, end, end, np.array([values], dtype=np.float64))


@final
class Forest:
    """Collects trees and adds them to a graph.

    Args:
        outputs: how many sums there are.
        dtype: in which features and thresholds are compared and leaves are summed.
    """

    def __init__(self, outputs: int, dtype: type[np.floating]) -> None:
        self._outputs, self._dtype = outputs, dtype
        self._columns: dict[str, list[np.ndarray]] = {}
        self._roots: list[int] = []
        self._sets: list[float] = []
        self._splits = self._leaves = 0

    def add(self, tree: ForestTree) -> None:
        """Add a tree; ONNX has one output per leaf, so it enters once for each that it says something about."""
        for output in range(self._outputs):
            if tree.leaves[:, output].any():
                self._add(tree, output)

    def _add(self, tree: ForestTree, output: int) -> None:
        self._roots.append(self._splits)
        columns = {
            "nodes_featureids": tree.feature,
            "nodes_splits": tree.threshold,
            "nodes_modes": tree.comparison,
            "nodes_missing_value_tracks_true": tree.missing_true,
            "leaf_weights": tree.leaves[:, output],
            "leaf_targetids": np.full(len(tree.leaves), output),
        }
        for side, child in (("true", tree.true), ("false", tree.false)):
            columns[f"nodes_{side}nodeids"] = np.where(child < 0, self._leaves - 1 - child, self._splits + child)
            columns[f"nodes_{side}leafs"] = child < 0
        for name, values in columns.items():
            self._columns.setdefault(name, []).append(values)
        for split in sorted(tree.sets):
            self._sets += [*tree.sets[split], np.nan]
        self._splits += len(tree.feature)
        self._leaves += len(tree.leaves)

    def to_graph(self, graph: Graph, features: str) -> str:
        """Add the node; return the sums over the trees ``(rows, outputs)``.

        Args:
            graph: where to.
            features: ``(rows, d)`` of the forest's own type, NaN for missing.
        """
        if not self._roots:  # no tree says anything
            self.add(ForestTree.of_leaf(np.full(self._outputs, np.finfo(self._dtype).tiny).tolist()))
        graph.opsets = TREES_OPSETS
        joined = {name: np.concatenate(parts) for name, parts in self._columns.items()}
        modes, splits, weights = (joined.pop(name) for name in ("nodes_modes", "nodes_splits", "leaf_weights"))
        attributes = {name: values.astype(np.int64).tolist() for name, values in joined.items()}
        sets = {"membership_values": self._tensor(np.array(self._sets))} if self._sets else {}
        return graph.add(
            "TreeEnsemble",
            features,
            domain=ML,
            n_targets=self._outputs,
            aggregate_function=1,  # the sum
            post_transform=0,  # none
            tree_roots=self._roots,
            nodes_modes=helper.make_tensor("modes", TensorProto.UINT8, [len(modes)], modes.astype(np.uint8).tolist()),
            nodes_splits=self._tensor(splits),
            leaf_weights=self._tensor(weights),
            **attributes,
            **sets,
        )

    def _tensor(self, values: np.ndarray) -> TensorProto:
        return numpy_helper.from_array(values.astype(self._dtype))


def rounded_down(threshold: np.ndarray) -> np.ndarray:
    """Return thresholds as float32 such that every float32 number compares with them as with the float64 ones."""
    near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)
