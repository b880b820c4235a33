"""What every torch student shares: the lesson as tensors, resampled rows, column selection, files."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping
from typing import Self, final

import numpy as np
import pandas as pd
import torch

from distillery.data import Schema
from distillery.data.model import ParameterCount
from distillery.data.saved import header_files, read_schema
from distillery.distillation.augmentation import Resampler, ResampleSpec
from distillery.networks import Batches, FittedNetwork, NetworkFields, Objective, OnEpoch, Pupil, SoftFields
from distillery.networks.encoding import Scaler
from distillery.networks.fitted import WEIGHTS
from distillery.students.base import CandidateSpec, Lesson, Student


class TorchSpec(NetworkFields, SoftFields, CandidateSpec, ABC):
    """A torch student.

    Attributes:
        augment: new rows for the teacher to label; none for the control.
    """

    augment: ResampleSpec | None = None

    def control(self) -> Self:
        """Return the same network trained on hard labels only; what needs the teacher plays no part."""
        plain = {"alpha": 0.0, "hard_weight": 1.0, "temperature": 1.0, "loss": "kl", "augment": None, "stages": ()}
        return self.model_copy(update=plain)

    def train(self, lesson: Lesson, *, seed: int, on_epoch: OnEpoch | None = None) -> TorchStudent:
        """Train on the lesson; which epoch is kept is decided by the validation split's hard labels.

        Raises:
            TrainingError: a loss became NaN, or the lesson does not fit the settings.
        """
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            pupil = Pupil.of(self, lesson.schema, lesson.train, lesson.valid, lesson.soft)
            objective = Objective(self.alpha, self.hard, self.loss, self.temperature, self.dkd_beta)
            fresh = self._fresh(lesson, pupil.scaler, seed)
            fitted, history = pupil.taught(self, objective, on_epoch, stages=self.stages, fresh=fresh)
        student = TorchStudent(self, fitted)
        student.history = history
        return student

    def _fresh(self, lesson: Lesson, scaler: Scaler, seed: int) -> Callable[[int], Batches] | None:
        """Return what gives the resampled rows of an epoch; each draw is labelled and encoded once."""
        if self.augment is None or lesson.labeller is None:
            return None
        labeller, draws = lesson.labeller, self.augment.redraws
        resampler = Resampler(labeller.schema, labeller.features, self.augment, seed=seed)
        made: dict[int, Batches] = {}

        def fresh(epoch: int) -> Batches:
            turn = epoch % draws
            if turn not in made:
                rows = resampler.draw()
                made[turn] = Batches.resampled(scaler(rows), labeller.logits(rows))
            return made[turn]

        return fresh

    def load(self, files: Mapping[str, bytes]) -> TorchStudent:
        """Read what `TorchStudent.to_files` gave."""
        return TorchStudent(self, FittedNetwork.load(files[WEIGHTS], read_schema(files), self.build))


@final
class TorchStudent(Student):
    """A fitted torch student of any kind."""

    spec: TorchSpec

    def __init__(self, spec: TorchSpec, fitted: FittedNetwork) -> None:
        self.spec, self.fitted = spec, fitted
        self.schema: Schema = fitted.schema
        self.history: list[dict[str, float]] = []

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return class probabilities ``(n, K)`` of raw rows."""
        return self.fitted.predict_proba(frame)

    def to_files(self) -> dict[str, bytes]:
        """Return ``weights.safetensors`` beside spec and schema."""
        return {**header_files(self.spec, self.schema), **self.fitted.to_files()}

    def parameter_count(self) -> ParameterCount:
        """Count as `FittedNetwork.parameter_count`."""
        return self.fitted.parameter_count()

    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """Count as `FittedNetwork.flops_per_row`."""
        return self.fitted.flops_per_row(frame)
