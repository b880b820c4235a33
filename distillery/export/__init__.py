"""One ONNX graph from raw columns to probabilities."""

from distillery.export.graph import Graph as Graph
from distillery.export.model import Exportable as Exportable
from distillery.export.model import ExportError as ExportError
from distillery.export.model import OnnxModel as OnnxModel
from distillery.export.model import to_onnx as to_onnx
from distillery.export.raw import RawColumns as RawColumns

__all__ = ["ExportError", "Exportable", "Graph", "OnnxModel", "RawColumns", "to_onnx"]
