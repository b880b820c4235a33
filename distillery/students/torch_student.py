"""What every torch student shares: the lesson as tensors, resampled rows, column selection, files."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import ClassVar, Self, final

import numpy as np
import pandas as pd
import torch
from pydantic import Field

from distillery.data import Schema
from distillery.data.model import ParameterCount
from distillery.data.saved import header_files, read_schema
from distillery.distillation.augmentation import Resampler, ResampleSpec
from distillery.errors import TrainingError
from distillery.export import RawColumns
from distillery.networks import Batches, FittedNetwork, NetworkFields, Objective, OnEpoch, Pupil, SoftFields
from distillery.networks.encoding import Scaler
from distillery.networks.fitted import WEIGHTS, strata_of
from distillery.networks.reading import Reading
from distillery.networks.selection import Selection, select
from distillery.networks.settings import FeaturesSpec
from distillery.students.base import CandidateSpec, Lesson, Selected, Student
from distillery.students.inherit import Inherited

SELECTED, INHERITED = "selected.json", "inherited.json"


class TorchSpec(NetworkFields, SoftFields, CandidateSpec, ABC):
    """A torch student.

    Attributes:
        augment: new rows for the teacher to label; null for none.
        features: how many raw columns the student may need; null for all.
    """

    quantizable: ClassVar[bool] = True
    streams: ClassVar[bool] = True
    augment: ResampleSpec | None = Field(default_factory=ResampleSpec)
    features: FeaturesSpec | None = None

    def control(self) -> Self:
        """Return the same network trained on hard labels only; what needs the teacher plays no part.

        It has as many epochs, but no resampled rows in them.
        """
        epochs = sum(stage.epochs for stage in self.stages) or self.epochs
        plain = {"temperature": 1.0, "loss": "kl", "augment": None, "stages": (), "epochs": epochs, "warm_up": 0.0}
        return super().control().model_copy(update=plain)

    def train(self, lesson: Lesson, *, seed: int, on_epoch: OnEpoch | None = None) -> TorchStudent:
        """Train on the lesson; which epoch is kept is decided by the objective on the validation split.

        Raises:
            TrainingError: a loss became NaN, or the settings do not fit the lesson.
            DataError: more columns are to be selected than there are.
        """
        self._check(lesson)
        members = self.members(lesson.schema)
        objective = Objective(
            self.alpha, self.hard_weight, self.loss, self.temperature, self.dkd_beta, members, self.warm_up
        )
        strata = strata_of(self.sampling, lesson.schema, lesson.train)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            selection, positions = self._select(lesson, objective, strata), None
            if selection is not None:
                positions = np.flatnonzero([name in selection.names for name in lesson.schema.names])
                lesson = narrowed(lesson, selection.names)
                torch.manual_seed(seed)
            pupil = self._pupil(lesson, strata, positions)
            fresh = self._fresh(lesson, pupil.reading.scaler, seed)
            fitted, history = pupil.taught(self, objective, on_epoch, stages=self.stages, fresh=fresh)
        student = TorchStudent(self, fitted, selection)
        student.history = history
        return student

    def _check(self, lesson: Lesson) -> None:
        if self.loss == "dkd" and lesson.schema.n_classes < 3:
            raise TrainingError(f"loss dkd must have at least 3 classes, got {lesson.schema.n_classes}; use loss: kl")
        if self._taught and self.augment is not None and lesson.labeller is None:
            raise TrainingError("augment must have the teacher at hand to label new rows, got none; set augment: null")
        if self._taught and self.augment is not None and lesson.train.stream is not None:
            raise TrainingError("augment must be null for rows that are read from disk: there are enough of them")
        if self.augment is None and any(stage.rows == "resampled" for stage in self.stages):
            raise TrainingError("a stage of resampled rows must have `augment`, got null; set augment or another stage")
        if self.hard_weight == 0 and any(stage.alpha == 0 for stage in self.stages):
            raise TrainingError("a stage must have alpha or hard_weight above 0, got 0 for both; raise one of them")

    @property
    def _taught(self) -> bool:
        """Whether soft labels play a part; a control never sees them."""
        return self.alpha > 0 or any(stage.alpha for stage in self.stages)

    def _pupil(
        self,
        lesson: Lesson,
        strata: np.ndarray | None,
        positions: np.ndarray | None = None,
        reading: Reading | None = None,
    ) -> Pupil:
        """Return the network and its rows; ``reading`` where that is not learnt from them."""
        return Pupil.of(
            self,
            lesson.schema,
            lesson.train,
            lesson.valid,
            soft=lesson.soft if self._taught else None,
            valid_soft=lesson.valid_soft if self._taught else None,
            positions=positions,
            strata=strata,
            streamed_soft=lesson.streamed_soft if self._taught else None,
            reading=reading,
        )

    def _select(self, lesson: Lesson, objective: Objective, strata: np.ndarray | None) -> Selection | None:
        d, features = len(lesson.schema.columns), self.features
        limit = d if features is None else features.limit(lesson.schema)
        keep = min(limit, self.max_features or d)
        if features is None and keep == d:
            return None
        plan = (features or FeaturesSpec(at_most=keep)).model_copy(update={"at_most": keep, "share": None})
        return select(self._pupil(lesson, strata), self, plan, objective)

    def _fresh(self, lesson: Lesson, scaler: Scaler, seed: int) -> Callable[[int], Batches] | None:
        """Return what gives the resampled rows of an epoch; each draw is labelled and encoded once."""
        if self.augment is None or lesson.labeller is None or not self._taught:
            return None
        labeller, draws, weights = lesson.labeller, self.augment.redraws, lesson.train.weights
        resampler = Resampler(labeller.schema, labeller.features, self.augment, seed=seed)
        made: dict[int, Batches] = {}

        def fresh(epoch: int) -> Batches:
            turn = epoch % draws
            if turn not in made:
                drawn = resampler.draw()
                rows = drawn.reset_index(drop=True)
                own = None if weights is None else weights[drawn.index]
                made[turn] = Batches.resampled(scaler(rows), labeller.logits(rows), own)
            return made[turn]

        return fresh

    def load(self, files: Mapping[str, bytes]) -> TorchStudent:
        """Read what `TorchStudent.to_files` gave."""
        selection = Selection.model_validate_json(files[SELECTED]) if SELECTED in files else None
        student = TorchStudent(self, FittedNetwork.load(files[WEIGHTS], read_schema(files), self), selection)
        student.inherited = Inherited.model_validate_json(files[INHERITED]) if INHERITED in files else None
        return student


def narrowed(lesson: Lesson, names: tuple[str, ...]) -> Lesson:
    """Return the lesson with these columns alone, in table order; the teacher still sees all."""
    schema = lesson.schema.only(names)
    return replace(lesson, schema=schema, train=lesson.train.only(schema), valid=lesson.valid.only(schema))


@final
class TorchStudent(Student):
    """A fitted torch student of any kind."""

    spec: TorchSpec

    def __init__(self, spec: TorchSpec, fitted: FittedNetwork, selection: Selection | None = None) -> None:
        self.spec, self.fitted, self._selection = spec, fitted, selection
        self.schema: Schema = fitted.schema
        self.history: list[dict[str, float]] = []
        if selection is not None:
            pairs = zip(selection.names, selection.scores, strict=True)
            self.selected_features = tuple(Selected(name, score) for name, score in pairs)
            self.gate_path = selection.path

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return class probabilities ``(n, K)`` of raw rows."""
        return self.fitted.predict_proba(frame)

    def to_graph(self, raw: RawColumns) -> str:
        """Add the network's nodes; see `distillery.export.Exportable`."""
        return self.fitted.to_graph(raw)

    def to_files(self) -> dict[str, bytes]:
        """Return ``weights.safetensors`` beside spec and schema; what was selected and inherited, where that was."""
        further = {SELECTED: self._selection, INHERITED: self.inherited}
        said = {name: one.model_dump_json().encode() for name, one in further.items() if one is not None}
        return {**header_files(self.spec, self.schema), **self.fitted.to_files(), **said}

    def factors(self) -> np.ndarray | None:
        """Return the norms of its first layer's factors ``(rank, d)``; see `FittedNetwork.factors`."""
        return self.fitted.factors()

    def parameter_count(self) -> ParameterCount:
        """Count as `FittedNetwork.parameter_count`."""
        return self.fitted.parameter_count()

    def flops_per_row(self, frame: pd.DataFrame) -> float:
        """Count as `FittedNetwork.flops_per_row`."""
        return self.fitted.flops_per_row(frame)
