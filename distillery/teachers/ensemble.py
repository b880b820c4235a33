"""Several teachers as one: a weighted average whose weights are fitted on the validation split."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, final

import numpy as np
import pandas as pd
from pydantic import Field, PlainValidator, SerializeAsAny
from scipy.optimize import minimize
from scipy.special import softmax

from distillery.data import Rows, Schema
from distillery.data.model import ParameterCount
from distillery.data.saved import header_files, read_schema
from distillery.export import Graph, RawColumns
from distillery.progress import bar
from distillery.teachers.base import Teacher, TeacherKind
from distillery.teachers.catboost import CatBoostSpec
from distillery.teachers.kinds import FITTED
from distillery.teachers.lightgbm import LightGBMSpec
from distillery.teachers.xgboost import XGBoostSpec

WEIGHTS = "weights.json"
LEAST = 1e-7  # a probability nearer to 0 is read as this: one sure member must not outvote all others
Space = Literal["logit", "probability"]
Member = Annotated[SerializeAsAny[TeacherKind | XGBoostSpec], PlainValidator(FITTED.read)]


class EnsembleSpec(TeacherKind):
    """A weighted average of several teachers.

    Attributes:
        members: what is averaged; each is fitted on the same rows.
        space: of ``logit``s (log probabilities, renormalised) or of probabilities.
    """

    kind: Literal["ensemble"] = "ensemble"
    members: tuple[Member, ...] = Field((XGBoostSpec(), LightGBMSpec(), CatBoostSpec()), min_length=2)
    space: Space = "logit"

    def fault(self, targets: Sequence[str], *, funnel: bool) -> str | None:
        """Say why one of its members cannot learn a table of these targets; None where all can."""
        faults = (member.fault(targets, funnel=funnel) for member in self.members)
        return next((fault for fault in faults if fault), None)

    def fit(self, train: Rows, valid: Rows, schema: Schema, *, seed: int) -> EnsembleTeacher:
        """Fit every member, then the weights: those with the lowest log loss on ``valid``."""
        members = []
        with bar(len(self.members), "ensemble", unit="member") as advance:
            for member in self.members:
                members.append(member.fit(train, valid, schema, seed=seed))
                advance(1)
        proba = [member.predict_proba(valid.features) for member in members]
        weights = fit_weights(proba, valid.labels, valid.weights, self.space)
        return EnsembleTeacher(self, schema, members, weights)

    def load(self, files: Mapping[str, bytes]) -> EnsembleTeacher:
        """Read what `EnsembleTeacher.to_files` gave."""
        members = [spec.load(_own(files, f"{i}.")) for i, spec in enumerate(self.members)]
        return EnsembleTeacher(self, read_schema(files), members, json.loads(files[WEIGHTS]))


def _own(files: Mapping[str, bytes], prefix: str) -> dict[str, bytes]:
    return {name.removeprefix(prefix): content for name, content in files.items() if name.startswith(prefix)}


def average(proba: Sequence[np.ndarray], weights: Sequence[float] | np.ndarray, space: Space) -> np.ndarray:
    """Return the weighted average ``(n, K)`` of probabilities ``(n, K)`` each.

    >>> sure, unsure = np.array([[0.9, 0.1]]), np.array([[0.5, 0.5]])
    >>> average([sure, unsure], [0.5, 0.5], "probability").round(2).tolist()
    [[0.7, 0.3]]
    >>> average([sure, unsure], [0.5, 0.5], "logit").round(2).tolist()  # odds of 9 : 1 and 1 : 1 make 3 : 1
    [[0.75, 0.25]]
    """
    stacked = np.stack(proba)
    values = stacked if space == "probability" else np.log(np.clip(stacked, LEAST, 1))
    mean = np.tensordot(np.asarray(weights), values, axes=1)
    return np.asarray(mean if space == "probability" else softmax(mean, axis=1))


def _log_probabilities(graph: Graph, proba: str, schema: Schema) -> str:
    """Return log probabilities, of two classes their difference ``(rows, 1)``, from a member's probabilities."""

    def log(p: str) -> str:
        return graph.add("Log", graph.add("Clip", p, graph.constant(np.float32(LEAST)), graph.constant(np.float32(1))))

    if schema.n_classes > 2:
        return log(proba)
    return graph.add("Sub", log(proba), log(graph.add("Sub", graph.constant(np.float32(1)), proba)))


def fit_weights(
    proba: Sequence[np.ndarray], labels: np.ndarray, row_weights: np.ndarray | None, space: Space
) -> list[float]:
    """Return non-negative weights that sum to 1, of the lowest log loss.

    Args:
        proba: each member's probabilities ``(n, K)``.
        labels: class indices ``(n,)``.
        row_weights: ``(n,)``, or None.
        space: as in `average`.
    """
    rows = np.arange(len(labels))

    def loss(weights: np.ndarray) -> float:
        chosen = np.clip(average(proba, weights, space)[rows, labels], LEAST, 1)
        return float(-np.average(np.log(chosen), weights=row_weights))

    m = len(proba)
    starts = [np.full(m, 1 / m), *np.eye(m)]
    sums_to_one = {"type": "eq", "fun": lambda weights: weights.sum() - 1}
    bounds = [(0.0, 1.0)] * m
    found = minimize(loss, starts[0], method="SLSQP", bounds=bounds, constraints=[sums_to_one])
    fitted = np.clip(found.x, 0, 1) / np.clip(found.x, 0, 1).sum()
    best = min([fitted, *starts], key=loss)  # never worse than equal weights or the best member
    return [float(weight) for weight in best]


@final
class EnsembleTeacher(Teacher):
    """Fitted members and their weights.

    Attributes:
        members: the fitted teachers.
        weights: one each, non-negative, summing to 1.
    """

    spec: EnsembleSpec

    def __init__(
        self, spec: EnsembleSpec, schema: Schema, members: Sequence[Teacher], weights: Sequence[float]
    ) -> None:
        self.spec, self.schema = spec, schema
        self.members, self.weights = tuple(members), tuple(weights)

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return class probabilities ``(n, K)`` of raw rows; a member without weight is not asked."""
        pairs = [(m, w) for m, w in zip(self.members, self.weights, strict=True) if w > 0]
        proba = [member.predict_proba(frame) for member, _ in pairs]
        return average(proba, [weight for _, weight in pairs], self.spec.space)

    def to_graph(self, raw: RawColumns) -> str:
        """Add the members' nodes and their average; see `distillery.export.Exportable`."""
        graph, logit = raw.graph, self.spec.space == "logit"
        parts = []
        for member, weight in zip(self.members, self.weights, strict=True):
            if weight > 0:
                values = _log_probabilities(graph, member.to_graph(raw), self.schema) if logit else member.to_graph(raw)
                parts.append(graph.add("Mul", values, graph.constant(np.float32(weight))))
        mean = parts[0] if len(parts) == 1 else graph.add("Sum", *parts)
        if not logit:
            return mean
        return graph.add("Sigmoid", mean) if self.schema.n_classes == 2 else graph.add("Softmax", mean, axis=1)

    def to_files(self) -> dict[str, bytes]:
        """Return ``weights.json`` and each member's files, prefixed by its number."""
        files = {**header_files(self.spec, self.schema), WEIGHTS: json.dumps(self.weights).encode()}
        for i, member in enumerate(self.members):
            files |= {f"{i}.{name}": content for name, content in member.to_files().items()}
        return files

    def parameter_count(self) -> ParameterCount | None:
        """Sum the members' numbers; the weights come on top."""
        counts = [member.parameter_count() for member in self.members]
        known = [count for count in counts if count is not None]
        if len(known) < len(counts):
            return None
        n = len(self.weights)
        return ParameterCount(
            total=sum(c.total for c in known) + n,
            learnable=sum(c.learnable for c in known) + n,
            tables=sum(c.tables for c in known),
        )

    def flops_per_row(self, frame: pd.DataFrame) -> float | None:
        """Sum the members' operations, a multiplication and an addition each on top."""
        flops: list[Any] = [member.flops_per_row(frame) for member in self.members]
        return None if None in flops else float(sum(flops) + 2 * len(flops))
