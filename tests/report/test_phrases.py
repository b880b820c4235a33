"""Which phrases drive a teacher: found in real texts, exact for a teacher whose words are known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distillery.data import Table
from distillery.data.text import words_of
from distillery.report.document import Writer
from distillery.report.model import Report
from distillery.report.phrases import MOST_WORDS, PRODUCTS, TEXTS, _cuts, driving_phrases
from distillery.report.render import to_html
from distillery.report.sections.phrases import phrases
from distillery.report.texts import Texts
from tests.texts import make_texts

WEIGHTS = {"love": 0.2, "soft": 0.1, "poor": -0.3}


def reads_words(table: Table) -> Any:
    """A teacher whose probability is 0.5 plus what each word of the review weighs, once."""

    def predict_proba(frame: pd.DataFrame) -> np.ndarray:
        p = np.array([0.5 + sum(WEIGHTS.get(word, 0) for word in set(words_of(text))) for text in frame["review"]])
        return np.column_stack([1 - p, p])

    return SimpleNamespace(schema=table.schema, predict_proba=predict_proba)


@pytest.fixture(scope="module")
def table() -> Table:
    return make_texts(group="product")


@pytest.fixture(scope="module")
def found(table):
    return driving_phrases(reads_words(table), table)


def test_the_effect_of_a_phrase_is_what_it_adds(found):
    """Without the word the probability is lower, or higher, by exactly its weight; other words have no effect."""
    assert len(found) == PRODUCTS
    effects = [(one, p) for one in found for p in (*one.raising, *one.lowering)]
    assert {word for _, p in effects for word in words_of(p.phrase)} >= set(WEIGHTS)
    for _, phrase in effects:
        assert phrase.column == "review"
        assert phrase.effect == pytest.approx(sum(WEIGHTS.get(word, 0) for word in words_of(phrase.phrase)))
    assert all(p.effect > 0 for one in found for p in one.raising)
    assert all(p.effect < 0 for one in found for p in one.lowering)


def test_a_phrase_is_left_out_wherever_it_stands():
    """Otherwise the text still holds a repeated word, and it seems to do nothing; each text counts once."""
    said = ["love the love it", "love it", "so so so soft"]
    raw = pd.DataFrame({"review": said * 12, "y": [1, 0, 1] * 12, "size": 1.0, "shop": "a", "title": "Nice"})
    table = make_texts(raw, split=np.array(["train", "valid", "test", "train", "test", "test"] * 6))
    (one,) = driving_phrases(reads_words(table), table)
    effects = {phrase.phrase: phrase for phrase in one.raising}
    held = sum("love" in text for text in table.split("test")["review"])
    assert effects["love"].effect == pytest.approx(WEIGHTS["love"])
    assert effects["love"].texts == held > 1
    (cut,) = (cut for cut in _cuts(0, "review", "so so so soft") if cut.phrase == "so so")
    assert cut.of("so so so soft") == " soft"


def test_of_a_long_text_the_first_words_are_left_out():
    """Wherever they stand."""
    text = " ".join(["love", *["it"] * MOST_WORDS, "love", "poor"])
    cuts = {cut.phrase: cut.of(text) for cut in _cuts(0, "review", text)}
    assert set(cuts) == {"love", "it", "love it", "it it"}
    assert "love" not in cuts["love"]


def test_excerpts_are_from_real_test_texts_of_the_product(table, found):
    """Word by word, and the phrase stands in them."""
    test = table.split("test")
    for one in found:
        texts = [" ".join(text.split()) for text in test.loc[test["product"] == one.product, "review"].dropna()]
        for phrase in (*one.raising, *one.lowering):
            core = phrase.excerpt.removeprefix("… ").removesuffix(" …")
            assert any(core in text for text in texts)
            assert phrase.phrase in " ".join(words_of(core))
            assert 1 <= phrase.texts <= one.rows <= TEXTS


def test_no_two_phrases_of_a_direction_share_a_word(found):
    """Pairs around one telling word say nothing new."""
    for one in found:
        for phrases_ in (one.raising, one.lowering):
            words = [word for phrase in phrases_ for word in set(words_of(phrase.phrase))]
            assert len(words) == len(set(words))


def test_without_groups_all_rows_are_one_and_without_texts_there_are_none(table):
    """A teacher that does not read the texts has no phrases either."""
    (one,) = driving_phrases(reads_words(make_texts()), make_texts())
    assert one.product is None
    deaf = SimpleNamespace(schema=table.schema.only(["size"]), predict_proba=None)
    assert driving_phrases(deaf, table) == ()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_the_phrases(report, found, language):
    """Every figure is one of the JSON's; what a customer wrote is never markup."""
    wild = found[0].raising[0].model_copy(update={"excerpt": "<b>love</b> it"})
    first = found[0].model_copy(update={"raising": (wild,)})
    full: Report = report().model_copy(update={"language": language, "phrases": (first, *found[1:])})
    blocks = phrases(Writer(full, Texts(language)))
    assert len(blocks) == 2 + 2 * PRODUCTS
    page = to_html(full)
    assert "&lt;b&gt;love&lt;/b&gt; it" in page
    assert "<b>love" not in page
    assert phrases(Writer(report(), Texts(language))) == []
