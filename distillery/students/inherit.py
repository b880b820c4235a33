"""What a student takes from its teacher beside the labels."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from distillery.spec import Spec

How = Literal["labels", "embeddings", "compressed"]


class InheritSpec(Spec):
    """What a student starts from; in a config the word for ``how`` alone will do.

    Attributes:
        how: ``labels``: soft labels alone; ``embeddings``: the teacher's own vector of each column, up to one factor;
            ``compressed``: these turned into fewer dimensions by a truncated singular value
            decomposition, rare ids sharing vectors by their hash. Privileged columns are never inherited.
        frozen: keep what was inherited as it is; by default it is trained further.
        fallback: where the teacher has no vectors: ``refuse`` to train, or learn from ``raw`` columns, as with
            ``labels``, which the report then says.
    """

    how: How = "labels"
    frozen: bool = False
    fallback: Literal["refuse", "raw"] = "refuse"


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
