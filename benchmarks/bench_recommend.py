"""Whether DeepFM is ahead of a logistic regression on MovieLens: both taught by the hard labels, on the same columns.

python benchmarks/bench_recommend.py --seeds 1
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from distillery.config import DistillConfig
from distillery.data import Table
from distillery.data.model import Model
from distillery.distillation import SoftLabels
from distillery.evaluation import Entry, EvaluationSpec, Scorecards, evaluate_models
from distillery.report.formats import difference, estimate
from distillery.students import LogisticRegressionSpec, lesson_of

CONFIG = Path(__file__).parents[1] / "configs" / "recommend.yaml"  # whose source and teacher are measured


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    return parser.parse_args()


def config() -> DistillConfig:
    """Return the scenario's config."""
    return DistillConfig.parse(yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["parameters"])


def everything(table: Table) -> Table:
    """Return the table with every column regular, so that both models read the same ones."""
    columns = tuple(c.model_copy(update={"privileged": False}) for c in table.schema.columns)
    return Table(table.schema.model_copy(update={"columns": columns}), table.frame)


def fitted(table: Table, seed: int) -> Iterator[tuple[str, Model]]:
    """Fit both, and say how long that took."""
    spec = config().teacher
    start = time.perf_counter()
    teacher = spec.fit(table.rows("train"), table.rows("valid"), table.schema, seed=seed)
    print(f"seed {seed}: DeepFM in {time.perf_counter() - start:.0f} s", flush=True)
    yield "teacher", teacher
    start = time.perf_counter()
    unused = {split: np.zeros((n, 2), np.float32) for split, n in table.counts.items()}  # α is 0
    labels = SoftLabels(unused, np.full(table.counts["train"], -1), "in_sample")
    linear = LogisticRegressionSpec().control().fit(lesson_of(table, teacher, labels), seed=seed)
    print(f"seed {seed}: logistic regression in {time.perf_counter() - start:.0f} s", flush=True)
    yield "control", linear


def measured(table: Table, seed: int) -> Scorecards:
    """Measure both on the latest ratings; intervals resample users."""
    rows, names = table.rows("test"), {"teacher": "deepfm", "control": "logistic_regression"}
    entries = [
        Entry(names[role], role, names[role], names[role], model=model)  # type: ignore[arg-type]
        for role, model in fitted(table, seed)
    ]
    return evaluate_models(
        entries,
        y=rows.labels,
        features=rows.features,
        weights=rows.weights,
        groups=table.units("test"),
        queries=table.queries("test"),
        spec=EvaluationSpec(cost=False, slices=False, importance=False),
        seed=seed,
        scenario="recommend",
        classes=table.schema.classes,
    )


def main() -> None:
    """Fit, measure, print."""
    for seed in range(arguments().seeds):
        cards = measured(everything(config().source.load(seed)), seed)
        for card in cards.cards:
            assert card.ranking is not None, "MovieLens names its users"
            ranked = "  ".join(f"{name} {estimate(one)}" for name, one in card.ranking.flat().items())
            print(f"{card.name:20s} ROC AUC {estimate(card.quality.metrics['auc_roc'])}  {ranked}")
        behind = cards.of_role("control")[0].versus_teacher["auc_roc"]
        print(
            f"logistic regression minus DeepFM: ROC AUC {difference(behind.difference.model_dump())}, {behind.verdict}"
        )


if __name__ == "__main__":
    main()
