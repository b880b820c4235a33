"""Which raw columns a model's answers rest on: permutation importance."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ColumnImportance(BaseModel):
    """How much worse a model is without one column.

    Attributes:
        name: the raw column.
        mean: rise of the log loss when the column is shuffled, in nats per row, averaged over the shuffles.
        rises: of each shuffle.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    mean: float
    rises: tuple[float, ...]


class Importance(BaseModel):
    """Permutation importance of every column.

    Attributes:
        rows: how many test rows it was measured on.
        columns: the most important first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    columns: tuple[ColumnImportance, ...]
