"""Which phrases of real texts drive the teacher: what its answer loses when a phrase is left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from distillery.data import Table
from distillery.data.model import Model
from distillery.data.text import word_spans, words_of

PRODUCTS, TEXTS, PHRASES = 3, 24, 4  # shown; texts of each that are read, phrases of each direction
MOST_WORDS = 60  # of a text, from its beginning, that are left out in turn
AROUND = 45  # characters of an excerpt on either side
SEED = 0


class Phrase(BaseModel):
    """A word, or two neighbouring ones.

    Attributes:
        phrase: in lower case.
        column: the text column it stands in.
        effect: how much higher the probability is with it than without, averaged over the texts that hold it.
        texts: how many these are.
        excerpt: from the one where it matters most, where it first stands.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    phrase: str
    column: str
    effect: float
    texts: int
    excerpt: str


class ProductPhrases(BaseModel):
    """What drives the teacher on the test rows of one group, such as a product.

    Attributes:
        product: the group; None where the table has no groups, for all rows.
        label: the class whose probability it is.
        rows: how many rows were read, drawn at random.
        mean: their mean probability.
        raising, lowering: the phrases with the largest effects, summed over the texts, the largest first; no
            two share a word.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    product: str | None
    label: str
    rows: int
    mean: float
    raising: tuple[Phrase, ...]
    lowering: tuple[Phrase, ...]


def driving_phrases(teacher: Model, table: Table) -> tuple[ProductPhrases, ...]:
    """Return what drives the teacher on the groups with the most texts among the test rows; none without texts.

    Each word and each pair of words is left out of its text in turn, wherever it stands there (occlusion; Zeiler &
    Fergus 2014), a few thousand predictions in all: of a long text its first `MOST_WORDS` words. It says what this
    teacher answers without a phrase, not what causes anything.
    """
    texts = [column.name for column in table.schema.text if column.name in teacher.schema.inputs.names]
    rows = table.split("test")
    rows = rows[rows[texts].notna().any(axis=1)] if texts else rows.head(0)
    return tuple(_phrases_of(teacher, table, product, some, texts) for product, some in _products(rows, table))


def _products(rows: pd.DataFrame, table: Table) -> Iterator[tuple[str | None, pd.DataFrame]]:
    group = table.schema.group
    if group is None:
        if len(rows):
            yield None, _drawn(rows)
        return
    for product in rows[group].value_counts().sort_index().sort_values(ascending=False, kind="stable").index[:PRODUCTS]:
        yield str(product), _drawn(rows[rows[group] == product])


def _drawn(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sample(n=min(TEXTS, len(rows)), random_state=SEED).reset_index(drop=True)


@final
@dataclass(frozen=True)
class _Cut:
    """A text without a phrase.

    Attributes:
        row: which one.
        column, phrase: what is left out, and from where.
        places: where it begins and ends, each time that it stands in the text.
    """

    row: int
    column: str
    phrase: str
    places: tuple[tuple[int, int], ...]

    def of(self, text: str) -> str:
        kept, at = "", 0
        for start, end in self.places:  # "so so" stands in "so so so" twice, one over the other
            kept, at = kept + text[at:start], end
        return kept + text[at:]


def _phrases_of(
    teacher: Model, table: Table, product: str | None, rows: pd.DataFrame, texts: Sequence[str]
) -> ProductPhrases:
    features = rows[table.schema.names]
    cuts = [cut for column in texts for i, text in enumerate(rows[column]) for cut in _cuts(i, column, text)]
    without = features.iloc[[cut.row for cut in cuts]].reset_index(drop=True)
    for column in texts:
        at = [i for i, cut in enumerate(cuts) if cut.column == column]
        without.loc[at, column] = [cuts[i].of(rows[column][cuts[i].row]) or None for i in at]
    positive = table.schema.n_classes - 1
    whole = teacher.predict_proba(features)[:, positive]
    rest = teacher.predict_proba(without)[:, positive] if cuts else np.empty(0)
    effects = whole[[cut.row for cut in cuts]] - rest if cuts else rest
    found = _averaged(cuts, effects, rows)
    return ProductPhrases(
        product=product,
        label=str(table.schema.classes[positive]),
        rows=len(rows),
        mean=float(whole.mean()),
        raising=_strongest([one for one in found if one.effect > 0]),
        lowering=_strongest([one for one in found if one.effect < 0]),
    )


def _cuts(row: int, column: str, text: str | None) -> Iterator[_Cut]:
    words = word_spans(text) if text else []
    pairs = [(f"{one} {two}", start, end) for (one, start, _), (two, _, end) in pairwise(words)]
    places: Mapping[str, list[tuple[int, int]]] = defaultdict(list)
    for phrase, start, end in (*words, *pairs):
        places[phrase].append((start, end))
    for phrase in dict.fromkeys(phrase for phrase, *_ in (*words[:MOST_WORDS], *pairs[: MOST_WORDS - 1])):
        yield _Cut(row, column, phrase, tuple(places[phrase]))


def _averaged(cuts: Sequence[_Cut], effects: np.ndarray, rows: pd.DataFrame) -> list[Phrase]:
    by_phrase: Mapping[tuple[str, str], list[int]] = defaultdict(list)
    for i, cut in enumerate(cuts):
        by_phrase[cut.column, cut.phrase].append(i)
    phrases = []
    for (column, phrase), places in by_phrase.items():
        mean = float(effects[places].mean())
        most = cuts[places[int(np.argmax(effects[places] * np.sign(mean)))]]
        excerpt = _excerpt(rows[column][most.row], most)
        phrases.append(Phrase(phrase=phrase, column=column, effect=mean, texts=len(places), excerpt=excerpt))
    return phrases


def _excerpt(text: str, cut: _Cut) -> str:
    """Return the phrase with what stands around it, whole words only, on one line."""
    first, last = cut.places[0]
    start, end = max(0, first - AROUND), min(len(text), last + AROUND)
    before, after = text[start:first], text[last:end]
    if start:
        before = "… " + before.partition(" ")[2]
    if end < len(text):
        after = after.rpartition(" ")[0] + " …"
    return " ".join(f"{before}{text[first:last]}{after}".split())


def _strongest(phrases: Sequence[Phrase]) -> tuple[Phrase, ...]:
    """Rank by what a phrase does over all texts: of those that stand in one alone, many move it by chance."""
    kept: list[Phrase] = []
    for one in sorted(phrases, key=lambda p: (-abs(p.effect) * p.texts, p.phrase, p.column)):
        taken = {word for other in kept for word in words_of(other.phrase)}
        if len(kept) < PHRASES and not taken & set(words_of(one.phrase)):
            kept.append(one)
    return tuple(kept)
