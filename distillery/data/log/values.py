"""Columns of a log as features: text with a dictionary, or numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from distillery.data.schema import ColumnKind, as_text
from distillery.errors import DataError, shortlist

CATEGORY = pa.dictionary(pa.int32(), pa.string())


def infer_log_kind(field: pa.Field) -> ColumnKind:
    """Say whether a column holds numbers or categories, by its type alone: text is never taken for numbers.

    Raises:
        DataError: it holds dates, lists, or nothing.

    >>> infer_log_kind(pa.field("a", pa.int8())), infer_log_kind(pa.field("a", pa.large_string()))
    ('numeric', 'categorical')
    """
    kind = field.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "numeric"
    if pa.types.is_boolean(kind):
        return "numeric"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "categorical"
    if pa.types.is_temporal(kind):
        raise DataError(
            f"column {field.name!r} holds dates; name it as `time`, drop it, or derive numbers from it first"
        )
    raise DataError(f"column {field.name!r} must hold numbers or text, got {kind}; list it under `drop`")


def text_column(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return values as text, each spelled as `as_text` does: 5 and 5.0 are ``"5"``, the empty text is missing.

    Returns:
        Dictionary-encoded text in one piece; the dictionary holds each text once.

    >>> text_column(pa.chunked_array([[5.0, None, 2.5]])).to_pylist()
    ['5', None, '2.5']
    """
    coded = _coded(values)
    if pa.types.is_string(coded.dictionary.type) and not pc.any(pc.equal(coded.dictionary, "")).as_py():
        return pa.chunked_array([coded.cast(CATEGORY)])
    spelled = as_text(coded.dictionary.to_pandas())
    # Spelled again, values may be equal or missing: 0.0 and -0.0, or the empty text.
    codes, texts = pd.factorize(spelled)
    texts = pa.array(texts, pa.string())
    if len(texts) == len(codes):
        return pa.chunked_array([pa.DictionaryArray.from_arrays(coded.indices.cast(pa.int32()), texts)])
    mapping = pa.array(codes, pa.int32(), mask=codes < 0)
    return pa.chunked_array([pa.DictionaryArray.from_arrays(mapping.take(coded.indices), texts)])


def _coded(values: pa.ChunkedArray) -> pa.DictionaryArray:
    if not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    joined = values.combine_chunks()
    if isinstance(joined, pa.ChunkedArray):  # what older versions give
        joined = joined.unify_dictionaries().chunk(0) if joined.num_chunks else pa.array([], values.type)
    return joined


def number_column(values: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return values as float64, missing ones as null.

    Raises:
        DataError: a value is no number, or infinite.
    """
    try:
        numbers = _decoded(values).cast(pa.float64())
    except pa.ArrowInvalid as error:
        raise DataError(
            f"column {name!r} must be numeric, got: {error}; list it under `categorical` if it holds categories"
        ) from error
    infinite = pc.is_inf(numbers)
    if pc.any(infinite).as_py():
        raise DataError(
            f"column {name!r} must be finite, got {shortlist(numbers.filter(infinite).to_pylist())};"
            " replace infinite values by missing ones or a bound"
        )
    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)


def _decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_boolean(values.type):
        return values.cast(pa.int8())
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        empty = pc.equal(values, "")
        return pc.if_else(empty, pa.scalar(None, values.type), values)
    return values


def numbers_or_missing(values: pa.ChunkedArray) -> np.ndarray:
    """Return whether each text is a finite number, or missing ``(n,)``.

    >>> numbers_or_missing(pa.chunked_array([["-2", "x", None]])).tolist()
    [True, False, True]
    """
    return _each(values, np.isfinite, True)


def whole_numbers(values: pa.ChunkedArray) -> np.ndarray:
    """Return values as whole numbers ``(n,)`` int64, -1 where one is missing or is none.

    >>> whole_numbers(pa.chunked_array([["14102100", "x", None]])).tolist()
    [14102100, -1, -1]
    """

    def whole(read: np.ndarray) -> np.ndarray:
        return np.where((read >= 0) & (read == np.floor(read)) & (read < 2**53), read, -1).astype(np.int64)

    return _each(values, whole, -1)


def _each(values: pa.ChunkedArray, of: Callable[[np.ndarray], np.ndarray], missing: int | bool) -> np.ndarray:
    """Return a function of each value as a number ``(n,)``, found once for each spelling; NaN is none."""
    coded = _coded(values)
    read = pd.to_numeric(coded.dictionary.to_pandas(), errors="coerce").to_numpy(np.float64, na_value=np.nan)
    indices = coded.indices.fill_null(len(read)).to_numpy(zero_copy_only=False)
    return np.asarray(np.append(of(read), missing)[indices])
