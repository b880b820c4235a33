"""Compares ways to choose raw columns: stochastic gates, permutation importance, LassoNet; prints a table.

python benchmarks/bench_selection.py [--data FOLDER] [--seeds 3]

Each way chooses as many columns; the same student is then trained on those alone. Digits ship with
scikit-learn; bank_marketing and credit_default are taken from the folder where it has them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lassonet import LassoNetClassifier
from sklearn.metrics import log_loss

from distillery.config import DistillConfig
from distillery.data import RawEncoder, Rows, Schema, Table
from distillery.distillation import generate_soft_labels
from distillery.networks.settings import FeaturesSpec
from distillery.students import Lesson, lesson_of
from distillery.students.torch_student import TorchSpec, narrowed

LASSONET_ROWS = 5000  # of the training rows, at most: with more its path takes hours
PIXELS = {"kind": "mlp", "widths": [96, 48], "bins": 0, "augment": None, "batch_size": 64, "epochs": 60}
SETS: dict[str, dict[str, Any]] = {
    "digits": {
        "source": {"kind": "digits"},
        "teacher": {"kind": "cnn", "shape": [1, 8, 8], "epochs": 40},
        "students": [PIXELS],
        "keep": 12,
    },
    "bank_marketing": {"file": "bank_marketing.csv.gz", "target": "subscribed", "keep": 6},
    "credit_default": {"file": "credit_default.parquet", "target": "default", "drop": ["ID"], "keep": 6},
}


def configure(entry: dict[str, Any], data: Path | None, seed: int) -> DistillConfig | None:
    """Return a set's config, or None where its file is missing."""
    if "file" not in entry:
        return DistillConfig.parse({key: entry[key] for key in ("source", "teacher", "students")} | {"seed": seed})
    if data is None or not (data / entry["file"]).exists():
        return None
    source = {"kind": "file", "path": str(data / entry["file"]), "target": entry["target"]}
    student = {"kind": "mlp", "augment": {"factor": 1}}
    source["drop"] = entry.get("drop", [])
    return DistillConfig.parse({"source": source, "seed": seed, "teacher": {"kind": "xgboost"}, "students": [student]})


def lesson_for(config: DistillConfig) -> tuple[Table, Lesson]:
    """Return a table and its cross-fitted lesson."""
    table = config.source.load(config.seed)

    def fit(train: Rows, valid: Rows) -> Any:
        return config.teacher.fit(train, valid, table.schema, seed=config.seed)

    teacher = fit(table.rows("train"), table.rows("valid"))
    labels = generate_soft_labels(table, teacher, fit, config.soft_labels, seed=config.seed)
    return table, lesson_of(table, teacher, labels)


def by_lassonet(lesson: Lesson, keep: int, seed: int) -> tuple[str, ...]:
    """Choose columns along LassoNet's path; the components of a category count as one group."""
    torch.manual_seed(seed)
    some = np.random.default_rng(seed).permutation(len(lesson.train))[:LASSONET_ROWS]
    rows = lesson.train.take(some)
    train, groups = _arrays(lesson.schema, rows)
    valid, _ = _arrays(lesson.schema, lesson.valid)
    model = LassoNetClassifier(hidden_dims=(64,), groups=groups, random_state=seed, verbose=0, batch_size=512)
    model.path(train, rows.labels, X_val=valid, y_val=lesson.valid.labels)
    scores = np.array([model.feature_importances_[group].max().item() for group in groups])
    columns = lesson.schema.encoded
    return tuple(columns[i].name for i in np.argsort(-scores, kind="stable")[:keep])


def _arrays(schema: Schema, rows: Rows) -> tuple[np.ndarray, list[list[int]]]:
    """Return standardized numbers and one-hot categories ``(n, d)`` float32, and each raw column's components."""
    encode = RawEncoder(schema)
    numbers, codes = encode(rows.features)
    spread = np.nanstd(numbers, axis=0)
    scaled = np.nan_to_num((numbers - np.nanmean(numbers, axis=0)) / np.where(spread > 0, spread, 1))
    parts = [scaled, *(np.eye(n)[column] for n, column in zip(encode.cardinalities, codes.T, strict=True))]
    groups = [[i] for i in range(scaled.shape[1])]
    start = len(groups)
    for n in encode.cardinalities:
        groups.append(list(range(start, start + n)))
        start += n
    return np.hstack(parts).astype(np.float32), groups


def score(spec: TorchSpec, lesson: Lesson, table: Table, seed: int) -> float:
    """Return the student's log loss on the test rows."""
    student, test = spec.fit(lesson, seed=seed), table.rows("test")
    return float(log_loss(test.labels, student.predict_proba(test.features), labels=range(table.schema.n_classes)))


def measure(entry: dict[str, Any], config: DistillConfig) -> dict[str, tuple[float, float]]:
    """Return each way's test log loss and the seconds it took to choose and train."""
    table, lesson = lesson_for(config)
    spec, seed, found = config.students[0], config.seed, {}
    assert isinstance(spec, TorchSpec)
    start = time.perf_counter()
    found["all columns"] = score(spec, lesson, table, seed), time.perf_counter() - start
    for method in ("gates", "permutation"):
        start = time.perf_counter()
        features = FeaturesSpec(at_most=entry["keep"], method=method)  # type: ignore[arg-type]
        one = spec.model_copy(update={"features": features})
        found[method] = score(one, lesson, table, seed), time.perf_counter() - start
    start = time.perf_counter()
    names = by_lassonet(lesson, entry["keep"], seed)
    found["LassoNet"] = score(spec, narrowed(lesson, names), table, seed), time.perf_counter() - start
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    print("| data | columns kept | way | test log loss | seconds |\n|---|---|---|---|---|")
    for name, entry in SETS.items():
        configs = [configure(entry, given.data, seed) for seed in range(given.seeds)]
        runs = [measure(entry, config) for config in configs if config is not None]
        for way in runs[0] if runs else ():
            losses, seconds = zip(*(run[way] for run in runs), strict=True)
            spread = (max(losses) - min(losses)) / 2
            print(
                f"| {name} | {entry['keep']} | {way} | {statistics.median(losses):.4f} ± {spread:.4f}"
                f" | {statistics.median(seconds):.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
