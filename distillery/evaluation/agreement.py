"""How alike teacher and student answer on the same rows, whatever the truth is."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from distillery.errors import InputError
from distillery.evaluation._replicates import mean_defined
from distillery.evaluation._resampling import Resamples
from distillery.evaluation._rows import as_probabilities, decide
from distillery.evaluation.quality import ROUNDING, Estimate, estimate

FLOOR = 1e-7  # clipped before the logs: where float32 stops telling probabilities from 0


class Agreement(BaseModel):
    """Agreement of two models over n rows, each counted with its weight.

    Attributes:
        rate: share of rows decided alike (p >= 0.5 for two classes, else the likeliest class).
        disagreement: 1 - rate.
        kl: mean KL(p_teacher || p_student) in nats, probabilities clipped at 1e-7.
        spearman: rank correlation of the positive probability, with more than two classes the
            mean over classes; None where a model's scores are all equal.
        intervals: each of the four by name, with its interval; empty where nothing was resampled. The rank
            correlation's resamples keep the ranks that the rows have among all n, so that one costs no more than a
            mean; near 1 its interval is a little narrow (by about a tenth).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: Annotated[float, Field(ge=0, le=1)]
    disagreement: Annotated[float, Field(ge=0, le=1)]
    kl: float
    spearman: float | None
    intervals: dict[str, Estimate] = Field(default_factory=dict)

    def estimate(self, name: str) -> Estimate:
        """Return one of the four with its interval; without ends where nothing was resampled."""
        return self.intervals.get(name) or Estimate(value=getattr(self, name), low=None, high=None)


def measure_agreement(
    teacher_proba: np.ndarray,
    student_proba: np.ndarray,
    resamples: Resamples | None = None,
    confidence: float = 0.95,
) -> Agreement:
    """Compare two models' probabilities ``(n, K)`` row by row.

    Args:
        teacher_proba, student_proba: one row of class probabilities for each row of the data.
        resamples: give the rows their base weights, and the intervals; None counts all alike, without intervals.
        confidence: of the intervals, in (0, 1).

    Raises:
        InputError: the shapes differ, the values are no probabilities, or they are not one for each resampled row.

    >>> p, q = np.array([[0.5, 0.5], [0.8, 0.2]]), np.array([[0.25, 0.75], [0.6, 0.4]])
    >>> measured = measure_agreement(p, q)
    >>> measured.rate, round(measured.kl, 4), round(measured.spearman, 4)
    (1.0, 0.1177, 1.0)
    """
    teacher, student = _checked(teacher_proba, student_proba, resamples)
    base = np.ones(len(teacher)) if resamples is None else resamples.base
    design = _design(teacher, student, base)
    points = {name: _known(values[0]) for name, values in _from_sums(base[None] @ design).items()}
    if resamples is None:
        return Agreement.model_validate(points)
    drawn = _from_sums(_sums(design, resamples))
    intervals = {
        name: estimate(np.nan if point is None else point, drawn[name], confidence) for name, point in points.items()
    }
    return Agreement.model_validate(points | {"intervals": intervals})


def _checked(
    teacher_proba: np.ndarray, student_proba: np.ndarray, resamples: Resamples | None
) -> tuple[np.ndarray, np.ndarray]:
    if np.shape(teacher_proba) != np.shape(student_proba):
        raise InputError(
            "teacher's and student's probabilities must have one shape, got"
            f" {np.shape(teacher_proba)} and {np.shape(student_proba)}"
        )
    n = len(teacher_proba) if resamples is None else resamples.n
    teacher, student = as_probabilities(teacher_proba, n), as_probabilities(student_proba, n)
    if not n:
        raise InputError(f"probabilities must hold at least one row, got shape {teacher.shape}")
    return teacher, student


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _design(teacher: np.ndarray, student: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Stack the per-row values whose weighted sums are needed, ``(n, 3 + 5 C)``; C = 1 for two classes, else K."""
    p, q = (_floored(proba) for proba in (teacher, student))
    columns = [np.ones(len(base)), decide(teacher) == decide(student), (p * np.log(p / q)).sum(axis=1)]
    for k in [1] if teacher.shape[1] == 2 else range(teacher.shape[1]):
        a, b = (_ranks(proba[:, k], base) for proba in (teacher, student))
        columns += [a, b, a * a, b * b, a * b]
    return np.column_stack(columns)


def _floored(proba: np.ndarray) -> np.ndarray:
    clipped = np.clip(proba, FLOOR, 1)
    return np.asarray(clipped / clipped.sum(axis=1, keepdims=True))


def _ranks(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rank ``(n,)`` from -1/2 to 1/2 by the weight below each score, ties sharing their mean."""
    _, places = np.unique(scores, return_inverse=True)
    tied = np.bincount(places, weights=weights)
    return np.asarray(((np.cumsum(tied) - tied / 2) / weights.sum() - 0.5)[places])


def _sums(design: np.ndarray, resamples: Resamples) -> np.ndarray:
    """Sum the columns under each weighting ``(B, columns)``; nan where resampling says nothing."""
    sums = np.full((len(resamples), design.shape[1]), np.nan)
    if resamples.enough:
        for part, weights in resamples.chunks():
            sums[part] = weights @ design
    return sums


def _from_sums(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Turn weighted sums ``(B, 3 + 5 C)`` into values ``(B,)``; nan where one is undefined."""
    with np.errstate(divide="ignore", invalid="ignore"):  # all weights 0: the replicate is nan
        means = sums[:, 1:] / sums[:, :1]
    rate, kl = np.clip(means[:, 0], 0, 1), np.maximum(means[:, 1], 0)  # rounding can fall outside
    moments = means[:, 2:].reshape(len(means), -1, 5)
    return {"rate": rate, "disagreement": 1 - rate, "kl": kl, "spearman": mean_defined(_correlations(moments))}


def _correlations(moments: np.ndarray) -> np.ndarray:
    """Correlate from the means of a, b, a², b² and ab ``(B, C, 5)``; nan where a or b is constant."""
    a, b, aa, bb, ab = np.moveaxis(moments, -1, 0)
    left, right = aa - a * a, bb - b * b
    defined = (left > ROUNDING) & (right > ROUNDING)
    scale = np.sqrt(np.where(defined, left * right, 1))
    return np.where(defined, np.clip((ab - a * b) / scale, -1, 1), np.nan)
