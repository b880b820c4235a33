"""Runs the pipeline on a long generated log, and prints what click models are held to.

Rows go through ingest, a DeepFM teacher of one epoch, soft labels, `light_ctr` and evaluation; on a log of a known
truth, so that the best ROC AUC is known too. Beside the pipeline a linear model learns from all rows, and a boosted
one from as many as it is given. With ``--double`` the pipeline runs again on twice the rows, for its memory alone.

    make bench-ctr
    make bench-ctr ARGS="--rows 1000000"
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from sklearn.metrics import roc_auc_score

from distillery.data import Table
from distillery.data.sources import AvazuSpec
from distillery.teachers import LightGBMSpec, MLPTeacherSpec, TeacherKind

ROOT = Path(__file__).resolve().parents[1]
LOG = {"min_count": 500, "buckets": 0, "sample": 200_000}
TEACHER = {
    "kind": "deepfm",
    "embedding": 8,
    "widths": [400, 200],
    "epochs": 1,
    "batch_size": 4_096,
    "weight_decay": 0.0,
    "dropout": 0.0,
}
STUDENT = {
    "kind": "light_ctr",
    "inherit": "compressed",
    "alpha": 0.9,
    "widths": [64, 32],
    # Reading text is most of what a small network costs; gates see that a site's category says nothing beside the site.
    "features": {"at_most": 10, "method": "gates", "penalty": 2e-3, "epochs": 1},
    "epochs": 2,
    "batch_size": 4_096,
    "weight_decay": 0.0,
}
LINEAR = MLPTeacherSpec(widths=(), embedding=1, bins=0, frequencies=0, epochs=1, batch_size=4_096, learning_rate=0.02)
BOOSTED = LightGBMSpec(trees=500)
BOOSTED_ROWS = 500_000


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--double", action="store_true", help="run twice the rows too, for the peak memory")
    parser.add_argument("--no-rivals", action="store_true", help="leave out the linear and the boosted model")
    return parser.parse_args()


def run(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Run a command; return its wall seconds and peak resident memory in GB, or stop with what it printed."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{output.read().decode()[-5000:]}")
    return time.perf_counter() - start, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def make_log(rows: int, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Write a log; return where it lies, and how well its truth scores."""
    out = folder / f"log-{rows}"
    make = [sys.executable, "benchmarks/make_ctr_log.py", "--rows", str(rows), "--out", str(out), "--parts", "8"]
    run(make, ROOT, {**os.environ, "PYTHONPATH": str(ROOT)})
    truth: dict[str, Any] = json.loads((folder / f"log-{rows}.truth.json").read_text())
    return out, truth["best"]["last 1 days"]


def distil(log: Path, clone: Path, environment: dict[str, str]) -> tuple[float, float, dict[str, Any]]:
    """Run the pipeline on a log; return its wall seconds, its peak memory in GB, and its report."""
    config = {
        "scenario": log.name,
        "source": {"kind": "avazu", "path": str(log), **LOG},
        "validation": {"drift": False},
        "teacher": TEACHER,
        "soft_labels": {"method": "in_sample"},  # in one epoch the teacher saw each row once
        "students": [STUDENT],
        "gates": {"min_auc_retention": None, "max_log_loss_increase": None, "max_bytes": None},
    }
    path = clone / "bench.yaml"
    path.write_text(yaml.safe_dump({"parameters": config}))
    seconds, peak = run([".venv/bin/zenml", "pipeline", "run", "distill_pipeline", "-c", path.name], clone, environment)
    report: dict[str, Any] = json.loads((clone / "reports" / log.name / "report.json").read_text())
    return seconds, peak, report


def auc(spec: TeacherKind, table: Table) -> float:
    """Fit a model on hard labels; return its ROC AUC on the test rows in memory."""
    test = table.rows("test")
    fitted = spec.fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    return float(roc_auc_score(test.labels, fitted.predict_proba(test.features)[:, -1]))


def line(what: str, got: str, asked: str) -> None:
    """Print a row of the table."""
    print(f"| {what} | {got} | {asked} |", flush=True)


def figures(report: dict[str, Any], seconds: float, peak: float, best: dict[str, Any]) -> None:
    """Print what the pipeline reached."""
    cards = {card["role"]: card for card in report["scorecards"]["cards"]}
    teacher, student = cards["teacher"], cards["student"]
    whole = teacher["whole"] is not None  # a short log's test rows are all in memory
    auc_of = {
        role: card["whole"]["auc_roc"] if whole else card["quality"]["metrics"]["auc_roc"]["value"]
        for role, card in cards.items()
    }
    steps = {step["name"]: step["seconds"] for step in report["steps"]}
    rows = report["data"]["rows"]
    kept = (auc_of["student"] - 0.5) / (auc_of["teacher"] - 0.5)
    fewer = 1 - student["cost"]["params"] / teacher["cost"]["params"]
    faster = student["cost"]["rows_per_second"] / teacher["cost"]["rows_per_second"]
    line(f"{sum(rows.values()):,} rows through the pipeline", f"{seconds / 60:.1f} minutes", "20 at most")
    line("peak memory", f"{peak:.2f} GB", "4 at most")
    line("teacher, rows/s of training (loading included)", f"{rows['train'] / steps['train_teacher']:,.0f}", "60,000")
    line("student's share of the teacher's ROC AUC above chance", f"{100 * kept:.2f} %", "99.5 %")
    line("the control's", f"{100 * (auc_of['control'] - 0.5) / (auc_of['teacher'] - 0.5):.2f} %", "")
    line("fewer parameters, tables included", f"{100 * fewer:.1f} %", "90 %")
    line("student's rows/s in ONNX over the teacher's", f"{faster:.2f}", "5")
    line(
        "ROC AUC of teacher, student, control",
        ", ".join(f"{auc_of[r]:.4f}" for r in ("teacher", "student", "control")),
        "",
    )
    line("best ROC AUC there is", f"{best['roc_auc']:.4f}", "teacher within .002")
    print("\n" + ", ".join(f"{name} {taken:.0f} s" for name, taken in steps.items() if taken))


def main() -> None:
    """Write a log, distil it, print."""
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch, "clone")
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        environment = {**os.environ, "ZENML_CONFIG_PATH": f"{scratch}/zenml"}
        environment.pop("VIRTUAL_ENV", None)
        run(["make", "stack"], clone, environment)
        log, best = make_log(options.rows, Path(scratch))
        seconds, peak, report = distil(log, clone, environment)
        print("| what | reached | asked |\n|---|---|---|")
        figures(report, seconds, peak, best)
        if options.double:
            twice, _ = make_log(2 * options.rows, Path(scratch))
            _, larger, _ = distil(twice, clone, environment)
            print(f"\npeak memory at {2 * options.rows:,} rows {larger:.2f} GB, x {larger / peak:.3f} (1.1 at most)")
        if not options.no_rivals:
            table = AvazuSpec(path=str(log), **{**LOG, "sample": BOOSTED_ROWS}).load(0)  # type: ignore[arg-type]
            print(f"\nROC AUC of a linear model of all rows {auc(LINEAR, table):.4f},", end=" ", flush=True)
            print(f"of LightGBM with {BOOSTED.trees} trees at most, on {BOOSTED_ROWS:,} rows {auc(BOOSTED, table):.4f}")


if __name__ == "__main__":
    main()
