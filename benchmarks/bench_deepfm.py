"""DeepFM against logistic regression on flights with plane and flight number as ids; prints a table.

PYTHONPATH=. python benchmarks/bench_deepfm.py [--seeds 3]

Both learn from the same rows and hard labels. The epoch of the one and the strength of the other's penalty are chosen
on the validation rows; the test rows are whole days of their own, and intervals resample days.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import yaml

from distillery.config import DistillConfig
from distillery.data import Table
from distillery.data.model import Model
from distillery.evaluation import ModelReplicates, Quality, Resamples, measure_quality, paired_difference, point_metrics
from distillery.students import Lesson, LogisticRegressionSpec

CONFIG = Path(__file__).parents[1] / "configs" / "ctr_flights.yaml"
PENALTIES = (1.0, 0.1, 0.03, 0.01)
METRICS = ("auc_roc", "log_loss", "normalized_entropy")
CONFIDENCE, REPLICATES = 0.95, 200


def config_of(seed: int) -> DistillConfig:
    """Return the shipped scenario with another seed, which draws other rows and days."""
    content = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return DistillConfig.parse(content["parameters"] | {"seed": seed})


def best_regression(table: Table, seed: int) -> Model:
    """Return the logistic regression whose penalty does best on the validation rows."""
    train, valid = table.rows("train"), table.rows("valid")
    untaught = np.zeros((len(train), table.schema.n_classes), dtype=np.float32)  # α is 0: no teacher
    lesson = Lesson(table.schema, train, valid, untaught)
    specs = [LogisticRegressionSpec(c=c, alpha=0.0, min_frequency=30) for c in PENALTIES]
    models = [spec.fit(lesson, seed=seed) for spec in specs]
    losses = [point_metrics(valid.labels, m.predict_proba(valid.features))["log_loss"] for m in models]
    return models[int(np.argmin(losses))]


def measured(model: Model, table: Table, resamples: Resamples) -> tuple[Quality, ModelReplicates]:
    """Measure a model on the test rows."""
    test = table.rows("test")
    return measure_quality(test.labels, model.predict_proba(test.features), resamples, CONFIDENCE)


def report(seed: int) -> str:
    """Fit and compare both on one draw of the rows; return lines of the table."""
    config = config_of(seed)
    table = config.source.load(seed)
    start = time.perf_counter()
    deep = config.teacher.fit(table.rows("train"), table.rows("valid"), table.schema, seed=seed)
    seconds = time.perf_counter() - start
    test = table.rows("test")
    resamples = Resamples.draw(len(test), REPLICATES, seed, table.groups("test"))
    (ours, our_draws), (theirs, their_draws) = (
        measured(m, table, resamples) for m in (deep, best_regression(table, seed))
    )
    lines = []
    for name in METRICS:
        gap = paired_difference(our_draws, their_draws, name, CONFIDENCE)
        low, value, high = gap.difference.low, gap.difference.value, gap.difference.high
        both = f"{ours.metrics[name].value:.4f} | {theirs.metrics[name].value:.4f}"
        lines.append(f"| {seed} | {name} | {both} | {value:+.4f} [{low:+.4f}, {high:+.4f}] | {gap.verdict} |")
    ratios = f"{ours.calibration_ratio.value:.3f} | {theirs.calibration_ratio.value:.3f}"
    return "\n".join([*lines, f"| {seed} | calibration_ratio | {ratios} | | fitted in {seconds:.0f} s |"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    print("| seed | metric | deepfm | logistic regression | difference | verdict |\n|---|---|---|---|---|---|")
    for seed in range(parser.parse_args().seeds):
        print(report(seed), flush=True)


if __name__ == "__main__":
    main()
