"""Bootstrap weights, drawn once and shared by all models, so that differences are paired."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from distillery.errors import InputError

CHUNK_ELEMENTS = 500_000  # 4 MB of float64: a chunk stays in the cache, and memory stays bounded


LEAST_GROUPS = 10  # below this a percentile interval is far too narrow, and of one group it has no width


@final
@dataclass(frozen=True)
class Resamples:
    """B resamplings of n rows (Efron 1979), as the weight each row has in each of them.

    Attributes:
        weights: how often each row was drawn times its base weight, ``(B, n)`` float32.
        base: the rows' own weights ``(n,)`` float64; ones where there are none.
        n_groups: how many groups are drawn from; None where rows are.
    """

    weights: np.ndarray
    base: np.ndarray
    n_groups: int | None = None

    @classmethod
    def draw(
        cls,
        n: int,
        replicates: int,
        seed: int,
        groups: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> Resamples:
        """Draw rows, or whole groups, with replacement.

        Args:
            n: number of rows, at least 1.
            replicates: number B of resamplings, at least 1.
            seed: the draw is a function of it.
            groups: the group of each row ``(n,)``; rows of one group are drawn together. Rows
                whose group is missing share one value and so are one group.
            weights: base weights of the rows ``(n,)``, finite, not negative, with a positive sum.

        Raises:
            InputError: an argument is not as said above.

        >>> drawn = Resamples.draw(4, replicates=3, seed=0, groups=np.array([0, 0, 1, 1]))
        >>> drawn.weights.shape, drawn.weights.sum(axis=1).tolist()
        ((3, 4), [4.0, 4.0, 4.0])
        >>> bool((drawn.weights[:, 0] == drawn.weights[:, 1]).all())
        True
        """
        if n < 1 or replicates < 1:
            raise InputError(f"n and replicates must be at least 1, got {n} and {replicates}")
        base = checked_weights(weights, n)
        rng = np.random.default_rng(seed)
        drawn = _draw_counts(n, replicates, rng) if groups is None else _draw_groups(groups, n, replicates, rng)
        drawn *= base.astype(np.float32)  # in place: the weights are the largest array here
        return cls(drawn, base, None if groups is None else len(np.unique(groups)))

    @property
    def enough(self) -> bool:
        """Whether resampling says anything: of a few groups, every draw looks much like the last."""
        return self.n_groups is None or self.n_groups >= LEAST_GROUPS

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.base)

    @cached_property
    def digest(self) -> str:
        """16 hex digits that tell these weights from others; only equal ones may be paired."""
        data = np.ascontiguousarray(self.weights)
        return hashlib.blake2b(data.tobytes(), digest_size=8).hexdigest()

    def chunks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield the replicates a few at a time: their slice, and their weights ``(b, n)`` float64."""
        size = max(1, CHUNK_ELEMENTS // self.n)
        for start in range(0, len(self), size):
            part = slice(start, min(start + size, len(self)))
            yield part, self.weights[part].astype(np.float64)


def checked_weights(weights: np.ndarray | None, n: int) -> np.ndarray:
    """Return the weights as float64 ``(n,)``, ones for None.

    Raises:
        InputError: there is not one per row, one is negative or not finite, or all are 0.
    """
    if weights is None:
        return np.ones(n)
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (n,):
        raise InputError(f"weights must be of shape ({n},), got {values.shape}")
    if not (np.isfinite(values).all() and values.min() >= 0 and values.sum() > 0):
        raise InputError(
            f"weights must be finite, not negative and not all 0, got values from {values.min()} to {values.max()}"
        )
    return values


def _draw_groups(groups: np.ndarray, n: int, replicates: int, rng: np.random.Generator) -> np.ndarray:
    if np.shape(groups) != (n,):
        raise InputError(f"groups must be of shape ({n},), got {np.shape(groups)}")
    uniques, codes = np.unique(groups, return_inverse=True)
    return _draw_counts(len(uniques), replicates, rng)[:, codes]


def _draw_counts(units: int, replicates: int, rng: np.random.Generator) -> np.ndarray:
    counts = np.empty((replicates, units), dtype=np.float32)
    for row in counts:
        row[:] = np.bincount(rng.integers(0, units, units), minlength=units)
    return counts
