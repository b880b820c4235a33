"""Compares multi-task students with a single-task student for each target, on the flights as a funnel.

python benchmarks/bench_funnel.py [--seeds 1] [--rows 60000] [--architectures mmoe esmm]

All learn from one multi-task teacher, whose probabilities of a target are what that target's own student is taught by.
A single-task student is an mlp with as many units in its first layer as all experts of the multi-task student together.
The claim: on no target is the multi-task student shown to be worse (log loss, ROC AUC; 95 % paired bootstrap over the
test days). Exits with 1 where it is not so.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from distillery.data import Rows, Schema, Table
from distillery.data.schema import Task
from distillery.data.sources import FlightsFunnelSpec
from distillery.distillation import SoftLabelsSpec, generate_soft_labels
from distillery.distillation.soft_labels import to_logits
from distillery.evaluation import ModelReplicates, Resamples, measure_quality, paired_difference
from distillery.report.formats import difference
from distillery.students import Labeller, Lesson, MLPSpec, MultiTaskSpec, lesson_of
from distillery.teachers import MultiTaskTeacherSpec

CONFIDENCE, REPLICATES = 0.95, 200
METRICS = ("log_loss", "auc_roc")
UNITS, TOWER = 32, 16


@dataclass(frozen=True)
class Compared:
    """One target of one student against its single-task student; ``figures`` holds a text for each metric."""

    seed: int
    architecture: str
    target: str
    parameters: tuple[int, int]
    auc: tuple[float, float]
    figures: tuple[str, ...]
    worse: bool


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--epochs", type=int, default=12, help="of every network")
    parser.add_argument(
        "--architectures", nargs="+", default=["mmoe", "esmm"], choices=["shared_bottom", "mmoe", "esmm"]
    )
    return parser.parse_args()


def taught(table: Table, epochs: int, seed: int) -> Lesson:
    """Train the teacher, label by cross-fitting, and return the lesson of all targets."""
    spec = MultiTaskTeacherSpec(epochs=epochs)

    def fit(train: Rows, valid: Rows) -> object:
        return spec.fit(train, valid, table.schema, seed=seed)

    teacher = spec.fit(table.rows("train"), table.rows("valid"), table.schema, seed=seed)
    return lesson_of(table, teacher, generate_soft_labels(table, teacher, fit, SoftLabelsSpec(folds=2), seed=seed))


def alone(lesson: Lesson, task: Task) -> Lesson:
    """Return the lesson of one target: its labels, and the teacher's probability of it."""
    schema, labeller = lesson.schema, lesson.labeller
    assert labeller is not None
    assert lesson.valid_soft is not None
    one = schema.members[schema.tasks.index(task)]

    def marginal(logits: np.ndarray) -> np.ndarray:
        p = np.exp(logits.astype(np.float64)) @ one
        return to_logits(np.column_stack([1 - p, p])).astype(np.float32)

    def label(rows: pd.DataFrame) -> np.ndarray:
        return marginal(labeller.logits(rows))

    def rows(of: Rows) -> Rows:
        return Rows(of.features, one[of.labels].astype(np.int64), of.weights)

    binary = Schema(columns=schema.columns, target=task.name, classes=(0, 1), group=schema.group)
    own = Labeller(binary, labeller.features, label)
    soft, valid_soft = marginal(lesson.soft), marginal(lesson.valid_soft)
    return Lesson(binary, rows(lesson.train), rows(lesson.valid), soft, valid_soft, own)


def measured(y: np.ndarray, p: np.ndarray, resamples: Resamples) -> ModelReplicates:
    """Measure one target."""
    return measure_quality(y, np.column_stack([1 - p, p]), resamples, CONFIDENCE)[1]


def compare(table: Table, lesson: Lesson, architecture: str, epochs: int, seed: int) -> Iterator[Compared]:
    """Train a multi-task student and one for each target; yield how they compare."""
    test, schema, groups = table.rows("test"), table.schema, table.groups("test")
    resamples = Resamples.draw(len(test), REPLICATES, seed, groups)
    spec = MultiTaskSpec(architecture=architecture, widths=(UNITS,), tower=(TOWER,), epochs=epochs)
    experts = {"shared_bottom": 1, "mmoe": spec.experts, "esmm": len(schema.tasks)}[architecture]
    together = spec.fit(lesson, seed=seed)
    marginals = schema.marginals(together.predict_proba(test.features))
    for t, task in enumerate(schema.tasks):
        single = MLPSpec(widths=(experts * UNITS, TOWER), epochs=epochs).fit(alone(lesson, task), seed=seed)
        y = schema.members[t][test.labels].astype(np.int64)
        a = measured(y, marginals[:, t], resamples)
        b = measured(y, single.predict_proba(test.features)[:, 1], resamples)
        against = [paired_difference(a, b, metric, CONFIDENCE) for metric in METRICS]
        yield Compared(
            seed,
            architecture,
            task.name,
            (together.parameter_count().total, single.parameter_count().total),
            (a.points["auc_roc"], b.points["auc_roc"]),
            tuple(f"{difference(one.difference.model_dump())} {one.verdict}" for one in against),
            any(one.verdict == "worse" for one in against),
        )


def main() -> None:
    """Print a row for each seed, architecture and target."""
    given, found = arguments(), list[Compared]()
    print(
        "seed | architecture | target | parameters (all targets; single) | ROC AUC (multi; single) | log loss | ROC AUC"
    )
    for seed in range(given.seeds):
        start = time.perf_counter()
        table = FlightsFunnelSpec(rows=given.rows).load(seed=seed)
        lesson = taught(table, given.epochs, seed)
        for architecture in given.architectures:
            for one in compare(table, lesson, architecture, given.epochs, seed):
                found.append(one)
                parameters, auc = "; ".join(f"{n:,}" for n in one.parameters), "; ".join(f"{v:.4f}" for v in one.auc)
                print(" | ".join([str(seed), architecture, one.target, parameters, auc, *one.figures]), flush=True)
        print(f"seed {seed}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    worse = [one for one in found if one.worse]
    print(f"{len(found) - len(worse)} of {len(found)} targets are not worse than their single-task student")
    sys.exit(bool(worse))


if __name__ == "__main__":
    main()
