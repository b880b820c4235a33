"""A forest as ONNX nodes, whatever library grew it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
from onnx import numpy_helper

from distillery.data import RawEncoder, Schema
from distillery.export.graph import FLOAT, INT32, ML, TREES_OPSETS, Graph
from distillery.export.model import ExportError
from distillery.export.raw import RawColumns

AT_MOST, BELOW, EQUAL, MEMBER = 0, 1, 4, 6  # what a split of `TreeEnsemble` asks
SUM = 1  # its aggregate_function
MOST_LEAVES = 2**24  # float32 counts no further


@final
@dataclass(frozen=True)
class Tree:
    """A tree of m splits; a row starts at split 0, and where there is none, at leaf 0.

    Attributes:
        feature, threshold: what a split compares, ``(m,)``.
        missing_left: whether a missing value goes left, ``(m,)``.
        left, right: the next split, ``(m,)``; m or more is leaf 0 or more.
        values: what a leaf adds to each output, ``(leaves, outputs)``.
        members: of a split that asks for a set: the numbers that go left. Its threshold plays no part,
            and its feature must never be missing: ONNX Runtime joins such splits where what follows them
            is equal, and asks the first one alone where a missing value goes.
    """

    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    values: np.ndarray
    members: Mapping[int, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of_nodes(
        cls,
        feature: np.ndarray,
        threshold: np.ndarray,
        missing_left: np.ndarray,
        left: np.ndarray,
        right: np.ndarray,
        values: np.ndarray,
        members: Mapping[int, np.ndarray] | None = None,
    ) -> Tree:
        """Read a tree that numbers splits and leaves alike, and starts at node 0.

        Args:
            feature, threshold, missing_left, left, right: of every node; a leaf's children are negative.
            values: of every node, ``(nodes, outputs)``.
            members: by the number of the node.
        """
        split = left >= 0
        number = np.where(split, np.cumsum(split) - 1, split.sum() + np.cumsum(~split) - 1)
        return cls(
            feature=feature[split],
            threshold=threshold[split],
            missing_left=missing_left[split],
            left=number[left[split]],
            right=number[right[split]],
            values=values[~split],
            members={int(number[node]): which for node, which in (members or {}).items()},
        )

    @classmethod
    def of_sklearn(cls, nodes: Any, values: np.ndarray) -> Tree:
        """Read the ``tree_`` of a fitted tree of scikit-learn, which compares float32 numbers.

        Args:
            nodes: a `sklearn.tree._tree.Tree`.
            values: of every node, ``(nodes, outputs)``.
        """
        threshold = nodes.threshold.astype(np.float32)
        above = threshold > nodes.threshold  # rounding may not send another float32 left
        threshold = np.where(above, np.nextafter(threshold, np.float32(-np.inf)), threshold)
        missing_left = nodes.missing_go_to_left.astype(bool)
        return cls.of_nodes(nodes.feature, threshold, missing_left, nodes.children_left, nodes.children_right, values)

    def questions(self, *, below: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return what each split asks, and the number it compares with, each ``(m,)``."""
        asked, number = np.full(len(self.feature), BELOW if below else AT_MOST), self.threshold.copy()
        for split, members in self.members.items():
            asked[split], number[split] = (EQUAL, members[0]) if len(members) == 1 else (MEMBER, 0)
        return asked, number


def features(raw: RawColumns, tables: Sequence[np.ndarray], *, largest: float | None = None) -> str:
    """Return all columns as numbers ``(rows, d)``, the numeric ones first, NaN for missing.

    Args:
        raw: the columns.
        tables: per categorical column the number of each code of `RawEncoder`.
        largest: bounds the numeric ones, which are then rounded to float32; by default they stay float64.
    """
    graph, dtype, parts = raw.graph, np.float64 if largest is None else np.float32, []
    if raw.schema.numeric:
        numbers = raw.numbers
        if largest is not None:
            bounds = [graph.constant(np.array(bound)) for bound in (-largest, largest)]
            numbers = graph.add("Cast", graph.add("Clip", numbers, *bounds), to=FLOAT)
        parts.append(numbers)
    if tables:
        parts.append(raw.lookup([table.astype(dtype) for table in tables]))
    return graph.concat(parts, 1)


def set_numbers(schema: Schema) -> list[np.ndarray]:
    """Return the tables of `features` for trees that split on sets: a category's number is its code.

    A missing one has that of an unseen one.
    """
    return [np.maximum(np.arange(size), RawEncoder.UNSEEN) for size in RawEncoder(schema).cardinalities]


def probabilities(graph: Graph, sums: str, n_outputs: int) -> str:
    """Return the probabilities of boosted trees by their sums, as `distillery.export.Exportable.to_graph` says."""
    return graph.add("Sigmoid", sums) if n_outputs == 1 else graph.add("Softmax", sums, axis=1)


def add_forest(graph: Graph, x: str, trees: Sequence[Tree], *, below: bool = False) -> str:
    """Add trees; return the sums of the values of the leaves that a row reaches, ``(rows, outputs)`` float32.

    Args:
        graph: is given the nodes.
        x: the features ``(rows, d)``, in the precision of the thresholds: float32 or float64.
        trees: at least one.
        below: whether a value goes left if it is below the threshold; else also if it is the threshold.

    Raises:
        ExportError: leaves add to several outputs, and there are too many of them.
    """
    values, n_outputs = np.concatenate([tree.values for tree in trees]), trees[0].values.shape[1]
    if np.count_nonzero(values, axis=1).max() <= 1:
        output = (values != 0).argmax(axis=1)
        return _ensemble(graph, x, trees, values[np.arange(len(values)), output], output, n_outputs, below=below)
    # A leaf of ONNX has one value: each tree says its leaf, and the values are gathered.
    if len(values) > MOST_LEAVES:
        raise ExportError(
            f"a forest of {n_outputs} classes must have at most {MOST_LEAVES:,} leaves to be exported,"
            f" got {len(values):,}; grow fewer trees or larger leaves"
        )
    tree = np.arange(len(trees)).repeat([len(tree.values) for tree in trees])
    reached = _ensemble(graph, x, trees, np.arange(len(values)), tree, len(trees), below=below)
    gathered = graph.constant(values.astype(np.float32))
    summands = graph.add("Gather", gathered, graph.add("Cast", reached, to=INT32))  # (rows, trees, outputs)
    return graph.add("ReduceSum", summands, graph.constant(np.array([1])), keepdims=0)


def _ensemble(
    graph: Graph,
    x: str,
    trees: Sequence[Tree],
    weights: np.ndarray,
    targets: np.ndarray,
    n_targets: int,
    *,
    below: bool,
) -> str:
    """Add a `TreeEnsemble`; return the sums of the reached leaves' weights by target, ``(rows, n_targets)`` float32.

    Args:
        graph, x, trees, below: as in `add_forest`.
        weights, targets: of each leaf, all trees' behind each other, ``(leaves,)``.
        n_targets: how many targets there are.
    """
    graph.requires(TREES_OPSETS)
    trees = [tree if len(tree.feature) else _split(tree) for tree in trees]
    asked, numbers = (np.concatenate(part) for part in zip(*(t.questions(below=below) for t in trees), strict=True))
    missing_left = np.concatenate([tree.missing_left for tree in trees])
    sets = [members for tree in trees for _, members in sorted(tree.members.items()) if len(members) > 1]
    ended = np.concatenate([*([*members, np.nan] for members in sets), np.empty(0)])
    children: dict[str, np.ndarray] = {}
    for side, answer in (("left", "true"), ("right", "false")):
        child, is_leaf = _children(trees, side)
        children |= {f"nodes_{answer}nodeids": child, f"nodes_{answer}leafs": is_leaf.astype(np.int64)}
    sums = graph.add(
        "TreeEnsemble",
        x,
        domain=ML,
        aggregate_function=SUM,
        n_targets=n_targets,
        tree_roots=np.cumsum([0, *(len(tree.feature) for tree in trees[:-1])]),
        nodes_featureids=np.concatenate([tree.feature for tree in trees]),
        nodes_modes=numpy_helper.from_array(asked.astype(np.uint8)),
        nodes_splits=numpy_helper.from_array(numbers),
        nodes_missing_value_tracks_true=missing_left.astype(np.int64),
        membership_values=numpy_helper.from_array(ended.astype(numbers.dtype)),
        leaf_targetids=targets,
        leaf_weights=numpy_helper.from_array(weights.astype(numbers.dtype)),
        **children,
    )
    return sums if numbers.dtype == np.float32 else graph.add("Cast", sums, to=FLOAT)


def _split(tree: Tree) -> Tree:
    """Return a leaf as a split with it on both sides: `TreeEnsemble` has no bare leaf."""
    none, leaf = np.zeros(1, np.int64), np.ones(1, np.int64)
    threshold = none.astype(tree.threshold.dtype)
    return replace(tree, feature=none, threshold=threshold, missing_left=none, left=leaf, right=leaf)


def _children(trees: Sequence[Tree], side: str) -> tuple[np.ndarray, np.ndarray]:
    """Return each split's next split or leaf, by its number in the forest, and whether it is a leaf."""
    splits, leaves, children, is_leaf = 0, 0, [], []
    for tree in trees:
        size, child = len(tree.feature), getattr(tree, side)
        is_leaf.append(child >= size)
        children.append(child + np.where(is_leaf[-1], leaves - size, splits))
        splits, leaves = splits + size, leaves + len(tree.values)
    return np.concatenate(children), np.concatenate(is_leaf)
