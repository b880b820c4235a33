"""The typed contents of a run config: what the ``parameters:`` block of a YAML may say."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pydantic import Field, JsonValue, ValidationInfo, field_validator, model_validator

from distillery.data.log.spec import LogSpec
from distillery.data.sources import FlightsSpec, SourceSpec
from distillery.data.validation import ValidationSpec
from distillery.distillation import SoftLabelsSpec
from distillery.errors import shortlist
from distillery.evaluation import EvaluationSpec
from distillery.evaluation.evaluate import NO_QUERY
from distillery.promotion import GatesSpec
from distillery.report import ReportSpec
from distillery.spec import Spec
from distillery.students import LogisticRegressionSpec, MLPSpec, StudentSpec
from distillery.teachers import EnsembleSpec, LightGBMSpec, TeacherSpec

LOG_KINDS = ("avazu", "criteo", "parquet_log", "ctr_log")
LOG_DEFAULTS: dict[str, Any] = {
    "teacher": {"kind": "deepfm", "epochs": 1},
    "soft_labels": {"folds": 2},
    "students": [{"kind": "light_ctr"}],
}


class DistillConfig(Spec):
    """Everything one run is decided by; two runs with one config give the same numbers.

    Attributes:
        scenario: names the experiment and the registered model ``<scenario>-student``; by
            default ``flights``, or the file's name.
        seed: of samples, splits, folds, training and resampling.
        source: where the table comes from. For a log teacher, folds and students have other defaults: `LOG_DEFAULTS`.
        validation: what the table must hold to.
        teacher: the strong model.
        baseline: a small tree ensemble on the hard labels, measured beside the students: what compiling a model
            without distilling one would give; null for none.
        compare_privileged: where the source names privileged columns, fit the teacher without them, too, and measure
            both: what the columns are worth.
        soft_labels: how its labels are taken; in sample where the teacher comes ready-made.
        students: the candidates.
        evaluation: how models are measured.
        gates: what a candidate must meet.
        report: where the report is written.

    >>> DistillConfig.parse({"sed": 1})
    Traceback (most recent call last):
    distillery.errors.ConfigError: the run config has 1 mistake:
      unknown key 'sed'; did you mean 'seed'? Valid keys: scenario, seed, source, ...
    """

    scenario: str = Field("", pattern=r"^[A-Za-z0-9._-]*$", max_length=80)
    seed: int = Field(0, ge=0, lt=2**31)
    source: SourceSpec = Field(default_factory=FlightsSpec)
    validation: ValidationSpec = Field(default_factory=ValidationSpec)
    teacher: TeacherSpec = Field(default_factory=EnsembleSpec)
    baseline: TeacherSpec | None = Field(default_factory=lambda: LightGBMSpec(trees=100))
    compare_privileged: bool = True
    soft_labels: SoftLabelsSpec = Field(default_factory=SoftLabelsSpec)
    students: tuple[StudentSpec, ...] = Field((MLPSpec(), LogisticRegressionSpec()), min_length=1)
    evaluation: EvaluationSpec = Field(default_factory=EvaluationSpec)
    gates: GatesSpec = Field(default_factory=GatesSpec)
    report: ReportSpec = Field(default_factory=ReportSpec)

    @model_validator(mode="before")
    @classmethod
    def _log_has_defaults_of_its_own(cls, data: Any) -> Any:
        """What learns from rows on disk, where the config names nothing else."""
        source = data.get("source") if isinstance(data, dict) else None
        kind = source.get("kind") if isinstance(source, dict) else getattr(source, "kind", None)
        return {**LOG_DEFAULTS, **data} if kind in LOG_KINDS else data

    @field_validator("baseline")
    @classmethod
    def _baseline_is_fitted(cls, baseline: TeacherSpec | None) -> TeacherSpec | None:
        if baseline is not None and not baseline.fitted:
            raise ValueError(f"baseline must be of a kind that a run fits, got {baseline.kind}")
        return baseline

    @field_validator("soft_labels")
    @classmethod
    def _only_what_is_fitted_is_cross_fitted(cls, soft: SoftLabelsSpec, info: ValidationInfo) -> SoftLabelsSpec:
        teacher = info.data.get("teacher")
        return soft if teacher is None or teacher.fitted else soft.model_copy(update={"method": "in_sample"})

    @field_validator("students")
    @classmethod
    def _names_differ(cls, students: tuple[StudentSpec, ...]) -> tuple[StudentSpec, ...]:
        twice = [name for name, n in Counter(s.title for s in students).items() if n > 1]
        if twice:
            raise ValueError(f"candidates must differ in name, got {shortlist(twice)} twice; give each a `name`")
        return students

    @model_validator(mode="after")
    def _targets_fit(self) -> DistillConfig:
        roles = getattr(self.source, "roles", None)  # a source may know them only once it is read
        if roles is None and not isinstance(self.source, LogSpec):
            return self
        targets, funnel = (roles.targets, roles.funnel) if roles else ((), False)  # logs have one target
        for spec in (self.teacher, self.baseline, *self.students):
            fault = spec and spec.fault(targets, funnel=funnel)
            if fault:
                raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _log_can_be_streamed(self) -> DistillConfig:
        """What needs all rows in memory is refused before a log is read."""
        if not isinstance(self.source, LogSpec):
            return self
        named = {"teacher": self.teacher, **{student.title: student for student in self.students}}
        for name, spec in named.items():
            if (sampling := getattr(spec, "sampling", "uniform")) != "uniform":
                raise ValueError(f"{name}.sampling must be uniform for a log, got {sampling!r}")
            for key in ("augment", "hint"):
                if getattr(spec, key, None) is not None:
                    raise ValueError(f"{name}.{key} must be null for a log, whose rows are read from disk")
        return self

    @model_validator(mode="after")
    def _ranks_within_a_query(self) -> DistillConfig:
        roles, start = getattr(self.source, "roles", None), self.evaluation.relevant_from
        if roles and start is not None and roles.query is None:
            raise ValueError(NO_QUERY.format(start))
        return self

    @model_validator(mode="after")
    def _name_is_usable(self) -> DistillConfig:
        if not self.name.strip(". ") or any(mark in self.name for mark in ":/\\"):
            raise ValueError(f"scenario must name an experiment and a model, got {self.name!r}; set `scenario`")
        return self

    @property
    def compares_privileged(self) -> bool:
        """Whether the teacher is also fitted without privileged columns."""
        source = self.source
        named = getattr(source, "privileged", ()) if isinstance(source, LogSpec) else source.roles.privileged
        return self.compare_privileged and self.teacher.fitted and bool(named)

    @property
    def name(self) -> str:
        """The scenario's name."""
        return self.scenario or self.source.default_scenario

    @property
    def model_name(self) -> str:
        """The registered model's name."""
        return f"{self.name}-student"


def flatten(settings: JsonValue, prefix: str = "") -> dict[str, JsonValue]:
    """Flatten nested settings into dotted names.

    >>> flatten({"a": {"b": 1}, "c": [2, {"d": 3}]})
    {'a.b': 1, 'c.0': 2, 'c.1.d': 3}
    """
    if isinstance(settings, list) and any(isinstance(item, dict | list) for item in settings):
        settings = {str(i): item for i, item in enumerate(settings)}
    elif isinstance(settings, list) and prefix and len(settings) > 0:
        return {prefix: ", ".join(map(str, settings))}
    if not isinstance(settings, dict):
        return {prefix: settings}
    flat: dict[str, JsonValue] = {}
    for key, value in settings.items():
        flat |= flatten(value, f"{prefix}.{key}" if prefix else key)
    return flat
