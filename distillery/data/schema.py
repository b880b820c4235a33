"""The schema of a table: what each column is, and how raw values are read."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, JsonValue, SerializerFunctionWrapHandler, model_serializer

from distillery.data.text import hashed_tf_idf, term_indicators
from distillery.errors import DataError, InputError, did_you_mean, shortlist

ColumnKind = Literal["numeric", "categorical", "text"]
TextReading = Literal["hashed", "terms"]
Label = bool | int | float | str
BUCKET = "\ue000 bucket "  # begins the word for a bucket; of a private use area, as no text of a table
LARGEST = float(np.finfo(np.float32).max)  # many libraries compute in float32, and refuse what overflows it


class Compact(BaseModel):
    """What leaves out of its JSON the fields named in ``RARE`` where they say nothing.

    So the digest of a table that does without them is what it was before there were such fields.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    RARE: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _leave_out(self, handler: SerializerFunctionWrapHandler) -> dict[str, JsonValue]:
        return {name: value for name, value in handler(self).items() if value or name not in self.RARE}


class Column(Compact):
    """One feature column, described on the training split.

    Attributes:
        name: the raw column's name.
        kind: ``numeric``, ``categorical`` (values are compared as text) or ``text`` (read word by word).
        privileged: known to the teacher, not at serving time.
        integer: numeric with whole values only.
        categories: the values seen in training, sorted (categorical only).
        buckets: how many codes all other values share by their hash (categorical only); 0 for one code, that of
            the unseen. With buckets, ``categories`` may be the frequent values alone.
        lower, upper: the range seen in training (numeric only).
        missing: share of missing training values, in [0, 1].
        terms: words and pairs of words that a student looks for (text only).
        idf: of each bucket of hashed words, for a teacher (text only).
        source: the text column that a number is read from; see `Schema.spread`.
    """

    RARE: ClassVar[frozenset[str]] = frozenset({"buckets", "terms", "idf", "source"})

    name: str
    kind: ColumnKind
    privileged: bool = False
    integer: bool = False
    categories: tuple[str, ...] = ()
    buckets: int = Field(0, ge=0)
    lower: float | None = None
    upper: float | None = None
    missing: float = 0.0
    terms: tuple[str, ...] = ()
    idf: tuple[float, ...] = ()
    source: str | None = None

    def parts(self, reading: TextReading) -> list[str]:
        """Name the numbers that this text is read as."""
        if reading == "terms":
            return [f"{self.name}: {term}" for term in self.terms]
        return [f"{self.name} #{i}" for i in range(len(self.idf))]

    def spread(self, reading: TextReading) -> list[Column]:
        """Return the numbers that this text is read as, as columns."""
        bounds = {"lower": 0.0, "upper": 1.0, "integer": reading == "terms", "privileged": self.privileged}
        return [Column(name=name, kind="numeric", source=self.name, **bounds) for name in self.parts(reading)]

    def kept_for(self, reading: TextReading) -> Column:
        """Return the text without what the other reading needs."""
        return self.model_copy(update={"idf" if reading == "terms" else "terms": ()})

    @property
    def words(self) -> tuple[str, ...]:
        """What the codes from `RawEncoder.FIRST` on stand for: the categories, then a word for each bucket."""
        return (*self.categories, *(f"{BUCKET}{i}" for i in range(self.buckets)))


class Task(BaseModel):
    """One of several binary targets that the target's classes are combinations of.

    Attributes:
        name: the target's.
        positive: the classes in which it is 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    positive: tuple[Label, ...]


class Schema(Compact):
    """What a table's columns mean.

    Attributes:
        columns: the features, in table order (privileged ones included).
        target: the column to predict.
        classes: the target's values; probabilities are given in this order. With two
            classes the last one is the positive one.
        group: rows with one value of it must stay in one split.
        time: orders the rows; neither ``group`` nor ``time`` is a feature.
        weight: a row's weight in training and evaluation.
        tasks: the binary targets that the classes are combinations of; none where the target is just one.
        query: rows are ranked within one value of it, such as a user; no feature, and free to recur in every split.
        texts: the text columns that numbers among ``columns`` are read from; see `spread`.
    """

    RARE: ClassVar[frozenset[str]] = frozenset({"tasks", "query", "texts"})

    columns: tuple[Column, ...]
    target: str
    classes: tuple[Label, ...]
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    tasks: tuple[Task, ...] = ()
    query: str | None = None
    texts: tuple[Column, ...] = ()

    @property
    def n_classes(self) -> int:
        return len(self.classes)

    @property
    def names(self) -> list[str]:
        """All feature columns, privileged ones included."""
        return [c.name for c in self.columns]

    @property
    def regular(self) -> Schema:
        """The schema a student may see: without privileged columns."""
        return self.model_copy(update={"columns": tuple(c for c in self.columns if not c.privileged)})

    @property
    def privileged(self) -> list[str]:
        """The columns known to the teacher only."""
        return [c.name for c in self.columns if c.privileged]

    def refuse_privileged(self, reader: str, names: Iterable[str]) -> None:
        """See that whoever has to do without them reads no privileged columns.

        Args:
            reader: who reads them, for the message.
            names: the columns that it reads.

        Raises:
            InputError: some are privileged; names them.
        """
        leaked = sorted(set(names) & set(self.privileged))
        if leaked:
            raise InputError(
                f"{reader} must read regular columns alone, got the privileged {shortlist(map(repr, leaked))}:"
                " they are not there at serving time"
            )

    @property
    def unit(self) -> str | None:
        """The column whose rows depend on each other and so are resampled together: the group, else the query."""
        return self.group or self.query

    def only(self, names: Container[str]) -> Schema:
        """The schema with these columns alone, in its own order."""
        return self.model_copy(update={"columns": tuple(c for c in self.columns if c.name in names)})

    @property
    def numeric(self) -> list[Column]:
        return [c for c in self.columns if c.kind == "numeric"]

    @property
    def categorical(self) -> list[Column]:
        return [c for c in self.columns if c.kind == "categorical"]

    @property
    def text(self) -> list[Column]:
        return [c for c in self.columns if c.kind == "text"]

    @property
    def derived(self) -> list[Column]:
        """The numbers that are read from a text."""
        return [c for c in self.columns if c.source is not None]

    @property
    def inputs(self) -> Schema:
        """The raw columns that must be given: of numbers read from a text, the text."""
        if not self.texts:
            return self
        needed = {c.source for c in self.columns}
        columns = [c for c in self.columns if c.source is None] + [t for t in self.texts if t.name in needed]
        return self.model_copy(update={"columns": tuple(columns), "texts": ()})

    def spread(self, reading: TextReading) -> Schema:
        """Return what a model is fitted on: each text as numbers, behind the other columns.

        Args:
            reading: ``hashed``: TF-IDF of hashed words, for teachers; ``terms``: which terms it holds, for
                students and whatever else is exported.

        Raises:
            DataError: a column is named as a number that is read from a text.
        """
        if not self.text:
            return self
        numbers = [column for text in self.text for column in text.spread(reading)]
        taken = {c.name for c in numbers} & set(self.names)
        if taken:
            raise DataError(f"a column must not be named as a part of a text, got {sorted(taken)}; rename it")
        columns = (*(c for c in self.columns if c.kind != "text"), *numbers)
        return self.model_copy(update={"columns": columns, "texts": tuple(t.kept_for(reading) for t in self.text)})

    @property
    def encoded(self) -> list[Column]:
        """The columns in the order in which every encoder gives them: numeric ones first."""
        return [*self.numeric, *self.categorical]

    @property
    def members(self) -> np.ndarray:
        """Whether each task is 1 in each class ``(T, K)`` bool."""
        flags = [[label in task.positive for label in self.classes] for task in self.tasks]
        return np.array(flags, dtype=bool).reshape(len(self.tasks), self.n_classes)

    @property
    def funnel(self) -> bool:
        """Whether each task can be 1 only where the one before is: T + 1 classes, one per stage that is reached."""
        stages = np.tri(self.n_classes, dtype=bool)[:, 1:].T
        return bool(self.tasks) and np.array_equal(self.members, stages)

    def marginals(self, proba: np.ndarray) -> np.ndarray:
        """Return each task's probability ``(n, T)`` of class probabilities ``(n, K)``."""
        return np.asarray(proba @ self.members.T.astype(np.float64))

    @property
    def digest(self) -> str:
        """The first 16 hex digits of the schema's SHA-256."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    def encode_labels(self, target: pd.Series) -> np.ndarray:
        """Turn target values into class indices, ``(n,)`` int64.

        Raises:
            DataError: a value is missing or is none of the classes.
        """
        codes = pd.Index(self.classes, dtype=object).get_indexer(pd.Index(target.astype(object)))
        if (codes < 0).any():
            bad = target[codes < 0]
            raise DataError(
                f"target {self.target!r} must hold one of {shortlist(map(repr, self.classes))}, got"
                f" {shortlist(map(repr, bad.unique()))} in {len(bad)} rows"
            )
        return codes.astype(np.int64)

    def conform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Read raw rows as this schema's features: numbers as float64, categories as text.

        Missing values stay missing (NaN or None), extra columns are left out. Numbers that are read from a
        text are read from it, unless they are there. Infinite numbers, and any
        beyond float32, are read as the largest one of it (±3.4e38), so that every kind of model is finite.

        Raises:
            DataError: a column is absent, or a numeric one holds text (the column and the
                first such row are named).
        """
        if self.texts:
            return self._conform_spread(frame)
        absent = [name for name in self.names if name not in frame.columns]
        if absent:
            hint = did_you_mean(absent[0], map(str, frame.columns))
            raise DataError(f"column {shortlist(map(repr, absent))} is missing{hint or ''}")
        read = {"numeric": _as_bounded, "categorical": as_text, "text": as_text}
        columns = {c.name: read[c.kind](frame[c.name]) for c in self.columns}
        return pd.DataFrame(columns, index=frame.index)

    def worded(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Read raw rows as `conform` does, each hashed text replaced by the word for its bucket.

        For models that read text and know nothing of hashing.

        Raises:
            DataError: as `conform`.
        """
        rows = self.conform(frame)
        for column in self.categorical:
            if column.buckets:
                values = rows[column.name]
                hashed = values.notna() & ~values.isin(column.categories)
                words = np.array(column.words[len(column.categories) :], dtype=object)
                rows.loc[hashed, column.name] = words[bucket_of(values[hashed], column.buckets)]
        return rows

    def _conform_spread(self, frame: pd.DataFrame) -> pd.DataFrame:
        names = [c.name for c in self.derived]
        plain = self.plain.conform(frame)
        return pd.concat([plain, pd.DataFrame(self.text_numbers(frame), index=frame.index, columns=names)], axis=1)

    @property
    def plain(self) -> Schema:
        """The schema without the numbers that are read from texts."""
        if not self.texts:
            return self
        columns = tuple(c for c in self.columns if c.source is None)
        return self.model_copy(update={"columns": columns, "texts": ()})

    def text_numbers(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the numbers that are read from texts ``(n, len(derived))`` float64, none missing.

        Raises:
            DataError: a text column is absent.
        """
        names = [c.name for c in self.derived]
        if names and set(names) <= set(frame.columns):
            return frame[names].to_numpy(np.float64)
        given = self.inputs.only({c.name for c in self.texts}).conform(frame)
        parts = [_text_numbers(text, given[text.name], names) for text in self.texts if text.name in given]
        return np.hstack([np.empty((len(frame), 0)), *parts])


def bucket_of(texts: Iterable[str], buckets: int) -> np.ndarray:
    """Return each text's bucket, ``(n,)`` int64 in [0, buckets).

    MurmurHash3 (x86, 32 bits, seed 0) of the UTF-8 bytes, modulo ``buckets``: ONNX Runtime has the same hash.

    >>> bucket_of(["a", "abc", "a"], 10).tolist()
    [0, 2, 0]
    """
    from sklearn.utils import murmurhash3_32  # noqa: PLC0415  takes a second to import, and few schemas hash

    places, distinct = pd.factorize(np.fromiter(texts, dtype=object))
    hashes = [murmurhash3_32(text.encode("utf-8", "surrogatepass"), positive=True) for text in distinct]
    return np.asarray((np.array(hashes, dtype=np.int64) % buckets)[places])


def _text_numbers(text: Column, values: pd.Series, names: list[str]) -> np.ndarray:
    """Return those of a text's numbers that are named, ``(n, d)``, in the text's own order."""
    texts, kept = values.tolist(), set(names)
    reading: TextReading = "hashed" if text.idf else "terms"
    numbers = hashed_tf_idf(texts, text.idf) if text.idf else term_indicators(texts, text.terms)
    return numbers[:, [name in kept for name in text.parts(reading)]]


def as_numeric(values: pd.Series) -> pd.Series:
    """Return the values as float64.

    Raises:
        DataError: a value is not a number; names the column and the first offending row.
    """
    if values.dtype == np.float64:
        return values
    numbers = pd.to_numeric(values, errors="coerce").astype(np.float64)
    bad = numbers.isna() & values.notna()
    if bad.any():
        first = int(bad.to_numpy().argmax())
        raise DataError(
            f"column {values.name!r} must be numeric, got {values.iloc[first]!r} in row {values.index[first]}"
            f" ({int(bad.sum())} such rows); list it under `categorical` if it holds categories"
        )
    return numbers


def _as_bounded(values: pd.Series) -> np.ndarray:
    return np.asarray(np.clip(as_numeric(values).to_numpy(), -LARGEST, LARGEST))


def as_text(values: pd.Series) -> pd.Series:
    """Return the values as text with None for missing, the empty text included; 5 and 5.0 are both ``"5"``.

    Categories are spelt once each.

    >>> as_text(pd.Series([5.0, None, "", "x"], dtype=object)).tolist()
    ['5', None, None, 'x']
    """
    if _is_coded(values):
        texts = list(np.append(_spelled(values), np.array([None], dtype=object))[values.cat.codes])
    elif pd.api.types.is_bool_dtype(values.dtype) or not pd.api.types.is_numeric_dtype(values.dtype):
        texts = [_text(v) for v in values.astype(object)]
    else:  # few distinct numbers, many rows: spell each once
        codes, uniques = pd.factorize(values)
        spelled = np.array([*(_text(v) for v in uniques), None], dtype=object)
        texts = list(spelled[codes])
    return pd.Series(texts, index=values.index, name=values.name, dtype=object)


def _is_coded(values: pd.Series) -> bool:
    return isinstance(values.dtype, pd.CategoricalDtype)


def _spelled(values: pd.Series) -> np.ndarray:
    """Return each category of a column as text ``(categories,)``."""
    return as_text(pd.Series(values.cat.categories.to_numpy(object), dtype=object)).to_numpy()


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value or None
    if value is None or value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124  NaN
        return None
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


class RawEncoder:
    """Reads raw rows as two arrays: numbers, and category codes.

    Codes are 0 for missing, 1 for a category not seen in training, and 2 + i for the
    column's i-th category. In a column with buckets, what is none of its c categories has
    2 + c + its bucket instead of 1. Lookups are built once, so that one row costs microseconds.
    """

    MISSING, UNSEEN, FIRST = 0, 1, 2

    def __init__(self, schema: Schema) -> None:
        if schema.text:
            names = shortlist(repr(c.name) for c in schema.text)
            raise ValueError(f"texts must be read as numbers before they are encoded, got {names}; see Schema.spread")
        self.schema = schema
        self._plain = schema.plain
        self._indexes = [pd.Index(c.categories, dtype=object) for c in schema.categorical]

    @property
    def cardinalities(self) -> list[int]:
        """Number of codes per categorical column, the two reserved ones included."""
        return [len(c.categories) + c.buckets + self.FIRST for c in self.schema.categorical]

    def __call__(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers ``(n, d_numeric)`` float64 with NaN for missing, codes ``(n, d_categorical)``.

        Raises:
            DataError: as `Schema.conform`.
        """
        held = {c.name for c in self.schema.categorical if c.name in frame and _is_coded(frame[c.name])}
        plain = self._plain.only(set(self._plain.names) - held) if held else self._plain
        rows, n = plain.conform(frame), len(frame)
        numbers = _stack((rows[c.name].to_numpy() for c in self._plain.numeric), n, np.float64)
        if self.schema.texts:
            numbers = np.hstack([numbers, self.schema.text_numbers(frame)])
        pairs = zip(self.schema.categorical, self._indexes, strict=True)
        coded = (
            self._recoded(frame[c.name], index, c.buckets)
            if c.name in held
            else self._codes(rows[c.name], index, c.buckets)
            for c, index in pairs
        )
        return numbers, _stack(coded, n, np.int64)

    def _recoded(self, values: pd.Series, index: pd.Index, buckets: int) -> np.ndarray:
        """Look up each spelling of a column of pandas categories once: they are few, and the rows many."""
        each = self._codes(pd.Series(_spelled(values), dtype=object), index, buckets)
        return np.append(each, self.MISSING)[values.cat.codes]

    def _codes(self, values: pd.Series, index: pd.Index, buckets: int) -> np.ndarray:
        codes = index.get_indexer(pd.Index(values, dtype=object)) + self.FIRST
        absent = values.isna().to_numpy()
        unseen = (codes < self.FIRST) & ~absent
        codes[unseen] = self.FIRST + len(index) + bucket_of(values[unseen], buckets) if buckets else self.UNSEEN
        codes[absent] = self.MISSING
        return codes


def _stack(columns: Iterable[np.ndarray], n: int, dtype: type) -> np.ndarray:
    arrays = list(columns)
    return np.column_stack(arrays).astype(dtype) if arrays else np.empty((n, 0), dtype=dtype)
