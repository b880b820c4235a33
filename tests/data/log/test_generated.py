"""The generated log: seeded, the same whatever its chunks, and as good as its truth says."""

from __future__ import annotations

import csv
import gzip
import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from distillery.data.log.generated import COLUMNS, PROBABILITY, GeneratedLog
from distillery.data.log.reachable import ReachableScores
from distillery.data.log.truth import FIRST_SD, PAIRS_SD, Truth, interactions, traffic
from distillery.data.sources import AvazuSpec, CtrLogSpec
from distillery.errors import DataError

ROWS = 20_000
SCRIPT = Path(__file__).parents[3] / "benchmarks" / "make_ctr_log.py"


def log_of(seed: int = 0, **options: Any) -> pa.Table:
    log = GeneratedLog(ROWS, seed, **options)
    return pa.concat_tables(log.chunks([*COLUMNS, PROBABILITY])).unify_dictionaries().combine_chunks()


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """A small log with its truth."""
    return log_of().to_pandas()


@pytest.fixture(scope="module")
def script() -> Any:
    """The command that writes logs."""
    spec = spec_from_file_location("make_ctr_log", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_a_log_follows_its_seed_and_not_its_chunks(rows: pd.DataFrame) -> None:
    """The same rows in chunks of any size; others from another seed."""
    again = log_of(chunk_rows=777).to_pandas()
    pd.testing.assert_frame_equal(rows.astype(object), again.astype(object))
    other = log_of(seed=1).to_pandas()
    assert (rows["click"] != other["click"]).mean() > 0.1


def test_the_columns_are_avazus(rows: pd.DataFrame) -> None:
    """Ten days of hours in order, ids of eight hex digits, every row's number once."""
    assert tuple(rows.columns[:-1]) == COLUMNS
    assert rows["hour"].is_monotonic_increasing
    assert (rows["hour"].iloc[0], rows["hour"].iloc[-1], rows["hour"].nunique()) == (14102100, 14103023, 240)
    assert rows["id"].is_unique
    for name in ("site_id", "app_domain", "device_ip", "device_model"):
        assert rows[name].str.fullmatch("[0-9a-f]{8}").all()
    np.testing.assert_allclose(rows.groupby(rows["hour"] % 100).size() / ROWS, traffic(), atol=2e-3)


def test_a_place_is_a_site_or_an_app_and_ids_lie_in_their_groups(rows: pd.DataFrame) -> None:
    """A site has one domain, a domain one category, an advertisement one campaign."""
    on_site, in_app = rows["site_id"] != "85f751fd", rows["app_id"] != "ecad2386"
    assert (on_site ^ in_app).all()
    for child, parent in [("site_id", "site_domain"), ("app_domain", "app_category"), ("C14", "C17"), ("C17", "C21")]:
        assert rows.groupby(child, observed=True)[parent].nunique().max() == 1
    top = rows["site_id"][on_site].value_counts(normalize=True)
    assert top.iloc[0] > 10 / len(top)  # a few are seen often


def test_longer_logs_have_more_ids() -> None:
    """At five million rows there are hundreds of thousands of devices."""
    small, large = Truth(200_000, 0).sizes, Truth(5_000_000, 0).sizes
    assert large.users > 300_000
    assert all(getattr(large, name) > getattr(small, name) for name in ("sites", "apps", "ads", "models", "users"))


def test_clicks_follow_the_truth(rows: pd.DataFrame) -> None:
    """About 17 % of the rows; in every tenth of the probabilities as many as they say."""
    clicks, probability = rows["click"], rows[PROBABILITY]
    assert clicks.mean() == pytest.approx(0.17, abs=0.01)
    tenths = pd.qcut(probability, 10)
    seen, told = (values.groupby(tenths, observed=True).mean() for values in (clicks, probability))
    np.testing.assert_allclose(seen, told, atol=0.04)
    assert 0.76 < roc_auc_score(clicks, probability) < 0.81


def test_both_ids_and_their_pairs_matter() -> None:
    """Weights alone are well above chance and well below the truth."""
    truth, rng = Truth(200_000, 3), np.random.default_rng(0)
    draw = truth.draw(rng, rng.choice(24, 50_000, p=traffic()))
    probability = truth.probabilities(draw)
    clicks = rng.random(50_000) < probability
    first, both = roc_auc_score(clicks, draw.first), roc_auc_score(clicks, probability)
    assert 0.7 < first < both - 0.03
    np.testing.assert_allclose(truth.scales[0] * draw.first.std(), FIRST_SD, rtol=0.03)
    np.testing.assert_allclose(truth.scales[1] * draw.pairs.std(), PAIRS_SD, rtol=0.03)


def test_interactions_are_the_sum_over_pairs() -> None:
    """Against the double loop."""
    rng = np.random.default_rng(0)
    fields, strengths = [rng.normal(size=(7, 3)) for _ in range(4)], rng.random(4)
    scaled = [s * f for s, f in zip(strengths, fields, strict=True)]
    pairs = sum((scaled[i] * scaled[j]).sum(axis=1) for i in range(4) for j in range(i))
    np.testing.assert_allclose(interactions(tuple(fields), tuple(strengths)), pairs, rtol=1e-9)


def test_the_best_scores_are_those_of_scikit_learn(rows: pd.DataFrame) -> None:
    """On all days and on the last, though only counts are kept; the stated error holds."""
    scores, day = ReachableScores(), (rows["hour"] // 100 - 141021).to_numpy()
    for part in np.array_split(np.arange(ROWS), 7):
        scores.add(day[part], rows[PROBABILITY].to_numpy()[part], rows["click"].to_numpy()[part])
    for days in (10, 2):
        some, best = rows[day >= 10 - days], scores.last(days)
        assert best.rows == len(some)
        assert best.base_rate == pytest.approx(some["click"].mean())
        assert best.log_loss == pytest.approx(log_loss(some["click"], some[PROBABILITY]))
        assert best.roc_auc_error < 1e-4
        assert best.roc_auc == pytest.approx(roc_auc_score(some["click"], some[PROBABILITY]), abs=best.roc_auc_error)
    with pytest.raises(ValueError, match="must have rows with and without click, got 0 clicks of 0"):
        ReachableScores().last()


def test_an_unknown_column_of_the_log_is_named() -> None:
    """With the nearest one."""
    with pytest.raises(DataError, match="column 'clik' is not in the generated log; did you mean 'click'"):
        next(GeneratedLog(10, 0).chunks(["clik"]))


def test_the_source_reads_it_as_avazus_log() -> None:
    """Twenty-three features; the number of rows and the seed are its own."""
    reader = CtrLogSpec(rows=3_000, seed=5, chunk_rows=1_000).reader()
    chunks = list(reader.chunks())
    assert [chunk.num_rows for chunk in chunks] == [1_000] * 3
    assert len(reader.kinds) == 23
    assert "id" not in reader.columns
    assert reader.bad.count == 0


def test_the_command_writes_the_same_log_in_every_form(script: Any, tmp_path: Path, capsys: Any) -> None:
    """CSV, gzipped CSV and Parquet in parts are one log; beside it lies the truth, and how well it scores."""
    given = ["--rows", "3000", "--seed", "2", "--chunk-rows"]
    assert script.main([*given, "700", "--out", str(tmp_path / "a.csv")]) == 0
    assert script.main([*given, "5000", "--out", str(tmp_path / "b.csv.gz")]) == 0
    assert script.main([*given, "1000", "--out", str(tmp_path / "c"), "--parts", "4"]) == 0
    text = (tmp_path / "a.csv").read_bytes()
    assert gzip.decompress((tmp_path / "b.csv.gz").read_bytes()) == text
    header, first = list(csv.reader(text.decode().splitlines()))[:2]
    assert (tuple(header), len(first)) == (COLUMNS, 24)
    parts = sorted((tmp_path / "c").iterdir())
    assert [pq.read_metadata(part).num_rows for part in parts] == [750] * 4
    read = [pa.concat_tables(AvazuSpec(path=str(tmp_path / n)).reader().chunks()) for n in ("a.csv", "b.csv.gz", "c")]
    one, *others = [table.to_pandas().astype(object) for table in read]
    for other in others:
        pd.testing.assert_frame_equal(one, other)
    truth = pq.read_table(tmp_path / "c.truth.parquet").to_pandas()
    best = json.loads((tmp_path / "c.truth.json").read_text(encoding="utf-8"))["best"]
    expected = roc_auc_score(one["click"].astype(int), truth[PROBABILITY])
    assert best["all days"]["roc_auc"] == pytest.approx(expected, abs=1e-4)
    assert truth["row"].tolist() == list(range(3_000))
    assert "best ROC AUC" in capsys.readouterr().out
    assert not list(tmp_path.glob("*.partial"))


def test_the_command_overwrites_nothing(script: Any, tmp_path: Path, capsys: Any) -> None:
    """It says what to do instead."""
    (tmp_path / "a.truth.json").touch()
    with pytest.raises(SystemExit):
        script.main(["--rows", "1000", "--out", str(tmp_path / "a.csv")])
    assert "a.truth.json exists; remove it or choose another --out" in capsys.readouterr().err
