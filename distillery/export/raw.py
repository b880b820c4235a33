"""Raw columns as an ONNX graph reads them: numbers with NaN for missing, text with "" for missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Literal, final

import numpy as np
import onnx

from distillery.data import Column, RawEncoder, Schema
from distillery.data.schema import bucket_of
from distillery.data.text import term_pattern
from distillery.errors import InputError
from distillery.export.graph import CONTRIB, DOUBLE, INT64, ML, TEXT, TEXT_OPSETS, Graph, tensor_of

Form = Literal["columns", "tensors"]
ROWS = "rows"
NUMERIC, CATEGORICAL, TEXTS = "numeric", "categorical", "text"
# ONNX knows no missing text. "" stands for it; ONNX Runtime's Python binding spells None and NaN so.
MISSING_TEXTS = ("", "None", "nan", "NaN", "<NA>")
SHARED_BYTES = 32_768  # of a table that all categorical columns share


class ExportError(InputError):
    """A model has no ONNX form."""


@final
class RawColumns:
    """The inputs of a graph, read as `distillery.data.RawEncoder` reads a frame.

    Attributes:
        graph: what nodes are added to.
        schema: the columns.
        form: ``columns``: one input per raw column, ``(rows,)`` each; ``tensors``: all numeric ones as
            ``numeric`` (rows, d_numeric), categories as ``categorical``, texts as ``text``.
    """

    def __init__(self, graph: Graph, schema: Schema, form: Form) -> None:
        self.graph, self.schema, self.form = graph, schema, form
        self._plain, self._given = schema.plain, schema.inputs

    @property
    def inputs(self) -> list[onnx.ValueInfoProto]:
        """What the graph takes: float64 numbers and text, in table order."""
        if self.form == "tensors":
            given = self._given
            kinds = (
                (NUMERIC, DOUBLE, given.numeric),
                (CATEGORICAL, TEXT, given.categorical),
                (TEXTS, TEXT, given.text),
            )
            return [tensor_of(name, kind, ROWS, len(columns)) for name, kind, columns in kinds if columns]
        # MLflow hands the only column of a frame over as a matrix.
        shape = (ROWS, 1) if len(self._given.columns) == 1 else (ROWS,)
        kind = {"numeric": DOUBLE, "categorical": TEXT, "text": TEXT}
        return [tensor_of(c.name, kind[c.kind], *shape) for c in self._given.columns]

    @cached_property
    def numbers(self) -> str:
        """The numeric columns ``(rows, d_numeric)`` float64, NaN for missing; only where there are any.

        Raises:
            ExportError: some of them are TF-IDF of hashed words.
        """
        plain = [c.name for c in self._plain.numeric]
        parts = [NUMERIC if self.form == "tensors" else self._joined(plain)] if plain else []
        return self.graph.concat([*parts, *self._terms()], 1)

    def _terms(self) -> Iterator[str]:
        """Yield which terms each text holds, ``(rows, number of terms)`` float64."""
        for i, text in enumerate(self._given.text):
            if text.idf:
                raise ExportError(
                    f"text {text.name!r} must be read as terms to be exported, got TF-IDF of hashed words: ONNX has"
                    " no such hash"
                )
            self.graph.requires(TEXT_OPSETS)
            values = self._text_column(i)
            kept = set(self.schema.names)
            patterns = [
                term_pattern(t) for t, name in zip(text.terms, text.parts("terms"), strict=True) if name in kept
            ]
            found = [self.graph.add("RegexFullMatch", values, pattern=pattern) for pattern in patterns]
            yield self.graph.add("Cast", self.graph.concat(found, 1), to=DOUBLE)

    def _text_column(self, i: int) -> str:
        """Return a text as ``(rows, 1)``."""
        graph, texts = self.graph, self._given.text
        if self.form == "columns":
            return graph.add("Reshape", texts[i].name, graph.constant(np.array([-1, 1])))
        return TEXTS if len(texts) == 1 else graph.add("Gather", TEXTS, graph.constant(np.array([i])), axis=1)

    @cached_property
    def codes(self) -> str:
        """The codes of `RawEncoder` ``(rows, d_categorical)`` int64; only where there are categorical columns."""
        return self.lookup([np.arange(size, dtype=np.int64) for size in RawEncoder(self.schema).cardinalities])

    def lookup(self, tables: Sequence[np.ndarray]) -> str:
        """Return a value, or a vector, for each category: ``(rows, d_categorical, ...)``.

        Where that costs little space, all columns share one look-up of text: nodes are what takes time.

        Args:
            tables: per categorical column the value of each code of `RawEncoder`, ``(codes, ...)``.
        """
        words = [(*column.categories, *MISSING_TEXTS) for column in self.schema.categorical]
        shared = sorted(set().union(*words))
        if len(words) == 1 or len(words) * len(shared) * tables[0][0].nbytes <= SHARED_BYTES:
            texts, laid = [self._text()], [shared] * len(words)
        else:
            texts, laid = self._separate(), [sorted(set(own)) for own in words]
        at = self.graph.concat([self._places(*one) for one in zip(texts, laid, strict=False)], 1)
        at = self._hashed(at, texts, np.array([len(own) for own in laid]))
        columns = zip(self.schema.categorical, tables, laid, strict=True)
        rows = [_values(column, table, own) for column, table, own in columns]
        first = np.cumsum([0, *(len(part) for part in rows)])[:-1].astype(np.int64)
        moved = at if len(rows) == 1 else self.graph.add("Add", at, self.graph.constant(first))
        return self.graph.add("Gather", self.graph.constant(np.concatenate(rows)), moved)

    def _hashed(self, places: str, texts: list[str], new: np.ndarray) -> str:
        """Move each new text's place by its bucket, where columns have buckets.

        Args:
            places: ``(rows, d_categorical)``, as `_places` gives them.
            texts: one by one ``(rows, 1)``, or all as one ``(rows, d_categorical)``.
            new: per column the place of a new text, ``(d_categorical,)``.
        """
        graph, buckets = self.graph, np.array([c.buckets for c in self.schema.categorical])
        if not buckets.any():
            return places
        graph.requires({CONTRIB: 1})
        needed = [text for text, n in zip(texts, buckets, strict=False) if n or len(texts) == 1]
        # As `bucket_of` does.
        own = {text: graph.add("MurmurHash3", text, domain=CONTRIB, positive=1, seed=0) for text in needed}
        # Modulo 1 is 0: in columns without buckets, where any hash will do, new texts keep their place.
        hashes = graph.concat([own.get(text, own[needed[0]]) for text in texts], 1)
        bucket = graph.add("Mod", graph.add("Cast", hashes, to=INT64), graph.constant(np.maximum(buckets, 1)))
        is_new = graph.add("Equal", places, graph.constant(new))
        return graph.add("Where", is_new, graph.add("Add", places, bucket), places)

    def _places(self, text: str, words: list[str]) -> str:
        """Return each text's place among these words; a new one's is behind them."""
        return self.graph.add(
            "LabelEncoder",
            text,
            domain=ML,
            keys_strings=words,
            values_int64s=list(range(len(words))),
            default_int64=len(words),
        )

    def _text(self) -> str:
        return CATEGORICAL if self.form == "tensors" else self._joined([c.name for c in self.schema.categorical])

    def _separate(self) -> list[str]:
        """Return every categorical column as ``(rows, 1)``."""
        if self.form == "columns":
            column = self.graph.constant(np.array([-1, 1]))
            return [self.graph.add("Reshape", c.name, column) for c in self.schema.categorical]
        n = len(self.schema.categorical)
        return self.graph.add_many("Split", (CATEGORICAL, self.graph.constant(np.ones(n, np.int64))), n, axis=1)

    def _joined(self, names: list[str]) -> str:
        """Return columns ``(rows,)`` each as one matrix ``(rows, d)``."""
        graph = self.graph
        if len(self._given.columns) == 1:
            return names[0]
        stacked = graph.add("Reshape", graph.concat(names, 0), graph.constant(np.array([len(names), -1])))
        return graph.add("Transpose", stacked, perm=[1, 0])


def _values(column: Column, table: np.ndarray, words: list[str]) -> np.ndarray:
    """Return a column's values by word, with those of new words behind them: one, or one per bucket."""
    buckets = RawEncoder.FIRST + len(column.categories) + np.arange(column.buckets)
    value: dict[str, int] = {}
    if column.buckets:
        known = set(column.categories)
        new = [word for word in words if word not in known]
        value = dict(zip(new, buckets[bucket_of(new, column.buckets)].tolist(), strict=True))
    value |= dict.fromkeys(MISSING_TEXTS, RawEncoder.MISSING)
    value |= {category: RawEncoder.FIRST + i for i, category in enumerate(column.categories)}
    codes = [value.get(word, RawEncoder.UNSEEN) for word in words]
    return table[[*codes, *(buckets if column.buckets else [RawEncoder.UNSEEN])]]
