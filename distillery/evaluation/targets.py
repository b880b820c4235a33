"""Quality of each of several binary targets, out of the probabilities of the classes they make up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from distillery.evaluation._resampling import Resamples
from distillery.evaluation.metrics import METRICS
from distillery.evaluation.quality import (
    Comparison,
    Estimate,
    ModelReplicates,
    Quality,
    measure_quality,
    paired_difference,
    paired_ratio,
)


class TargetScore(BaseModel):
    """One target of several: its own probability against its own labels, on the rows and resamples of the classes.

    Attributes:
        quality: every metric with its interval, of two classes.
        retention, versus_teacher, lift: as in `Scorecard`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    quality: Quality
    retention: dict[str, Estimate] = Field(default_factory=dict)
    versus_teacher: dict[str, Comparison] = Field(default_factory=dict)
    lift: dict[str, Comparison] = Field(default_factory=dict)


@final
@dataclass(frozen=True)
class TargetMeasured:
    """What is known of one model's answers for one target."""

    quality: Quality
    replicates: ModelReplicates

    def score(self, teacher: TargetMeasured | None, control: TargetMeasured | None, confidence: float) -> TargetScore:
        """Compare with teacher and control, where there are any."""
        return TargetScore(
            quality=self.quality,
            retention={} if teacher is None else ratios(self.replicates, teacher.replicates, confidence),
            versus_teacher={} if teacher is None else differences(self.replicates, teacher.replicates, confidence),
            lift={} if control is None else differences(self.replicates, control.replicates, confidence),
        )


def measure_targets(
    y: np.ndarray, proba: np.ndarray, members: Mapping[str, np.ndarray], resamples: Resamples, confidence: float
) -> dict[str, TargetMeasured]:
    """Measure each target.

    Args:
        y: class indices ``(n,)``.
        proba: of the classes ``(n, K)``.
        members: by target, in which classes it is 1 ``(K,)`` bool.
        resamples, confidence: as in `measure_quality`.
    """
    found = {}
    for name, one in members.items():
        p = np.clip(proba @ one.astype(np.float64), 0.0, 1.0)  # a sum of float64 can pass 1 by its rounding
        both = np.column_stack([1 - p, p])
        found[name] = TargetMeasured(*measure_quality(one[y].astype(np.int64), both, resamples, confidence))
    return found


def differences(a: ModelReplicates, b: ModelReplicates, confidence: float) -> dict[str, Comparison]:
    """Return a minus b in every metric."""
    return {name: paired_difference(a, b, name, confidence) for name in METRICS}


def ratios(a: ModelReplicates, b: ModelReplicates, confidence: float) -> dict[str, Estimate]:
    """Return a over b where bigger is better; a ratio of losses is no share of anything."""
    names = [metric.name for metric in METRICS.values() if metric.bigger_is_better]
    return {name: paired_ratio(a, b, name, confidence) for name in names}
