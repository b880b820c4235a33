"""Everything measured about one model, and about all models of a run."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from distillery.data.schema import Label
from distillery.errors import InputError
from distillery.evaluation.agreement import Agreement
from distillery.evaluation.cost import Cost
from distillery.evaluation.importance import Importance
from distillery.evaluation.quality import Comparison, Estimate, Quality
from distillery.evaluation.ranking import Ranking
from distillery.evaluation.slices import SliceSearch
from distillery.evaluation.targets import TargetScore
from distillery.evaluation.whole import WholeScores
from distillery.export import Parity

Role = Literal["teacher", "student", "control", "baseline", "regular_teacher", "staged"]


class Scorecard(BaseModel):
    """Everything measured about one model on the test rows.

    Attributes:
        name: the candidate's name; a student and its control share it.
        role: what it is in this run.
        kind: which teacher or student it is, such as ``mlp``.
        label: how it is called in tables.
        settings: its config, flattened.
        rows: number of test rows.
        quality: every metric with its interval.
        whole: the same rows' split in full, where more of it lies on disk than the ``rows`` measured here.
        valid_log_loss: on the validation split, in nats per row.
        agreement: with the teacher; None for the teacher itself.
        cost: None where it was not or could not be measured.
        parity: how far its exported file is from it; None where it has none.
        export_problem: why it has none; empty where it has one, or none was wanted.
        retention: score / teacher's score, for metrics where bigger is better.
        versus_teacher: score minus teacher's score, every metric.
        lift: score minus its control's score; students only.
        versus_baseline: score minus the baseline's score; students only.
        versus_regular: score minus that of the teacher without privileged columns; students only.
        versus_staged: score minus the staged model's score.
        compression: 1 - cost / teacher's cost.
        targets: by name, where the classes are combinations of several binary targets, how it does on each.
        slices: where it differs from the teacher; students only.
        importance: of each raw column; teacher and students only.
        ranking: within queries; None where the table names none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: Role
    kind: str
    label: str
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    rows: int
    quality: Quality
    whole: WholeScores | None = None
    valid_log_loss: float | None = None
    agreement: Agreement | None = None
    cost: Cost | None = None
    parity: Parity | None = None
    export_problem: str = ""
    retention: dict[str, Estimate] = Field(default_factory=dict)
    versus_teacher: dict[str, Comparison] = Field(default_factory=dict)
    lift: dict[str, Comparison] = Field(default_factory=dict)
    versus_baseline: dict[str, Comparison] = Field(default_factory=dict)
    versus_regular: dict[str, Comparison] = Field(default_factory=dict)
    versus_staged: dict[str, Comparison] = Field(default_factory=dict)
    compression: dict[str, float] = Field(default_factory=dict)
    targets: dict[str, TargetScore] = Field(default_factory=dict)
    slices: SliceSearch | None = None
    importance: Importance | None = None
    ranking: Ranking | None = None

    def metrics(self) -> dict[str, float]:
        """Return flat names and values for a tracker, the same names for every model.

        ``test.<metric>`` and ``test.calibration_ratio`` with ``_low`` and ``_high``, ``whole.*``, ``valid.log_loss``,
        ``agreement.*``, ``cost.*``, ``parity.max_difference``, ``compression.*``, ``retention.<metric>`` and
        ``lift.<metric>``; what is undefined is left out. With queries there are ``test.gauc``, ``test.ndcg_at_<k>``
        and ``test.recall_at_<k>``.
        """
        ranked = self.ranking.flat() if self.ranking else {}
        groups = {
            "test": _intervals(self.quality.metrics | {"calibration_ratio": self.quality.calibration_ratio} | ranked),
            "whole": self.whole.model_dump() if self.whole else {},
            "valid": {"log_loss": self.valid_log_loss},
            "agreement": self.agreement.model_dump(exclude={"intervals"}) if self.agreement else {},
            "cost": self.cost.model_dump(exclude={"runtime"}) if self.cost else {},
            "parity": {"max_difference": self.parity.max_difference} if self.parity else {},
            "compression": self.compression,
            "retention": {name: estimate.value for name, estimate in self.retention.items()},
            "lift": {name: comparison.difference.value for name, comparison in self.lift.items()},
        }
        for target, score in self.targets.items():
            name = re.sub(r"[^\w.-]", "_", target)  # what a tracker takes
            groups |= {
                f"test.{name}": _intervals(
                    score.quality.metrics | {"calibration_ratio": score.quality.calibration_ratio}
                ),
                f"retention.{name}": {metric: estimate.value for metric, estimate in score.retention.items()},
                f"lift.{name}": {metric: one.difference.value for metric, one in score.lift.items()},
            }
        return dict(_defined(groups))


def _intervals(metrics: Mapping[str, Estimate]) -> dict[str, float | None]:
    ends = (("", "value"), ("_low", "low"), ("_high", "high"))
    return {name + suffix: getattr(one, end) for name, one in metrics.items() for suffix, end in ends}


def _defined(groups: Mapping[str, Mapping[str, float | None]]) -> Iterator[tuple[str, float]]:
    for group, values in groups.items():
        for name, value in values.items():
            if value is not None and math.isfinite(value):
                yield f"{group}.{name}", float(value)


class Scorecards(BaseModel):
    """All models of one run, measured on the same test rows and resamples.

    Attributes:
        scenario: what the run is about.
        cards: one per model; exactly one is the teacher's.
        classes: the target's values, in the order of ``quality.per_class``.
        confidence: of every interval, in (0, 1).
        replicates: bootstrap resamples behind every interval.
        seed: they were drawn with.
        prior_log_loss: what a model that knows no column gets on these rows, in nats: it gives
            every row the class shares of training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: str
    cards: tuple[Scorecard, ...]
    classes: tuple[Label, ...]
    confidence: float
    replicates: int
    seed: int
    prior_log_loss: float | None = None

    @property
    def pointless(self) -> bool:
        """Whether the teacher is no better than knowing nothing, as far as both are known."""
        loss, prior = self.teacher.quality.metrics["log_loss"].value, self.prior_log_loss
        return loss is not None and prior is not None and loss >= prior

    @property
    def warnings(self) -> list[str]:
        """What makes the run pointless: a teacher that is no better than knowing nothing."""
        loss, prior = self.teacher.quality.metrics["log_loss"].value, self.prior_log_loss
        if not self.pointless:
            return []
        seen = f"its log loss on the test rows is {loss:.4f}, that of the training rows' class shares {prior:.4f}"
        return [f"{self.teacher.label} is no better than the prior: {seen}; distilling it is pointless"]

    @property
    def teacher(self) -> Scorecard:
        return next(iter(self.of_role("teacher")))

    @property
    def students(self) -> tuple[Scorecard, ...]:
        return self.of_role("student")

    @property
    def staged(self) -> Scorecard | None:
        """The card of the model now in staging, if there is one."""
        return next(iter(self.of_role("staged")), None)

    def of_role(self, role: Role) -> tuple[Scorecard, ...]:
        """Return all cards of a role, in run order."""
        return tuple(card for card in self.cards if card.role == role)

    def control_of(self, name: str) -> Scorecard | None:
        """Return the control of the student of this name, if it has one."""
        return next((card for card in self.of_role("control") if card.name == name), None)

    def get(self, role: Role, name: str) -> Scorecard:
        """Return one card.

        Raises:
            InputError: there is none; the message lists those of the role.
        """
        for card in self.of_role(role):
            if card.name == name:
                return card
        known = ", ".join(repr(card.name) for card in self.of_role(role)) or "none"
        raise InputError(f"{role} must be one of those measured ({known}), got {name!r}")
