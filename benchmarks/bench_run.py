"""Times `make run` on a fresh clone: set-up, first run, second run, peak memory.

Prints seconds, each step's share of the run, and peak memory; nothing is asserted, machines differ.

    make bench-run
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = """
import json
from zenml.client import Client
run = Client().list_pipeline_runs(sort_by="desc:created", size=1).items[0]
seconds = {n: (s.end_time - s.start_time).total_seconds() if s.status != "cached" else 0 for n, s in run.steps.items()}
peaks = [s.run_metadata.get("peak_memory_bytes", 0) for s in run.steps.values()]
print("STEPS" + json.dumps([seconds, max(peaks)]))
"""


def timed(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, str]:
    """Run a command; return wall seconds and what it printed."""
    start = time.perf_counter()
    ran = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if ran.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{ran.stdout[-5000:]}")
    return seconds, ran.stdout


def main() -> None:
    """Clone, set up, run twice, print."""
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        environment = {**os.environ, "ZENML_CONFIG_PATH": f"{scratch}/zenml"}
        environment.pop("VIRTUAL_ENV", None)
        setup, _ = timed(["make", "setup"], clone, environment)
        first, summary = timed(["make", "run"], clone, environment)
        _, printed = timed([".venv/bin/python", "-c", STEPS], clone, environment)
        second, _ = timed(["make", "run"], clone, environment)
    steps, peak = json.loads(printed.split("STEPS")[1])
    start, end = summary.index("\nflights · "), summary.index("@staging")
    print(summary[start:end].strip() + "@staging")
    print(f"\nset-up            {setup:6.1f} s   (fresh clone, warm package cache)")
    print(f"make run          {first:6.1f} s   (stack and default scenario)")
    print(f"make run again    {second:6.1f} s   ({second / first:.2f} of the first)")
    print(f"peak memory       {peak / 1e9:6.2f} GB  (of the hungriest step)")
    for name, seconds in steps.items():
        print(f"  {name:36s} {seconds:6.1f} s  {100 * seconds / first:5.1f} %")


if __name__ == "__main__":
    main()
