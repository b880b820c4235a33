"""A log becomes a table on disk: every row once, in its split, described by training rows alone."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distillery.data import Table
from distillery.data.drift import measure_drift
from distillery.data.log.intake import Sample
from distillery.data.parts import SPLITS
from distillery.data.sources.parquet_log import ParquetLogSpec
from distillery.data.validation import ValidationSpec, validate_table
from distillery.errors import DataError
from distillery.report.model import DataFacts

ROWS = 4_000
Load = Callable[..., Table]


@pytest.fixture
def log() -> pd.DataFrame:
    """A log in the order of time, with an identifier, a rare category and gaps."""
    rng = np.random.default_rng(0)
    n = np.arange(ROWS)
    ad = np.array([f"ad{i}" for i in np.minimum(rng.zipf(1.4, ROWS), 200)], dtype=object)
    ad[rng.random(ROWS) < 0.05] = None
    return pd.DataFrame(
        {
            "ad": ad,
            "row": [f"id{i}" for i in n],
            "size": np.where(rng.random(ROWS) < 0.1, np.nan, rng.integers(0, 9, ROWS)),
            "at": n // 10,
            "click": (rng.random(ROWS) < 0.2).astype(int),
        }
    )


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return what writes a log and reads it as a table."""

    def read(frame: pd.DataFrame, seed: int = 0, **settings: Any) -> Table:
        path = tmp_path / "log.parquet"
        frame.to_parquet(path, index=False)
        given = {"time": "at", "chunk_rows": 700, "sample": 500, "min_count": 5, **settings}
        return ParquetLogSpec(path=str(path), target="click", **given).load(seed)

    return read


def on_disk(table: Table, split: str) -> pd.DataFrame:
    assert table.parts is not None
    return table.parts.read(split, table.parts.pieces[split])  # type: ignore[arg-type, index]


def test_every_row_lies_in_one_split_in_the_order_of_time(log: pd.DataFrame, load: Load) -> None:
    """No row is lost or doubled; a file is full before the next one begins."""
    table = load(log)
    parts = {split: on_disk(table, split) for split in SPLITS}
    assert sum(map(len, parts.values())) == ROWS == sum(table.counts.values())
    assert parts["train"]["at"].max() < parts["valid"]["at"].min() <= parts["valid"]["at"].max()
    assert parts["valid"]["at"].max() < parts["test"]["at"].min()
    assert pd.concat(parts.values())["row"].tolist() == log["row"].tolist()
    assert {max(rows) for rows in table.parts.rows.values() if len(rows) > 1} == {700}  # type: ignore[union-attr]


def test_a_clock_out_of_order_gives_the_same_split(log: pd.DataFrame, load: Load) -> None:
    """The latest rows are the test split wherever they stand in the log."""
    shuffled = log.sample(frac=1, random_state=0)
    for split in SPLITS:
        assert set(on_disk(load(log), split)["row"]) == set(on_disk(load(shuffled), split)["row"])


def test_a_clock_that_cannot_be_read_is_refused(log: pd.DataFrame, load: Load) -> None:
    """A row without a time is a bad row, and counted."""
    with pytest.raises(DataError, match="time column 'at' must hold numbers or ISO 8601 dates"):
        load(log.assign(at="noon"))
    gap = load(log.assign(at=log["at"].where(log.index != 3)))
    assert (sum(gap.counts.values()), gap.parts.facts.bad_rows) == (ROWS - 1, 1)  # type: ignore[union-attr]


@pytest.mark.parametrize("chunk_rows", [333, ROWS * 2])
def test_the_table_does_not_hang_on_the_chunks(log: pd.DataFrame, load: Load, chunk_rows: int) -> None:
    """Split, sample and dropped negatives are drawn row by row."""
    drawn = {"time": None, "keep_negatives": 0.5}
    one, other = load(log, **drawn), load(log, chunk_rows=chunk_rows, **drawn)
    assert one.schema == other.schema
    pd.testing.assert_frame_equal(one.frame, other.frame)
    assert not load(log, seed=1, **drawn).frame.equals(one.frame)


def test_the_rows_in_memory_are_rows_of_their_files(log: pd.DataFrame, load: Load) -> None:
    """At the positions that the table names."""
    table = load(log)
    assert table.held == {"train": 500, "valid": 400, "test": 400}
    for split in SPLITS:
        kept = table.parts.kept[split]  # type: ignore[union-attr]
        assert (np.diff(kept) > 0).all()
        disk = on_disk(table, split).iloc[kept]
        assert table.split(split)["row"].tolist() == disk["row"].tolist()
        assert table.split(split)["ad"].fillna("").tolist() == disk["ad"].astype(object).fillna("").tolist()


def test_columns_are_described_on_training_rows(log: pd.DataFrame, load: Load) -> None:
    """Vocabulary, range and share of missing values, as pandas counts them."""
    table = load(log)
    train = on_disk(table, "train")
    counts = train["ad"].astype(object).value_counts()
    ad, _, size = table.schema.columns
    assert ad.categories == tuple(sorted(counts[counts >= 5].index))
    assert ad.missing == pytest.approx(train["ad"].isna().mean())
    assert (size.lower, size.upper, size.integer) == (train["size"].min(), train["size"].max(), True)
    assert table.parts.facts.rare["ad"] == (counts < 5).sum()  # type: ignore[union-attr]


def test_a_column_of_identifiers_is_hashed(log: pd.DataFrame, load: Load, caplog: pytest.LogCaptureFixture) -> None:
    """Its values hardly repeat, so none has a vector of its own; the log says so."""
    table = load(log)
    row = table.schema.columns[1]
    assert (row.categories, row.buckets) == ((), 1_000)
    assert table.parts.facts.hashed == ("row",)  # type: ignore[union-attr]
    assert "column 'row' hardly repeats a value" in caplog.text


def test_dropped_negatives_leave_probabilities_true(log: pd.DataFrame, load: Load) -> None:
    """A kept negative row weighs as much as those it stands for; validation and test rows are all there."""
    table = load(log, keep_negatives=0.25)
    train, facts = on_disk(table, "train"), table.parts.facts  # type: ignore[union-attr]
    whole = on_disk(load(log), "train")
    positive, weight = train["click"] == 1, train["__weight__"]
    assert positive.sum() == (whole["click"] == 1).sum()
    assert facts.negatives - facts.dropped_negatives == (~positive).sum()
    assert weight[positive].eq(1).all()
    assert weight[~positive].eq(4).all()
    assert np.average(positive, weights=weight) == pytest.approx(whole["click"].mean(), abs=0.02)
    assert table.counts["test"] == 400
    assert table.rows("test").weights.tolist() == [1.0] * 400  # type: ignore[union-attr]


def test_dropped_negatives_are_no_drift(log: pd.DataFrame, load: Load) -> None:
    """Shares of classes are by weight, and the target is compared as it is distributed in the log."""
    table = load(log.drop(columns="row"), keep_negatives=0.25)
    drift = measure_drift(table)
    assert [column.drifted for column in drift.report.of("test") if column.column == "click"] == [False]
    assert "positive rows are left out as negative ones were" in drift.page
    shares = DataFacts.of(table).classes["train"]
    assert shares[1] == pytest.approx(log["click"].mean(), abs=0.05)
    assert table.rows("train").labels.mean() > 0.4


def test_negatives_are_known_by_the_positive_class(log: pd.DataFrame, load: Load) -> None:
    """Other classes than 0 and 1 must be named."""
    named = log.assign(click=np.where(log["click"], "yes", "no"))
    with pytest.raises(DataError, match=r"keep_negatives must know the positive class .* 'no', 'yes'"):
        load(named, keep_negatives=0.5)
    assert load(named, keep_negatives=0.5, positive="yes").schema.classes == ("no", "yes")


def test_a_chunk_with_one_class_is_as_good_as_any(log: pd.DataFrame, load: Load) -> None:
    """Classes are those of the whole log; one class alone is refused."""
    ordered = log.assign(click=np.where(log.index < 1_400, 0, log["click"]))
    assert load(ordered).schema.classes == (0, 1)
    with pytest.raises(DataError, match="target 'click' must have at least two classes, got 0"):
        load(log.assign(click=0))


def test_groups_stay_whole(log: pd.DataFrame, load: Load) -> None:
    """A group goes where its hash says."""
    table = load(log.assign(user=[f"u{i % 97}" for i in range(ROWS)]), time=None, group="user")
    users = [set(on_disk(table, split)["user"]) for split in SPLITS]
    assert len(set.union(*users)) == sum(map(len, users)) == 97


def test_time_does_not_cut_groups(log: pd.DataFrame, load: Load) -> None:
    """A log with both must say which of them counts."""
    users = log.assign(user=[f"u{i % 97}" for i in range(ROWS)])
    with pytest.raises(DataError, match=r"a log with groups \('user'\) must not be split by time"):
        load(users, group="user")
    assert load(users, group="user", split={"by": "group"}).counts["test"] > 0


def test_a_ready_split_is_kept(log: pd.DataFrame, load: Load) -> None:
    """In any usual spelling; another word is refused."""
    said = np.array(["train", "Validation", "test"])[np.arange(ROWS) % 3]
    table = load(log.assign(part=said), split={"column": "part"})
    assert set(on_disk(table, "valid")["row"]) == set(log["row"][said == "Validation"])
    assert "part" not in on_disk(table, "test")
    with pytest.raises(DataError, match="split column 'part' must hold train, valid"):
        load(log.assign(part="later"), split={"column": "part"})


def test_a_row_whose_time_is_no_number_is_a_bad_row(log: pd.DataFrame, tmp_path: Path) -> None:
    """To Arrow a NaN is a value, which no order knows."""
    times = np.where(np.arange(ROWS) % 1000 == 7, np.nan, np.arange(ROWS) / 10)
    path = tmp_path / "nan.parquet"
    pq.write_table(pa.table({"ad": log["ad"], "at": pa.array(times), "click": log["click"]}), path)
    table = ParquetLogSpec(path=str(path), target="click", time="at").load(0)
    assert table.parts.facts.bad_rows == 4  # type: ignore[union-attr]
    assert sum(table.counts.values()) == ROWS - 4


def test_a_measurement_is_refused_before_all_of_it_is_read(log: pd.DataFrame, load: Load) -> None:
    """Its values are not gathered over a whole log."""
    with pytest.raises(DataError, match="target 'click' must hold classes"):
        load(log.assign(click=np.arange(ROWS) + 0.5))


def test_validation_takes_many_ids_in_a_small_sample(log: pd.DataFrame, load: Load) -> None:
    """Whether a column is an identifier was judged on all rows; a sample hardly repeats any id."""
    ids = log.assign(user=[f"u{i % 900}" for i in range(ROWS)])
    table = load(ids, sample=300)
    assert table.split("train")["user"].nunique() > 150
    failed = validate_table(table, ValidationSpec(), folds=2).failures
    assert "ExpectColumnProportionOfUniqueValuesToBeBetween" not in [one.expectation for one in failed]


def test_reading_that_breaks_off_leaves_nothing_behind(
    log: pd.DataFrame, load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In the second chunk; the next try is as good as a first one."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    whole, seen = Sample.add, []

    def breaks(self: Sample, rows: pa.Table) -> None:
        seen.append(len(rows))
        if len(seen) == 4:
            raise KeyboardInterrupt
        whole(self, rows)

    monkeypatch.setattr(Sample, "add", breaks)
    with pytest.raises(KeyboardInterrupt):
        load(log)
    gc.collect()
    assert not list(folder.iterdir())
    monkeypatch.setattr(Sample, "add", whole)
    assert sum(load(log).counts.values()) == ROWS


def test_a_sample_is_even() -> None:
    """Every row has the same chance, however long the log: the mean position is the middle one."""
    sample = Sample(500, np.random.default_rng(0))
    for start in range(0, 20_000, 1_000):
        sample.add(pa.table({"x": np.arange(start, start + 1_000)}))
    positions, rows = sample.drawn()
    assert rows["x"].to_pylist() == positions.tolist()
    assert len(set(positions.tolist())) == 500
    assert positions.mean() == pytest.approx(10_000, abs=4 * 20_000 / np.sqrt(12 * 500))
