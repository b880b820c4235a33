"""New training rows between old ones, for the teacher to label.

After Buciluă et al. (2006), "Model compression", algorithm MUNGE: every row meets a near row, and
takes some of its values.
"""

from __future__ import annotations

from typing import Literal, final

import numpy as np
import pandas as pd
from pydantic import Field, PositiveFloat, PositiveInt

from distillery.data import RawEncoder, Schema
from distillery.spec import Spec

ROWS_AT_ONCE = 4096


class ResampleSpec(Spec):
    """How new rows are made, and how many.

    Attributes:
        factor: new rows per real row, in every epoch.
        redraws: how often they are drawn anew; later epochs use the draws again, in turn.
        swap: share of the columns taken from the near row.
        move: share of the taken numbers that stop somewhere on the way to the near row's.
        candidates: the near row is the nearest of so many random ones; 1 takes any row.
    """

    method: Literal["resample"] = "resample"
    factor: PositiveFloat = 2.0
    redraws: PositiveInt = 10
    swap: float = Field(0.3, gt=0, le=1)
    move: float = Field(0.5, ge=0, le=1)
    candidates: PositiveInt = 256


@final
class Resampler:
    """Draws rows within what training showed: no new category, no column newly missing, no number out of range.

    DIFF from the paper: numbers are taken, or moved a uniform share of the way, where the paper adds
    Gaussian noise; and the near row is the nearest of a random few, so that each draw meets other rows.

    Args:
        schema: the columns; privileged ones go together, so that they stay consistent with each other.
        features: training rows, as `Schema.conform` gives them.
        spec: how.
        seed: of every draw.
    """

    def __init__(self, schema: Schema, features: pd.DataFrame, spec: ResampleSpec, *, seed: int) -> None:
        self._schema, self._spec = schema, spec
        self._rng = np.random.default_rng(seed)
        rows = schema.conform(features)
        self._numbers = {c.name: rows[c.name].to_numpy() for c in schema.numeric}
        self._texts = {c.name: rows[c.name].to_numpy() for c in (*schema.categorical, *schema.text)}
        self._n = len(rows)
        self._place = _places(schema, rows)

    def draw(self) -> pd.DataFrame:
        """Return ``round(factor · n)`` new rows in the schema's columns and types.

        The index says which training row each stems from.
        """
        own = self._rng.permutation(np.resize(np.arange(self._n), round(self._spec.factor * self._n)))
        near = self._near(own)
        taken = self._rng.random((len(own), len(self._schema.columns))) < self._spec.swap
        privileged = [i for i, c in enumerate(self._schema.columns) if c.privileged]
        taken[:, privileged] = taken[:, privileged[:1]]
        columns, shared = {}, None
        for i, column in enumerate(self._schema.columns):
            if column.kind == "numeric":
                way = shared if column.privileged and shared is not None else self._way(len(own))
                shared = way if column.privileged else shared  # privileged columns go the same way
                target = _moved(self._numbers[column.name], own, near, way, integer=column.integer)
                columns[column.name] = np.where(taken[:, i], target, self._numbers[column.name][own])
            else:
                columns[column.name] = self._texts[column.name][np.where(taken[:, i], near, own)]
        return pd.DataFrame(columns, index=own)

    def _near(self, own: np.ndarray) -> np.ndarray:
        """Return a near row for each, the nearest of some random others."""
        near = np.empty_like(own)
        for start in range(0, len(own), ROWS_AT_ONCE):
            part = own[start : start + ROWS_AT_ONCE]
            others = self._rng.integers(self._n, size=self._spec.candidates)
            apart = -2 * self._place[part] @ self._place[others].T + (self._place[others] ** 2).sum(axis=1)
            apart[part[:, None] == others] = np.inf  # a row is no neighbour of itself
            near[start : start + ROWS_AT_ONCE] = others[apart.argmin(axis=1)]
        return near

    def _way(self, n: int) -> np.ndarray | None:
        """Return how far each row's taken numbers go toward the near row's ``(n,)``; None for all the way."""
        if self._spec.move == 0:
            return None
        return np.where(self._rng.random(n) < self._spec.move, self._rng.random(n), 1.0)


def _moved(
    values: np.ndarray, own: np.ndarray, near: np.ndarray, way: np.ndarray | None, *, integer: bool
) -> np.ndarray:
    there: np.ndarray = values[near]
    if way is None:
        return there
    between = values[own] + way * (there - values[own])
    between = np.round(between) if integer else between
    return np.asarray(np.where(np.isnan(between), there, between))


def _places(schema: Schema, rows: pd.DataFrame) -> np.ndarray:
    """Return where rows lie ``(n, d)`` float32: standardized numbers, and a random direction for each category.

    Two rows that differ in a category lie about as far apart as two random values of a number; texts play no part.
    """
    numbers, codes = RawEncoder(schema.only([c.name for c in schema.encoded]))(rows)
    numbers = numbers[:, ~np.isnan(numbers).all(axis=0)]
    center, scale = np.nanmean(numbers, axis=0), np.nanstd(numbers, axis=0)
    filled = np.nan_to_num((numbers - center) / np.where(scale > 0, scale, 1))
    rng = np.random.default_rng(0)  # such directions are near-orthogonal, however many categories there are
    tables = [rng.normal(size=(column.max() + 1, 8)) / 8**0.5 for column in codes.T]
    return np.hstack([filled, *(table[column] for table, column in zip(tables, codes.T, strict=True))]).astype(
        np.float32
    )
