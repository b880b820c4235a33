"""Means inside slices of the rows against all other rows, with errors that let rows of a group depend on each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import final

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import t

from distillery.evaluation._resampling import LEAST_GROUPS
from distillery.evaluation.quality import ROUNDING


@final
@dataclass(frozen=True)
class Contrast:
    """One value's means over S slices of the rows, each against the rest of the rows.

    Attributes:
        inside: weighted mean in each slice ``(S,)``.
        outside: weighted mean of all other rows ``(S,)``.
        error: standard error of their difference ``(S,)``.
        null_error: the same if all rows were independent draws of one value ``(S,)``.
        inside_error: standard error of ``inside`` ``(S,)``.
        inside_groups: how many groups have rows in the slice ``(S,)``.
        outside_groups: how many have rows elsewhere ``(S,)``.
    """

    inside: np.ndarray
    outside: np.ndarray
    error: np.ndarray
    null_error: np.ndarray
    inside_error: np.ndarray
    inside_groups: np.ndarray
    outside_groups: np.ndarray

    @classmethod
    def joined(cls, several: Sequence[Contrast]) -> Contrast:
        """Put the slices of several contrasts in one row."""
        names = [one.name for one in fields(cls)]
        return cls(**{name: np.concatenate([getattr(one, name) for one in several]) for name in names})

    def at(self, places: np.ndarray) -> Contrast:
        """Return the slices at these places."""
        return Contrast(**{one.name: getattr(self, one.name)[places] for one in fields(self)})

    def p_values(self) -> np.ndarray:
        """Return one-sided p values ``(S,)`` of inside <= outside; nan where too few groups are inside or outside.

        By Student's t with one degree of freedom less than the smaller of both numbers of groups, and the larger
        of both errors: where the rest is a few rows that happen to be alike, they seem to be certain.
        """
        difference, fewest = self.inside - self.outside, np.minimum(self.inside_groups, self.outside_groups)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(np.abs(difference) > ROUNDING, difference / np.maximum(self.error, self.null_error), 0.0)
        p = t.sf(ratio, np.maximum(fewest - 1, 1))
        return np.where(fewest < LEAST_GROUPS, np.nan, p)

    def inside_p_values(self, expected_error: np.ndarray) -> np.ndarray:
        """Return two-sided p values ``(S,)`` of inside = 0; nan where a slice has too few groups.

        Args:
            expected_error: standard error of ``inside`` if it were 0 ``(S,)``; the larger of both errors counts,
                for values that are nearly always alike seem to be certain where the rare ones are missing.
        """
        error = np.maximum(self.inside_error, expected_error)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(np.abs(self.inside) > ROUNDING, np.abs(self.inside) / error, 0.0)
        p = 2 * t.sf(ratio, np.maximum(self.inside_groups - 1, 1))
        return np.where(self.inside_groups < LEAST_GROUPS, np.nan, p)

    def inside_interval(self, confidence: float) -> tuple[np.ndarray, np.ndarray]:
        """Return both ends of the interval of ``inside``, each ``(S,)``; nan where a slice has too few groups."""
        freedom = np.maximum(self.inside_groups - 1, 1)
        width = t.ppf((1 + confidence) / 2, freedom) * self.inside_error
        width = np.where(self.inside_groups < LEAST_GROUPS, np.nan, width)
        return self.inside - width, self.inside + width


@final
class Contrasts:
    """Rows with values, of which slices are to be contrasted.

    A difference of weighted means is linearized: group g adds U_g = Σ w (v - inside) / W_inside over its rows in
    the slice less the same over its other rows, and the variance is G / (G - 1) Σ U_g². Without weights that is
    the cluster-robust variance of the slope of a regression on the slice's indicator (Liang & Zeger 1986).

    Args:
        values: ``(n, m)``, one column a kind of value.
        weights: of the rows ``(n,)``, positive.
        groups: of the rows, as integers ``(n,)`` of 0 .. G - 1, each of them there.
    """

    def __init__(self, values: np.ndarray, weights: np.ndarray, groups: np.ndarray) -> None:
        self._weights, self._groups = weights, groups
        self._weighted = [weights * column for column in values.T]
        self._mass = np.bincount(groups, weights)  # (G,)
        squares = weights**2 * (values.T - np.average(values, axis=0, weights=weights)[:, None]) ** 2
        self._spread = np.sqrt(squares.sum(axis=1) / (weights**2).sum() * _correction(len(weights))).tolist()
        self._sums = [np.bincount(groups, column) for column in self._weighted]  # m times (G,)

    def of(self, codes: np.ndarray, n_slices: int) -> list[Contrast]:
        """Contrast each slice, for each kind of value.

        Args:
            codes: which slice each row is in ``(n,)``, 0 .. S - 1; no slice is empty or holds all rows.
            n_slices: S.
        """
        places, shape = (codes, self._groups), (n_slices, len(self._mass))
        cells = csr_array((self._weights, places), shape=shape)
        totals = [csr_array((column, places), shape=shape).data for column in self._weighted]
        squared = np.bincount(codes, self._weights**2, n_slices)
        triples = zip(totals, self._sums, self._spread, strict=True)
        return [self._contrast(cells, squared, *triple) for triple in triples]

    def independent_error(self, variance: np.ndarray, codes: np.ndarray, n_slices: int) -> np.ndarray:
        """Return the standard error of each slice's mean ``(S,)`` if its rows were independent draws.

        Args:
            variance: of each row's value ``(n,)``.
            codes, n_slices: as for `of`.
        """
        squares = np.bincount(codes, self._weights**2 * variance, n_slices)
        return np.asarray(np.sqrt(squares) / np.bincount(codes, self._weights, n_slices))

    def _contrast(
        self, cells: csr_array, squared: np.ndarray, total: np.ndarray, sums: np.ndarray, spread: float
    ) -> Contrast:
        """Contrast one kind of value.

        Args:
            cells: summed weight of each slice and group that meet.
            squared: summed squares of the weights of each slice ``(S,)``.
            total: summed value where slice and group meet, in the order of the cells' data.
            sums: summed value of each group ``(G,)``.
            spread: standard deviation of the rows' values.
        """
        groups, mass, counts = cells.indices, cells.data, np.diff(cells.indptr)
        n_slices, n_groups = cells.shape
        slices = np.repeat(np.arange(n_slices), counts)

        def per_slice(one: np.ndarray) -> np.ndarray:
            return np.asarray(np.add.reduceat(one, cells.indptr[:-1]))  # cells are in order of slice

        held, held_sum, all_mass = per_slice(mass), per_slice(total), self._mass
        rest = all_mass.sum() - held
        inside, outside = held_sum / held, (sums.sum() - held_sum) / rest

        own = (total - inside[slices] * mass) / held[slices]
        # Every group as if it lay outside, and what its rows inside change about that.
        as_outside = -(sums[groups] - outside[slices] * all_mass[groups]) / rest[slices]
        change = own + (total - outside[slices] * mass) / rest[slices]
        everywhere = sums @ sums - 2 * outside * (sums @ all_mass) + outside**2 * (all_mass @ all_mass)
        squares = everywhere / rest**2 + per_slice(change * (change + 2 * as_outside))
        wholly = per_slice((mass >= all_mass[groups] * (1 - ROUNDING)).astype(np.int64))
        return Contrast(
            inside=inside,
            outside=outside,
            error=np.sqrt(np.maximum(squares, 0) * _correction(n_groups)),
            null_error=spread * np.sqrt(squared / held**2 + (squared.sum() - squared) / rest**2),
            inside_error=np.sqrt(per_slice(own**2) * _correction(counts)),
            inside_groups=counts,
            outside_groups=n_groups - wholly,
        )


def _correction(n_groups: int | np.ndarray) -> np.ndarray:
    return np.asarray(n_groups / np.maximum(np.asarray(n_groups) - 1, 1))
