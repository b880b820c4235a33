"""Compares multi-task students with a single-task student for each target, on the flights as a funnel.

PYTHONPATH=. python benchmarks/bench_funnel.py [--seeds 1]

All learn from the teacher of ``configs/funnel.yaml``, whose probabilities of a target are what that target's own
student is taught by; the multi-task students are those of that config. A single-task student is an mlp with the same
settings and as many units in its first layer as all experts of the multi-task student together. The claim: on no
target is the multi-task student shown to be worse (log loss, ROC AUC; 95 % paired bootstrap over the test days). Exits
with 1 where it is not so.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from distillery.config import DistillConfig
from distillery.data import Rows, Schema, Table
from distillery.data.model import Model
from distillery.data.schema import Task
from distillery.distillation import generate_soft_labels
from distillery.distillation.logits import to_logits
from distillery.evaluation import ModelReplicates, Resamples, measure_quality, paired_difference
from distillery.report.formats import difference
from distillery.students import Labeller, Lesson, MLPSpec, MultiTaskSpec, lesson_of

CONFIG = Path(__file__).parents[1] / "configs" / "funnel.yaml"
CONFIDENCE, REPLICATES = 0.95, 200
METRICS = ("log_loss", "auc_roc")


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


def config_of(seed: int) -> DistillConfig:
    """Return the shipped scenario with another seed, which draws other rows and days."""
    content = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return DistillConfig.parse(content["parameters"] | {"seed": seed})


def taught(config: DistillConfig, table: Table) -> Lesson:
    """Train the teacher, label by cross-fitting, and return the lesson of all targets."""
    spec, seed = config.teacher, config.seed

    def fit(train: Rows, valid: Rows) -> Model:
        return spec.fit(train, valid, table.schema, seed=seed)

    teacher = spec.fit(table.rows("train"), table.rows("valid"), table.schema, seed=seed)
    return lesson_of(table, teacher, generate_soft_labels(table, teacher, fit, config.soft_labels, seed=seed))


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


def single_of(spec: MultiTaskSpec, targets: int) -> MLPSpec:
    """Return the student of one target: all settings that both kinds have, and as wide as all experts together."""
    experts = {"shared_bottom": 1, "mmoe": spec.experts, "esmm": targets}[spec.architecture]
    shared = (MLPSpec.model_fields.keys() & MultiTaskSpec.model_fields.keys()) - {"kind", "name", "widths"}
    first, *rest = spec.widths
    return MLPSpec(widths=(experts * first, *rest, *spec.tower), **{name: getattr(spec, name) for name in shared})


def compare(table: Table, lesson: Lesson, spec: MultiTaskSpec, seed: int) -> Iterator[Compared]:
    """Train a multi-task student and one for each target; yield how they compare."""
    test, schema, groups = table.rows("test"), table.schema, table.groups("test")
    resamples = Resamples.draw(len(test), REPLICATES, seed, groups)
    together = spec.fit(lesson, seed=seed)
    marginals = schema.marginals(together.predict_proba(test.features))
    for t, task in enumerate(schema.tasks):
        single = single_of(spec, len(schema.tasks)).fit(alone(lesson, task), seed=seed)
        y = schema.members[t][test.labels].astype(np.int64)
        a = measured(y, marginals[:, t], resamples)
        b = measured(y, single.predict_proba(test.features)[:, 1], resamples)
        against = [paired_difference(a, b, metric, CONFIDENCE) for metric in METRICS]
        yield Compared(
            seed,
            spec.architecture,
            task.name,
            (together.parameter_count().total, single.parameter_count().total),
            (a.points["auc_roc"], b.points["auc_roc"]),
            tuple(f"{difference(one.difference.model_dump())} {one.verdict}" for one in against),
            any(one.verdict == "worse" for one in against),
        )


def main() -> None:
    """Print a row for each seed, architecture and target."""
    parser, found = argparse.ArgumentParser(description=__doc__), list[Compared]()
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seeds", type=int, default=1)
    print(
        "seed | architecture | target | parameters (all targets; single) | ROC AUC (multi; single) | log loss | ROC AUC"
    )
    for seed in range(parser.parse_args().seeds):
        start, config = time.perf_counter(), config_of(seed)
        table = config.source.load(seed=seed)
        lesson = taught(config, table)
        for spec in config.students:
            for one in compare(table, lesson, spec, seed) if isinstance(spec, MultiTaskSpec) else ():
                found.append(one)
                parameters, auc = "; ".join(f"{n:,}" for n in one.parameters), "; ".join(f"{v:.4f}" for v in one.auc)
                print(" | ".join([str(seed), one.architecture, one.target, parameters, auc, *one.figures]), flush=True)
        print(f"seed {seed}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    worse = [one for one in found if one.worse]
    print(f"{len(found) - len(worse)} of {len(found)} targets are not worse than their single-task student")
    sys.exit(bool(worse))


if __name__ == "__main__":
    main()
