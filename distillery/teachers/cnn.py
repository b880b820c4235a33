"""A convolutional network for image-like rows."""

from __future__ import annotations

from typing import Literal, final

from pydantic import Field, PositiveInt

from distillery.networks.image import ImageFields
from distillery.teachers.torch_teacher import TorchTeacherSpec


@final
class CNNTeacherSpec(ImageFields, TorchTeacherSpec):
    """A convolutional network over pixels."""

    kind: Literal["cnn"] = "cnn"
    channels: tuple[PositiveInt, ...] = Field((32, 64), min_length=1)
    units: PositiveInt = 128
    dropout: float = Field(0.3, ge=0, lt=1)
    batch_size: PositiveInt = 64
