"""Writes a log with the columns of Avazu's, of any length, from a known truth; Distillery ships no real log of ads.

python benchmarks/make_ctr_log.py --rows 5000000 --out data/log [--seed 0] [--parts 8]

The form follows from the name: OUT.csv, OUT.csv.gz, or a folder of Parquet files. Beside it lie the true
probability of each row (OUT.truth.parquet: row, probability), and how well these probabilities score
(OUT.truth.json), which no model can do better but by luck. Memory does not grow with the rows.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from distillery.data.log.generated import COLUMNS, PROBABILITY, GeneratedLog
from distillery.data.log.reachable import ReachableScores
from distillery.data.log.truth import HOURS

LAST_DAYS = (1, 2, 3)
FEWEST_ROWS = 1_000  # so that every day has clicks


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, required=True, help="FILE.csv, FILE.csv.gz, or a folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parts", type=int, default=1, help="files in the folder")
    parser.add_argument("--chunk-rows", type=int, default=250_000)
    options = parser.parse_args(given)
    if options.rows < FEWEST_ROWS or min(options.parts, options.chunk_rows) < 1 or options.seed < 0:
        parser.error(f"--rows must be at least {FEWEST_ROWS}, --parts and --chunk-rows 1, --seed 0")
    taken = [path for path in (options.out, partial(options.out), *beside(options.out)) if path.exists()]
    if taken:
        parser.error(f"{taken[0]} exists; remove it or choose another --out")
    return options


def beside(out: Path) -> tuple[Path, Path]:
    """Return where the truth and its scores lie."""
    stem = out.name.removesuffix(".gz").removesuffix(".csv")
    return out.with_name(f"{stem}.truth.parquet"), out.with_name(f"{stem}.truth.json")


def partial(out: Path) -> Path:
    """Return the name of a log that is not complete."""
    return out.with_name(f"{out.name}.partial")


class Parts:
    """Writes rows to Parquet files of about the same length in a folder."""

    def __init__(self, folder: Path, rows: int, parts: int) -> None:
        folder.mkdir(parents=True)
        self._folder, self._ends = folder, [rows * (i + 1) // parts for i in range(parts)]
        self._written, self._part = 0, 0
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        """Write rows, into the next file where one is full."""
        while table.num_rows:
            room = self._ends[self._part] - self._written
            if self._writer is None:
                self._writer = pq.ParquetWriter(self._folder / f"part-{self._part:04}.parquet", table.schema)
            self._writer.write_table(table.slice(0, room))
            self._written += min(room, table.num_rows)
            table = table.slice(room)
            if self._written == self._ends[self._part]:
                self.close()
                self._part += 1

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None


class Lines:
    """Writes rows as CSV with a header, gzipped where the name says so."""

    def __init__(self, path: Path, *, gzipped: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = pa.output_stream(str(path), compression="gzip" if gzipped else None)
        self._writer: csv.CSVWriter | None = None

    def write(self, table: pa.Table) -> None:
        """Write rows."""
        texts = pa.table({name: table[name].cast(pa.string()) for name in table.column_names})
        if self._writer is None:
            header = ",".join(table.column_names) + "\n"  # unquoted, as the real log's
            self._stream.write(header.encode())
            options = csv.WriteOptions(include_header=False, quoting_style="none")
            self._writer = csv.CSVWriter(self._stream, texts.schema, write_options=options)
        self._writer.write_table(texts)

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()
        self._stream.close()


@contextmanager
def sink(options: argparse.Namespace) -> Iterator[Parts | Lines]:
    """Open what rows are written to; it gets its name when it is complete."""
    out: Path = options.out
    unfinished = partial(out)
    text = out.name.endswith((".csv", ".csv.gz"))
    writer = Lines(unfinished, gzipped=out.suffix == ".gz") if text else Parts(unfinished, options.rows, options.parts)
    try:
        yield writer
    finally:
        writer.close()
    unfinished.rename(out)


def write(options: argparse.Namespace) -> dict[str, Any]:
    """Write the log and its truth; return the scores."""
    log = GeneratedLog(options.rows, options.seed, chunk_rows=options.chunk_rows)
    truth_path, scores_path = beside(options.out)
    truth_path.parent.mkdir(parents=True, exist_ok=True)
    scores, row = ReachableScores(), 0
    fields = pa.schema([("row", pa.int64()), (PROBABILITY, pa.float64())])
    with ExitStack() as stack:
        rows = stack.enter_context(sink(options))
        truth = stack.enter_context(pq.ParquetWriter(truth_path, fields))
        for chunk in log.chunks([*COLUMNS, PROBABILITY]):
            rows.write(chunk.select(COLUMNS))
            numbers = pa.array(np.arange(row, row + chunk.num_rows))
            truth.write_table(pa.table([numbers, chunk[PROBABILITY].combine_chunks()], schema=fields))
            day = log.hours(row, row + chunk.num_rows) // HOURS
            scores.add(day, chunk[PROBABILITY].to_numpy(), chunk["click"].to_numpy())
            row += chunk.num_rows
    best = {"all days": scores.last()} | {f"last {n} days": scores.last(n) for n in LAST_DAYS}
    summary = {
        "rows": options.rows,
        "seed": options.seed,
        "best": {name: dataclasses.asdict(one) for name, one in best.items()},
    }
    scores_path.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return summary


def main(given: list[str] | None = None) -> int:
    """Write a log and say what lies where."""
    options = arguments(given)
    start = time.perf_counter()
    best = write(options)["best"]
    seconds = time.perf_counter() - start
    for name, one in best.items():
        print(
            f"{name:<12} {one['rows']:>11,} rows, clicks {one['base_rate']:.4f}, best ROC AUC {one['roc_auc']:.4f},"
            f" best log loss {one['log_loss']:.4f}"
        )
    print(f"{options.out}: {options.rows / seconds:,.0f} rows/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
