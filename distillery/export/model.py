"""A deployable model: one ONNX file from raw columns to probabilities, and how Python runs it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol, final

import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
from google.protobuf.message import DecodeError

from distillery.data import Schema
from distillery.data.schema import Column, Label, Task, as_text
from distillery.errors import ArtifactError, one_line
from distillery.export.graph import FLOAT, Graph, tensor_of
from distillery.export.raw import CATEGORICAL, NUMERIC, ROWS, TEXTS, Form, RawColumns
from distillery.export.raw import ExportError as ExportError

PROBABILITIES = "probabilities"
INTERFACE = "distillery.interface"  # metadata: columns, classes, digest and form, as JSON


class Exportable(Protocol):
    """A fitted model that can say itself as an ONNX graph."""

    @property
    def schema(self) -> Schema:
        """The raw columns it needs, and its classes."""
        ...

    def to_graph(self, raw: RawColumns) -> str:
        """Add its nodes to ``raw.graph``; return the name of the probabilities, float32.

        ``(rows, 1)``, those of the second class, where there are two; else ``(rows, K)``.

        Raises:
            ExportError: it cannot be said in ONNX.
        """
        ...


def output_name(label: Label) -> str:
    """Return what the output of a class is called: ``probability_<class>``."""
    return f"probability_{label}"


def to_onnx(model: Exportable, *, form: Form = "columns") -> OnnxModel:
    """Return a model as one ONNX graph, its preprocessing included.

    Args:
        model: it is asked for its nodes.
        form: ``columns``: a named input per raw column and an output ``probability_<class>`` per class,
            each ``(rows,)``; ``tensors``: the inputs ``numeric``, ``categorical`` and ``text``, as far as there are
            such columns, and the output ``probabilities`` ``(rows, K)``, which cost least per call.

    Raises:
        ExportError: it cannot be said in ONNX.
    """
    graph, schema = Graph(), model.schema
    raw = RawColumns(graph, schema, form)
    taken = set(schema.inputs.names) & {output_name(label) for label in schema.classes}
    if taken and form == "columns":
        raise ExportError(f"a column must not be named as an output, got {sorted(taken)}; rename it in the source")
    try:
        proba = model.to_graph(raw)
        outputs = _matrix(graph, proba, schema) if form == "tensors" else _columns(graph, proba, schema)
        built = graph.build(raw.inputs, outputs)
    except (onnx.checker.ValidationError, UnicodeEncodeError) as error:
        raise ExportError(f"columns and categories must be names that ONNX can hold: {one_line(error)}") from error
    interface = {
        "form": form,
        "columns": [{"name": c.name, "kind": c.kind} for c in schema.inputs.columns],
        "target": schema.target,
        "classes": list(schema.classes),
        "schema_digest": schema.digest,
        "texts": [c.name for c in schema.categorical if not _numbers_alone(c.categories)],
        **({"tasks": [task.model_dump(mode="json") for task in schema.tasks]} if schema.tasks else {}),
    }
    onnx.helper.set_model_props(built, {INTERFACE: json.dumps(interface)})
    return OnnxModel(built.SerializeToString())


def _numbers_alone(categories: Sequence[str]) -> bool:
    """Whether a file without types would have given these categories as numbers, or as truth values."""
    numbers = pd.to_numeric(pd.Series(categories, dtype=object), errors="coerce")
    return set(categories) <= {"True", "False"} or as_text(numbers).tolist() == list(categories)


def _matrix(graph: Graph, proba: str, schema: Schema) -> list[onnx.ValueInfoProto]:
    if schema.n_classes == 2:
        other = graph.add("Sub", graph.constant(np.float32(1)), proba)
        graph.add("Concat", other, proba, axis=1)
    else:
        graph.add("Identity", proba)
    graph.name_last([PROBABILITIES])
    return [tensor_of(PROBABILITIES, FLOAT, ROWS, schema.n_classes)]


def _columns(graph: Graph, proba: str, schema: Schema) -> list[onnx.ValueInfoProto]:
    names = [output_name(label) for label in schema.classes]
    if schema.n_classes == 2:
        graph.add("Reshape", proba, graph.constant(np.array([-1])))
        graph.name_last([names[1]])
        graph.add("Sub", graph.constant(np.float32(1)), names[1])
        graph.name_last([names[0]])
    else:
        for k, name in enumerate(names):
            graph.add("Gather", proba, graph.constant(np.array(k)), axis=1)
            graph.name_last([name])
    return [tensor_of(name, FLOAT, ROWS) for name in names]


@final
class OnnxModel:
    """An exported model; reads raw frames as `distillery.data.Schema.conform` does.

    Attributes:
        content: the file.
        schema: the raw columns it needs and its classes, without what training saw of them.
        form: see `to_onnx`.
        texts: the categorical columns of which training saw other words than numbers and truth values.
        metadata: what else was kept in the file.

    Raises:
        ArtifactError: the file is none of Distillery's.
    """

    def __init__(self, content: bytes, *, threads: int = 1) -> None:
        self.content, self._threads = content, threads
        try:
            self.metadata = {p.key: p.value for p in onnx.load_model_from_string(content).metadata_props}
            interface = json.loads(self.metadata[INTERFACE])
        except (KeyError, ValueError, DecodeError) as error:
            raise ArtifactError(f"the file must be an ONNX model exported by Distillery, got {error!r}") from error
        columns = tuple(Column(**column) for column in interface["columns"])
        tasks = tuple(Task.model_validate(task) for task in interface.get("tasks", ()))
        classes = tuple(interface["classes"])
        self.schema = Schema(columns=columns, target=interface["target"], classes=classes, tasks=tasks)
        self.schema_digest: str = interface["schema_digest"]
        self.form: Form = interface["form"]
        self.texts = frozenset(interface["texts"])

    @cached_property
    def session(self) -> ort.InferenceSession:
        """ONNX Runtime's session, made when it is first needed."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 3
        return ort.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])

    @property
    def inputs(self) -> list[str]:
        """The names of what the graph is fed."""
        return [one.name for one in self.session.get_inputs()]

    def stamped(self, metadata: Mapping[str, str]) -> OnnxModel:
        """Return the same model with more metadata in its file."""
        proto = onnx.load_model_from_string(self.content)
        onnx.helper.set_model_props(proto, {**self.metadata, **metadata})
        return OnnxModel(proto.SerializeToString(), threads=self._threads)

    def read(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return raw rows as one array ``(n,)`` per column; extra columns are left out.

        Raises:
            DataError: a column is absent, or a numeric one holds text.
        """
        rows = self.schema.conform(frame)
        return {c.name: _array(rows[c.name], c.kind) for c in self.schema.columns}

    def feeds(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return raw rows as the graph's inputs; see `read`."""
        return self._feeds(self.read(frame))

    def _feeds(self, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if self.form == "columns":
            return {k: v[:, None] for k, v in columns.items()} if len(columns) == 1 else columns
        stacked = {}
        kinds = ((NUMERIC, self.schema.numeric), (CATEGORICAL, self.schema.categorical), (TEXTS, self.schema.text))
        for name, kind in kinds:
            if kind:
                stacked[name] = np.stack([columns[c.name] for c in kind], axis=1)
        return stacked

    def run(self, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Return the graph's outputs."""
        outputs: list[np.ndarray] = self.session.run(None, feeds)
        return outputs

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return probabilities ``(n, K)`` float64 of raw rows."""
        return self.answer(self.read(frame))

    def answer(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        """Return probabilities ``(n, K)`` float64 of rows as `read` gives them."""
        answers = self.run(self._feeds(columns))
        stacked = answers[0] if self.form == "tensors" else np.stack(answers, axis=1)
        return np.asarray(stacked, dtype=np.float64)


def _array(values: pd.Series, kind: str) -> np.ndarray:
    if kind == "numeric":
        return values.to_numpy(np.float64)
    return values.where(values.notna(), "").to_numpy(object)
