"""Smaller numbers in an exported network, by ONNX Runtime's own tools."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from distillery.export.graph import FLOAT
from distillery.export.model import OnnxModel

Quantize = Literal["none", "int8", "float16"]
LAYERS = ("Conv", "Gemm", "MatMul")
ADVICE = ("Please consider to run pre-processing", "Inference failed or unsupported type to quantize")


def quantized(model: OnnxModel, how: Quantize) -> OnnxModel:
    """Return the model with its layers' weights in fewer bits; what encodes raw columns stays as it is.

    Args:
        model: an exported network.
        how: ``int8``: weights per output in 8 bits, activations quantized anew in every call
            (ONNX Runtime's dynamic quantization); ``float16``: weights in 16 bits.
    """
    if how == "none":
        return model
    return OnnxModel(_int8(model) if how == "int8" else _float16(model))


def _int8(model: OnnxModel) -> bytes:
    proto = onnx.load_model_from_string(model.content)
    layers = [*LAYERS, "Gather"]  # of embeddings
    with tempfile.TemporaryDirectory() as folder, _without_advice():
        path = Path(folder) / "model.onnx"
        quantize_dynamic(proto, path, op_types_to_quantize=layers, per_channel=True, weight_type=QuantType.QInt8)
        return path.read_bytes()


@contextmanager
def _without_advice() -> Iterator[None]:
    """Keep back what ONNX Runtime advises for large graphs, through the root logger."""
    root = logging.getLogger()

    def about_something_else(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(ADVICE)

    root.addFilter(about_something_else)
    try:
        yield
    finally:
        root.removeFilter(about_something_else)


def _float16(model: OnnxModel) -> bytes:
    """Keep weights in 16 bits and compute in 32: ONNX Runtime's converter halves bin edges, too."""
    proto = onnx.load_model_from_string(model.content)
    layers = [node for node in proto.graph.node if node.op_type in LAYERS]
    names = {name for node in layers for name in node.input[1:]}
    for weight in proto.graph.initializer:
        if weight.name in names and weight.data_type == FLOAT:
            name, halved = weight.name, numpy_helper.to_array(weight).astype(np.float16)
            weight.CopyFrom(numpy_helper.from_array(halved, f"{name}/half"))
            proto.graph.node.insert(0, helper.make_node("Cast", [weight.name], [name], to=FLOAT))
    onnx.checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString()
    return content
