"""A small dense network over compact vectors of the raw columns, which it may inherit from its teacher."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, Self, final

import numpy as np
from pydantic import Field, PositiveInt, field_validator, model_validator
from torch import nn

from distillery.data import Column, RawEncoder, Schema
from distillery.distillation.augmentation import ResampleSpec
from distillery.errors import TrainingError
from distillery.networks import Batches, FieldVectors, Objective, OnEpoch, Pupil
from distillery.networks.fields import counted
from distillery.networks.hints import Hinted, HintSpec, standardised
from distillery.networks.network import FieldEncoder, dense
from distillery.networks.reading import Reading
from distillery.networks.selection import Selection
from distillery.students.base import Lesson
from distillery.students.inherit import Inherited, InheritSpec
from distillery.students.torch_student import TorchSpec, TorchStudent

SPREAD = 0.3  # of fresh vectors: the dense layers behind them want inputs of about that size
INHERITED_SPREAD = 0.5  # of inherited ones; a factorization machine's are a tenth of that, and would be learnt slowly


@final
class LightCTRSpec(TorchSpec):
    """A dense network of ReLU units over a short vector per raw column.

    Attributes:
        frequencies, augment: by default none, which is quick and small.
        embedding: dimensions of a column's vector; with ``inherit: embeddings`` those of the teacher's.
        widths: units of the hidden layers; ``hidden_dims`` is another word for it.
        inherit: what it takes from the teacher beside the labels.
        hint: holds the last hidden layer to the teacher's in training; null for none.
        most_ids: a column of more categories keeps the most frequent ones; with ``inherit: embeddings`` all.
        buckets: how many vectors its other ids share, known or not, by their hash. A column that was hashed already
            has at most so many, too; with ``inherit: compressed`` a number that divides its own.
    """

    kind: Literal["light_ctr"] = "light_ctr"
    frequencies: int = Field(0, ge=0, le=256)
    augment: ResampleSpec | None = None
    embedding: PositiveInt = 4
    widths: tuple[PositiveInt, ...] = (128, 64, 32)
    inherit: InheritSpec = InheritSpec()
    hint: HintSpec | None = None
    most_ids: PositiveInt = 10_000
    buckets: PositiveInt = 1_000

    @model_validator(mode="before")
    @classmethod
    def _other_word(cls, content: Any) -> Any:
        if not isinstance(content, dict) or "hidden_dims" not in content:
            return content
        if "widths" in content:
            raise ValueError("widths must be given once, got hidden_dims as well; leave out one of them")
        return {"widths" if key == "hidden_dims" else key: value for key, value in content.items()}

    @field_validator("inherit", mode="before")
    @classmethod
    def _word_alone(cls, value: Any) -> Any:
        return {"how": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _can_be_hinted(self) -> Self:
        if self.hint is not None and (self.augment is not None or not self.widths):
            raise ValueError("hint must have augment: null, whose rows have no hints, and a hidden layer in widths")
        return self

    def encoder(self, reading: Reading) -> FieldEncoder:
        """Return what gives each column its vector."""
        return FieldEncoder(reading, frequencies=self.frequencies, embedding=self.embedding, spread=SPREAD)

    def body(self, width: int, outputs: int) -> nn.Module:
        """Return dense layers."""
        return dense(width, self.widths, outputs, dropout=self.dropout, unit=nn.ReLU)

    def control(self) -> Self:
        """Return the same network trained on hard labels only; it inherits no vectors, and has no hints.

        How columns are read and hashed, and how long their vectors are, it has from the teacher as the student does.
        """
        inherit = self.inherit
        if inherit.how != "labels":
            inherit = InheritSpec(how=inherit.how, fallback="raw", fresh=True)
        return super().control().model_copy(update={"inherit": inherit, "hint": None})

    def train(self, lesson: Lesson, *, seed: int, on_epoch: OnEpoch | None = None) -> TorchStudent:
        """Train as every torch student, on what was inherited.

        Raises:
            TrainingError: the teacher has no vectors to inherit, or as `TorchSpec.train`.
        """
        given = self._given(lesson)
        spec, how = self, "labels" if given is None else self.inherit.how
        if how != "embeddings":
            own = hashed(lesson, self.most_ids, self.buckets, self._fewest(lesson), divide=given is not None)
            lesson = replace(lesson, schema=own)
        if given is not None:
            size = given.size if how == "embeddings" else min(given.size, self.embedding)
            spec = self.model_copy(update={"embedding": size, "frequencies": given.waves.shape[1]})
        lesson = replace(lesson, embeddings=lambda: given)
        student = super(LightCTRSpec, spec).train(lesson, seed=seed, on_epoch=on_epoch)
        student.inherited = Inherited(
            asked="labels" if self.inherit.fresh else self.inherit.how,
            got="labels" if self.inherit.fresh else how,
            dimensions=spec.embedding,
            frozen=given is not None and self.inherit.frozen,
            hashed=tuple(c.name for c in student.schema.categorical if c.buckets),
        )
        return student

    def _given(self, lesson: Lesson) -> FieldVectors | None:
        """Return the teacher's vectors; None where none are asked for, or there are none and raw columns will do."""
        if self.inherit.how == "labels":
            return None
        given = lesson.embeddings()
        if given is None and self.inherit.fallback == "refuse":
            raise TrainingError(
                f"inherit: {self.inherit.how} must have a teacher with a vector per column, got one without; use a"
                " teacher of kind deepfm or dcn_v2, or set inherit to labels, or inherit.fallback to raw"
            )
        return given

    def _inherited(self, lesson: Lesson) -> FieldVectors | None:
        """Return the teacher's vectors of this student's columns."""
        given = lesson.embeddings()
        if given is None:
            return None
        return given.of_columns(lesson.schema, lesson.train.features, min_count=self._fewest(lesson))

    def _fewest(self, lesson: Lesson) -> int:
        """Return how many rows in memory a category must have; a log's sample cannot tell rare ones."""
        return self.min_count if lesson.train.stream is None else 1

    def _select(self, lesson: Lesson, objective: Objective, strata: np.ndarray | None) -> Selection | None:
        """Select as every torch student, without hints."""
        return super(LightCTRSpec, self.model_copy(update={"hint": None}))._select(lesson, objective, strata)

    def _pupil(
        self,
        lesson: Lesson,
        strata: np.ndarray | None,
        positions: np.ndarray | None = None,
        reading: Reading | None = None,
    ) -> Pupil:
        own = self._inherited(lesson)
        pupil = super()._pupil(lesson, strata, positions, reading if own is None else own.reading)
        pupil = self._hinted(lesson, pupil)
        encoder = pupil.network.encoder
        if own is None or self.inherit.fresh or not isinstance(encoder, FieldEncoder):
            return pupil
        rows = lesson.train.features
        own.reduced(self.embedding, rows).scaled(INHERITED_SPREAD, rows).fill(encoder)
        encoder.requires_grad_(not self.inherit.frozen)
        return replace(pupil, inherited=True)

    def _hinted(self, lesson: Lesson, pupil: Pupil) -> Pupil:
        """Return the pupil with the teacher's hidden layer beside its training rows, where that is asked for."""
        if self.hint is None:
            return pupil
        if not isinstance(pupil.train, Batches):
            raise TrainingError("hint must be null for rows that are read from disk: they have no hints beside them")
        hidden = lesson.hidden()
        if hidden is None:
            raise TrainingError(
                "hint must have a teacher with a hidden layer, got one without; use a teacher of kind mlp, deepfm or"
                " dcn_v2, or set hint to null"
            )
        hints = standardised(hidden)
        rows = replace(pupil.train, inputs=(*pupil.train.inputs, hints, pupil.train.weights))
        return replace(pupil, train=rows, hinted=Hinted(pupil.network, hints.shape[1], self.hint.weight))


def hashed(lesson: Lesson, most_ids: int, buckets: int, min_count: int, *, divide: bool) -> Schema:
    """Return the lesson's schema with at most so many categories a column; its other texts share buckets.

    Kept are the most frequent ones in training, of at least ``min_count`` rows. A column of fewer categories that has
    more buckets keeps its categories.

    Args:
        lesson: whose columns and training rows.
        most_ids, buckets, min_count: see above.
        divide: where a column has buckets already, the new ones divide them, so that what shared one still does.

    Raises:
        TrainingError: the divisor is far from what was asked for.
    """
    schema = lesson.schema
    large = {c.name for c in schema.categorical if len(c.categories) > most_ids}
    rows = counted(encode := RawEncoder(schema.only(large)), lesson.train.features)
    fewer = {
        c.name: c.model_copy(update={"categories": _most_frequent(c, counts[RawEncoder.FIRST :], most_ids, min_count)})
        for c, counts in zip(encode.schema.categorical, rows, strict=True)
    }
    for c in schema.categorical:
        if c.name in large or c.buckets > buckets:
            number = _divisor(c, buckets) if divide and c.buckets else buckets
            fewer[c.name] = fewer.get(c.name, c).model_copy(update={"buckets": number})
    return schema.model_copy(update={"columns": tuple(fewer.get(c.name, c) for c in schema.columns)})


def _most_frequent(column: Column, counts: np.ndarray, most_ids: int, min_count: int) -> tuple[str, ...]:
    own = counts[: len(column.categories)]
    kept = [i for i in np.argsort(-own, kind="stable")[:most_ids] if own[i] >= min_count]
    return tuple(column.categories[i] for i in sorted(kept))


def _divisor(column: Column, buckets: int) -> int:
    """Return the most buckets, up to so many, that divide the column's own."""
    divisors = [b for b in range(1, column.buckets + 1) if column.buckets % b == 0]
    found = max(b for b in divisors if b <= buckets)
    if found < min(buckets, column.buckets) / 2:
        above = min(b for b in divisors if b >= buckets)
        raise TrainingError(
            f"buckets must be at, or little above, a divisor of the {column.buckets:,} that column {column.name!r} has"
            f" in the source, so that vectors can be merged, got {buckets:,}, and the next one below is {found:,}; set"
            f" buckets to {above:,}, or the source's to a multiple of {buckets:,}, or inherit to labels"
        )
    return found
