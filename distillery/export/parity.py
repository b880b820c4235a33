"""Does the exported file say what the fitted model says? Measured on given rows and on edge rows made of them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from distillery.data import Column, Schema
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

    Each is a given row with one column changed; in the last ones all columns are.

    Args:
        schema: the columns.
        frame: raw rows, at least one; the first is changed.
    """
    schema = schema.inputs
    base = dict(schema.conform(frame.head(1)).iloc[0])
    choices: dict[str, tuple[object, ...]] = {
        c.name: (np.nan, *EXTREMES) if c.kind == "numeric" else (None, *_unseen(c.buckets), "", *_odd_texts(c))
        for c in schema.columns
    }
    single = [{**base, name: value} for name, values in choices.items() for value in values]
    several = [{name: values[i % len(values)] for name, values in choices.items()} for i in range(1 + len(EXTREMES))]
    return schema.conform(pd.DataFrame([*single, *several], dtype=object))


def _unseen(buckets: int) -> list[str]:
    """Return texts that training did not see: one, or as many as there are buckets, at most 5."""
    return [UNSEEN, *(f"{UNSEEN} {i}" for i in range(1, min(buckets, 5)))]


def _odd_texts(column: Column) -> list[str]:
    """Return texts that hold a term in full, in capitals, across lines, or almost."""
    terms = column.terms[:: max(1, len(column.terms) // 3)]
    forms = ("{}", "({})!", "x{}", "{}\N{LATIN SMALL LETTER E WITH ACUTE}", "_{}\n")
    return [form.format(term) for term in terms for form in forms] + [term.upper() for term in terms]


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
