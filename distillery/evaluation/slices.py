"""Where a student differs from its teacher: slices of the rows, by one column's value or range."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from distillery.evaluation.quality import Estimate


class Slice(BaseModel):
    """Rows that share a value, or a range of values, of one column.

    Attributes:
        column: the raw column.
        category: the value, of a categorical column; None otherwise.
        lower, upper: the range ``lower < x <= upper`` of a numeric column; None where it is open.
        missing: the rows are those where the column is missing.
        rows: how many test rows.
        share: of the test rows.
        disagreement: share of its rows that teacher and student decide differently.
        disagreement_elsewhere: the same of all other rows.
        disagreement_p: of the first being no larger than the second, corrected for all slices looked at; None where
            there are too few groups to tell.
        loss_increase: student's log loss minus the teacher's on its rows, in nats per row.
        loss_increase_elsewhere: the same on all other rows.
        loss_p: of ``loss_increase`` being no larger than elsewhere, corrected in the same way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    category: str | None = None
    lower: float | None = None
    upper: float | None = None
    missing: bool = False
    rows: int
    share: float
    disagreement: float
    disagreement_elsewhere: float
    disagreement_p: float | None
    loss_increase: Estimate
    loss_increase_elsewhere: float
    loss_p: float | None

    @property
    def text(self) -> str:
        """Such as ``carrier = AA``, ``200 < distance ≤ 500`` or ``seats = –`` (missing)."""
        if self.missing:
            return f"{self.column} = –"
        if self.category is not None:
            return f"{self.column} = {self.category}"
        lower = "" if self.lower is None else f"{self.lower:g} < "
        upper = "" if self.upper is None else f" ≤ {self.upper:g}"
        return f"{lower}{self.column}{upper}"


class SliceSearch(BaseModel):
    """The slices found worst among all that were looked at.

    Attributes:
        looked_at: how many slices.
        least_rows: smaller ones were left out.
        disagreeing: those with the largest share of rows decided differently, the worst first.
        losing: those whose log loss rose most over the teacher's, the worst first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    looked_at: int
    least_rows: int
    disagreeing: tuple[Slice, ...]
    losing: tuple[Slice, ...]
