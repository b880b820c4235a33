"""A small convolutional network for image-like rows."""

from __future__ import annotations

from typing import Literal, final

from distillery.networks.image import ImageFields
from distillery.students.torch_student import TorchSpec


@final
class CNNSpec(ImageFields, TorchSpec):
    """A convolutional network over pixels; columns that are not selected stay blank on its canvas."""

    kind: Literal["cnn"] = "cnn"
    augment: None = None  # pixels are no columns to swap
