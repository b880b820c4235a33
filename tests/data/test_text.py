"""Text columns: what is learnt of words, how they become numbers, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.pipeline import make_pipeline

from distillery.data import RawEncoder, Table
from distillery.data.build import schema_table
from distillery.data.drift.pairs import pair_up
from distillery.data.sources import FileSpec
from distillery.data.text import (
    choose_terms,
    hashed_tf_idf,
    learn_idf,
    lowered,
    term_indicators,
    terms_of,
    word_spans,
    words_of,
)
from distillery.data.validation import ValidationSpec, validate_table
from distillery.errors import DataError
from tests.texts import ODD_TEXTS, make_texts

CORPUS = ["The dress fits well", "It did not fit; returned it", None, "well, well: what a dress!", "", "Lovely dress"]


def test_hashed_tf_idf_is_that_of_scikit_learn() -> None:
    """Its hashing and TF-IDF in a row, with the same words; a text without words is a row of zeros."""
    texts = [text or "" for text in CORPUS]
    theirs = make_pipeline(
        HashingVectorizer(analyzer=words_of, n_features=512, alternate_sign=False, norm=None), TfidfTransformer()
    ).fit_transform(texts)
    ours = hashed_tf_idf(CORPUS, learn_idf(CORPUS))
    np.testing.assert_allclose(ours, theirs.toarray(), atol=1e-12)
    np.testing.assert_allclose((ours**2).sum(axis=1), [1, 1, 0, 1, 0, 1])


def test_without_collisions_it_is_tf_idf_of_words() -> None:
    """Few words in 512 buckets: each word has its own, so every two texts are as near as by their words."""
    texts = [text or "" for text in CORPUS]
    words = TfidfVectorizer(analyzer=words_of).fit_transform(texts)
    ours = hashed_tf_idf(CORPUS, learn_idf(CORPUS))
    np.testing.assert_allclose(ours @ ours.T, (words @ words.T).toarray(), atol=1e-12)


def test_terms_are_found_as_scikit_learn_counts_them() -> None:
    """Words and pairs of words, present or not."""
    counter = CountVectorizer(analyzer=terms_of, binary=True).fit([text or "" for text in CORPUS])
    names = tuple(counter.get_feature_names_out())
    theirs = counter.transform([text or "" for text in CORPUS]).toarray()
    np.testing.assert_array_equal(term_indicators(CORPUS, names), theirs)


def test_lower_case_keeps_every_letters_place() -> None:
    """Also of letters whose lower case is two letters, or depends on the next one: spans are the raw text's."""
    for text in ODD_TEXTS:
        assert len(lowered(text)) == len(text)
        assert all(lowered(text[start:end]) == word for word, start, end in word_spans(text))
    assert words_of("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}yi") == ["iyi"]


def test_the_terms_are_those_that_tell_the_classes_apart() -> None:
    """A rare word is none however well it tells, and neither is the spelling of a missing value."""
    texts = ["good thing", "bad thing"] * 50 + ["seldom none", "nan"]
    labels = np.array([1, 0] * 50 + [1, 0])
    assert choose_terms(texts, labels, most=4) == ("bad", "bad thing", "good", "good thing")
    assert not {"seldom", "none", "nan"} & set(choose_terms(texts, labels, most=40))
    assert choose_terms(["", None], np.array([0, 1]), most=4) == ()


def test_words_are_learnt_from_training_rows_alone() -> None:
    """Other rows' texts change neither terms nor document frequencies."""
    table = make_texts()
    raw = table.frame.drop(columns="__split__")
    changed = raw.assign(review=raw["review"].where(table.frame["__split__"] == "train", "utterly other words"))
    again = make_texts(changed, split=table.frame["__split__"].to_numpy())
    assert [(c.terms, c.idf) for c in again.schema.text] == [(c.terms, c.idf) for c in table.schema.text]


def test_a_schema_spreads_texts_over_numbers() -> None:
    """Teachers get hashed words, students terms; privileged stays privileged, and the inputs are the raw columns."""
    schema = make_texts(privileged=("review",)).schema
    hashed, terms = schema.spread("hashed"), schema.regular.spread("terms")
    assert [c.name for c in hashed.columns[:2]] == ["size", "shop"]
    assert {c.source for c in hashed.derived} == {"title", "review"}
    assert {c.source for c in hashed.regular.derived} == {"title"}
    assert terms.names == ["size", "shop", *(f"title: {term}" for term in schema.text[0].terms)]
    assert hashed.inputs.names == schema.names
    assert terms.inputs.names == ["size", "shop", "title"]
    assert terms.only(["size", terms.names[-1]]).inputs.names == ["size", "title"]
    assert terms.only(["size"]).inputs.names == ["size"]
    assert not any(text.idf for text in terms.texts)


@pytest.mark.parametrize("reading", ["hashed", "terms"])
def test_rows_are_read_once_or_twice_alike(reading) -> None:
    """Rows that were read already stay as they are; the encoder gives the same numbers of both."""
    table = make_texts()
    schema = table.schema.spread(reading)
    raw = table.rows("test").features
    once = schema.conform(raw)
    pd.testing.assert_frame_equal(schema.conform(once), once)
    numbers, codes = RawEncoder(schema)(raw)
    np.testing.assert_array_equal(numbers, once[[c.name for c in schema.numeric]].to_numpy())
    for ours, theirs in zip(RawEncoder(schema)(once), (numbers, codes), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_odd_texts_are_read() -> None:
    """Missing, empty, unseen, without words, or a number: all give finite rows; no word gives zeros."""
    table = make_texts()
    row = table.rows("test").features.iloc[[0] * (len(ODD_TEXTS) + 2)].reset_index(drop=True)
    row["review"] = pd.Series([*ODD_TEXTS, None, 5.0], dtype=object)
    for reading in ("hashed", "terms"):
        numbers, _ = RawEncoder(table.schema.spread(reading))(row)
        assert np.isfinite(numbers[:, 1:]).all()


def test_a_table_of_texts_comes_back_from_files() -> None:
    """With terms and document frequencies, and the same digest."""
    table = make_texts()
    again = Table.from_files(table.to_files())
    assert again.schema == table.schema
    assert again.digest == table.digest


def test_a_table_of_texts_is_valid_and_shown() -> None:
    """No text is taken for an identifier; its number of words is watched for drift."""
    table = make_texts()
    assert validate_table(table, ValidationSpec()).success
    assert schema_table(table.schema)["in training"].iloc[-1].endswith("terms")
    pairs = {
        (pair.column, pair.part): pair for pair in pair_up(table.schema, table.split("train"), table.split("test"))
    }
    first = table.split("train")["review"].dropna().iloc[0]
    assert pairs["review", "values"].numeric
    assert pairs["review", "values"].train.iloc[0] == len(words_of(first))


def test_what_is_no_text_is_refused() -> None:
    """Words that never recur, an encoder without reading, a column named as a part of a text."""
    raw = make_texts().frame.drop(columns="__split__")
    unique = raw.assign(review=[f"w{i}" for i in range(len(raw))])
    with pytest.raises(DataError, match="text column 'review' must have words that recur in several training rows"):
        make_texts(unique)
    schema = make_texts().schema
    with pytest.raises(ValueError, match="texts must be read as numbers before they are encoded, got 'title'"):
        RawEncoder(schema)
    taken = schema.text[0].parts("terms")[0]
    with pytest.raises(DataError, match=re.escape(f"must not be named as a part of a text, got ['{taken}']")):
        make_texts(raw.assign(**{taken: 1.0})).schema.spread("terms")
    with pytest.raises(DataError, match="column 'title' is missing"):
        schema.spread("hashed").conform(raw.drop(columns="title"))


def test_a_file_names_its_texts(tmp_path) -> None:
    """``text`` is a role of `FileSpec`; one column has one kind."""
    raw = make_texts().frame.drop(columns="__split__")
    raw.to_csv(tmp_path / "reviews.csv", index=False)
    spec = FileSpec(path=str(tmp_path / "reviews.csv"), target="y", text=("title", "review"), privileged=("review",))
    kinds = {c.name: (c.kind, c.privileged) for c in spec.load(seed=0).schema.columns}
    assert kinds["title"] == ("text", False)
    assert kinds["review"] == ("text", True)
    for other in ({"categorical": ("title",)}, {"drop": ("title",)}):
        with pytest.raises(ValueError, match="a column must have one role, got several for 'title'"):
            FileSpec(path="x.csv", target="y", text=("title",), **other)
