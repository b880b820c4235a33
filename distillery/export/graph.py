"""An ONNX graph under construction: nodes are added, names are made up, constants are shared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ML = "ai.onnx.ml"
CONTRIB = "com.microsoft"  # what ONNX Runtime alone knows
OPSETS = {"": 17, ML: 3}  # what ONNX Runtime reads since 1.12, on phones and in browsers too
TREES_OPSETS = {ML: 5}  # sets of categories in a split; ONNX Runtime 1.21
TEXT_OPSETS = {"": 20}  # regular expressions; ONNX Runtime 1.17


@final
class Graph:
    """Collects nodes and constants.

    Inner names are a slash and a number; the checker refuses a column of such a name.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], onnx.TensorProto] = {}
        self._names = 0
        self.opsets: Mapping[str, int] = OPSETS

    def add(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node of one output; return the output's name."""
        (output,) = self.add_many(op, inputs, 1, domain=domain, **attributes)
        return output

    def add_many(self, op: str, inputs: tuple[str, ...], n: int, *, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node of n outputs; return their names."""
        outputs = [self._name() for _ in range(n)]
        self._nodes.append(helper.make_node(op, list(inputs), outputs, domain=domain, **attributes))
        return outputs

    def name_last(self, names: list[str]) -> None:
        """Give the outputs of the last node these names."""
        del self._nodes[-1].output[:]
        self._nodes[-1].output.extend(names)

    def requires(self, opsets: Mapping[str, int]) -> None:
        """Ask for sets of operators that are at least this new."""
        newer = {domain: max(version, self.opsets.get(domain, 0)) for domain, version in opsets.items()}
        self.opsets = {**self.opsets, **newer}

    def constant(self, array: np.ndarray | np.generic) -> str:
        """Add a constant, once; return its name."""
        values = np.asarray(array, order="C")
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(values, self._name())
        return self._constants[key].name

    def concat(self, parts: list[str], axis: int) -> str:
        """Join parts; a single one stays as it is."""
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=axis)

    def build(self, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
        """Return the model.

        Raises:
            onnx.checker.ValidationError: the graph is not valid, or its shapes do not fit.
        """
        graph = helper.make_graph(self._nodes, "distillery", inputs, outputs, list(self._constants.values()))
        opsets = [helper.make_opsetid(domain, version) for domain, version in self.opsets.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="distillery")
        onnx.checker.check_model(model, full_check=True)
        return model

    def _name(self) -> str:
        self._names += 1
        return f"/{self._names}"


def tensor_of(name: str, kind: int, *shape: int | str) -> onnx.ValueInfoProto:
    """Return what says a tensor's name, type and shape; a word is an axis of any length."""
    return helper.make_tensor_value_info(name, kind, list(shape))


def placed(graph: Graph, known: str, classes: np.ndarray, n: int) -> str:
    """Return probabilities of all n classes ``(rows, n)``; one that no training row had stays 0.

    Args:
        graph: where to.
        known: those of some classes ``(rows, len(classes))``.
        classes: which.
        n: how many there are.
    """
    if len(classes) == n:
        return known
    place = np.full(n, len(classes))
    place[classes] = np.arange(len(classes))
    beside = graph.add("Pad", known, graph.constant(np.array([0, 0, 0, 1])))  # a column of zeros
    return graph.add("Gather", beside, graph.constant(place), axis=1)


DOUBLE, FLOAT, TEXT = TensorProto.DOUBLE, TensorProto.FLOAT, TensorProto.STRING
INT32, INT64 = TensorProto.INT32, TensorProto.INT64
