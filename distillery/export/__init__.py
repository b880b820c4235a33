"""One ONNX graph from raw columns to probabilities."""

from distillery.export.graph import Graph as Graph
from distillery.export.model import Exportable as Exportable
from distillery.export.model import ExportError as ExportError
from distillery.export.model import OnnxModel as OnnxModel
from distillery.export.model import to_onnx as to_onnx
from distillery.export.parity import Parity as Parity
from distillery.export.parity import measure_parity as measure_parity
from distillery.export.quantize import Quantize as Quantize
from distillery.export.quantize import quantized as quantized
from distillery.export.raw import RawColumns as RawColumns

__all__ = [
    "ExportError",
    "Exportable",
    "Graph",
    "OnnxModel",
    "Parity",
    "Quantize",
    "RawColumns",
    "measure_parity",
    "quantized",
    "to_onnx",
]
