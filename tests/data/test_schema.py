"""How raw values are read: once in training, the same way at serving time."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distillery.data import Column, RawEncoder, Schema
from distillery.data.schema import LARGEST, bucket_of
from distillery.errors import DataError

SCHEMA = Schema(
    columns=(
        Column(name="age", kind="numeric", lower=0, upper=90),
        Column(name="plan", kind="categorical", categories=("5", "a", "b")),
        Column(name="secret", kind="numeric", privileged=True),
    ),
    target="y",
    classes=("no", "yes"),
)


def frame(**columns: list[Any]) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    defaults: dict[str, list[Any]] = {"age": [1.0] * n, "plan": ["a"] * n, "secret": [0.0] * n}
    return pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in (defaults | columns).items()})


def test_conform_keeps_the_schemas_columns_in_its_order() -> None:
    """Other columns are left out and the order given plays no part."""
    read = SCHEMA.conform(frame(extra=[1])[["extra", "secret", "plan", "age"]])
    assert list(read.columns) == ["age", "plan", "secret"]


def test_conform_keeps_the_index() -> None:
    """Rows can be joined back to where they came from."""
    rows = frame(age=[1, 2]).set_axis([7, 3])
    assert SCHEMA.conform(rows).index.tolist() == [7, 3]


@pytest.mark.parametrize(
    ("absent", "instead", "message"),
    [
        ("age", "agee", "column 'age' is missing; did you mean 'agee'?"),
        ("age", "zzz", r"column 'age' is missing$"),
    ],
)
def test_a_missing_column_is_named_with_the_nearest(absent: str, instead: str, message: str) -> None:
    """A renamed column is found by the message."""
    with pytest.raises(DataError, match=message):
        SCHEMA.conform(frame(age=[1]).rename(columns={absent: instead}))


def test_all_missing_columns_are_named() -> None:
    """One message for all of them."""
    with pytest.raises(DataError, match="column 'age', 'plan', 'secret' is missing"):
        SCHEMA.conform(pd.DataFrame({"other": [1]}))


@pytest.mark.parametrize("index", [None, [10, 10, 10]])
def test_text_where_a_number_is_due_names_column_and_first_row(index: list[int] | None) -> None:
    """The first offending row and the number of such rows are given, even if row labels repeat."""
    rows = frame(age=[1, "old", "young"])
    if index:
        rows.index = pd.Index(index)
    row = 10 if index else 1
    with pytest.raises(DataError, match=rf"column 'age' must be numeric, got 'old' in row {row} \(2 such rows\)"):
        SCHEMA.conform(rows)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5.0),
        ("5", 5.0),
        (" 5.5 ", 5.5),
        ("-1e3", -1000.0),
        (True, 1.0),
        (np.float32(0.5), 0.5),
        (None, np.nan),
        (np.nan, np.nan),
        (pd.NA, np.nan),
        (pd.NaT, np.nan),
        (np.inf, LARGEST),
        ("-inf", -LARGEST),
        (-1e300, -LARGEST),
    ],
)
def test_numbers_are_read_whatever_they_are_written_as(value: object, number: float) -> None:
    """Numbers, booleans and text that is a number are float64 within float32; every missing value is NaN."""
    read = SCHEMA.conform(frame(age=[value, 1]))["age"]
    assert read.dtype == np.float64
    np.testing.assert_equal(read[0], number)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (5.0, "5"),
        ("5", "5"),
        (np.int64(5), "5"),
        (np.float32(5), "5"),
        ("5.0", "5.0"),
        (5.5, "5.5"),
        (True, "True"),
        (False, "False"),
        ("", None),
        (None, None),
        (np.nan, None),
        (pd.NA, None),
        (pd.NaT, None),
        (dt.date(2020, 1, 2), "2020-01-02"),
    ],
)
def test_categories_are_text(value: object, text: str | None) -> None:
    """A code is one category whether a file gave it as whole number, float or text."""
    read = SCHEMA.conform(frame(plan=[value, "x"]))["plan"]
    assert read.dtype == object
    assert read[0] == text


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pd.Series([5, 7]), ["5", "7"]),
        (pd.Series([5.0, np.nan]), ["5", None]),
        (pd.Series([5, pd.NA], dtype="Int64"), ["5", None]),
        (pd.Series([True, False]), ["True", "False"]),
        (pd.Series(["a", None], dtype="category"), ["a", None]),
        (pd.Series(["a", pd.NA], dtype="string"), ["a", None]),
        (pd.Series([], dtype=float), []),
    ],
)
def test_categories_are_text_of_any_column_type(values: pd.Series, texts: list[str | None]) -> None:
    """The column's type plays no part, only its values."""
    rows = frame(age=[1.0] * len(values)).assign(plan=values)
    assert SCHEMA.conform(rows)["plan"].tolist() == texts


def test_codes_reserve_missing_and_unseen() -> None:
    """0 is missing, 1 a category unseen in training, the others follow in the schema's order."""
    rows = frame(age=[1, None, 3, 4, 5], plan=[None, "zzz", "5", "a", "b"])
    numbers, codes = RawEncoder(SCHEMA)(rows)
    assert codes[:, 0].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_equal(numbers[:, 0], [1, np.nan, 3, 4, 5])
    assert RawEncoder(SCHEMA).cardinalities == [5]


def test_encoded_columns_have_an_order_of_their_own() -> None:
    """Numeric ones come first, each kind in table order."""
    assert [column.name for column in SCHEMA.encoded] == ["age", "secret", "plan"]


def test_one_row_is_read_as_in_a_batch() -> None:
    """A row's encoding depends on nothing but the row; neither neighbours nor order matter."""
    rows = frame(age=[1, "2", None, 4.5], plan=["a", 5, 5.0, None])
    encode = RawEncoder(SCHEMA)
    numbers, codes = encode(rows)
    for i in range(len(rows)):
        number, code = encode(rows.iloc[[i]])
        np.testing.assert_equal(number[0], numbers[i])
        assert code.tolist() == [codes[i].tolist()]
    backward = encode(rows.iloc[::-1])
    np.testing.assert_equal(backward[0][::-1], numbers)
    assert backward[1][::-1].tolist() == codes.tolist()


@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_a_schema_may_have_columns_of_one_kind_only(kind: str) -> None:
    """The other array then has no columns, and still a row for each row."""
    columns = tuple(c for c in SCHEMA.columns if c.kind == kind)
    numbers, codes = RawEncoder(SCHEMA.model_copy(update={"columns": columns}))(frame(age=[1, 2]))
    assert (numbers.shape[0], codes.shape[0]) == (2, 2)
    assert min(numbers.shape[1], codes.shape[1]) == 0


@pytest.mark.parametrize(
    ("classes", "target", "codes"),
    [
        (("no", "yes"), ["yes", "no", "yes"], [1, 0, 1]),
        ((0, 1), [1.0, 0.0], [1, 0]),
        ((False, True), [True, False], [1, 0]),
        ((1, 2, 7), [7, 1, 2], [2, 0, 1]),
    ],
)
def test_labels_are_indices_into_the_classes(classes: tuple[Any, ...], target: list[Any], codes: list[int]) -> None:
    """Whole floats are the whole numbers they stand for."""
    schema = SCHEMA.model_copy(update={"classes": classes})
    encoded = schema.encode_labels(pd.Series(target))
    assert encoded.dtype == np.int64
    assert encoded.tolist() == codes


@pytest.mark.parametrize(
    ("target", "found"),
    [(["yes", "maybe", "maybe"], "got 'maybe' in 2 rows"), (["yes", None], "got None in 1 rows")],
)
def test_a_label_that_is_no_class_is_refused(target: list[Any], found: str) -> None:
    """The classes, the strange values and their number are named."""
    with pytest.raises(DataError, match=rf"target 'y' must hold one of 'no', 'yes', {found}"):
        SCHEMA.encode_labels(pd.Series(target, dtype=object))


def test_the_regular_schema_has_no_privileged_column() -> None:
    """It is what a student may see."""
    assert SCHEMA.names == ["age", "plan", "secret"]
    assert SCHEMA.regular.names == ["age", "plan"]
    assert SCHEMA.regular.digest != SCHEMA.digest


def test_a_schema_survives_json() -> None:
    """Labels keep their types: False is not 0 and "1" is not 1."""
    for classes in ((False, True), (0, 1), ("0", "1"), (0.5, 1.5)):
        schema = SCHEMA.model_copy(update={"classes": classes})
        back = Schema.model_validate_json(schema.model_dump_json())
        assert back == schema
        assert list(map(type, back.classes)) == list(map(type, classes))


HASHED = SCHEMA.model_copy(
    update={"columns": (Column(name="plan", kind="categorical", categories=("a", "b"), buckets=5),)}
)


def test_hashed_texts_have_codes_behind_the_categories() -> None:
    """A missing text stays missing, a category keeps its code, all others have the code of their bucket."""
    texts = ["a", None, "b", "x", "yy", "", "x"]
    encode = RawEncoder(HASHED)
    codes = encode(pd.DataFrame({"plan": texts}))[1][:, 0]
    x, yy = RawEncoder.FIRST + 2 + bucket_of(["x", "yy"], 5)
    assert codes.tolist() == [2, 0, 3, x, yy, 0, x]
    assert encode.cardinalities == [2 + 2 + 5]
    assert Schema.model_validate_json(HASHED.model_dump_json()) == HASHED


def test_words_name_buckets_and_are_left_as_they_are_without() -> None:
    """Two texts of one bucket read alike; categories and the missing do not change, nor columns without buckets."""
    rows = pd.DataFrame({"plan": ["a", None, *(f"t{i}" for i in range(40))]})
    words = HASHED.worded(rows)["plan"]
    column = HASHED.categorical[0]
    assert words[:2].tolist() == ["a", None]
    assert set(words[2:]) == set(column.words[2:])
    codes = RawEncoder(HASHED)(rows)[1][:, 0] - RawEncoder.FIRST
    assert [column.words[code] for code in codes[2:]] == words[2:].tolist()
    plain = SCHEMA.only({"plan"})
    pd.testing.assert_frame_equal(plain.worded(rows), plain.conform(rows))


def test_buckets_fill_evenly() -> None:
    """Ids that count upwards spread over the buckets as drawn ones would: chi-square below its 99.9 % point."""
    counts = np.bincount(bucket_of((f"id{i}" for i in range(20_000)), 100), minlength=100)
    assert ((counts - 200) ** 2 / 200).sum() < 148.2


@pytest.mark.parametrize(
    ("text", "hashed"), [("", 0), ("a", 0x3C2569B2), ("abc", 0xB3DD93FA), ("\N{SNOWMAN}", None), ("\ud800", None)]
)
def test_the_hash_is_murmurs(text: str, hashed: int | None) -> None:
    """Published values of MurmurHash3_x86_32 with seed 0; any text has a bucket."""
    (bucket,) = bucket_of([text], 2**32)
    assert bucket == hashed or hashed is None


def test_no_text_no_bucket() -> None:
    """Empty in, empty out."""
    assert bucket_of([], 3).shape == (0,)
