"""Bootstrap weights."""

from __future__ import annotations

import re

import numpy as np
import pytest

from distillery.errors import InputError
from distillery.evaluation import Resamples


def test_every_replicate_draws_n_rows() -> None:
    """Counts are whole, not negative, and sum to n."""
    drawn = Resamples.draw(50, replicates=30, seed=1)
    assert drawn.weights.shape == (30, 50)
    assert drawn.weights.dtype == np.float32
    assert (drawn.weights == np.round(drawn.weights)).all()
    assert (drawn.weights.sum(axis=1) == 50).all()


def test_the_draw_is_a_function_of_the_seed() -> None:
    """Equal seeds give equal weights and digests, other seeds other ones."""
    a, b, c = (Resamples.draw(50, 5, seed) for seed in (1, 1, 2))
    assert (a.weights == b.weights).all()
    assert a.digest == b.digest != c.digest


def test_rows_of_a_group_are_drawn_together() -> None:
    """All rows of a group have one weight, whatever order they stand in."""
    groups = np.array(["b", "a", "b", "c", "a", "a"])
    drawn = Resamples.draw(6, replicates=40, seed=0, groups=groups)
    for group in "abc":
        part = drawn.weights[:, groups == group]
        assert (part == part[:, :1]).all()
    firsts = drawn.weights[:, [1, 0, 3]]
    assert (firsts.sum(axis=1) == 3).all()


def test_counts_are_those_of_a_multinomial() -> None:
    """A row's count has mean 1 and variance 1 - 1/n."""
    counts = Resamples.draw(20, replicates=5000, seed=0).weights
    assert counts.mean() == pytest.approx(1)
    assert counts.var() == pytest.approx(1 - 1 / 20, rel=0.03)


def test_base_weights_multiply_in() -> None:
    """A row's weight is its count times its own weight."""
    base = np.array([0.5, 2.0, 0.0])
    plain, weighed = Resamples.draw(3, 10, 0), Resamples.draw(3, 10, 0, weights=base)
    assert weighed.weights == pytest.approx(plain.weights * base)
    assert (weighed.base == base).all()


def test_chunks_cover_all_replicates_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the chunks, together they are the weights."""
    monkeypatch.setattr("distillery.evaluation._resampling.CHUNK_ELEMENTS", 25)
    drawn = Resamples.draw(10, replicates=7, seed=0)
    parts = list(drawn.chunks())
    assert [len(weights) for _, weights in parts] == [2, 2, 2, 1]
    assert (np.vstack([weights for _, weights in parts]) == drawn.weights).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0, "replicates": 2}, "n and replicates must be at least 1, got 0 and 2"),
        ({"n": 3, "replicates": 0}, "n and replicates must be at least 1, got 3 and 0"),
        ({"n": 3, "replicates": 2, "groups": np.zeros(2)}, "groups must be of shape (3,), got (2,)"),
        ({"n": 3, "replicates": 2, "weights": np.ones(2)}, "weights must be of shape (3,), got (2,)"),
        (
            {"n": 2, "replicates": 2, "weights": np.zeros(2)},
            "weights must be finite, not negative and not all 0",
        ),
        ({"n": 2, "replicates": 2, "weights": np.array([1, -1])}, "got values from -1.0 to 1.0"),
        ({"n": 2, "replicates": 2, "weights": np.array([1, np.nan])}, "weights must be finite"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    """The message says what must hold and what was seen."""
    with pytest.raises(InputError, match=re.escape(message)):
        Resamples.draw(seed=0, **arguments)  # type: ignore[arg-type]
