"""Fewer bits for the weights of an exported network; they are widened again when the file is loaded.

Weights alone: ONNX Runtime's dynamic quantization also rounds activations, by one scale for all rows of a
call, so that a row's answer would depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import onnx
from onnx import helper, numpy_helper

from distillery.export.graph import FLOAT
from distillery.export.model import OnnxModel

Quantize = Literal["none", "int8", "float16"]
LARGEST_INT8 = 127


def quantized(model: OnnxModel, how: Quantize) -> OnnxModel:
    """Return the model with the weights of its layers and embeddings in fewer bits.

    What encodes numbers stays as it is, and so does the arithmetic: in float32, after the weights were widened.

    Args:
        model: an exported network.
        how: ``int8``: whole numbers, with a scale per output of a layer, and per dimension of the embeddings;
            ``float16``.
    """
    if how == "none":
        return model
    proto = onnx.load_model_from_string(model.content)
    widen = [node for name, axis in _weights(proto) for node in _narrow(proto, name, axis, how)]
    nodes = [*widen, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    onnx.checker.check_model(proto, full_check=True)
    return OnnxModel(proto.SerializeToString())


def _weights(proto: onnx.ModelProto) -> Iterator[tuple[str, int]]:
    """Yield the float32 matrices and kernels, and the axis of their outputs."""
    place = {"Gemm": (1, 0), "Conv": (1, 0), "Gather": (0, -1)}
    held = {one.name: len(one.dims) for one in proto.graph.initializer if one.data_type == FLOAT}
    for node in proto.graph.node:
        index, axis = place.get(node.op_type, (0, 0))
        if node.op_type in place and held.get(node.input[index], 0) > 1:
            yield node.input[index], axis


def _narrow(proto: onnx.ModelProto, name: str, axis: int, how: Quantize) -> Iterator[onnx.NodeProto]:
    """Replace a constant by a narrow one; yield the nodes that widen it."""
    held = next(one for one in proto.graph.initializer if one.name == name)
    values, narrow, wide = numpy_helper.to_array(held), f"{name}/narrow", f"{name}/wide"
    if how == "float16":
        held.CopyFrom(numpy_helper.from_array(values.astype(np.float16), narrow))
        yield helper.make_node("Cast", [narrow], [name], to=FLOAT)
        return
    others = tuple(i for i in range(values.ndim) if i != axis % values.ndim)
    scale = np.maximum(np.abs(values).max(axis=others, keepdims=True) / LARGEST_INT8, np.finfo(np.float32).tiny)
    held.CopyFrom(numpy_helper.from_array(np.rint(values / scale).astype(np.int8), narrow))
    proto.graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}/scale"))
    yield helper.make_node("Cast", [narrow], [wide], to=FLOAT)
    yield helper.make_node("Mul", [wide, f"{name}/scale"], [name])
