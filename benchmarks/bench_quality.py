"""Distils real tables over several seeds; writes docs/benchmarks.json and the table in docs/benchmarks.md.

python benchmarks/bench_quality.py --data FOLDER [--only NAME ...] [--seeds 3] [--again]

Every run that is finished is kept; a second call goes on with what is missing. `quality_sets.yaml`
beside this file says what is distilled, with which settings, and which figures are to be reached.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from distillery.config import DistillConfig
from distillery.data import Table
from distillery.data.build import build_table
from distillery.data.model import Model, saved_bytes
from distillery.data.sources import FileSpec
from distillery.evaluation import Scorecard
from distillery.library import measure
from distillery.report.formats import size
from distillery.students.torch_student import TorchStudent

ROOT = Path(__file__).resolve().parents[1]
SETS: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "quality_sets.yaml").read_text())
RESULTS, PAGE = ROOT / "docs" / "benchmarks.json", ROOT / "docs" / "benchmarks.md"
BUDGET, MOST_SECONDS = 40_000, 300
MANY_CATEGORIES = 50  # of a column whose embeddings are stated apart
SMALL = {"widths": [24, 16], "embedding": 4}
FIGURES = "<!-- figures: make bench-quality -->"
START, END = "<!-- table: make bench-quality -->", "<!-- end of table -->"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the files that quality_sets.yaml names")
    parser.add_argument("--only", nargs="*", default=list(SETS), choices=list(SETS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--again", action="store_true", help="repeat what was measured before")
    return parser.parse_args()


def load(entry: dict[str, Any], config: DistillConfig) -> Table:
    """Read a set, split as the peers' rows were where the entry says so."""
    if not entry.get("peers_split"):
        return config.source.load(config.seed)
    assert isinstance(config.source, FileSpec)
    raw = config.source.read()
    drawn = np.random.default_rng(1).choice(["train", "valid", "test"], len(raw), p=[0.6, 0.15, 0.25])
    return build_table(raw, config.source.roles, drawn, seed=config.seed)


def configure(entry: dict[str, Any], data: Path, seed: int) -> DistillConfig:
    """Return the run config of a set: its student, and a small variant."""
    student = {"kind": "mlp", **entry.get("student", {})}
    source = (
        {"kind": "file", "path": str(data / entry["file"]), **entry["source"]} if "file" in entry else entry["source"]
    )
    return DistillConfig.parse(
        {
            "seed": seed,
            "source": source,
            "teacher": entry["teacher"],
            "students": [student, {**student, **SMALL, "name": "small"}],
            "evaluation": {"replicates": 20, "cost": False, "slices": False, "importance": False},
        }
    )


def distil(entry: dict[str, Any], data: Path, seed: int) -> dict[str, Any]:
    """Distil one set with one seed; return what is told about every model."""
    config = configure(entry, data, seed)
    table = load(entry, config)
    start = time.perf_counter()
    seconds: dict[str, float] = {}

    def progress(line: str) -> None:
        print(f"  seed {seed}: {line}", flush=True)
        if " fitted in " in line:
            name, took = line.removesuffix(" s").split(" fitted in ")
            seconds[name] = float(took)

    outcome, cards = measure(table, config, progress=progress)
    models: dict[str, Model] = {cards.teacher.label: outcome.teacher}
    models |= {f"student {s.spec.title}": s for s in outcome.students}
    models |= {f"control {s.spec.title}": s for s in outcome.controls}
    print(f"  seed {seed}: {time.perf_counter() - start:.0f} s in all", flush=True)
    return {card.label: {**tell(card, models[card.label]), "seconds": seconds.get(card.label)} for card in cards.cards}


def tell(card: Scorecard, model: Model) -> dict[str, Any]:
    """Return the figures of one model."""
    values = {name: metric.value for name, metric in card.quality.metrics.items()}
    count = model.parameter_count()
    table = _table(model) if isinstance(model, TorchStudent) else 0
    return {
        "auc": values["auc_roc"],
        "log_loss": values["log_loss"],
        "accuracy": values["accuracy"],
        "agreement": card.agreement.rate if card.agreement else None,
        "params": (count.total if count else 0) - table,
        "table_params": table,
        "bytes": saved_bytes(model),
    }


def _table(model: TorchStudent) -> int:
    """Count the embeddings of columns of many categories."""
    codes = sum(len(c.categories) for c in model.schema.categorical if len(c.categories) >= MANY_CATEGORIES)
    return codes * model.spec.embedding


def known() -> dict[str, Any]:
    """Return what was measured with the settings of today: by set and seed, each model's figures."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept: dict[str, Any] = {name: {} for name in SETS}
    for name, seeds in results.items():
        for seed, run in seeds.items():
            if name in SETS and run["settings"] == SETS[name]:
                kept[name][seed] = run["models"]
    return kept


def keep(name: str, seed: int, told: dict[str, Any]) -> None:
    """Write a finished run beside the others."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results.setdefault(name, {})[str(seed)] = {"settings": SETS[name], "models": told}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def lines(results: dict[str, Any]) -> Iterator[str]:
    """Write the results as a Markdown table: medians over the seeds, half the spread of the ROC AUC beside them.

    Embeddings of columns of many categories are counted apart, after a plus.
    """
    yield "| data, teacher | model | ROC AUC | of the teacher's | log loss | accuracy | agrees | parameters | size |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name in SETS:
        seeds = list(results.get(name, {}).values())
        for label in seeds[0] if seeds else ():
            many = f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
            yield row(f"{name} ({many})" if label.startswith("teacher") else "", label, seeds)


def row(name: str, label: str, seeds: list[dict[str, Any]]) -> str:
    """Write one model's line."""
    teacher = next(key for key in seeds[0] if key.startswith("teacher"))

    def middle(key: str) -> float:
        return statistics.median(seed[label][key] or 0 for seed in seeds)

    aucs = [seed[label]["auc"] for seed in seeds]
    kept = statistics.median(100 * seed[label]["auc"] / seed[teacher]["auc"] for seed in seeds)
    retained = "–" if label == teacher else f"{kept:.2f} %"
    agrees = "–" if label == teacher else f"{100 * middle('agreement'):.1f} %"
    tables = f" + {middle('table_params'):,.0f}" if middle("table_params") else ""
    return (
        f"| {name} | {label} | {statistics.median(aucs):.4f} ± {(max(aucs) - min(aucs)) / 2:.4f} | {retained}"
        f" | {middle('log_loss'):.4f} | {middle('accuracy'):.4f} | {agrees}"
        f" | {middle('params'):,.0f}{tables} | {size(middle('bytes'))} |"
    )


def judged(results: dict[str, Any]) -> Iterator[str]:
    """Say of every goal whether it was reached, in the median over the seeds."""
    for name, entry in SETS.items():
        seeds = list(results.get(name, {}).values())
        if not seeds:
            yield f"- {name}: not measured"
            continue
        teacher = next(key for key in seeds[0] if key.startswith("teacher"))
        for goal, least in checks(entry):
            got = statistics.median(
                figure(goal, seed["student mlp"], seed[teacher], seed["control mlp"]) for seed in seeds
            )
            reached = got < least if goal in SMALLER_IS_BETTER else got >= least
            bound = "below" if goal in SMALLER_IS_BETTER else "at least"
            shown = f"{got:,.0f}" if goal in ("parameters", "seconds") else f"{got:.4f}"
            yield f"- {name}: {goal} {shown}, {bound} {least} asked: {'reached' if reached else '**missed**'}"


def checks(entry: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Return the goals of a set, those that hold for all of them included."""
    yield from entry["goal"].items()
    yield "parameters", entry.get("budget", BUDGET)
    yield "log loss minus the control's", 0.0
    yield "seconds", MOST_SECONDS


def figure(goal: str, student: dict[str, Any], teacher: dict[str, Any], control: dict[str, Any]) -> float:
    """Return what a goal is about."""
    key = {"ROC AUC": "auc", "log loss": "log_loss", "parameters": "params", "seconds": "seconds"}
    if goal == "log loss minus the control's":
        return float(student["log_loss"] - control["log_loss"])
    if goal.endswith(" retention"):
        name = {"ROC AUC retention": "auc", "accuracy retention": "accuracy"}[goal]
        return float(student[name] / teacher[name])
    return float(student[key[goal]])


SMALLER_IS_BETTER = {"log loss", "parameters", "log loss minus the control's", "seconds"}


def short(results: dict[str, Any]) -> Iterator[str]:
    """Write the README's table: a line per set, medians over the seeds."""
    yield "| data, teacher | teacher: ROC AUC, log loss | student | keeps | control | parameters |"
    yield "|---|---|---|---|---|---|"
    for name in SETS:
        seeds = list(results.get(name, {}).values())
        if seeds:
            labels = (next(iter(seeds[0])), "student mlp", "control mlp")
            cells = [row("", label, seeds).split(" | ") for label in labels]
            pairs = [f"{cell[2].split(' ±')[0]}, {cell[4]}" for cell in cells]
            many = f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
            yield f"| {name} ({many}) | {pairs[0]} | {pairs[1]} | {cells[1][3]} | {pairs[2]} | {cells[1][7]} |"


def write_between(page: Path, start: str, end: str, lines: list[str]) -> None:
    """Put lines between a page's marks."""
    before, _, rest = page.read_text().partition(start)
    _, _, after = rest.partition(end)
    page.write_text("\n".join([before + start, "", *lines, "", end]) + after)


def main() -> None:
    """Measure what is missing, print and write the table."""
    given = arguments()
    for name in given.only:
        entry = SETS[name]
        if "file" in entry and not (given.data / entry["file"]).exists():
            print(f"{name}: {given.data / entry['file']} is missing; left out")
            continue
        for seed in range(given.seeds):
            if given.again or str(seed) not in known()[name]:
                print(name, flush=True)
                keep(name, seed, distil(entry, given.data, seed))
    results = known()
    table, verdicts = list(lines(results)), list(judged(results))
    print("\n".join([*table, "", *verdicts]))
    write_between(PAGE, START, END, [*table, "", *verdicts])
    write_between(ROOT / "README.md", FIGURES, "<!-- end of figures -->", list(short(results)))


if __name__ == "__main__":
    main()
