"""How alike teacher and student answer on the same rows, whatever the truth is."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import rankdata

from distillery.errors import InputError
from distillery.evaluation._rows import as_probabilities, decide

FLOOR = 1e-7  # clipped before the logs: where float32 stops telling probabilities from 0


class Agreement(BaseModel):
    """Agreement of two models over n unweighted rows.

    Attributes:
        rate: share of rows decided alike (p >= 0.5 for two classes, else the likeliest class).
        disagreement: 1 - rate.
        kl: mean KL(p_teacher || p_student) in nats, probabilities clipped at 1e-7.
        spearman: rank correlation of the positive probability, with more than two classes the
            mean over classes; None where a model's scores are all equal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: Annotated[float, Field(ge=0, le=1)]
    disagreement: Annotated[float, Field(ge=0, le=1)]
    kl: float
    spearman: float | None


def measure_agreement(teacher_proba: np.ndarray, student_proba: np.ndarray) -> Agreement:
    """Compare two models' probabilities ``(n, K)`` row by row.

    Raises:
        InputError: the shapes differ, or the values are no probabilities.

    >>> p, q = np.array([[0.5, 0.5], [0.8, 0.2]]), np.array([[0.25, 0.75], [0.6, 0.4]])
    >>> measured = measure_agreement(p, q)
    >>> measured.rate, round(measured.kl, 4), round(measured.spearman, 4)
    (1.0, 0.1177, 1.0)
    """
    if np.shape(teacher_proba) != np.shape(student_proba):
        raise InputError(
            "teacher's and student's probabilities must have one shape, got"
            f" {np.shape(teacher_proba)} and {np.shape(student_proba)}"
        )
    teacher = as_probabilities(teacher_proba, len(teacher_proba))
    student = as_probabilities(student_proba, len(student_proba))
    if not len(teacher):
        raise InputError(f"probabilities must hold at least one row, got shape {teacher.shape}")
    rate = float((decide(teacher) == decide(student)).mean())
    return Agreement(rate=rate, disagreement=1 - rate, kl=_kl(teacher, student), spearman=_spearman(teacher, student))


def _kl(teacher: np.ndarray, student: np.ndarray) -> float:
    p, q = (_floored(proba) for proba in (teacher, student))
    return max(0.0, float((p * np.log(p / q)).sum(axis=1).mean()))  # rounding can fall below 0


def _floored(proba: np.ndarray) -> np.ndarray:
    clipped = np.clip(proba, FLOOR, 1)
    return np.asarray(clipped / clipped.sum(axis=1, keepdims=True))


def _spearman(teacher: np.ndarray, student: np.ndarray) -> float | None:
    classes = [1] if teacher.shape[1] == 2 else range(teacher.shape[1])
    values = [_rank_correlation(teacher[:, k], student[:, k]) for k in classes]
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Correlate ranks, ties sharing their mean; None where either side is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    rho = float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
    return min(1.0, max(-1.0, rho))
