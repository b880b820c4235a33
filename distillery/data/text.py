"""Text as numbers: hashed TF-IDF for teachers, a short list of terms for students.

A term is a word or two neighbouring words. Words are runs of letters, digits and apostrophes, in lower case.
The terms are few and found by regular expressions, so that an ONNX file finds them in the raw text as Python does.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer
from sklearn.feature_selection import chi2

HASHED = 512  # numbers that a teacher gets of a text
TERMS = 40  # terms that a student gets of a text, at most
LEAST_TEXTS, LEAST_SHARE = 5, 0.002  # of the training texts, that hold a term
_APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}"
_WORD = re.compile(r"(?:[^\W_]|')+")
_NO_TERMS = frozenset({"none", "nan", "na"})  # how ONNX Runtime's Python binding spells a missing text


@cache
def _lower() -> dict[int, str]:
    """Return what each letter is written as in lower case, one letter for one: `str.lower` looks at neighbours."""
    letters = {i: chr(i).lower()[0] for i in range(sys.maxunicode + 1) if chr(i).lower() != chr(i)}
    return {**letters, ord(_APOSTROPHES[1]): "'"}


@cache
def _spellings(letter: str) -> str:
    """Return every letter that is this one in lower case, itself first."""
    return letter + "".join(chr(i) for i, low in _lower().items() if low == letter)


def lowered(text: str) -> str:
    """Return a text in lower case, as long as it was.

    >>> lowered("It\N{RIGHT SINGLE QUOTATION MARK}s GREAT")
    "it's great"
    """
    return text.lower() if text.isascii() else text.translate(_lower())


def word_spans(text: str) -> list[tuple[str, int, int]]:
    """Return each word in lower case, and where it begins and ends.

    >>> word_spans("So soft!")
    [('so', 0, 2), ('soft', 3, 7)]
    """
    return [(found.group(), *found.span()) for found in _WORD.finditer(lowered(text))]


def words_of(text: str | None) -> list[str]:
    """Return a text's words; a missing text has none.

    >>> words_of("Didn't fit ... AT ALL"), words_of(None)
    (["didn't", 'fit', 'at', 'all'], [])
    """
    return _WORD.findall(lowered(text)) if text else []


def terms_of(text: str | None) -> list[str]:
    """Return a text's words and pairs of neighbouring words.

    >>> terms_of("So soft!")
    ['so', 'soft', 'so soft']
    """
    words = words_of(text)
    return [*words, *(f"{one} {next_}" for one, next_ in pairwise(words))]


def choose_terms(texts: Sequence[str | None], labels: np.ndarray, *, most: int) -> tuple[str, ...]:
    """Return the terms whose presence says most about the labels, by chi-square, sorted.

    Args:
        texts: of the training rows ``(n,)``.
        labels: their classes ``(n,)``.
        most: terms at most; fewer where few terms recur.
    """
    least = min(max(LEAST_TEXTS, int(np.ceil(LEAST_SHARE * len(texts)))), max(2, len(texts) // 10))
    counter = CountVectorizer(analyzer=terms_of, binary=True, dtype=np.float64)
    try:
        present = counter.fit_transform(texts)
    except ValueError:  # no text has a word
        return ()
    names = counter.get_feature_names_out()
    often = np.asarray(present.sum(axis=0)).ravel() >= least
    kept = np.flatnonzero(often & [len(name) > 1 and name not in _NO_TERMS for name in names])
    if not len(kept):
        return ()
    score = np.nan_to_num(chi2(present[:, kept], labels)[0])
    return tuple(sorted(names[kept[np.argsort(-score, kind="stable")[:most]]].tolist()))


def learn_idf(texts: Sequence[str | None]) -> tuple[float, ...]:
    """Return the inverse document frequency of each bucket, ``ln((1 + n) / (1 + df)) + 1``, from training texts."""
    return tuple(TfidfTransformer().fit(_hashed(texts, HASHED)).idf_.tolist())


def hashed_tf_idf(texts: Sequence[str | None], idf: Sequence[float]) -> np.ndarray:
    """Return hashed words as TF-IDF ``(n, len(idf))`` float64; rows have length 1, without words 0.

    Weinberger et al. (2009), arXiv:0902.2206, without their signs: a bucket of trees is read more easily.
    """
    distinct, place = np.unique(np.array([text or "" for text in texts], dtype=object), return_inverse=True)
    if not len(distinct):
        return np.zeros((0, len(idf)))
    weighed = _hashed(distinct, len(idf)).toarray() * np.asarray(idf)
    length = np.linalg.norm(weighed, axis=1, keepdims=True)
    return np.asarray((weighed / np.where(length > 0, length, 1))[place])


def _hashed(texts: Iterable[str | None], buckets: int) -> Any:
    """Return how often words of each bucket stand in each text ``(n, buckets)``, sparse."""
    return HashingVectorizer(analyzer=words_of, n_features=buckets, alternate_sign=False, norm=None).transform(texts)


def term_indicators(texts: Sequence[str | None], terms: Sequence[str]) -> np.ndarray:
    """Return whether each text holds each term, ``(n, len(terms))`` float64 of 0 and 1.

    >>> term_indicators(["Very soft", None], ("soft", "very soft")).tolist()
    [[1.0, 1.0], [0.0, 0.0]]
    """
    held = [frozenset(terms_of(text)) for text in texts]
    return np.array([[term in one for term in terms] for one in held], dtype=np.float64).reshape(-1, len(terms))


def term_pattern(term: str) -> str:
    """Return the RE2 pattern that a whole text matches if and only if it holds the term, as `terms_of` has it.

    Letters are spelled in all their cases, since ONNX has no lower case that is the same everywhere.
    """
    no_word = rf"[^\pL\pN{_APOSTROPHES}]"
    words = ("".join(f"[{_spellings(letter)}]" for letter in word) for word in term.split(" "))
    return rf"(?s)(?:.*{no_word})?{f'{no_word}+'.join(words)}(?:{no_word}.*)?"
