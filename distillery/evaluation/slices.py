"""Where a student differs from its teacher: slices of the rows, by one column's value or range."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict
from scipy.stats import false_discovery_control

from distillery.data.schema import as_text
from distillery.errors import InputError
from distillery.evaluation._contrast import Contrast, Contrasts
from distillery.evaluation._resampling import checked_weights
from distillery.evaluation._rows import RowScores, as_labels, as_probabilities, ratio_or_nan
from distillery.evaluation.quality import Estimate

LISTED = 10  # of each kind
LEAST_ROWS, LEAST_SHARE = 30, 0.01  # a slice has no fewer, and neither has what it is compared with
LEVELS = (0.2, 0.4, 0.6, 0.8)
FEW_VALUES = 12  # whole numbers of no more different values are looked at one by one
HEAD = 500  # rows


class Slice(BaseModel):
    """Rows that share a value, or a range of values, of one column.

    Attributes:
        column: the raw column.
        category: the value as text, of a categorical column or one of few whole numbers; None otherwise.
        lower, upper: the range ``lower < x <= upper`` of a numeric column; None where it is open.
        missing: the rows are those where the column is missing.
        rows: how many test rows.
        share: of the test rows.
        disagreement: share of its rows, by weight, that teacher and student decide differently.
        disagreement_elsewhere: the same of all other rows.
        disagreement_p: of the first being no larger than the second, corrected for all slices looked at; None where
            there are too few groups to tell.
        loss_increase: student's log loss minus the teacher's on its rows, in nats per row; its interval is
            Student's, with a standard error that lets rows of one group depend on each other.
        loss_increase_elsewhere: the same on all other rows.
        loss_p: of ``loss_increase`` being no larger than elsewhere, corrected in the same way.
        calibration_ratio, teacher_calibration_ratio: Σp / Σy of its rows, the student's and the teacher's; see
            `distillery.evaluation.metrics.calibration_ratio`. None where its rows have no success.
        calibration_p: two-sided, of Σp and Σy being equal for the student but for chance, corrected in the same way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    category: str | None = None
    lower: float | None = None
    upper: float | None = None
    missing: bool = False
    rows: int
    share: float
    disagreement: float
    disagreement_elsewhere: float
    disagreement_p: float | None
    loss_increase: Estimate
    loss_increase_elsewhere: float
    loss_p: float | None
    calibration_ratio: float | None = None
    teacher_calibration_ratio: float | None = None
    calibration_p: float | None = None

    @property
    def text(self) -> str:
        """Such as ``carrier = AA``, ``200 < distance ≤ 500`` or ``seats = (missing)``."""
        if self.missing:
            return f"{self.column} = (missing)"
        if self.category is not None:
            return f"{self.column} = {self.category}"
        lower = "" if self.lower is None else f"{self.lower:g} < "
        upper = "" if self.upper is None else f" ≤ {self.upper:g}"
        return f"{lower}{self.column}{upper}"


class SliceSearch(BaseModel):
    """The slices found worst among all that were looked at.

    All lists begin with the slices that are shown to be worse than the rest of the rows, or off: the corrected p
    value is below 1 - confidence. A small slice may be far off by chance and must not hide those.

    Attributes:
        looked_at: how many slices.
        least_rows: smaller ones were left out.
        disagreeing: those with the largest share of rows decided differently, the worst first.
        losing: those whose log loss rose most over the teacher's, the worst first.
        miscalibrated: those where the student's Σp is farthest from Σy, per row, the worst first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    looked_at: int
    least_rows: int
    disagreeing: tuple[Slice, ...]
    losing: tuple[Slice, ...]
    miscalibrated: tuple[Slice, ...] = ()


Part = dict[str, Any]  # the fields of a `Slice` that say which rows it holds


@final
@dataclass(frozen=True)
class _Looked:
    """Slices that were looked at.

    Attributes:
        parts: which rows each holds.
        rows: how many, ``(S,)``.
        disagreement, loss, gap: contrasts with all other rows; the gap is the student's p - y.
        gap_error: standard error of the gap's mean if the student's p were true ``(S,)``.
        ratios: Σp / Σy of student and teacher ``(S, 2)``.
    """

    parts: list[Part]
    rows: np.ndarray
    disagreement: Contrast
    loss: Contrast
    gap: Contrast
    gap_error: np.ndarray
    ratios: np.ndarray


def find_slices(
    features: pd.DataFrame,
    y: np.ndarray,
    teacher_proba: np.ndarray,
    student_proba: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    confidence: float = 0.95,
) -> SliceSearch:
    """Look for the slices on which a student differs most from its teacher.

    Looked at are the categories of text columns, the fifths of numeric ones (single values where these are few
    whole numbers), and missing values. Each slice is compared with all other rows; the p values are corrected for
    the number of slices by Benjamini & Yekutieli (2001), which holds however the slices overlap. Rows of weight 0
    play no part.

    Args:
        features: raw columns of the test rows ``(n, d)``, as `Schema.conform` gives them.
        y: class indices ``(n,)``.
        teacher_proba, student_proba: ``(n, K)``.
        weights: of the rows ``(n,)``, or None.
        groups: which rows depend on each other ``(n,)``, or None where none do.
        confidence: of the intervals, and of what counts as shown, in (0, 1).

    Raises:
        InputError: an argument is not as said above.
    """
    base = checked_weights(weights, len(features))
    old, new = _scores(y, teacher_proba, student_proba, len(features))
    values = np.column_stack([old.decided != new.decided, new.log_loss - old.log_loss, new.gap])
    codes, kept = _group_codes(groups, len(features)), base > 0
    contrasts = Contrasts(values[kept], base[kept], np.unique(codes[kept], return_inverse=True)[1])
    claims = base[kept] * np.array([one[kept] for one in (new.confidence, new.success, old.confidence, old.success)])
    n = int(kept.sum())
    least = max(LEAST_ROWS, math.ceil(LEAST_SHARE * n))
    chance = (new.confidence * (1 - new.confidence))[kept]
    looked = list(_look(features if kept.all() else features[kept], contrasts, claims, chance, least))
    if not looked:
        return SliceSearch(looked_at=0, least_rows=least, disagreeing=(), losing=())
    disagreeing, losing, miscalibrated = _worst(_joined(looked), n, confidence)
    return SliceSearch(
        looked_at=sum(len(one.parts) for one in looked),
        least_rows=least,
        disagreeing=disagreeing,
        losing=losing,
        miscalibrated=miscalibrated,
    )


def _scores(y: np.ndarray, teacher_proba: np.ndarray, student_proba: np.ndarray, n: int) -> tuple[RowScores, RowScores]:
    """Score each row of the teacher and of the student."""
    teacher, student = as_probabilities(teacher_proba, n), as_probabilities(student_proba, n)
    if teacher.shape != student.shape or len(y) != n:
        raise InputError(
            f"labels and both models' probabilities must be of the {n} rows and the same classes, got"
            f" {np.shape(y)}, {teacher.shape} and {student.shape}"
        )
    labels = as_labels(y, teacher.shape[1])
    return RowScores.of(labels, teacher), RowScores.of(labels, student)


def _group_codes(groups: np.ndarray | None, n: int) -> np.ndarray:
    if groups is None:
        return np.arange(n)
    if np.shape(groups) != (n,):
        raise InputError(f"groups must be of shape ({n},), got {np.shape(groups)}")
    return np.unique(groups, return_inverse=True)[1]


def _look(
    features: pd.DataFrame, contrasts: Contrasts, claims: np.ndarray, chance: np.ndarray, least: int
) -> Iterator[_Looked]:
    """Contrast the slices of each column that have enough rows, inside and elsewhere.

    Args:
        features: raw columns ``(n, d)``.
        contrasts: what is contrasted.
        claims: weighted confidence and success of the student, then of the teacher ``(4, n)``.
        chance: variance of the student's gap by its own confidence ``(n,)``.
        least: rows that are enough.
    """
    for name in features:
        codes, parts = _parts(features[name])
        rows = np.bincount(codes, minlength=len(parts))
        enough = np.flatnonzero((rows >= least) & (len(codes) - rows >= least))
        if len(enough):
            disagreement, loss, gap = (one.at(enough) for one in contrasts.of(codes, len(parts)))
            sums = np.array([np.bincount(codes, claim, len(parts))[enough] for claim in claims])
            kept = [{"column": str(name), **parts[i]} for i in enough]
            error = contrasts.independent_error(chance, codes, len(parts))[enough]
            yield _Looked(kept, rows[enough], disagreement, loss, gap, error, ratio_or_nan(sums[::2], sums[1::2]).T)


def _parts(values: pd.Series) -> tuple[np.ndarray, list[Part]]:
    """Return each row's part of a column ``(n,)``, and the parts; none is empty."""
    absent = values.isna().to_numpy()
    if absent.all():
        return np.zeros(len(values), dtype=np.int64), [{"missing": True}]
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        codes, parts = _ranges(values.to_numpy(np.float64), absent)
    else:
        codes, categories = pd.factorize(as_text(values))
        parts = [{"category": category} for category in categories]
    if absent.any():
        codes, parts = np.where(absent, len(parts), codes), [*parts, {"missing": True}]
    return codes, parts


def _ranges(numbers: np.ndarray, absent: np.ndarray) -> tuple[np.ndarray, list[Part]]:
    """Return the part of each number, and the parts: single values where these are few and whole, else fifths."""
    present = numbers[~absent]
    few = _few_whole(present)
    if len(few):
        return np.searchsorted(few, numbers), [{"category": text} for text in as_text(pd.Series(few))]
    edges = np.unique(np.quantile(present, LEVELS, method="inverted_cdf"))
    edges = edges[edges < present.max()]  # nothing lies above the largest
    ends = [None, *edges.tolist(), None]
    return np.searchsorted(edges, numbers), [{"lower": low, "upper": high} for low, high in pairwise(ends)]


def _few_whole(numbers: np.ndarray) -> np.ndarray:
    """Return the different values in order where they are few and whole; none otherwise."""
    if len(pd.unique(numbers[:HEAD])) > FEW_VALUES:  # most columns of many values show it at once
        return np.empty(0)
    different = np.sort(pd.unique(numbers))
    return different if len(different) <= FEW_VALUES and (different == np.round(different)).all() else np.empty(0)


def _joined(looked: list[_Looked]) -> _Looked:
    return _Looked(
        [part for one in looked for part in one.parts],
        np.concatenate([one.rows for one in looked]),
        Contrast.joined([one.disagreement for one in looked]),
        Contrast.joined([one.loss for one in looked]),
        Contrast.joined([one.gap for one in looked]),
        np.concatenate([one.gap_error for one in looked]),
        np.concatenate([one.ratios for one in looked]),
    )


def _worst(all_: _Looked, n: int, confidence: float) -> Iterator[tuple[Slice, ...]]:
    """Yield the worst slices of each kind: disagreeing, losing, miscalibrated."""
    gaps = all_.gap.inside_p_values(all_.gap_error)
    disagreement_p, loss_p, gap_p = map(_corrected, (all_.disagreement.p_values(), all_.loss.p_values(), gaps))
    low, high = all_.loss.inside_interval(confidence)

    def slice_at(i: int) -> Slice:
        return Slice(
            **all_.parts[i],
            rows=int(all_.rows[i]),
            share=all_.rows[i] / n,
            disagreement=_share(all_.disagreement.inside[i]),
            disagreement_elsewhere=_share(all_.disagreement.outside[i]),
            disagreement_p=_known(disagreement_p[i]),
            loss_increase=Estimate(value=float(all_.loss.inside[i]), low=float(low[i]), high=float(high[i])),
            loss_increase_elsewhere=float(all_.loss.outside[i]),
            loss_p=_known(loss_p[i]),
            calibration_ratio=_known(all_.ratios[i, 0]),
            teacher_calibration_ratio=_known(all_.ratios[i, 1]),
            calibration_p=_known(gap_p[i]),
        )

    kinds = ((disagreement_p, all_.disagreement.inside), (loss_p, all_.loss.inside), (gap_p, np.abs(all_.gap.inside)))
    for p, badness in kinds:
        shown = np.nan_to_num(p, nan=1.0) < 1 - confidence
        yield tuple(slice_at(i) for i in np.lexsort([-badness, ~shown])[:LISTED])


def _corrected(p: np.ndarray) -> np.ndarray:
    """Correct the p values that there are; nan stays."""
    known = ~np.isnan(p)
    corrected = p.copy()
    if known.any():
        corrected[known] = false_discovery_control(p[known], method="by")
    return corrected


def _share(value: float) -> float:
    return float(np.clip(value, 0, 1))  # sums may leave it by a rounding


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
