"""Compares the other splits with training, column by column."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from distillery.data.drift.page import draw_page
from distillery.data.drift.pairs import DISTANCES, Pair, as_in_log, pair_up, sample
from distillery.data.drift.report import ColumnDrift, Drift, DriftReport, SplitDrift
from distillery.data.drift.stattests import compare, quiet, stat_test
from distillery.data.table import Split, Table

COMPARED: tuple[Split, ...] = ("valid", "test")
MOST_ROWS = 20_000  # of each split
MOST_CELLS = 4_000_000  # of each split: wide tables are compared on fewer rows
LEAST_ROWS = 4_000  # enough for distances
SHOWN = 20  # comparisons on the page
LEVEL = 0.01  # of all tests of a split together


def measure_drift(table: Table, *, seed: int = 0) -> Drift:
    """Compare every feature and the target of the validation and test splits with training.

    Evidently measures: some thousand rows by distance (Wasserstein over the training standard deviation,
    Jensen-Shannon for categories, drifted from 0.1 on), fewer by test (Kolmogorov-Smirnov, chi-square), at a level of
    0.01 over all tests of a split. Rows count alike, whatever their weight or group; where a log dropped negative
    training rows, as large a share of the positive ones is left out here.

    Args:
        table: valid, all three splits with rows.
        seed: draws the rows that are compared, where there are many.
    """
    columns = len(table.schema.columns) + 1
    most = min(MOST_ROWS, max(LEAST_ROWS, MOST_CELLS // columns))
    train = as_in_log(table, np.random.default_rng([seed, 1]))
    frames = {"train": sample(train, most, seed)} | {name: sample(table.split(name), most, seed) for name in COMPARED}
    pairs = {name: list(pair_up(table.schema, frames["train"], frames[name])) for name in COMPARED}
    splits = {
        name: SplitDrift(
            split=name,
            rows=(len(frames[name]), len(frames["train"])),
            of_rows=(table.counts[name], table.counts["train"]),
            columns=_scored(pairs[name]),
        )
        for name in COMPARED
    }
    page, shown = _page(splits["test"], pairs["test"], thinned=len(train) < table.held["train"])
    return Drift(DriftReport(splits=tuple(splits.values()), shown=shown), page)


def _scored(pairs: Sequence[Pair]) -> tuple[ColumnDrift, ...]:
    tests = sum(pair.method not in DISTANCES and not pair.empty for pair in pairs)
    with quiet():
        return tuple(_score(pair, LEVEL / max(tests, 1)) for pair in pairs)


def _score(pair: Pair, level: float) -> ColumnDrift:
    """Measure one pair; the level is that of a test, a distance has its own threshold."""
    test, distance = stat_test(pair.method), pair.method in DISTANCES
    about = {"column": pair.column, "part": pair.part, "kind": "distance" if distance else "p_value"}
    if pair.empty:
        threshold = test.default_threshold if distance else level
        return ColumnDrift(**about, method="", score=None, threshold=threshold, drifted=False)
    found = compare(pair, None if distance else level)
    score = float(found.drift_score)
    return ColumnDrift(
        **about,
        method=test.display_name,
        score=score if math.isfinite(score) else None,
        threshold=float(found.actual_threshold),
        drifted=bool(found.drifted),
    )


def _page(split: SplitDrift, pairs: Sequence[Pair], *, thinned: bool = False) -> tuple[str, tuple[str, ...]]:
    """Draw the pairs that drifted most; return the page and the columns on it."""
    there = [i for i, pair in enumerate(pairs) if not pair.empty]
    ranked = sorted(there, key=lambda i: -split.columns[i].excess)[:SHOWN]
    some, all_ = split.rows, split.of_rows
    note = (
        f"Split {split.split!r} (current: {some[0]:,} of {all_[0]:,} rows) against training (reference: {some[1]:,} of"
        f" {all_[1]:,} rows): {len(split.drifted)} of {len(pairs)} comparisons drifted. Shown, the furthest first:"
        f" {len(ranked)}."
    )
    if thinned:
        note += " Of training, positive rows are left out as negative ones were when the log was read."
    page = draw_page([pairs[i] for i in ranked], [split.columns[i].threshold for i in ranked], note)
    return page, tuple(dict.fromkeys(pairs[i].column for i in ranked))
