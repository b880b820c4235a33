"""Measures scoring from Parquet: peak memory and rows per second, for tables of several lengths.

python benchmarks/bench_scoring.py [--rows 1000000 4000000] [--chunk-rows 100000] [--threads 1]

The rows are flights, drawn with replacement; the student is as large as the default scenario's, and hardly
trained. Each table is scored in a process of its own, whose peak resident memory is that of Linux's VmHWM.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

MOST_BYTES = 1.5e9
GROUP_ROWS = 1 << 20
SCORE = """
import sys
from pathlib import Path
from distillery.export import OnnxModel
from distillery.scoring import ScoreConfig, score_files
model, read, written, chunk_rows, threads = sys.argv[1:]
config = ScoreConfig(model="bench", input=read, output=written, keys=("row",), chunk_rows=chunk_rows, threads=threads)
model = OnnxModel(Path(model).read_bytes(), threads=config.threads)
start = Path("/proc/self/status").read_text()
scored = score_files(model, config, version="0", progress=lambda line: None)
print(scored.rows, scored.seconds, start, Path("/proc/self/status").read_text())
"""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 4_000_000])
    parser.add_argument("--chunk-rows", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def write_model(path: Path) -> pa.Table:
    """Fit and export a student; return raw rows to draw from."""
    from distillery.data.sources import FlightsSpec  # noqa: PLC0415  only what is measured may be large
    from distillery.export import to_onnx  # noqa: PLC0415
    from distillery.students import Lesson, MLPSpec  # noqa: PLC0415

    table = FlightsSpec(rows=20_000).load(seed=0)
    train = table.rows("train")
    soft = np.log(np.where(np.arange(2) == train.labels[:, None], 0.8, 0.2)).astype(np.float32)
    spec = MLPSpec(widths=(80, 40), epochs=1, augment=None)
    student = spec.fit(Lesson(table.schema, train, table.rows("valid"), soft), seed=0)
    path.write_bytes(to_onnx(student).content)
    return pa.Table.from_pandas(table.frame, preserve_index=False)


def write_rows(flights: pa.Table, n: int, path: Path) -> None:
    """Write n rows, in row groups of a million."""
    rng = np.random.default_rng(0)
    schema = flights.schema.append(pa.field("row", pa.int64())).remove_metadata()
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, n, GROUP_ROWS):
            size = min(GROUP_ROWS, n - start)
            drawn = flights.take(pa.array(rng.integers(0, len(flights), size))).replace_schema_metadata()
            writer.write_table(drawn.append_column("row", pa.array(range(start, start + size))), GROUP_ROWS)


def measure(folder: Path, given: argparse.Namespace) -> tuple[int, float, float, float]:
    """Score the folder's table in a fresh process; return rows, seconds, bytes before it began, peak bytes."""
    paths = [str(folder / name) for name in ("model.onnx", "rows.parquet", "scores.parquet")]
    command = [sys.executable, "-c", SCORE, *paths, str(given.chunk_rows), str(given.threads)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows, seconds = printed.split()[:2]
    before, peak = (1024 * int(kilobytes) for kilobytes in re.findall(r"VmHWM:\s+(\d+) kB", printed))
    return int(rows), float(seconds), before, peak


def main() -> None:
    """Measure and print; fail where the peak is above the bound."""
    given = arguments()
    print(f"chunks of {given.chunk_rows:,} rows, {given.threads} thread(s) of ONNX Runtime")
    print(f"{'rows':>12s} {'rows per second':>16s} {'peak MB':>9s} {'of these, before the first row':>31s}")
    peaks = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        flights = write_model(folder / "model.onnx")
        for n in given.rows:
            write_rows(flights, n, folder / "rows.parquet")
            rows, seconds, before, peak = measure(folder, given)
            (folder / "scores.parquet").unlink()
            peaks.append(peak)
            print(f"{rows:12,d} {rows / seconds:16,.0f} {peak / 1e6:9,.0f} {before / 1e6:31,.0f}", flush=True)
    print(f"peak of the longest against the shortest: {peaks[-1] / peaks[0]:.2f}")
    if max(peaks) > MOST_BYTES:
        sys.exit(f"the peak must be at most {MOST_BYTES / 1e9} GB, got {max(peaks) / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
