"""The words of messages that a user can act on."""

from __future__ import annotations

import pytest

from distillery.errors import (
    ArtifactError,
    ConfigError,
    DataError,
    InputError,
    TrainingError,
    did_you_mean,
    shortlist,
)


@pytest.mark.parametrize("error", [ConfigError, DataError, ArtifactError, TrainingError])
def test_every_error_is_an_input_error_and_a_value_error(error: type[Exception]) -> None:
    """One ``except`` catches whatever a user can mend."""
    assert issubclass(error, InputError)
    assert issubclass(error, ValueError)


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("taget", ["target", "time"], "; did you mean 'target'?"),
        ("target", ["target"], "; did you mean 'target'?"),
        ("xyz", ["target", "time"], ""),
        ("x", [], ""),
        ("colour", iter(["color"]), "; did you mean 'color'?"),
    ],
)
def test_the_nearest_word_is_named(word: str, known: list[str], hint: str) -> None:
    """A near word is offered; with none near, nothing is."""
    assert did_you_mean(word, known) == hint


@pytest.mark.parametrize(
    ("values", "limit", "text"),
    [([], 5, ""), ([1], 5, "1"), (list(range(5)), 5, "0, 1, 2, 3, 4"), (list(range(7)), 5, "0, 1, 2, 3, 4 (+2 more)")],
)
def test_a_shortlist_counts_the_rest(values: list[int], limit: int, text: str) -> None:
    """At most ``limit`` values are spelled out."""
    assert shortlist(values, limit) == text
