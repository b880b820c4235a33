"""CatBoost's trees as ONNX nodes, read from its JSON: its own exporter refuses categorical columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import numpy_helper

from distillery.data import RawEncoder, Schema
from distillery.export import ExportError, Graph, RawColumns
from distillery.export.graph import FLOAT, INT32, ML, TREES_OPSETS

MAGIC = 0x4906BA494954CB65  # of `CalcHash` in CatBoost's libs/model/hash.h
MOST_LEAVES = 2**22  # the file would go beyond 100 MB; float32 counts to 2**24
SUM, GREATER = 1, 3  # of `TreeEnsemble`: aggregate_function, BRANCH_GT
NO_SPLIT = -1  # the one nothing is above, for trees without any; ONNX has none of a single leaf
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Forest:
    """Oblivious trees: all nodes of a level ask the same.

    The features are the numbers in float32, then ``width`` ones per categorical column.

    Attributes:
        tables: per categorical column its features by code of `RawEncoder`, ``(codes, width)`` float32.
        feature, border: per split, which feature must be above what.
        missing_above: per split, whether a missing number counts as above.
        trees: per tree its splits, ``(depth,)``.
        leaves: per tree its values ``(2**depth, outputs)``; bit i of the row is the answer of split i.
    """

    tables: list[np.ndarray]
    feature: np.ndarray
    border: np.ndarray
    missing_above: np.ndarray
    trees: list[np.ndarray]
    leaves: list[np.ndarray]


@dataclass(frozen=True)
class _Derived:
    """A feature made of a category: its value per code, and the borders it is compared with."""

    column: int
    values: np.ndarray
    borders: list[float]


def read_forest(model: Json, schema: Schema) -> Forest:
    """Read a model as CatBoost saves it in JSON together with a pool of all categories.

    Raises:
        ExportError: a statistic is of several columns, or there are too many leaves.
    """
    derived = [*_derived(model, schema)]
    width = max([1, *Counter(one.column for one in derived).values()])
    tables = [np.zeros((codes, width), np.float32) for codes in RawEncoder(schema).cardinalities]
    filled = [0] * len(tables)
    numbers = model["features_info"].get("float_features", [])
    asked = [(n["feature_index"], n["borders"], n["nan_value_treatment"] == "AsTrue") for n in numbers]
    for one in derived:
        slot, filled[one.column] = filled[one.column], filled[one.column] + 1
        tables[one.column][:, slot] = one.values
        asked.append((len(schema.numeric) + one.column * width + slot, one.borders, False))
    asked.append((0, [np.inf], False))
    # A split is known by its place among all borders of all features, in this order.
    feature, borders, missing_above = zip(*asked, strict=True)
    sizes = [len(own) for own in borders]
    border = np.concatenate(borders).astype(np.float32)
    return Forest(tables, np.repeat(feature, sizes), border, np.repeat(missing_above, sizes), *_trees(model))


def _trees(model: Json) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return splits and leaves; the bias lies in the first tree."""
    scale, bias = model["scale_and_bias"]
    trees, leaves = [], []
    for tree in model["oblivious_trees"]:
        values = scale * np.array(tree["leaf_values"]).reshape(-1, len(bias))
        splits = [split["split_index"] for split in tree["splits"] or []]
        trees.append(np.array(splits or [NO_SPLIT], np.int64))
        leaves.append(values if splits else values.repeat(2, axis=0))
    leaves[0] = leaves[0] + bias
    total = sum(map(len, leaves))
    if total > MOST_LEAVES:
        raise ExportError(
            f"an exported forest must have at most {MOST_LEAVES} leaves, got {total}; lower depth or trees"
        )
    return trees, leaves


def _derived(model: Json, schema: Schema) -> Iterator[_Derived]:
    """Yield what CatBoost makes of categories, in its own order."""
    info = model["features_info"]
    hashes = _hashes(info, schema)
    for column in info.get("categorical_features", []):
        i = column["feature_index"]
        for value in column.get("values", []):
            equal = [one is not None and one == value % 2**32 for one in hashes[i]]
            yield _Derived(i, np.array(equal, np.float32), [0.5])
    for ctr in info.get("ctrs", []):
        if len(ctr["elements"]) > 1:
            names = sorted({_name(element, schema) for element in ctr["elements"]})
            raise ExportError(
                f"a statistic of a CatBoost teacher must be of one column to be exported, got one of {names};"
                " set max_ctr_complexity: 1"
            )
        i = ctr["elements"][0]["cat_feature_index"]
        yield _Derived(i, _statistic(ctr, model["ctr_data"][ctr["identifier"]], hashes[i]), ctr["borders"])


def _name(element: Json, schema: Schema) -> str:
    number = element.get("float_feature_index")
    return schema.categorical[element["cat_feature_index"]].name if number is None else schema.numeric[number].name


def _hashes(info: Json, schema: Schema) -> list[list[int | None]]:
    """Return the 32-bit hash of each category by code of `RawEncoder`; the missing one's text is ""."""
    known = {text["value"]: text["hash"] for text in info.get("cat_features_hash") or []}
    # NumPy, through which texts reach CatBoost, drops zeros at their end.
    spelled = ([text.rstrip("\0") for text in column.words] for column in schema.categorical)
    return [[known[""], None, *(known[text] for text in texts)] for texts in spelled]


def _statistic(ctr: Json, data: Json, hashes: list[int | None]) -> np.ndarray:
    """Return a statistic ("CTR") of each category as `TModelCtr::Calc` does, float32; uncounted ones have the prior."""
    stride = data["hash_stride"]
    counted = {int(row[0]): row[1:] for row in np.array(data["hash_map"], object).reshape(-1, stride)}
    nothing = np.zeros(stride - 1)
    counts = np.array([nothing if one is None else counted.get(_key(one), nothing) for one in hashes], np.float64)
    border = ctr["target_border_idx"]
    match ctr["ctr_type"]:
        case "Borders":
            good, total = counts[:, border + 1 :].sum(axis=1), counts.sum(axis=1)
        case "Buckets":
            good, total = counts[:, border], counts.sum(axis=1)
        case "BinarizedTargetMeanValue":
            good, total = counts.T
        case "Counter":
            good, total = counts[:, 0], np.full(len(counts), data["counter_denominator"])
        case other:
            raise ExportError(f"a statistic must be of a type that CatBoost counts on a CPU, got {other}")
    share = (good.astype(np.float32) + ctr["prior_numerator"]) / (total.astype(np.float32) + ctr["prior_denomerator"])
    return np.asarray((share + ctr["shift"]) * ctr["scale"])


def _key(text_hash: int) -> int:
    """Return what CatBoost finds a category's counts by: ``CalcHash(0, hash)``, the hash as a signed number."""
    return MAGIC * MAGIC * (text_hash - (text_hash >> 31 << 32)) % 2**64


def forest_graph(forest: Forest, raw: RawColumns) -> str:
    """Add a forest's nodes; return the probabilities as `distillery.export.Exportable.to_graph` says."""
    graph, outputs = raw.graph, forest.leaves[0].shape[1]
    graph.requires(TREES_OPSETS)
    x = _features(forest, raw)
    if outputs == 1:
        summed = np.concatenate(forest.leaves)[:, 0]
        return graph.add("Sigmoid", _ensemble(graph, x, forest, summed, np.zeros(len(summed), np.int64)))
    # A leaf of ONNX has one value: each tree says its leaf, and the values are gathered.
    sizes = [len(leaves) for leaves in forest.leaves]
    reached = _ensemble(graph, x, forest, np.arange(sum(sizes)), np.repeat(np.arange(len(sizes)), sizes))
    values = graph.constant(np.concatenate(forest.leaves).astype(np.float32))
    summands = graph.add("Gather", values, graph.add("Cast", reached, to=INT32))  # (rows, trees, K)
    return graph.add("Softmax", graph.add("ReduceSum", summands, graph.constant(np.array([1])), keepdims=0), axis=1)


def _features(forest: Forest, raw: RawColumns) -> str:
    """Return the features ``(rows, d_numeric + d_categorical * width)`` float32."""
    graph, parts = raw.graph, []
    if raw.schema.numeric:
        parts.append(graph.add("Cast", raw.numbers, to=FLOAT))
    if forest.tables:
        size = sum(table.shape[1] for table in forest.tables)
        parts.append(graph.add("Reshape", raw.lookup(forest.tables), graph.constant(np.array([-1, size]))))
    return graph.concat(parts, 1)


def _ensemble(graph: Graph, x: str, forest: Forest, values: np.ndarray, targets: np.ndarray) -> str:
    """Add all trees as one node: ``(rows, max(targets) + 1)`` float32, the sums of the reached leaves' values."""
    depth = np.array([len(splits) for splits in forest.trees])
    inner = 2**depth - 1  # nodes of each tree; it has one more leaf
    root = inner.cumsum() - inner
    tree = np.arange(len(depth)).repeat(inner)
    node = np.arange(len(tree)) - root[tree]
    level = np.log2(node + 1).astype(np.int64)
    split = np.concatenate(forest.trees)[(depth.cumsum() - depth)[tree] + level]
    children: dict[str, list[int]] = {}
    for answer, child in (("false", node + 2**level), ("true", node + 2 * 2**level)):
        leaf = child >= inner[tree]
        children[f"nodes_{answer}leafs"] = leaf.astype(np.int64).tolist()
        children[f"nodes_{answer}nodeids"] = (root[tree] + np.where(leaf, child - inner[tree] + tree, child)).tolist()
    return graph.add(
        "TreeEnsemble",
        x,
        domain=ML,
        aggregate_function=SUM,
        n_targets=int(targets.max()) + 1,
        tree_roots=root.tolist(),
        nodes_featureids=forest.feature[split].tolist(),
        nodes_splits=numpy_helper.from_array(forest.border[split]),
        nodes_missing_value_tracks_true=forest.missing_above[split].astype(np.int64).tolist(),
        nodes_modes=numpy_helper.from_array(np.full(len(split), GREATER, np.uint8)),
        leaf_targetids=targets.tolist(),
        leaf_weights=numpy_helper.from_array(values.astype(np.float32)),
        **children,
    )
