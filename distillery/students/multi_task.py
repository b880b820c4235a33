"""A small torch network that answers several binary targets at once."""

from __future__ import annotations

from typing import Literal, final

from distillery.errors import TrainingError
from distillery.networks.multi_task import MultiTaskFields
from distillery.students.base import Lesson
from distillery.students.torch_student import TorchSpec


@final
class MultiTaskSpec(MultiTaskFields, TorchSpec):
    """Small experts and towers; soft labels enter by the loss that the architecture has for hard ones."""

    kind: Literal["multi_task"] = "multi_task"

    def _check(self, lesson: Lesson) -> None:
        if self.loss == "dkd" and self.members(lesson.schema) is not None:
            raise TrainingError("loss dkd must have at least 3 classes, got targets of 2 each; use loss: kl")
        super()._check(lesson)
