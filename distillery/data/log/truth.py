"""A made-up law of clicks: who sees what, and with which probability it is clicked.

Rows have the columns of Avazu's log. Popularity falls with rank as in Zipf's law; the probability of a click is
``sigmoid(bias + first-order weights + pairwise interactions)``, the interactions being those of a factorization
machine (Rendle 2010) between groups of places, advertisements, devices and hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

BASE_RATE = 0.17
FIRST_SD, PAIRS_SD = 1.05, 0.65  # of log odds, over rows
RANK = 2  # of the interactions
DAYS, HOURS = 10, 24
SKEW = 3  # rank = n * u ** SKEW: a value's popularity falls with the (1 - 1 / SKEW)-th power of its rank
HALF_COUNT = 4_000  # a value of so many rows differs from its group by half the variance it could have
CALIBRATION_ROWS = 1 << 17
APP_SHARE, ROAMING = 0.36, 0.1


@final
@dataclass(frozen=True)
class Sizes:
    """How many different values a log of so many rows has: few enough, users apart, to tell what each one does."""

    sites: int
    apps: int
    ads: int
    models: int
    users: int

    @classmethod
    def of(cls, rows: int) -> Sizes:
        """Return the sizes that belong to a log's length.

        >>> Sizes.of(5_000_000)
        Sizes(sites=208, apps=333, ads=111, models=333, users=312500)
        """

        def about(per: int, least: int, most: int) -> int:
            return min(max(rows // per, least), most)

        return cls(
            sites=about(24_000, 100, 5_000),
            apps=about(15_000, 100, 8_000),
            ads=about(45_000, 100, 2_600),
            models=about(15_000, 100, 8_000),
            users=max(rows // 16, 1_000),
        )


@final
@dataclass(frozen=True)
class Draw:
    """Rows: numbers of values, each ``(n,)`` int; and the two parts of their log odds, not yet to scale."""

    is_app: np.ndarray
    place: np.ndarray
    ad: np.ndarray
    user: np.ndarray
    address: np.ndarray
    connection: np.ndarray
    noise: np.ndarray
    first: np.ndarray
    pairs: np.ndarray


class _Levels:
    """Values in groups: each has a weight, made of its groups' and its own, and its groups' vector.

    Pairs of ids are too rare to be learnt, pairs of groups are not. The vectors' mean over rows is 0, so that
    interactions have no part that weights could take over.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        groups: list[tuple[np.ndarray, float, float]],
        popularity: np.ndarray,
        rows: int,
    ) -> None:
        """Draw them.

        Args:
            rng: the randomness.
            groups: of each level above, the group of each value ``(n,)``, and its shares of the variance of weights
                and of vectors, in [0, 1]; those of vectors add up to 1, the values themselves have what is left of
                the weights.
            popularity: share of each value in the rows, ``(n,)``.
            rows: how many; values rarely seen differ little from their group.
        """
        own = _spread(popularity * rows)
        self.weight = np.sqrt(1 - sum(weights for _, weights, _ in groups)) * own * rng.normal(size=len(own))
        vector = np.zeros((len(own), RANK))
        for group, weights, vectors in groups:
            n = int(group.max()) + 1
            self.weight += np.sqrt(weights) * rng.normal(size=n)[group]
            vector += np.sqrt(vectors) * rng.normal(size=(n, RANK))[group]
        self.vector = (vector - popularity @ vector).astype(np.float32)


@final
class Truth:
    """The law, for one length of log and one seed.

    Attributes:
        sizes: how many values there are.
        scales: of first-order weights and of interactions; they make the spreads `FIRST_SD` and `PAIRS_SD`.
        bias: makes the mean probability `BASE_RATE`.
    """

    def __init__(self, rows: int, seed: int) -> None:
        self.rows, self.seed, self.sizes = rows, seed, Sizes.of(rows)
        rng = np.random.default_rng([seed, 0])
        self._groups(rng)
        self._effects(rng)
        calibration = np.random.default_rng([seed, 1])
        hours = calibration.choice(HOURS, CALIBRATION_ROWS, p=traffic())
        drawn = self.draw(calibration, hours)
        self.scales = FIRST_SD / drawn.first.std(), PAIRS_SD / drawn.pairs.std()
        self.bias = _bias(self._score(drawn))

    def _groups(self, rng: np.random.Generator) -> None:
        s = self.sizes
        self.site_domain = rng.integers(0, s.sites * 3 // 4, s.sites)
        self.site_category = rng.integers(0, 24, s.sites)[self.site_domain]
        self.app_domain = rng.integers(0, s.apps // 16, s.apps)
        self.app_category = rng.integers(0, 32, s.apps)[self.app_domain]
        self.ad_campaign = rng.integers(0, s.ads // 6, s.ads)
        self.ad_advertiser = rng.integers(0, 60, s.ads)[self.ad_campaign]
        self.ad_size = rng.integers(0, 8, s.ads)
        self.model_type = rng.choice(4, s.models, p=[0.86, 0.06, 0.05, 0.03])
        self.user_model = powers(rng.random(s.users), s.models)
        self.shows_id = rng.random(s.users) < 0.5
        self.place_banner = rng.choice(7, s.sites + s.apps, p=[0.7, 0.24, 0.02, 0.01, 0.01, 0.01, 0.01])

    def _effects(self, rng: np.random.Generator) -> None:
        s, n = self.sizes, self.rows
        places = [
            (np.append(self.site_category, 24 + self.app_category), 0.5, 1.0),
            (np.append(self.site_domain, s.sites + self.app_domain), 0.1, 0.0),
        ]
        seen = np.append((1 - APP_SHARE) * popularity(s.sites), APP_SHARE * popularity(s.apps))
        self.places = _Levels(rng, places, seen, n)
        ads = [(self.ad_advertiser, 0.5, 0.8), (self.ad_campaign, 0.3, 0.2)]
        self.ads = _Levels(rng, ads, popularity(s.ads), n)
        users = popularity(s.users)
        models = np.bincount(self.user_model, users, s.models)
        self.models = _Levels(rng, [(self.model_type, 0.3, 1.0)], models, n)
        self.hours = _Levels(rng, [(np.arange(HOURS) // 4, 0.8, 1.0)], traffic(), n)
        self.address_weight = _spread(users * n) * rng.normal(size=s.users)
        self.banner_weight, self.connection_weight = rng.normal(size=7), rng.normal(size=4)

    def draw(self, rng: np.random.Generator, hours: np.ndarray) -> Draw:
        """Draw rows.

        Args:
            rng: the randomness.
            hours: the hour of the day of each row, ``(n,)`` in 0 to 23.
        """
        s = self.sizes
        u = rng.random((7, len(hours)))
        is_app = u[0] < APP_SHARE
        place = np.where(is_app, s.sites + powers(u[1], s.apps), powers(u[1], s.sites))
        ad, user = powers(u[2], s.ads), powers(u[3], s.users)
        # Some are seen through an address that many share.
        address = np.where(u[4] < ROAMING, powers(u[4] / ROAMING, s.users // 100), user)
        connection = (4 * u[5] ** 2).astype(np.int32)
        noise = (170 * u[6]).astype(np.int32)
        model = self.user_model[user]
        first = (
            0.5 * self.places.weight[place]
            + 0.45 * self.ads.weight[ad]
            + 0.3 * self.models.weight[model]
            + 0.25 * self.hours.weight[hours]
            + 0.35 * self.address_weight[address]
            + 0.15 * self.banner_weight[self.place_banner[place]]
            + 0.15 * self.connection_weight[connection]
        )
        fields = (self.places.vector[place], self.ads.vector[ad], self.models.vector[model], self.hours.vector[hours])
        pairs = interactions(fields, strengths=(1.0, 1.0, 0.7, 0.5))
        return Draw(is_app, place, ad, user, address, connection, noise, first, pairs)

    def probabilities(self, draw: Draw) -> np.ndarray:
        """Return the probability of a click ``(n,)``."""
        return np.asarray(1 / (1 + np.exp(-(self.bias + self._score(draw)))))

    def _score(self, draw: Draw) -> np.ndarray:
        first, pairs = self.scales
        return np.asarray(first * draw.first + pairs * draw.pairs)


def interactions(fields: tuple[np.ndarray, ...], strengths: tuple[float, ...]) -> np.ndarray:
    """Return the sum over all pairs of fields of their dot product ``(n,)``.

    ``½ Σ_k ((Σ_i v_ik)² − Σ_i v_ik²)``; Rendle (2010), lemma 3.1.

    Args:
        fields: one vector a row, each ``(n, k)``.
        strengths: factors of the vectors.

    >>> a, b, c = np.eye(2)[[0]], np.array([[2.0, 1.0]]), np.array([[0.0, 3.0]])
    >>> interactions((a, b, c), (1, 1, 1)).tolist()  # ab + ac + bc = 2 + 0 + 3
    [5.0]
    """
    scaled = [s * field for s, field in zip(strengths, fields, strict=True)]
    total, squares = np.zeros(len(fields[0])), np.zeros(len(fields[0]))
    for k in range(fields[0].shape[1]):
        parts = [field[:, k] for field in scaled]
        total += np.add.reduce(parts) ** 2
        squares += np.add.reduce([part**2 for part in parts])
    return np.asarray(0.5 * (total - squares))


def powers(u: np.ndarray, n: int) -> np.ndarray:
    """Return ranks in 0 to n − 1, small ones often, from uniform numbers in [0, 1)."""
    return np.minimum((n * u**SKEW).astype(np.int64), n - 1)


def popularity(n: int) -> np.ndarray:
    """Return the share of each of the ranks that `powers` gives ``(n,)``.

    >>> popularity(8).round(2).tolist()
    [0.5, 0.13, 0.09, 0.07, 0.06, 0.05, 0.05, 0.04]
    """
    return np.diff((np.arange(n + 1) / n) ** (1 / SKEW))


def _spread(counts: np.ndarray) -> np.ndarray:
    """Return how far values of so many rows may differ from their group, 1 for all they could."""
    return np.asarray(np.sqrt(counts / (counts + HALF_COUNT)))


def traffic() -> np.ndarray:
    """Return the share of a day's rows in each of its hours ``(24,)``."""
    shape = 1 + 0.6 * np.sin(2 * np.pi * (np.arange(HOURS) - 5) / HOURS)
    return np.asarray(shape / shape.sum())


def _bias(score: np.ndarray) -> float:
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        above = (1 / (1 + np.exp(-(middle + score)))).mean() > BASE_RATE
        low, high = (low, middle) if above else (middle, high)
    return (low + high) / 2
