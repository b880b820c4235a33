"""Does the exported file say what the fitted model says? Measured on given rows and on edge rows made of them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from distillery.data import Schema
from distillery.export.model import OnnxModel

UNSEEN = "\N{SNOWMAN} never seen"
EXTREMES = (1e300, -1e300, 1e30, -1e30, 0.0)


class Native(Protocol):
    """A fitted model as Python runs it."""

    @property
    def schema(self) -> Schema:
        """The raw columns it needs."""
        ...

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return probabilities ``(n, K)`` of raw rows."""
        ...


class Parity(BaseModel):
    """How far an exported file is from its model.

    Attributes:
        max_difference: the largest absolute difference of a probability.
        rows: how many rows were compared, edge rows included.
        edge_rows: how many of these were made up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_difference: float
    rows: int
    edge_rows: int


def edge_rows(schema: Schema, frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows at the edge of what a column can hold: missing, unseen, empty, extreme.

    Each is a given row with one column changed; the last ones have every column changed at once.

    Args:
        schema: the columns.
        frame: raw rows, at least one; the first is changed.
    """
    base = schema.conform(frame.head(1))
    changes: list[dict[str, object]] = []
    everywhere: list[dict[str, object]] = [{} for _ in EXTREMES]
    for column in schema.columns:
        values: tuple[object, ...] = (np.nan, *EXTREMES) if column.kind == "numeric" else (None, UNSEEN, "")
        changes += [{column.name: value} for value in values]
        for i, row in enumerate(everywhere):
            row[column.name] = values[i % len(values)]
    rows = pd.concat([base] * (len(changes) + len(everywhere)), ignore_index=True)
    for i, change in enumerate([*changes, *everywhere]):
        for name, value in change.items():
            rows.loc[i, name] = value
    return schema.conform(rows)


def measure_parity(model: Native, exported: OnnxModel, frame: pd.DataFrame) -> Parity:
    """Compare a fitted model with its exported file, row by row.

    On these rows, on `edge_rows`, on a single row and on none.

    Args:
        model: as it was fitted.
        exported: its file.
        frame: raw rows, such as those of the test split.
    """
    edges = edge_rows(model.schema, frame)
    largest = 0.0
    for rows in (frame, edges, frame.head(1), frame.head(0)):
        ours, theirs = model.predict_proba(rows), exported.predict_proba(rows)
        if ours.shape != theirs.shape or not np.isfinite(theirs).all():
            largest = np.inf
        elif ours.size:
            largest = max(largest, float(np.abs(ours - theirs).max()))
    return Parity(max_difference=largest, rows=len(frame) + len(edges) + 1, edge_rows=len(edges))
