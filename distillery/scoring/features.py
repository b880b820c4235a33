"""A file's columns as a model's features: what is a number, what is text, what is missing."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from distillery.data import Schema
from distillery.errors import DataError, did_you_mean, shortlist
from distillery.scoring.inputs import InputFile

# What pandas takes for missing in a CSV, as it did when the model's table was read.
CSV_MISSING = (
    *("", "NA", "N/A", "n/a", "NULL", "null", "None", "NaN", "nan", "-NaN", "-nan", "<NA>"),
    *("#N/A", "#N/A N/A", "#NA", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
TRUTHS = ("True", "TRUE", "true", "False", "FALSE", "false")
LONGEST_NUMBER = r"^[+-]?[0-9]{19,}$"  # longer digits are names


@final
@dataclass(frozen=True)
class Features:
    """How a file's columns are read.

    Attributes:
        schema: the model's columns.
        blanks: spellings of a missing value.
        types: of categorical columns that come as text and were numbers or truths to pandas.
    """

    schema: Schema
    blanks: tuple[str, ...] = ()
    types: Mapping[str, pa.DataType] = field(default_factory=dict)

    def frame(self, chunk: pa.Table, first: int) -> pd.DataFrame:
        """Return raw rows as `distillery.data.Schema.conform` takes them.

        Args:
            chunk: rows of the file.
            first: the place in the file of the first of them, for messages.

        Raises:
            DataError: a numeric column holds text; names column, value and row.
        """
        columns: dict[str, np.ndarray | pd.Series] = {}
        for column in self.schema.columns:
            values = self._without_blank_texts(plain(chunk[column.name]))
            if column.kind == "numeric":
                values = self._without_blank_numbers(numbers_of(values, column.name, first))
                columns[column.name] = values.to_numpy()
            else:
                values = self._without_blank_numbers(typed(values, self.types.get(column.name, values.type)))
                # Whole numbers stay whole beside missing ones, whatever the chunk.
                columns[column.name] = values.to_pandas(integer_object_nulls=True)
        return pd.DataFrame(columns)

    @cached_property
    def _blank_numbers(self) -> list[float]:
        return [*pd.to_numeric(pd.Series(self.blanks, dtype=object), errors="coerce").dropna().astype(float)]

    def _without_blank_texts(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        if not self.blanks or not is_text(values.type):
            return values
        return without(values, values, self.blanks)

    def _without_blank_numbers(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        if not self._blank_numbers or not is_numeric(values.type):
            return values
        return without(values, values.cast(pa.float64(), safe=False), self._blank_numbers)


def features_of(file: InputFile, schema: Schema, missing: tuple[str, ...], texts: Collection[str] = ()) -> Features:
    """Return how a file's columns are read; of a CSV, the categorical ones are read through once.

    A CSV has no types: a column that holds numbers alone was numeric to pandas when the model's table was
    read, so that 5.0 and 05 were the category ``"5"``. What a column holds is a matter of the whole file, but
    where training saw other words (``texts``), all of it is text.
    """
    if not file.is_csv:
        return Features(schema, missing)
    blanks = (*CSV_MISSING, *missing)
    names = [column.name for column in schema.categorical if column.name not in texts]
    return Features(schema, blanks, infer_types(file.batches(names), names, blanks) if names else {})


def misfits(found: pa.Schema, schema: Schema, keys: tuple[str, ...]) -> list[str]:
    """Return in what a file's columns differ from those that are needed, one line each."""
    types = dict(zip(found.names, found.types, strict=True))
    lines = [f"column {name!r} stands more than once" for name, n in Counter(found.names).items() if n > 1]
    for name in schema.names:
        if name not in types:
            lines.append(f"column {name!r} is missing{did_you_mean(name, found.names)}")
        elif not is_plain(types[name]):
            lines.append(f"column {name!r} must hold numbers or text, got {types[name]}")
    absent = [key for key in keys if key not in types]
    lines += [f"key {key!r} is missing{did_you_mean(key, found.names)}" for key in absent]
    return [*lines, f"the columns are {shortlist(found.names, 60)}"] if lines else []


def numbers_of(values: pa.ChunkedArray, name: str, first: int) -> pa.ChunkedArray:
    """Return values as float64.

    Raises:
        DataError: one is no number.

    >>> numbers_of(pa.chunked_array([["1.5", " 2", None, "true"]]), "x", 0).to_pylist()
    [1.5, 2.0, None, 1.0]
    """
    if not is_text(values.type):
        return values.cast(pa.float64(), safe=False)
    texts = pc.utf8_trim_whitespace(values)
    if casts(texts, pa.float64()):
        return texts.cast(pa.float64())
    truths = pc.is_in(texts, value_set=pa.array(TRUTHS, texts.type))
    texts = pc.if_else(truths, pc.if_else(pc.equal(pc.utf8_lower(texts), "true"), "1", "0"), texts)
    if casts(texts, pa.float64()):
        return texts.cast(pa.float64())
    row = bisect_left(range(len(texts)), x=True, key=lambda i: not casts(texts.slice(0, i + 1), pa.float64()))
    raise DataError(
        f"column {name!r} must be numeric, got {values[row].as_py()!r} in row {first + row} (the first is row 0);"
        " mend the file, or list the value under `missing`"
    )


def infer_types(batches: Iterator[pa.RecordBatch], names: list[str], blanks: tuple[str, ...]) -> dict[str, pa.DataType]:
    """Return the types that pandas gives to columns of text, when it reads all rows at once."""
    seen: dict[str, set[pa.DataType]] = {name: set() for name in names}
    wanted = pa.array(blanks, pa.string())
    for batch in batches:
        for name in names:
            texts = batch[name]
            present = texts.filter(pc.invert(pc.is_in(texts, value_set=wanted)))
            seen[name] |= {pa.null()} if len(present) < len(texts) else set()
            seen[name] |= {type_of(present)} if len(present) else set()
    return {name: joined(types) for name, types in seen.items()}


def type_of(texts: pa.Array) -> pa.DataType:
    """Return what some texts, none of them missing, are to pandas."""
    trimmed = pc.utf8_trim_whitespace(texts)
    if casts(trimmed, pa.float64()):
        if casts(trimmed, pa.int64()):
            return pa.int64()
        return pa.string() if pc.any(pc.match_substring_regex(trimmed, LONGEST_NUMBER)).as_py() else pa.float64()
    truths = pc.is_in(texts, value_set=pa.array(TRUTHS, texts.type))
    return pa.bool_() if pc.all(truths).as_py() else pa.string()


def joined(types: set[pa.DataType]) -> pa.DataType:
    """Return the type of a column whose parts have these; null stands for a missing value.

    >>> joined({pa.int64()}), joined({pa.int64(), pa.null()}), joined({pa.int64(), pa.bool_()})
    (DataType(int64), DataType(double), DataType(string))
    """
    if types == {pa.int64()}:
        return pa.int64()
    if types <= {pa.int64(), pa.float64(), pa.null()}:
        return pa.float64()
    return pa.bool_() if types <= {pa.bool_(), pa.null()} else pa.string()


def typed(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Return texts as this type, values that have a type already as they are."""
    if not is_text(values.type) or is_text(kind):
        return values
    return (values if pa.types.is_boolean(kind) else pc.utf8_trim_whitespace(values)).cast(kind)


def without(values: pa.ChunkedArray, compared: pa.ChunkedArray, blanks: Sequence[str | float]) -> pa.ChunkedArray:
    """Return values with those missing that compare equal to a blank."""
    found = pc.is_in(compared, value_set=pa.array(blanks, compared.type))
    return pc.if_else(found, pa.scalar(None, values.type), values)


def plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return values without a dictionary, and any text as one type."""
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    return values.cast(pa.large_string() if is_text(kind) else kind)


def casts(texts: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> bool:
    """Whether every text can be read as this type."""
    try:
        texts.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_numeric(kind: pa.DataType) -> bool:
    """Whether a column of this type holds numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def is_plain(kind: pa.DataType) -> bool:
    """Whether a feature can have this type: numbers, text, truths, nothing at all; no dates, bytes or lists."""
    if pa.types.is_dictionary(kind):
        return is_plain(kind.value_type)
    return is_text(kind) or is_numeric(kind) or bool(pa.types.is_boolean(kind) or pa.types.is_null(kind))
