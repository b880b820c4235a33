"""A forest as one ONNX node, whatever library grew it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
from onnx import numpy_helper

from distillery.data import RawEncoder, Schema
from distillery.export.graph import FLOAT, ML, TREES_OPSETS, Graph
from distillery.export.raw import RawColumns

# What a node asks; `TreeEnsemble` knows it by its place here, `TreeEnsembleRegressor` by its name.
QUESTIONS = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF")
AT_MOST, BELOW, EQUAL, MEMBER, LEAF = 0, 1, 4, 6, 7
SUM = 1


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
    """Add trees as one node; return the sums of the leaves that a row reaches, ``(rows, outputs)`` float32.

    Args:
        graph: is given the node.
        x: the features ``(rows, d)``, in the precision of the thresholds: float32 or float64.
        trees: at least one; where one splits on sets, each leaf adds to one output at most.
        below: whether a value goes left if it is below the threshold; else also if it is the threshold.
    """
    if any(len(members) > 1 for tree in trees for members in tree.members.values()):
        graph.opsets = TREES_OPSETS
        return _ensemble(graph, x, trees, below=below)
    return _regressor(graph, x, trees, below=below)


def _regressor(graph: Graph, x: str, trees: Sequence[Tree], *, below: bool) -> str:
    """Add a `TreeEnsembleRegressor`: no sets, but read by every runtime, and a leaf adds to any outputs."""
    asked, numbers = zip(*(tree.questions(below=below) for tree in trees), strict=True)
    sizes, leaves = [len(tree.feature) for tree in trees], [len(tree.values) for tree in trees]
    at = np.arange(len(trees))

    def nodes(of_splits: Iterable[np.ndarray], at_leaves: int = 0) -> np.ndarray:
        """The leaves of a tree follow its splits."""
        padded = zip(of_splits, leaves, strict=True)
        return np.concatenate([np.pad(values, (0, n), constant_values=at_leaves) for values, n in padded])

    kept = [_kept(tree.values) for tree in trees]
    leaf, output = np.concatenate([np.argwhere(one) for one in kept]).T
    owner = at.repeat([one.sum() for one in kept])
    weights = np.concatenate([tree.values[one] for tree, one in zip(trees, kept, strict=True)])
    return graph.add(
        "TreeEnsembleRegressor",
        x,
        domain=ML,
        n_targets=trees[0].values.shape[1],
        nodes_treeids=at.repeat(np.add(sizes, leaves)),
        nodes_nodeids=np.concatenate([np.arange(m + n) for m, n in zip(sizes, leaves, strict=True)]),
        nodes_featureids=nodes(tree.feature for tree in trees),
        nodes_modes=[QUESTIONS[one] for one in nodes(asked, LEAF)],
        nodes_truenodeids=nodes(tree.left for tree in trees),
        nodes_falsenodeids=nodes(tree.right for tree in trees),
        nodes_missing_value_tracks_true=nodes(tree.missing_left.astype(np.int64) for tree in trees),
        target_treeids=owner,
        target_nodeids=leaf + np.take(sizes, owner),
        target_ids=output,
        **_numbers("nodes_values", nodes(numbers)),
        **_numbers("target_weights", weights.astype(numbers[0].dtype)),
    )


def _kept(values: np.ndarray) -> np.ndarray:
    """Return which values a leaf must name: what is not zero, and one at least."""
    kept = values != 0
    kept[:, 0] |= ~kept.any(axis=1)
    return kept


def _numbers(name: str, values: np.ndarray) -> dict[str, Any]:
    """Return an attribute of numbers; only a tensor holds doubles, and small builds of runtimes read no tensor."""
    return {name: values} if values.dtype == np.float32 else {f"{name}_as_tensor": numpy_helper.from_array(values)}


def _ensemble(graph: Graph, x: str, trees: Sequence[Tree], *, below: bool) -> str:
    """Add a `TreeEnsemble`, which knows sets; its output has the precision of its thresholds."""
    trees = [tree if len(tree.feature) else _split(tree) for tree in trees]
    asked, numbers = (np.concatenate(part) for part in zip(*(t.questions(below=below) for t in trees), strict=True))
    sets = [tree.members[i] for tree in trees for i in sorted(tree.members) if len(tree.members[i]) > 1]
    values, dtype = np.concatenate([tree.values for tree in trees]), numbers.dtype
    output = (values != 0).argmax(axis=1)
    children: dict[str, np.ndarray] = {}
    for side, answer in (("left", "true"), ("right", "false")):
        child, is_leaf = _children(trees, side)
        children |= {f"nodes_{answer}nodeids": child, f"nodes_{answer}leafs": is_leaf.astype(np.int64)}
    sums = graph.add(
        "TreeEnsemble",
        x,
        domain=ML,
        aggregate_function=SUM,
        n_targets=values.shape[1],
        tree_roots=np.cumsum([0, *(len(tree.feature) for tree in trees[:-1])]),
        nodes_featureids=np.concatenate([tree.feature for tree in trees]),
        nodes_modes=numpy_helper.from_array(asked.astype(np.uint8)),
        nodes_splits=numpy_helper.from_array(numbers),
        nodes_missing_value_tracks_true=np.concatenate([tree.missing_left for tree in trees]).astype(np.int64),
        membership_values=numpy_helper.from_array(np.concatenate([[*one, np.nan] for one in sets]).astype(dtype)),
        leaf_targetids=output,
        leaf_weights=numpy_helper.from_array(values[np.arange(len(values)), output].astype(dtype)),
        **children,
    )
    return sums if dtype == np.float32 else graph.add("Cast", sums, to=FLOAT)


def _split(tree: Tree) -> Tree:
    """Return a leaf as a split with it on both sides: `TreeEnsemble` has no bare leaf."""
    zero, leaf = np.zeros(1, np.int64), np.ones(1, np.int64)
    return replace(
        tree, feature=zero, threshold=zero.astype(tree.threshold.dtype), missing_left=zero, left=leaf, right=leaf
    )


def _children(trees: Sequence[Tree], side: str) -> tuple[np.ndarray, np.ndarray]:
    """Return each split's next split or leaf, by its number in the forest, and whether it is a leaf."""
    splits, leaves, children, is_leaf = 0, 0, [], []
    for tree in trees:
        size, child = len(tree.feature), getattr(tree, side)
        is_leaf.append(child >= size)
        children.append(child + np.where(is_leaf[-1], leaves - size, splits))
        splits, leaves = splits + size, leaves + len(tree.values)
    return np.concatenate(children), np.concatenate(is_leaf)
