"""Ratings of films: what is known of each when it is given, and nothing of what comes after."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from distillery.data import Table
from distillery.data.sources import MovieLensSpec
from distillery.data.sources.movielens import GENRES, GROUP, ITEM, PRIVILEGED, past, read_ratings, with_history

KNOWN = [*ITEM, *PRIVILEGED, GROUP]


@pytest.fixture(scope="module")
def ratings() -> pd.DataFrame:
    """Every rating."""
    return read_ratings()


@pytest.fixture(scope="module")
def few() -> pd.DataFrame:
    """A thousand ratings of a few people and films, so that each has a past, many at one time."""
    rng = np.random.default_rng(0)
    n = 1000
    genres = np.array(["Drama", "Comedy|Drama", "Action|Sci-Fi", "(no genres listed)"])
    movie = rng.integers(0, 40, n)
    return pd.DataFrame(
        {
            "userId": rng.integers(0, 12, n),
            "movieId": movie,
            "year": 1960.0 + movie,
            "genres": genres[movie % 4],
            "rating": rng.integers(1, 11, n) / 2,
            "timestamp": 900_000_000 + 1000 * rng.integers(0, 400, n),
        }
    )


@pytest.fixture(scope="module")
def table() -> Table:
    return MovieLensSpec().load(seed=0)


def test_columns_have_their_parts(table: Table) -> None:
    """A student sees the film and the user's group; behaviour, statistics and identities are the teacher's."""
    schema = table.schema
    assert (schema.target, schema.classes, schema.time, schema.query) == ("liked", (0, 1), "timestamp", "userId")
    assert schema.regular.names == [*ITEM, GROUP]
    assert schema.privileged == PRIVILEGED
    assert not {"rating", "stars", "userId", "timestamp"} & set(schema.names)
    assert len(table.frame) == 100_004
    assert table.frame["liked"].mean() == pytest.approx(0.5157, abs=1e-4)


def test_the_latest_ratings_are_the_test_split(table: Table) -> None:
    """No split begins before the last one ends."""
    spans = [table.split(s)["timestamp"].agg(["min", "max"]) for s in ("train", "valid", "test")]
    assert spans[0]["max"] < spans[1]["min"] <= spans[1]["max"] < spans[2]["min"]


def test_half_stars_are_rounded_down(few: pd.DataFrame) -> None:
    """Five classes; whoever gives 4 stars or more likes the film by either target, and those of 3.5 do not."""
    raw, roles = with_history(few), MovieLensSpec(interest="ratings").roles
    assert (roles.target, sorted(raw["stars"].unique())) == ("stars", [1, 2, 3, 4, 5])
    assert {"liked", "rating"} <= set(roles.drop)
    assert sorted(raw.loc[raw["stars"] == 1, "rating"].unique()) == [0.5, 1.0, 1.5]
    assert (raw["liked"] == (raw["rating"] >= 4)).all()
    assert ((raw["stars"] >= 4) == (raw["rating"] >= 4)).all()


def test_every_genre_is_known(ratings: pd.DataFrame) -> None:
    """None is dropped unseen."""
    assert {g for gs in ratings["genres"].unique() for g in gs.split("|")} - {"(no genres listed)"} == set(GENRES)


def test_statistics_are_those_of_strictly_earlier_ratings(few: pd.DataFrame) -> None:
    """Counted row by row, the slow way."""
    found = with_history(few)
    for i in range(0, len(few), 7):
        row = few.iloc[i]
        earlier = few[few["timestamp"] < row["timestamp"]]
        mine, its = earlier[earlier["userId"] == row["userId"]], earlier[earlier["movieId"] == row["movieId"]]
        for name, rows in (("user", mine), ("movie", its)):
            assert found[f"{name}_ratings"][i] == len(rows)
            np.testing.assert_allclose(found[f"{name}_mean"][i], rows["rating"].mean())
            np.testing.assert_allclose(found[f"{name}_liked"][i], (rows["rating"] >= 4).mean())
        shared = [len({*gs.split("|")} & {*row["genres"].split("|")}) for gs in mine["genres"]]
        assert found["genre_ratings"][i] == sum(shared)
        if sum(shared):
            np.testing.assert_allclose(found["genre_mean"][i], np.average(mine["rating"], weights=shared))
        else:
            assert np.isnan(found["genre_mean"][i])


@pytest.mark.parametrize("change", ["removed", "turned round", "moved later"])
def test_the_future_leaves_no_trace(few: pd.DataFrame, change: str) -> None:
    """Nor do ratings of the same second, the row's own among them."""
    before = with_history(few)[KNOWN]
    for moment in few["timestamp"].quantile([0.1, 0.5, 0.9], interpolation="nearest"):
        future = few["timestamp"] >= moment
        if change == "removed":
            kept = few[~future | (few["timestamp"] == moment)]
        elif change == "turned round":
            kept = few.assign(rating=few["rating"].mask(future, 5.5 - few["rating"]))
        else:
            kept = few.assign(timestamp=few["timestamp"].mask(few["timestamp"] > moment, few["timestamp"] * 2))
        until = kept.index[kept["timestamp"] <= moment]
        after = with_history(kept)[KNOWN].set_axis(kept.index)
        pd.testing.assert_frame_equal(after.loc[until], before.loc[until], check_dtype=False)


def test_columns_say_nothing_of_a_shuffled_rating(ratings: pd.DataFrame) -> None:
    """Where ratings are drawn by lot, what is known before says nothing of them: no column holds the answer."""
    lots = ratings.assign(rating=np.random.default_rng(0).permutation(ratings["rating"]))
    raw = with_history(lots)
    numeric = raw[[name for name in KNOWN if name not in ("movie", GROUP)]]
    # counts and years have no part in the lots; of means the own rating would show
    assert numeric.rank().corrwith(raw["liked"]).abs().max() < 0.02
    groups = raw.groupby(GROUP)["liked"].agg(["mean", "size"])
    assert ((groups["mean"] - raw["liked"].mean()).abs() < 4 * 0.5 / groups["size"] ** 0.5).all()


def test_groups_are_coarse_and_told_by_the_past(few: pd.DataFrame) -> None:
    """A newcomer's ratings do not say yet how kind they are."""
    raw = with_history(few)
    assert set(raw[GROUP]) <= {
        "newcomer",
        *(f"{often}, {kind}" for often in ("occasional", "regular") for kind in ("strict", "even", "lenient")),
    }
    assert (raw[GROUP] == "newcomer").equals(raw["user_ratings"] < 10)


def test_nothing_has_no_past() -> None:
    """And one rating none either."""
    none: Any = np.zeros(0)
    assert [len(x) for x in past(none, none, none)] == [0, 0]
    one = past(np.array([3]), np.array([1]), np.array([4.0]))
    assert [x.tolist() for x in one] == [[0.0], [0.0]]
