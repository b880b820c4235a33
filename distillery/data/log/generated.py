"""A made-up log with the columns of Avazu's, drawn from a known truth as it is read; any length, flat memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import final

import numpy as np
import pyarrow as pa

from distillery.data.log.bad_rows import BadRows
from distillery.data.log.reading import CHUNK_ROWS, known, regroup
from distillery.data.log.truth import DAYS, HOURS, Draw, Truth, traffic
from distillery.data.log.values import CATEGORY

BLOCK_ROWS = 1 << 16  # each block has its own randomness: rows are the same whatever the chunks
PROBABILITY = "probability"
FIRST_DAY = 141021  # YYMMDD
# What the real log writes for a site seen in an app, an app seen on a site, and a device without an id.
NO_SITE, NO_APP = ("85f751fd", "c4e18dd6", "50e219e0"), ("ecad2386", "7801e8d9", "07d7df22")
NO_DEVICE = "a99f214a"
COLUMNS = (
    *("id", "click", "hour", "C1", "banner_pos"),
    *("site_id", "site_domain", "site_category", "app_id", "app_domain", "app_category"),
    *("device_id", "device_ip", "device_model", "device_type", "device_conn_type"),
    *(f"C{i}" for i in range(14, 22)),
)
TYPES = {"id": pa.string(), "click": pa.int8(), "hour": pa.int32(), PROBABILITY: pa.float64()}


@final
class GeneratedLog:
    """A log of Avazu's 24 columns; `chunks` also gives the true ``probability`` where it is named.

    Ten days from 21 October 2014, rows in the order of time.

    Attributes:
        rows: how many.
        truth: the law they are drawn from.
        bad: no row is.
    """

    def __init__(self, rows: int, seed: int, *, chunk_rows: int = CHUNK_ROWS) -> None:
        self.rows, self.seed, self.chunk_rows = rows, seed, chunk_rows
        self.bad = BadRows(0, where="the generated log")

    @cached_property
    def truth(self) -> Truth:
        """The law, drawn from the seed."""
        return Truth(self.rows, self.seed)

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([(name, TYPES.get(name, CATEGORY)) for name in COLUMNS])

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        known(columns, [*COLUMNS, PROBABILITY], "column {} is not in the generated log")
        self.bad = BadRows(0, where="the generated log")
        names = COLUMNS if columns is None else columns
        blocks = (self._block(i, names) for i in range(-(-self.rows // BLOCK_ROWS)))
        yield from self.bad.checked(regroup(blocks, self.chunk_rows))

    def hours(self, first: int, last: int) -> np.ndarray:
        """Return the hour of rows first to last − 1, counted from the log's first one, ``(n,)`` in 0 to 239."""
        ends = np.cumsum(np.tile(traffic(), DAYS)) / DAYS
        moments = (np.arange(first, last) + 0.5) / self.rows
        return np.minimum(np.searchsorted(ends, moments), DAYS * HOURS - 1)

    def _block(self, i: int, names: Sequence[str]) -> pa.Table:
        first, last = i * BLOCK_ROWS, min((i + 1) * BLOCK_ROWS, self.rows)
        hours = self.hours(first, last)
        rng = np.random.default_rng([self.seed, 2, i])
        draw = self.truth.draw(rng, hours % HOURS)
        probability = self.truth.probabilities(draw)
        click = rng.random(last - first) < probability
        plain = {"click": click.astype(np.int8), "hour": _stamps(hours), PROBABILITY: probability}
        columns: dict[str, pa.Array] = {}
        for name in names:
            if name == "id":
                columns[name] = pa.array(_mixed(np.arange(first, last), self.seed)).cast(pa.string())
            elif name in plain:
                columns[name] = pa.array(plain[name])
            else:
                columns[name] = self._category(name, draw)
        return pa.table(columns)

    def _category(self, name: str, draw: Draw) -> pa.DictionaryArray:
        codes, texts = self._codes(name, draw), self._texts[name]
        used = np.zeros(len(texts), dtype=bool)
        used[codes] = True
        places = np.cumsum(used) - 1
        return pa.DictionaryArray.from_arrays(pa.array(places[codes], pa.int32()), texts.filter(pa.array(used)))

    def _codes(self, name: str, draw: Draw) -> np.ndarray:
        """Return which of the column's texts stands in each row ``(n,)``; 0 is the one for none."""
        truth = self.truth
        if name.startswith(("site_", "app_")):
            return self._place_codes(name, draw)
        if name.startswith("C"):
            return self._ad_codes(name, draw)
        if name == "device_id":
            return np.where(truth.shows_id[draw.user] & draw.is_app, draw.user + 1, 0)
        if name in {"device_model", "device_type"}:
            model = truth.user_model[draw.user]
            return np.asarray(model if name == "device_model" else truth.model_type[model])
        others = {"device_ip": draw.address, "device_conn_type": draw.connection}
        return others[name] if name in others else np.asarray(truth.place_banner[draw.place])

    def _ad_codes(self, name: str, draw: Draw) -> np.ndarray:
        truth, ad = self.truth, draw.ad
        if name == "C1":
            return np.asarray((truth.model_type[truth.user_model[draw.user]] + 2 * draw.is_app) % 7)
        if name == "C20":
            return draw.noise
        by_ad = {
            "C14": np.arange(truth.sizes.ads),
            "C15": truth.ad_size,
            "C16": truth.ad_size % 5,
            "C17": truth.ad_campaign,
            "C18": truth.ad_campaign % 4,
            "C19": truth.ad_campaign % 66,
            "C21": truth.ad_advertiser,
        }
        return np.asarray(by_ad[name][ad])

    def _place_codes(self, name: str, draw: Draw) -> np.ndarray:
        truth, (kind, level) = self.truth, name.split("_")
        here = draw.is_app == (kind == "app")
        number = np.where(here, draw.place - (truth.sizes.sites if kind == "app" else 0), 0)
        above = {
            "site_domain": truth.site_domain,
            "site_category": truth.site_category,
            "app_domain": truth.app_domain,
            "app_category": truth.app_category,
        }
        code = number if level == "id" else above[name][number]
        return np.where(here, code + 1, 0)

    @cached_property
    def _texts(self) -> dict[str, pa.Array]:
        """The texts of every categorical column, by code."""
        truth, s = self.truth, self.truth.sizes
        hashed = {
            "site_id": (s.sites, NO_SITE[0]),
            "site_domain": (s.sites, NO_SITE[1]),
            "site_category": (24, NO_SITE[2]),
            "app_id": (s.apps, NO_APP[0]),
            "app_domain": (s.apps, NO_APP[1]),
            "app_category": (32, NO_APP[2]),
            "device_id": (s.users, NO_DEVICE),
            "device_ip": (s.users, None),
            "device_model": (s.models, None),
        }
        texts = {name: _hashes(n, none, salt=COLUMNS.index(name), seed=self.seed) for name, (n, none) in hashed.items()}
        counted = {
            "C1": 1001 + np.arange(7),
            "banner_pos": np.arange(7),
            "device_type": np.array([1, 0, 4, 5]),
            "device_conn_type": np.array([0, 2, 3, 5]),
            "C14": 15_000 + 3 * np.arange(s.ads),
            "C15": np.array([320, 300, 216, 728, 120, 480, 768, 1024]),
            "C16": np.array([50, 250, 36, 90, 480]),
            "C17": 1_700 + np.arange(int(truth.ad_campaign.max()) + 1),
            "C18": np.arange(4),
            "C19": 33 + 2 * np.arange(66),
            "C20": np.append(-1, 100_000 + np.arange(169)),
            "C21": 13 + np.arange(60),
        }
        return texts | {name: pa.array(values).cast(pa.string()) for name, values in counted.items()}


def _stamps(hours: np.ndarray) -> np.ndarray:
    """Return hours counted from the log's first one as YYMMDDHH."""
    return np.asarray((FIRST_DAY + hours // HOURS) * 100 + hours % HOURS, dtype=np.int32)


def _mixed(numbers: np.ndarray, seed: int) -> np.ndarray:
    """Return a different number of 64 bits for each, in no order; splitmix64 (Steele et al. 2014)."""
    x = numbers.astype(np.uint64) + np.uint64(1 + (seed << 40) % (1 << 63))
    x *= np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def _hashes(n: int, none: str | None, *, salt: int, seed: int) -> pa.Array:
    """Return ``n`` different texts of 8 hex digits, behind the one for none."""
    # An odd factor permutes the numbers of 32 bits, and so does a shift added to them.
    x = np.arange(n, dtype=np.uint32) * np.uint32(2_654_435_761) + np.uint32(
        (salt * 0x85EBCA6B + seed * 7919) % (1 << 32)
    )
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x45D9F3B)
    digits = np.frombuffer(x.astype(">u4").tobytes().hex().encode(), dtype="S8")
    return pa.array([*([none] if none else []), *digits.astype(str)], pa.string())
