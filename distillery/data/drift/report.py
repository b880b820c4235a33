"""What is said about drift: the figures, and Evidently's page beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

from pydantic import BaseModel, ConfigDict

Part = Literal["values", "missing"]


class ColumnDrift(BaseModel):
    """How far one column has moved from its training values.

    Attributes:
        column: the raw column, or the target.
        part: what was compared: its present ``values``, or the share of rows where it is ``missing`` (infinite ones
            included); the latter is only looked at where a row misses the column.
        method: how it is measured, as Evidently names it; empty where one side has no values.
        kind: ``distance`` (larger is further) or ``p_value`` (smaller is further).
        score: the distance, in the method's own unit, or the p-value; None where one side has no values.
        threshold: a distance from here on, or a p-value up to here, counts as drifted.
        drifted: whether it does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    part: Part = "values"
    method: str
    kind: Literal["distance", "p_value"]
    score: float | None
    threshold: float
    drifted: bool

    @property
    def excess(self) -> float:
        """How far to the threshold or beyond: from 1 on it is drifted, 0 where nothing could be compared.

        A distance over its threshold; of p-values the ratio of their logarithms.

        >>> def told(kind, score, threshold):
        ...     return ColumnDrift(column="x", method="m", kind=kind, score=score, threshold=threshold, drifted=True)
        >>> told("distance", 0.2, 0.1).excess, told("p_value", 1e-6, 1e-3).excess
        (2.0, 2.0)
        """
        if self.score is None:
            return 0.0
        if self.kind == "distance":
            return self.score / self.threshold
        return math.log(max(self.score, 1e-300)) / math.log(self.threshold)


class SplitDrift(BaseModel):
    """One split against training.

    Attributes:
        split: ``valid`` or ``test``.
        rows: compared, of this split and of training.
        of_rows: how many there are; more than were compared where a sample was drawn.
        columns: in table order, the target last; a column's ``missing`` follows its ``values``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str
    rows: tuple[int, int]
    of_rows: tuple[int, int]
    columns: tuple[ColumnDrift, ...]

    @property
    def drifted(self) -> tuple[ColumnDrift, ...]:
        """What drifted, the furthest first."""
        return tuple(sorted((c for c in self.columns if c.drifted), key=lambda c: -c.excess))


class DriftReport(BaseModel):
    """Drift of the other splits against training.

    Attributes:
        splits: one entry each; none where drift was not measured.
        shown: the columns that Evidently's page of the test split shows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    splits: tuple[SplitDrift, ...] = ()
    shown: tuple[str, ...] = ()

    def of(self, split: str) -> tuple[ColumnDrift, ...]:
        """Return what was measured of one split; nothing where it was not."""
        return next((one.columns for one in self.splits if one.split == split), ())


@final
@dataclass(frozen=True)
class Drift:
    """The figures, and the page to look at.

    Attributes:
        report: the figures.
        page: Evidently's page of the test split, HTML that stands alone; empty where there is nothing to show.
    """

    report: DriftReport
    page: str

    @classmethod
    def unmeasured(cls) -> Drift:
        """No drift was looked for."""
        return cls(DriftReport(), "")

    @property
    def pages(self) -> dict[str, bytes]:
        """``drift.html``, or nothing where none was drawn."""
        return {"drift.html": self.page.encode()} if self.page else {}

    def to_files(self) -> dict[str, bytes]:
        """Return ``drift.json`` and, where there is a page, ``drift.html``."""
        return {"drift.json": self.report.model_dump_json(indent=1).encode(), **self.pages}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Drift:
        """Read what `to_files` gave."""
        report = DriftReport.model_validate_json(files["drift.json"])
        return cls(report, files.get("drift.html", b"").decode())
