"""Drift between splits, measured by Evidently."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ColumnDrift(BaseModel):
    """How far one column has moved from its training values.

    Attributes:
        column: the raw column, or the target.
        method: how it is measured, as Evidently names it.
        score: the distance.
        threshold: from here on it counts as drifted.
        drifted: whether it does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    method: str
    score: float
    threshold: float
    drifted: bool


class SplitDrift(BaseModel):
    """One split against training.

    Attributes:
        split: ``valid`` or ``test``.
        rows: compared, of this split and of training.
        columns: in table order, the target last.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str
    rows: tuple[int, int]
    columns: tuple[ColumnDrift, ...]


class DriftReport(BaseModel):
    """Drift of the other splits against training.

    Attributes:
        splits: one entry each.
        html: Evidently's page of the test split.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    splits: tuple[SplitDrift, ...]
    html: str = ""

    def of(self, split: str) -> tuple[ColumnDrift, ...]:
        """Return what was measured of one split; nothing where it was not."""
        return next((one.columns for one in self.splits if one.split == split), ())
