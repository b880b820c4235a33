"""A trained network as ONNX nodes, in the very order of its own operations, so that both round alike."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from distillery.export import ExportError, RawColumns
from distillery.export.graph import FLOAT, Graph
from distillery.networks.encoding import Scaler
from distillery.networks.network import BOUND, CanvasEncoder, ColumnEncoder, FieldEncoder, Network
from distillery.networks.reading import Reading


@runtime_checkable
class ExportableLayer(Protocol):
    """A layer that knows its own ONNX nodes."""

    def to_graph(self, graph: Graph, x: str) -> str:
        """Add its nodes behind ``x``, what it takes; return what it gives."""
        ...


def network_graph(network: Network, reading: Reading, raw: RawColumns) -> str:
    """Add a network's nodes; return its probabilities as `distillery.export.Exportable.to_graph` says."""
    graph = raw.graph
    layers = list(network.body) if isinstance(network.body, nn.Sequential) else [network.body]
    match network.encoder:
        case ColumnEncoder():
            x, order = _columns(network.encoder, reading.scaler, raw)
            first, *layers = layers
            x = linear_graph(graph, x, first.weight[:, order], first.bias)  # type: ignore[index,arg-type]
        case FieldEncoder() if isinstance(layers[0], nn.Linear):
            x, order = _columns(network.encoder.columns, reading.scaler, raw)
            weight, bias = _folded(network.encoder, layers[0])
            x, layers = linear_graph(graph, x, weight[:, order], bias), layers[1:]
        case FieldEncoder():
            x = _fields(network.encoder, reading.scaler, raw)
        case CanvasEncoder():
            x = _canvas(network.encoder, reading.scaler, raw)
        case other:  # of a third party
            raise ExportError(f"networks of {type(other).__name__} must define their ONNX form, got none")
    x = layers_graph(graph, x, layers)
    return graph.add("Sigmoid", x) if network.binary else graph.add("Softmax", x, axis=1)


def layers_graph(graph: Graph, x: str, layers: Iterable[nn.Module]) -> str:
    """Add layers one behind the other; return what the last gives.

    Raises:
        ExportError: a layer has no ONNX form here.
    """
    for layer in layers:
        x = _layer(graph, x, layer)
    return x


def _scaled(scaler: Scaler, raw: RawColumns) -> tuple[str, str]:
    """Return numbers ``(rows, d)`` float32, imputed and scaled, and where they were missing, bool."""
    graph = raw.graph
    absent = graph.add("IsNaN", raw.numbers)
    filled = graph.add("Where", absent, graph.constant(scaler.median), raw.numbers)
    centred = graph.add("Sub", filled, graph.constant(scaler.center))
    scaled = graph.add("Div", centred, graph.constant(scaler.scale))
    return graph.add("Cast", scaled, to=FLOAT), absent


def _columns(encoder: ColumnEncoder, scaler: Scaler, raw: RawColumns) -> tuple[str, np.ndarray]:
    """Return the encoded columns ``(rows, width)``, and which of the encoder's components each is."""
    graph, d, bins = raw.graph, len(raw.schema.numeric), len(encoder.bins.column)
    parts, order = [], [np.arange(bins + d + len(scaler.indicated))]
    waves = (
        bins
        + d
        + len(scaler.indicated)
        + np.arange(2 * encoder.waves.numel()).reshape(len(encoder.smooth), 2, encoder.waves.shape[1])
    )
    if d:
        numbers, absent = _scaled(scaler, raw)
        pieces = _pieces(encoder, graph, numbers, d)
        parts.append(pieces)
        if len(scaler.indicated):
            some = graph.add("Gather", absent, graph.constant(scaler.indicated), axis=1)
            parts.append(graph.add("Cast", some, to=FLOAT))
        if waves.size:
            column = (bins + encoder.smooth.numpy()).repeat(encoder.waves.shape[1])
            bounded = graph.add("Gather", pieces, graph.constant(column), axis=1)
            phase = graph.add("Mul", bounded, graph.constant(np.float32(math.tau)))
            phase = graph.add("Mul", phase, _weights(graph, encoder.waves.reshape(-1)))
            parts += [graph.add("Sin", phase), graph.add("Cos", phase)]
            order += [waves[:, 0].ravel(), waves[:, 1].ravel()]
    if raw.schema.categorical:
        vectors = raw.lookup(encoder.tables(scaler))
        size = len(raw.schema.categorical) * encoder.table.embedding_dim
        parts.append(graph.add("Reshape", vectors, graph.constant(np.array([-1, size]))))
        order.append(encoder.width - size + np.arange(size))
    return graph.concat(parts, 1), np.concatenate(order)


def _pieces(encoder: ColumnEncoder, graph: Graph, numbers: str, d: int) -> str:
    """Return the bins' components and the bounded numbers behind them, in one go ``(rows, C + d)`` float32."""
    column = np.concatenate([encoder.bins.column.numpy(), np.arange(d)])
    left = np.concatenate([encoder.bins.left.numpy(), np.zeros(d, np.float32)])
    slope = np.concatenate([encoder.bins.slope.numpy(), np.ones(d, np.float32)])
    low = np.concatenate([np.zeros(len(encoder.bins.column), np.float32), np.full(d, -BOUND, np.float32)])
    high = np.concatenate([np.ones(len(encoder.bins.column), np.float32), np.full(d, BOUND, np.float32)])
    x = graph.add("Gather", numbers, graph.constant(column), axis=1)
    for op, values in (("Sub", left), ("Mul", slope), ("Max", low), ("Min", high)):
        x = graph.add(op, x, graph.constant(values))
    return x


def _fields(encoder: FieldEncoder, scaler: Scaler, raw: RawColumns) -> str:
    """Return the fields' vectors ``(rows, width)``."""
    graph, (d, size), held = raw.graph, encoder.constants.shape, len(encoder.components)
    x, order = _columns(encoder.columns, scaler, raw)
    if not d:
        return x
    place = np.append(order.argsort()[:held], 0)  # an empty slot reads any component, times 0
    parts = graph.add("Gather", x, graph.constant(place[encoder.slots.numpy()]), axis=1)
    # Not as Transpose and MatMul, which ONNX Runtime fuses into one that fails where there are no rows.
    vectors = graph.add("Einsum", parts, _weights(graph, encoder.matrices), equation="ndp,dps->nds")
    vectors = graph.add("Add", vectors, _weights(graph, encoder.constants))
    numeric = graph.add("Reshape", vectors, graph.constant(np.array([-1, d * size])))
    if not raw.schema.categorical:
        return numeric
    return graph.concat([numeric, sliced(graph, x, held, len(order), axis=1)], 1)


def sliced(graph: Graph, x: str, start: int, end: int, *, axis: int) -> str:
    """Return what lies from start to before end along an axis."""
    return graph.add("Slice", x, *(graph.constant(np.array([at])) for at in (start, end, axis)))


def _folded(encoder: FieldEncoder, first: nn.Linear) -> tuple[Tensor, Tensor]:
    """Return the layer behind the fields' vectors as one behind `ColumnEncoder`'s components.

    A number's vector is affine in its components, and so is what the layer makes of it: a product less, per row.
    """
    d, size = encoder.constants.shape
    own = first.weight[:, : d * size].reshape(len(first.weight), d, size)
    owner = encoder.columns.owner[: len(encoder.components)]
    components = torch.einsum("uts,ts->ut", own[:, owner], encoder.components)
    constant = torch.einsum("uds,ds->u", own, encoder.constants)
    return torch.cat([components, first.weight[:, d * size :]], dim=1), first.bias + constant


def _canvas(encoder: CanvasEncoder, scaler: Scaler, raw: RawColumns) -> str:
    """Return the canvas ``(rows, pixels)``; pixels that were not selected stay blank."""
    graph, positions = raw.graph, encoder.positions.numpy()
    numbers, _ = _scaled(scaler, raw)
    bounds = [graph.constant(np.float32(bound)) for bound in (-BOUND, BOUND)]
    bounded = graph.add("Clip", numbers, *bounds)
    if np.array_equal(positions, np.arange(encoder.width)):
        return bounded
    column = np.full(encoder.width, len(positions))
    column[positions] = np.arange(len(positions))
    beside = graph.add("Pad", bounded, graph.constant(np.array([0, 0, 0, 1])))  # a column of zeros behind the others
    return graph.add("Gather", beside, graph.constant(column), axis=1)


def _layer(graph: Graph, x: str, layer: nn.Module) -> str:
    match layer:
        case nn.Linear():
            x = linear_graph(graph, x, layer.weight, layer.bias)
        case nn.SiLU():
            x = graph.add("Mul", x, graph.add("Sigmoid", x))
        case nn.ReLU():
            x = graph.add("Relu", x)
        case nn.Conv2d():
            weights = [_weights(graph, values) for values in (layer.weight, layer.bias) if values is not None]
            x = graph.add("Conv", x, *weights, pads=[1, 1, 1, 1])
        case nn.MaxPool2d():
            x = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
        case nn.Unflatten():
            x = graph.add("Reshape", x, graph.constant(np.array([-1, *layer.unflattened_size])))
        case nn.Flatten():
            x = graph.add("Flatten", x, axis=1)
        case nn.Dropout():
            pass
        case ExportableLayer():
            x = layer.to_graph(graph, x)
        case _:
            raise ExportError(f"a layer must be one that the networks of Distillery have, got {layer}")
    return x


def linear_graph(graph: Graph, x: str, weight: Tensor, bias: Tensor | None) -> str:
    """Add a linear layer."""
    matrix = _weights(graph, weight)
    if bias is None:
        return graph.add("Gemm", x, matrix, transB=1)
    return graph.add("Gemm", x, matrix, _weights(graph, bias), transB=1)


def _weights(graph: Graph, values: Tensor) -> str:
    return graph.constant(values.detach().numpy())
