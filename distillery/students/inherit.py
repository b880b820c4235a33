"""What a student takes from its teacher beside the labels."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from distillery.spec import Spec

How = Literal["labels", "embeddings", "compressed"]


class InheritSpec(Spec):
    """What a student starts from; in a config the word for ``how`` alone will do.

    Attributes:
        how: ``labels``: soft labels alone; ``embeddings``: the teacher's own vector of each column, up to one factor;
            ``compressed``: these turned into fewer dimensions by a truncated singular value
            decomposition; in columns of many ids the rarer ones share vectors by their hash. Privileged columns are
            never inherited; columns that the teacher has not, such as the terms of a text, begin afresh.
        frozen: keep the vectors as they are, those that begin afresh, too; by default they are trained further.
        fallback: where the teacher has no vectors: ``refuse`` to train, or learn from ``raw`` columns, as with
            ``labels``, which the report then says.
        fresh: take how columns are read, hashed and how long their vectors are, and no vectors: for a control.
    """

    how: How = "labels"
    frozen: bool = False
    fallback: Literal["refuse", "raw"] = "refuse"
    fresh: bool = False

    @model_validator(mode="after")
    def _has_vectors(self) -> Self:
        if self.how == "labels" and (self.frozen or self.fresh or self.fallback != "refuse"):
            raise ValueError(
                "inherit must be embeddings or compressed where frozen, fallback or fresh is set, got labels: there"
                " are no vectors; leave them out"
            )
        return self


class Inherited(BaseModel):
    """What a fitted student took from its teacher.

    Attributes:
        asked: what its config asked for.
        got: what it was; ``labels`` where the teacher had nothing else.
        dimensions: of a column's vector.
        frozen: whether the vectors stayed the teacher's.
        hashed: the columns whose rare ids share vectors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    asked: How
    got: How
    dimensions: int
    frozen: bool = False
    hashed: tuple[str, ...] = ()

    @property
    def fell_back(self) -> bool:
        """Whether the teacher had less than was asked for."""
        return self.asked != self.got
