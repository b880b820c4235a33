"""Measures what serving costs, from raw columns: teacher, student, control, baseline, and the runtime's floor.

python benchmarks/bench_latency.py [--scenarios flights digits] [--calls 2000]

Every contender is called in turn, round after round in one process, so that a busy machine slows all alike:
only the ratios count. Writes the tables into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pandas as pd
import yaml
from onnx import helper
from sklearn.metrics import roc_auc_score

from distillery.config import DistillConfig
from distillery.data import Rows, Schema
from distillery.export import OnnxModel, measure_parity, quantized, to_onnx
from distillery.export.graph import Graph
from distillery.export.raw import RawColumns
from distillery.library import distil_table
from distillery.report.formats import duration, rate, size
from distillery.students import Student
from distillery.teachers import Teacher

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
START, END = "<!-- table: make bench-latency -->", "<!-- end of latency -->"
ROUNDS, WARM_UP, BATCH_REPEATS, SINGLES = 20, 50, 3, 50


@dataclass
class Contender:
    """Something that predicts one row, or many.

    Attributes:
        label: its row of the table.
        one: predicts the i-th of some single rows.
        batch: predicts all test rows; None where that says nothing.
        bytes: of its file.
        calls: share of the calls it gets; slow ones need fewer.
        seconds: of each call.
    """

    label: str
    one: Callable[[int], object]
    batch: Callable[[], object] | None
    bytes: int | None
    calls: float = 1.0
    seconds: list[float] = field(default_factory=list)
    rows_per_second: float | None = None


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", nargs="*", default=["flights", "digits"])
    parser.add_argument("--calls", type=int, default=2000, help="per contender")
    return parser.parse_args()


def floor(raw: RawColumns) -> bytes:
    """Return the graph that hands its inputs on: what the runtime costs by itself."""
    outputs = [helper.make_empty_tensor_value_info(f"/{i.name}") for i in raw.inputs]
    for one, given in zip(outputs, raw.inputs, strict=True):
        one.type.CopyFrom(given.type)
    nodes = [helper.make_node("Identity", [i.name], [o.name]) for i, o in zip(raw.inputs, outputs, strict=True)]
    graph = helper.make_graph(nodes, "floor", raw.inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def compiled(label: str, model: OnnxModel, frame: pd.DataFrame) -> Contender:
    """Return an exported file as a contender; its inputs are made beforehand, as a server has them."""
    singles = [model.feeds(frame.iloc[[i]]) for i in range(SINGLES)]
    batch = model.feeds(frame)
    return Contender(label, lambda i: model.run(singles[i % SINGLES]), lambda: model.run(batch), len(model.content))


def identity(model: OnnxModel, schema: Schema, frame: pd.DataFrame) -> Contender:
    """Return the floor of a model: its inputs, handed on."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(floor(RawColumns(Graph(), schema, model.form)), options)
    singles = [model.feeds(frame.iloc[[i]]) for i in range(SINGLES)]
    label = f"floor: {len(singles[0])} input{'s' if len(singles[0]) > 1 else ''} handed on"
    return Contender(label, lambda i: session.run(None, singles[i % SINGLES]), None, None)


def native(label: str, model: Teacher, frame: pd.DataFrame) -> Contender:
    """Return a fitted model as Python runs it: a data frame in, on as many threads as it takes."""
    singles = [frame.iloc[[i]] for i in range(SINGLES)]
    return Contender(
        label,
        lambda i: model.predict_proba(singles[i % SINGLES]),
        lambda: model.predict_proba(frame),
        sum(map(len, model.to_files().values())),
        calls=0.05,
    )


def contenders(config: DistillConfig, facts: list[str]) -> Iterator[Contender]:
    """Fit teacher, first student, its control and the baseline of a scenario, and export them.

    What is no matter of time is told in ``facts``.
    """
    config = config.model_copy(update={"students": config.students[:1]})
    table = config.source.load(config.seed)
    outcome = distil_table(table, config, progress=lambda line: print(f"  {line}", flush=True))
    frame, student, control = table.rows("test").features, outcome.students[0], outcome.controls[0]
    start = time.perf_counter()
    files = {form: student.exported(form) for form in ("columns", "tensors")}
    seconds = (time.perf_counter() - start) / len(files)
    facts.append(told(student, files["columns"], table.rows("test"), seconds))
    for form, file in files.items():
        yield identity(file, student.schema, frame)
        yield compiled(f"student {student.spec.title}, {form}", file, frame)
    yield compiled(f"student {student.spec.title} int8, columns", quantized(files["columns"], "int8"), frame)
    yield compiled(f"control {control.spec.title}, columns", control.exported(), frame)
    if config.baseline is not None:
        schema = table.schema.regular
        train, valid = (table.rows(split).regular(table.schema) for split in ("train", "valid"))
        baseline = config.baseline.fit(train, valid, schema, seed=config.seed)
        yield compiled(f"baseline {baseline.spec.kind}, columns", to_onnx(baseline), frame)
    yield compiled(f"teacher {outcome.teacher.spec.kind} compiled, columns", to_onnx(outcome.teacher), frame)
    yield compiled(
        f"teacher {outcome.teacher.spec.kind} compiled, tensors", to_onnx(outcome.teacher, form="tensors"), frame
    )
    yield native(f"teacher {outcome.teacher.spec.kind} in Python", outcome.teacher, frame)


def told(student: Student, plain: OnnxModel, rows: Rows, seconds: float) -> str:
    """Say what exporting takes, and what 8 bits save and lose."""
    small = quantized(plain, "int8")

    def auc(model: OnnxModel) -> float:
        proba = model.predict_proba(rows.features)
        return float(roc_auc_score(rows.labels, proba if proba.shape[1] > 2 else proba[:, 1], multi_class="ovr"))

    return (
        f"Exporting {student.spec.title} took {seconds:.2f} s; its file differs from it by"
        f" {measure_parity(student, plain, rows.features).max_difference:.0e} at most. In int8 it has"
        f" {100 * len(small.content) / len(plain.content):.0f} % of the bytes; its ROC AUC differs by"
        f" {auc(small) - auc(plain):+.5f}."
    )


def race(all_of_them: Sequence[Contender], calls: int, rows: int) -> None:
    """Call everybody in turn; fill in seconds and rows per second."""
    for one in all_of_them:
        for i in range(max(3, int(WARM_UP * one.calls))):
            one.one(i)
    order = np.random.default_rng(0)
    for _ in range(ROUNDS):
        for k in order.permutation(len(all_of_them)):  # whoever follows a slow one finds a cold cache
            one = all_of_them[k]
            for i in range(max(1, int(calls * one.calls / ROUNDS))):
                start = time.perf_counter()
                one.one(i)
                one.seconds.append(time.perf_counter() - start)
    for _, one in itertools.product(range(BATCH_REPEATS), all_of_them):
        if one.batch is not None:
            start = time.perf_counter()
            one.batch()
            speed = rows / (time.perf_counter() - start)
            one.rows_per_second = max(speed, one.rows_per_second or 0.0)


def lines(scenario: str, all_of_them: Sequence[Contender]) -> Iterator[str]:
    """Write the table; ratios against the student with named inputs."""
    student = next(one for one in all_of_them if one.label.startswith("student"))
    base = float(np.median(student.seconds))
    yield f"| {scenario} | one row, p50 | p99 | of the student's p50 | rows/s | of the student's | file |"
    yield "|---|---|---|---|---|---|---|"
    for one in all_of_them:
        p50, p99 = np.percentile(one.seconds, [50, 99])
        speed, own = one.rows_per_second, student.rows_per_second
        relative = "–" if speed is None or own is None else f"{speed / own:.2f} ×"
        yield (
            f"| {one.label} | {duration(p50 * 1e6)} | {duration(p99 * 1e6)} | {p50 / base:.2f} ×"
            f" | {rate(speed)} | {relative} | {size(one.bytes)} |"
        )


def write_page(found: list[str]) -> None:
    """Put the tables between the page's marks."""
    before, _, rest = PAGE.read_text().partition(START)
    _, _, after = rest.partition(END)
    PAGE.write_text("\n".join([before + START, "", *found, "", END]) + after)


def main() -> None:
    """Measure, print and write."""
    given, found = arguments(), []
    for scenario in given.scenarios:
        parameters = yaml.safe_load((ROOT / "configs" / f"{scenario}.yaml").read_text())["parameters"]
        config = DistillConfig.parse(parameters)
        print(scenario, flush=True)
        facts: list[str] = []
        rivals = list(contenders(config, facts))
        race(rivals, given.calls, config.source.load(config.seed).counts["test"])
        found += [*lines(scenario, rivals), "", *facts, ""]
    print("\n".join(found))
    write_page(found)


if __name__ == "__main__":
    main()
