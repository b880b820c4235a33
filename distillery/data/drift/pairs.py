"""What is compared: a column's training values beside those of another split, and by which method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import pandas as pd

from distillery.data.drift.report import Part
from distillery.data.schema import LARGEST, Schema, as_numeric, as_text
from distillery.data.table import Table
from distillery.data.text import words_of

Method = Literal["wasserstein", "jensenshannon", "ks", "homogeneity"]
NUMERIC: tuple[Method, ...] = ("wasserstein", "ks")
DISTANCES: tuple[Method, ...] = ("wasserstein", "jensenshannon")
# Rows a comparison is worth, n * m / (n + m), from which on a distance is trusted: Evidently's threshold of 0.1
# deviations is then four standard errors of a mean. Below, chance reaches it, and a test is asked.
ENOUGH_ROWS = 1600
FEW_VALUES = 5  # so many different numbers are compared one by one
MOST_CATEGORIES = 200
NOISE = 0.05  # the Jensen-Shannon distance that chance alone may give, half of Evidently's threshold


@final
@dataclass(frozen=True)
class Pair:
    """The present values of a column, or whether it is missing, in training and in another split.

    Attributes:
        column: its name.
        part: which of the two.
        method: how they are to be compared.
        train, other: numbers, or categories as text; nothing is missing. Either may be empty.
    """

    column: str
    part: Part
    method: Method
    train: pd.Series
    other: pd.Series

    @property
    def numeric(self) -> bool:
        return self.method in NUMERIC

    @property
    def empty(self) -> bool:
        """Whether one side has no values."""
        return self.train.empty or self.other.empty


def pair_up(schema: Schema, train: pd.DataFrame, other: pd.DataFrame) -> Iterator[Pair]:
    """Pair the features and the target of two splits, in table order.

    The method follows from the rows of both sides, where Evidently's own choice looks at training alone: twenty
    test rows are always far from twenty thousand. Of a text, the number of its words is compared.
    """
    kinds = {column.name: column.kind for column in schema.columns} | {schema.target: "categorical"}
    for name, kind in kinds.items():
        read = {"numeric": _as_finite, "categorical": as_text, "text": _lengths}[kind]
        sides = read(train[name]).reset_index(drop=True), read(other[name]).reset_index(drop=True)
        yield _values(name, kind != "categorical", *(side.dropna() for side in sides))
        if any(side.hasnans for side in sides):
            yield _categories(
                name, "missing", *(side.isna().map({True: "missing", False: "present"}) for side in sides)
            )


def _as_finite(values: pd.Series) -> pd.Series:
    """Return numbers; a table reads infinite ones as the largest, and these are no place on a scale."""
    numbers = as_numeric(values)
    return numbers.where(numbers.abs() < LARGEST)


def _lengths(values: pd.Series) -> pd.Series:
    """Return how many words each text has, NaN for a missing one."""
    texts = as_text(values)
    return texts.map(words_of).map(len).where(texts.notna()).astype(np.float64)


def _values(name: str, numeric: bool, train: pd.Series, other: pd.Series) -> Pair:
    if numeric and train.nunique() > FEW_VALUES:
        method: Method = "ks" if _few(train, other) else "wasserstein"
        return Pair(name, "values", method, train, other)
    return _categories(name, "values", as_text(train), as_text(other))


def _categories(name: str, part: Part, train: pd.Series, other: pd.Series) -> Pair:
    method: Method = "homogeneity" if _few(train, other) else "jensenshannon"
    return Pair(name, part, method, *_pooled(train, other))


def _few(train: pd.Series, other: pd.Series) -> bool:
    return _worth(train, other) < ENOUGH_ROWS


def _worth(train: pd.Series, other: pd.Series) -> float:
    return len(train) * len(other) / max(len(train) + len(other), 1)


def _pooled(train: pd.Series, other: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Name the rarest categories as one.

    Two samples of one distribution over K categories are about ``sqrt((K - 1) / 8 * (1 / n + 1 / m))`` apart by
    Jensen and Shannon, so that thousands of categories would always seem to drift.
    """
    if train.empty or other.empty:
        return train, other
    most = MOST_CATEGORIES
    if not _few(train, other):
        most = min(most, 1 + int(8 * NOISE**2 * _worth(train, other)))
    # By both sides' rows together: a rank that leant on either would favour what is common there by chance.
    counts = pd.concat([train, other]).value_counts()
    ranked = counts.sort_index().sort_values(ascending=False, kind="stable").index
    if len(ranked) <= most:
        return train, other
    kept, rest = ranked[: most - 1], f"{len(ranked) - most + 1} rarer categories"
    while rest in kept:
        rest += "′"
    return train.where(train.isin(kept), rest), other.where(other.isin(kept), rest)


def as_in_log(table: Table, rng: np.random.Generator) -> pd.DataFrame:
    """Return training rows distributed as the log's, of whose negative ones some may have been dropped.

    As large a share of the positive rows is left out: a draw by weight would repeat rows, and tests take
    repeated rows for evidence.
    """
    train, facts = table.split("train"), None if table.parts is None else table.parts.facts
    if facts is None or not facts.dropped_negatives:
        return train
    positive = (train[table.schema.target] == table.schema.classes[-1]).to_numpy()
    return train[~positive | (rng.random(len(train)) >= facts.dropped_negatives / facts.negatives)]


def sample(frame: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """Return at most so many rows, drawn by the seed, in their own order."""
    if len(frame) <= most:
        return frame
    drawn = np.random.default_rng(seed).choice(len(frame), most, replace=False)
    return frame.iloc[np.sort(drawn)]
