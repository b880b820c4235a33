"""How a network reads raw columns and how it is trained: the keys that teachers and students share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from distillery.distillation.losses import LossKind
from distillery.spec import Spec


class EncodingFields(Spec):
    """How raw columns are encoded.

    Attributes:
        bins: piecewise-linear bins per numeric column, at most; 0 leaves the scaled number alone.
        placement: where bins end: at the splits of a small ``tree`` per column on the soft labels
            (a teacher: on the hard ones), or at ``quantile``s.
        frequencies: periodic components per numeric column (sine and cosine each); 0 for none.
        embedding: dimensions of a category's vector, at most.
        min_count: categories of fewer training rows share the vector of the unseen ones.
    """

    bins: int = Field(16, ge=0, le=256)
    placement: Literal["tree", "quantile"] = "quantile"
    frequencies: int = Field(0, ge=0, le=256)
    embedding: PositiveInt = 8
    min_count: PositiveInt = 10


class Stage(Spec):
    """One part of a staged schedule.

    Attributes:
        epochs: its length.
        rows: which rows it sees: ``real`` ones, ``resampled`` ones, or ``all``.
        alpha: its weight of the soft labels; by default the candidate's.
    """

    epochs: PositiveInt
    rows: Literal["all", "real", "resampled"] = "all"
    alpha: float | None = Field(None, ge=0, le=1)


class TrainingFields(Spec):
    """How a network is trained.

    Attributes:
        dropout: after each hidden layer.
        epochs: passes over the rows.
        patience: epochs without a better validation log loss before training stops; by default it
            never does, since the best epochs come last. The best epoch's weights are kept.
        batch_size, learning_rate, weight_decay: of AdamW with a one-cycle rate.
        average: decay per step of the running mean of the weights, which is what is kept; 0 for none.
        noise: standard deviation of what is added to scaled numbers in training.
        sampling: ``uniform``, ``class`` or a column: every batch holds the classes, or the values of
            that column (of a number: its deciles), in the shares of the whole.
        device: ``auto`` takes a GPU where there is one.
        mixed_precision: bfloat16 where it is safe; by default on a GPU only.
    """

    dropout: float = Field(0.1, ge=0, lt=1)
    epochs: PositiveInt = 40
    patience: PositiveInt | None = None
    batch_size: PositiveInt = 512
    learning_rate: PositiveFloat = 3e-3
    weight_decay: NonNegativeFloat = 1e-2
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
    """

    loss: LossKind = "kl"
    temperature: PositiveFloat = 1.0
    dkd_beta: NonNegativeFloat = 2.0
    stages: tuple[Stage, ...] = ()
