"""scikit-learn students as ONNX nodes.

Whatever comes behind the encoding begins with a product of encoded rows and a matrix. Numbers are
multiplied; a category's share of the product is looked up, since it is the same for all its rows.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from distillery.data import Schema
from distillery.data.schema import LARGEST
from distillery.export import RawColumns
from distillery.export.graph import DOUBLE, FLOAT, Graph, placed
from distillery.export.parity import UNSEEN


def pipeline_graph(pipeline: Pipeline, raw: RawColumns) -> str:
    """Add the nodes of a fitted pipeline; return its probabilities as `distillery.export.Exportable.to_graph` says.

    Computed in float64, as scikit-learn does.
    """
    encode, model = pipeline[0], pipeline[-1]
    rows = EncodedRows(encode, raw)
    if isinstance(model, MLPClassifier):
        scores = _layers(rows, model)
    elif len(pipeline) == 3:
        scores = _affine(raw.graph, _similarity(rows, **pipeline[1].kw_args), model.coef_.T, model.intercept_)
    else:
        scores = rows.times(model.coef_.T, model.intercept_)
    return _probabilities(raw, scores, model.classes_)


class EncodedRows:
    """What `distillery.students._sklearn.preprocessing` makes of raw columns."""

    def __init__(self, encode: ColumnTransformer, raw: RawColumns) -> None:
        self.raw = raw
        self._numeric = encode.named_transformers_.get("numeric")
        self._deltas, self._base = _one_hot(encode.named_transformers_.get("categorical"), raw.schema)
        self._scaled = None if self._numeric is None else self._scale()

    def times(self, matrix: np.ndarray, plus: np.ndarray) -> str:
        """Return encoded rows times a matrix ``(width, m)``, plus a vector ``(m,)``: ``(rows, m)`` float64."""
        graph, matrix = self.raw.graph, np.asarray(matrix, np.float64)
        width = matrix.shape[0] - len(self._base)
        parts = []
        if self._scaled is not None:
            parts.append(graph.add("MatMul", self._scaled, graph.constant(matrix[:width])))
        if self._deltas:
            shares = self.raw.lookup([delta @ matrix[width:] for delta in self._deltas])
            parts.append(graph.add("ReduceSum", shares, graph.constant(np.array([1])), keepdims=0))
        bias = graph.constant(np.asarray(plus, np.float64) + self._base @ matrix[width:])
        return graph.add("Sum", *parts, bias)

    def squared_norm(self) -> str:
        """Return each row's squared length ``(rows, 1)`` float64."""
        graph, parts = self.raw.graph, []
        if self._scaled is not None:
            squares = graph.add("Mul", self._scaled, self._scaled)
            parts.append(graph.add("ReduceSum", squares, graph.constant(np.array([1])), keepdims=1))
        if self._deltas:
            # A one-hot row holds ones and zeros: squared, it stays the same.
            own = self.raw.lookup([delta.sum(axis=1, keepdims=True) for delta in self._deltas])
            parts.append(graph.add("ReduceSum", own, graph.constant(np.array([1])), keepdims=0))
        return graph.add("Sum", *parts, graph.constant(np.array([[self._base.sum()]])))

    def _scale(self) -> str:
        """Return numbers and missing indicators, imputed and scaled ``(rows, d)`` float64."""
        graph, (imputer, scaler) = self.raw.graph, self._numeric
        absent = graph.add("IsNaN", self.raw.numbers)
        filled = graph.add("Where", absent, graph.constant(imputer.statistics_), self.raw.numbers)
        filled = graph.add("Clip", filled, graph.constant(np.float64(-LARGEST)), graph.constant(np.float64(LARGEST)))
        indicated = imputer.indicator_.features_
        if len(indicated):
            some = graph.add("Gather", absent, graph.constant(np.asarray(indicated, np.int64)), axis=1)
            filled = graph.add("Concat", filled, graph.add("Cast", some, to=DOUBLE), axis=1)
        # In this order: ONNX Runtime folds a division by one number into the product behind it, in float32.
        scaled = graph.add("Div", filled, graph.constant(scaler.scale_))
        return graph.add("Sub", scaled, graph.constant(scaler.mean_ / scaler.scale_))


def _one_hot(encoder: OneHotEncoder | None, schema: Schema) -> tuple[list[np.ndarray], np.ndarray]:
    """Return per categorical column what each code adds to the one-hot row, and the row of unseen categories."""
    if encoder is None:
        return [], np.zeros(0)
    names = [c.name for c in schema.categorical]
    texts = [[None, UNSEEN, *c.words] for c in schema.categorical]
    base = pd.DataFrame([[UNSEEN] * len(names)], columns=names, dtype=object)
    row = _dense(encoder, base)[0]
    deltas = []
    for name, values in zip(names, texts, strict=True):
        changed = pd.concat([base] * len(values), ignore_index=True)
        changed[name] = pd.Series(values, dtype=object)
        deltas.append(_dense(encoder, changed) - row)
    return deltas, row


def _dense(encoder: OneHotEncoder, frame: pd.DataFrame) -> np.ndarray:
    return np.asarray(encoder.transform(frame).todense(), np.float64)


def _similarity(rows: EncodedRows, *, Y: np.ndarray, gamma: float) -> str:  # noqa: N803  scikit-learn's name
    """Return exp(−gamma · squared distance) to each landmark ``(rows, m)``."""
    graph = rows.raw.graph
    squared = graph.add("Add", rows.times(-2 * Y.T, (Y**2).sum(axis=1)), rows.squared_norm())
    distance = graph.add("Max", squared, graph.constant(np.zeros(1)))
    return graph.add("Exp", graph.add("Mul", distance, graph.constant(np.array([-gamma]))))


def _layers(rows: EncodedRows, model: MLPClassifier) -> str:
    graph, x = rows.raw.graph, ""
    for i, (weight, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        x = rows.times(weight, bias) if i == 0 else _affine(graph, graph.add("Relu", x), weight, bias)
    return x


def _affine(graph: Graph, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
    product = graph.add("MatMul", x, graph.constant(np.asarray(weight, np.float64)))
    return graph.add("Add", product, graph.constant(np.asarray(bias, np.float64)))


def _probabilities(raw: RawColumns, scores: str, classes: np.ndarray) -> str:
    """Return probabilities of all classes; one that no training row had stays 0."""
    graph, n = raw.graph, raw.schema.n_classes
    if n == 2:
        return graph.add("Cast", graph.add("Sigmoid", scores), to=FLOAT)
    if len(classes) == 2:
        p = graph.add("Sigmoid", scores)
        known = graph.add("Concat", graph.add("Sub", graph.constant(np.ones(1)), p), p, axis=1)
    else:
        known = graph.add("Softmax", scores, axis=1)
    return graph.add("Cast", placed(graph, known, classes, n), to=FLOAT)
