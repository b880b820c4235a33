"""A wide torch network that answers several binary targets at once."""

from __future__ import annotations

from typing import Literal, final

from pydantic import Field, PositiveInt

from distillery.networks.multi_task import MultiTaskFields
from distillery.teachers.torch_teacher import TorchTeacherSpec


@final
class MultiTaskTeacherSpec(MultiTaskFields, TorchTeacherSpec):
    """Wide experts and towers."""

    kind: Literal["multi_task"] = "multi_task"
    widths: tuple[PositiveInt, ...] = Field((128, 64), min_length=1)
    tower: tuple[PositiveInt, ...] = (32,)
    dropout: float = Field(0.2, ge=0, lt=1)
    epochs: PositiveInt = 20
