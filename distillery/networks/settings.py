"""How a network reads raw columns and how it is trained: the keys that teachers and students share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from distillery.data import Schema
from distillery.distillation.losses import LossKind
from distillery.errors import DataError
from distillery.spec import Spec


class EncodingFields(Spec):
    """How raw columns are encoded.

    Attributes:
        bins: piecewise-linear bins per numeric column, at most; 0 leaves the scaled number alone.
        placement: where bins end: at the splits of a small ``tree`` per column on the soft labels
            (a teacher: on the hard ones), or at ``quantile``s.
        frequencies: learned waves (a sine and a cosine each) per numeric column of many different
            values, for edges that bins blur; 0 for none.
        embedding: dimensions of a category's vector.
        min_count: categories of fewer training rows share the vector of the unseen ones; of a log the source's own
            ``min_count`` says so, for all its rows, and this one plays no part.
    """

    bins: int = Field(12, ge=0, le=256)
    placement: Literal["tree", "quantile"] = "tree"
    frequencies: int = Field(2, ge=0, le=256)
    embedding: PositiveInt = 8
    min_count: PositiveInt = 10


class Stage(Spec):
    """One part of a staged schedule.

    Attributes:
        epochs: its length.
        rows: which rows it sees: ``real`` ones, ``resampled`` ones, or ``all``.
        alpha: its weight of the soft labels, by default the candidate's; with 0 it sees real rows alone.
    """

    epochs: PositiveInt
    rows: Literal["all", "real", "resampled"] = "all"
    alpha: float | None = Field(None, ge=0, le=1)

    @model_validator(mode="after")
    def _can_learn(self) -> Stage:
        if self.rows == "resampled" and self.alpha == 0:
            raise ValueError("a stage of resampled rows must have alpha above 0, got 0: they have soft labels only")
        return self


class TrainingFields(Spec):
    """How a network is trained.

    Attributes:
        dropout: after each hidden layer.
        epochs: passes over the rows.
        patience: epochs without a better validation loss before training stops; by default it never
            does, since the best epochs come last. The best epoch's weights are kept.
        batch_size, learning_rate, weight_decay: of AdamW with a one-cycle rate.
        average: decay per step of the running mean of the weights, which is what is kept; 0 for none.
        noise: standard deviation of what is added to scaled numbers in training.
        sampling: ``uniform``, ``class`` or a column: every batch holds the classes, or the values of
            that column (of a number: its deciles), in the shares of the whole.
        device: ``auto`` takes a GPU where there is one.
        mixed_precision: bfloat16 where it is safe; by default on a GPU only.
    """

    dropout: float = Field(0.05, ge=0, lt=1)
    epochs: PositiveInt = 25
    patience: PositiveInt | None = None
    batch_size: PositiveInt = 512
    learning_rate: PositiveFloat = 3e-3
    weight_decay: NonNegativeFloat = 0.1
    average: float = Field(0.0, ge=0, lt=1)
    noise: NonNegativeFloat = 0.0
    sampling: str = "uniform"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    mixed_precision: bool | None = None


class SoftFields(Spec):
    """How a network learns from soft labels.

    Attributes:
        loss: ``kl``, ``mse_logits`` or ``dkd`` (three classes or more).
        temperature: T > 0, softens both sides of ``kl`` and ``dkd``.
        dkd_beta: weight of the second term of ``dkd``.
        stages: a schedule in parts; by default one part of ``epochs``.
        warm_up: share of the training over which the soft labels' weight rises from 0 to its own; 0 for none.
    """

    loss: LossKind = "kl"
    temperature: PositiveFloat = 1.0
    dkd_beta: NonNegativeFloat = 2.0
    stages: tuple[Stage, ...] = ()
    warm_up: float = Field(0.0, ge=0, lt=1)


class FeaturesSpec(Spec):
    """Which raw columns the network may need: at most so many, chosen in training.

    Attributes:
        at_most: how many.
        share: or which share of them, rounded down, at least one.
        method: ``gates`` (stochastic gates, Yamada et al. 2020, arXiv:1810.04247), or
            ``permutation`` (how much the validation loss rises when a column is shuffled).
        penalty: λ of the gates at first; it rises every epoch until few enough are open.
        growth: by which factor.
        temperature: σ of the gates' noise; smaller makes them harder.
        epochs: of the selection, at most.
    """

    at_most: PositiveInt | None = None
    share: float | None = Field(None, gt=0, le=1)
    method: Literal["gates", "permutation"] = "gates"
    penalty: PositiveFloat = 1e-3
    growth: float = Field(1.2, gt=1)
    temperature: PositiveFloat = 0.5
    epochs: PositiveInt = 60

    @model_validator(mode="after")
    def _one_limit(self) -> FeaturesSpec:
        if (self.at_most is None) == (self.share is None):
            raise ValueError(f"features must set at_most or share, got at_most={self.at_most} and share={self.share}")
        return self

    def limit(self, schema: Schema) -> int:
        """Return how many of these columns may stay.

        Raises:
            DataError: more are asked for than there are.
        """
        d = len(schema.columns)
        if self.share is not None:
            return max(1, int(self.share * d + 1e-9))
        if self.at_most is not None and self.at_most > d:
            raise DataError(f"features.at_most must be at most the table's {d} columns, got {self.at_most}")
        return self.at_most or d
