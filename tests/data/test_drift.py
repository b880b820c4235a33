"""Drift between splits: closed forms, Evidently's own figures, and tables that are hard to compare."""

from __future__ import annotations

import socket
import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from distillery.data import Table
from distillery.data.build import Roles, build_table
from distillery.data.drift import ColumnDrift, Drift, DriftReport, SplitDrift, measure, measure_drift
from distillery.data.drift.page import LONGEST, harmless
from distillery.data.drift.pairs import Pair, pair_up
from distillery.data.drift.stattests import compare, homogeneity, quiet
from distillery.data.splits import SplitSpec
from distillery.data.table import SPLIT_COLUMN

EVIL = "</script><script>window.hurt=1</script>|\n\"q'.b<img src=x onerror=alert(1)>&lt;i&gt;"


def draw(n: int, seed: int) -> pd.DataFrame:
    """Rows of one distribution: two numbers, a small count, a category, a truth value, two classes."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "price": rng.lognormal(size=n),
            "rooms": rng.integers(1, 4, n),
            "colour": rng.choice(["red", "green", "blue"], n),
            "sea": rng.random(n) < 0.3,
            "sold": rng.choice(["no", "yes"], n),
        }
    )


def joined(train: pd.DataFrame, valid: pd.DataFrame, test: pd.DataFrame) -> Table:
    """A table of these splits; the last column is the target."""
    parts = {"train": train, "valid": valid, "test": test}
    frame = pd.concat([part.assign(split=name) for name, part in parts.items()], ignore_index=True)
    return build_table(frame, Roles(target=train.columns[-1]), SplitSpec(column="split"), seed=0)


def random_table(n: int, m: int, change=lambda test: test, every=lambda rows: rows) -> Table:
    """Splits of n, m and m rows; ``every`` is done to each, ``change`` to the test split alone."""
    train, valid, test = (every(draw(rows, seed)) for seed, rows in enumerate((n, m, m), start=20))
    return joined(train, valid, change(test))


def drifted(split: SplitDrift) -> set[tuple[str, str]]:
    return {(c.column, c.part) for c in split.drifted}


def of(drift: Drift, column: str, part: str = "values", split: int = 1) -> ColumnDrift:
    (found,) = [c for c in drift.report.splits[split].columns if (c.column, c.part) == (column, part)]
    return found


@pytest.mark.parametrize(("rows", "kind", "same"), [(300, "p_value", 1.0), (3200, "distance", 0.0)])
def test_equal_splits_do_not_drift(rows, kind, same):
    """Distances are zero of many rows, p-values one of few; every feature and the target is there."""
    frame = draw(rows, 0)
    report = measure_drift(joined(frame, frame, frame)).report
    assert [s.split for s in report.splits] == ["valid", "test"]
    for split in report.splits:
        assert [c.column for c in split.columns] == list(frame.columns)
        assert {c.kind for c in split.columns} == {kind}
        assert [c.score for c in split.columns] == pytest.approx([same] * 6)
        assert split.drifted == ()
        assert split.rows == split.of_rows == (rows, rows)


@pytest.mark.parametrize(("n", "m"), [(5000, 4000), (5000, 300), (400, 300), (5000, 20)])
@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("size", lambda t: t.assign(size=t["size"] + 2)),
        ("colour", lambda t: t.assign(colour="blue")),
        ("sold", lambda t: t.assign(sold="yes")),
        ("rooms", lambda t: t.assign(rooms=3)),
    ],
)
def test_exactly_what_was_changed_drifts(n, m, column, change):
    """In the split where it was, whatever the number of rows: twenty of them are no drift by themselves."""
    report = measure_drift(random_table(n, m, change)).report
    valid, test = report.splits
    assert drifted(valid) == set()
    assert drifted(test) == {(column, "values")}
    assert test.drifted[0].excess > 1
    assert report.shown[0] == column


def test_the_distances_are_those_of_their_names():
    """Wasserstein over the training deviation for numbers, Jensen-Shannon for categories and few values."""
    table = random_table(5000, 4000)
    drift, train, test = measure_drift(table), table.split("train"), table.split("test")
    wasserstein = stats.wasserstein_distance(train["price"], test["price"]) / np.std(train["price"])
    assert of(drift, "price").score == pytest.approx(wasserstein)
    for name in ("rooms", "colour", "sea", "sold"):
        shares = [part[name].value_counts(normalize=True).sort_index() for part in (train, test)]
        assert of(drift, name).score == pytest.approx(jensenshannon(*shares))
        assert of(drift, name).threshold == 0.1


def test_the_p_values_are_those_of_their_names():
    """Kolmogorov-Smirnov for numbers, chi-square of two samples for categories; the level is shared out."""
    table = random_table(3000, 400)
    drift, train, test = measure_drift(table), table.split("train"), table.split("test")
    assert of(drift, "price").score == pytest.approx(stats.ks_2samp(train["price"], test["price"]).pvalue)
    for name in ("rooms", "colour", "sea", "sold"):
        counts = [part[name].value_counts().sort_index() for part in (train, test)]
        assert of(drift, name).score == pytest.approx(stats.chi2_contingency(counts, correction=False).pvalue)
        assert of(drift, name).threshold == pytest.approx(0.01 / 6)


@pytest.mark.parametrize(("n", "m"), [(5000, 4000), (400, 300)])
def test_evidently_says_the_same_of_the_same_rows(n, m):
    """Figures, methods, thresholds and judgements are those of its public report."""
    table = random_table(n, m, lambda t: t.assign(size=t["size"] + 1, colour="red"))
    pairs = list(pair_up(table.schema, table.split("train"), table.split("test")))
    ours = measure_drift(table).report.splits[1].columns
    with quiet():
        from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415  it warns when imported
        from evidently.metrics import ValueDrift  # noqa: PLC0415  as above

        kinds = DataDefinition(
            numerical_columns=[p.column for p in pairs if p.numeric],
            categorical_columns=[p.column for p in pairs if not p.numeric],
        )
        sides = [{p.column: getattr(p, side).to_numpy() for p in pairs} for side in ("other", "train")]
        data = [Dataset.from_pandas(pd.DataFrame(side), data_definition=kinds) for side in sides]
        metrics = [
            ValueDrift(column=c.column, method=p.method, threshold=c.threshold)
            for c, p in zip(ours, pairs, strict=True)
        ]
        ran = Report(metrics, include_tests=True).run(*data)
    theirs = ran.dict()["metrics"]
    assert [c.score for c in ours] == pytest.approx([float(m["value"]) for m in theirs])
    assert [c.drifted for c in ours] == [t.status.value == "FAIL" for t in ran.tests_results]
    assert {c.column for c in ours if c.drifted} == {"size", "colour"}


def test_small_counts_are_tested_exactly():
    """Where the chi-square distribution does not hold, random tables give Fisher's answer."""
    train, other = pd.Series(["a"] * 18 + ["b"] * 2), pd.Series(["a"] * 3 + ["b"] * 5)
    table = [[18, 2], [3, 5]]
    assert homogeneity(train, other, 0.05) == pytest.approx(stats.fisher_exact(table).pvalue, abs=0.005)


def test_many_rare_categories_need_little_memory():
    """Random tables are drawn so many at a time that they fit, however wide they are."""
    rng = np.random.default_rng(0)
    train, other = (pd.Series(rng.integers(0, 2000, 3000)) for _ in range(2))
    tracemalloc.start()
    p_value = homogeneity(train, other, 0.01)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert p_value > 0.01
    assert peak < 60e6


def test_one_distribution_is_called_drifted_as_seldom_as_promised():
    """Evidently's own chi-square finds drift in most samples of like size from one distribution."""
    rng = np.random.default_rng(0)
    found = {"homogeneity": 0, "chisquare": 0}
    with quiet():
        for _ in range(200):
            train, other = (pd.Series(rng.choice(list("abcdefghij"), 400)) for _ in range(2))
            for method in found:
                found[method] += bool(compare(Pair("x", "values", method, train, other), 0.05).drifted)
    assert found["homogeneity"] / 200 < 0.1
    assert found["chisquare"] / 200 > 0.3


def thousands(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(colour=[f"c{i}" for i in np.random.default_rng(len(rows)).integers(0, 3000, len(rows))])


QUIET_TABLES = {
    "a constant number": lambda rows: rows.assign(size=1.0),
    "a constant category": lambda rows: rows.assign(colour="red"),
    "missing values": lambda rows: rows.where(np.random.default_rng(7).random(rows.shape) < 0.8).assign(sold=rows.sold),
    "no numeric columns": lambda rows: rows[["colour", "sea", "sold"]],
    "no categorical columns": lambda rows: rows[["size", "price", "sold"]],
    "one column": lambda rows: rows[["size", "sold"]],
    "26 classes": lambda rows: rows.assign(sold=np.resize(list("abcdefghijklmnopqrstuvwxyz"), len(rows))),
    "thousands of categories": thousands,
    "integers as classes": lambda rows: rows.assign(sold=(rows["size"] > 0).astype(int)),
}


@pytest.mark.parametrize("rows", [(5000, 3000), (300, 26)], ids=["large", "small"])
@pytest.mark.parametrize("every", QUIET_TABLES.values(), ids=QUIET_TABLES)
def test_a_hard_table_is_compared_and_does_not_drift(rows, every):
    """Nothing is raised, nothing warned of, and chance alone is no drift."""
    drift = measure_drift(random_table(*rows, every=every))
    assert [drifted(split) for split in drift.report.splits] == [set(), set()]
    assert DriftReport.model_validate_json(drift.report.model_dump_json()) == drift.report
    assert drift.page


def test_a_column_that_is_empty_everywhere_does_not_drift():
    """There is nothing to compare but that."""
    table = random_table(300, 60)
    table.frame["price"], table.frame["sea"] = np.nan, np.nan
    drift = measure_drift(table)
    assert [drifted(split) for split in drift.report.splits] == [set(), set()]
    assert of(drift, "price").score is None
    assert of(drift, "price", "missing").score == 1


def missing_in_test(table: Table) -> None:
    table.frame.loc[table.frame[SPLIT_COLUMN] == "test", "price"] = np.nan


def infinite_in_test(table: Table) -> None:
    values = table.frame.loc[table.frame[SPLIT_COLUMN] == "test", "price"].to_numpy(copy=True)
    values[::2], values[::4] = np.inf, -np.finfo(np.float32).max  # as such, and as a schema reads it
    table.frame.loc[table.frame[SPLIT_COLUMN] == "test", "price"] = values


@pytest.mark.parametrize("rows", [(5000, 4000), (300, 26)], ids=["large", "small"])
@pytest.mark.parametrize("spoil", [missing_in_test, infinite_in_test])
def test_values_that_go_missing_are_drift(rows, spoil):
    """What is left of the column may look as ever, or be nothing; infinite values count as missing."""
    table = random_table(*rows)
    spoil(table)
    drift = measure_drift(table)
    assert [drifted(split) for split in drift.report.splits] == [set(), {("price", "missing")}]
    left = of(drift, "price")
    assert (left.score is None) == (left.method == "") == (spoil is missing_in_test)


def test_a_category_unseen_in_training_is_drift_once_it_is_common():
    """One row of it is not."""
    few = random_table(3000, 300, lambda t: t.assign(colour=np.where(np.arange(len(t)) < 1, "pink", t.colour)))
    many = random_table(3000, 300, lambda t: t.assign(colour=np.where(np.arange(len(t)) < 30, "pink", t.colour)))
    assert [drifted(measure_drift(table).report.splits[1]) for table in (few, many)] == [set(), {("colour", "values")}]


def test_rare_categories_are_compared_as_one():
    """Their number would look like distance; a share of new ones still shows."""
    table = random_table(5000, 4000, every=thousands)
    pair = next(p for p in pair_up(table.schema, table.split("train"), table.split("test")) if p.column == "colour")
    assert pd.concat([pair.train, pair.other]).nunique() == 45  # 1 + 0.02 / (1 / 5000 + 1 / 4000)
    assert pair.train.str.endswith(" rarer categories").any()
    new = random_table(5000, 4000, lambda t: t.assign(colour=[f"new {i % 700}" for i in range(len(t))]))
    assert drifted(measure_drift(new).report.splits[1]) == {("colour", "values")}


def test_rows_are_sampled_by_the_seed(monkeypatch):
    """The result states how many of how many; a seed repeats them, another draws others."""
    monkeypatch.setattr(measure, "MOST_ROWS", 1200)
    table = random_table(5000, 1500)
    first, again, other = (measure_drift(table, seed=seed).report for seed in (1, 1, 2))
    assert (first.splits[1].rows, first.splits[1].of_rows) == ((1200, 1200), (1500, 5000))
    assert first == again
    assert first.splits != other.splits


def test_a_wide_table_has_all_its_figures_and_a_page_of_the_furthest():
    """The page says how many it shows."""
    rng = np.random.default_rng(0)
    names = [f"p{i}" for i in range(150)]
    train, valid, test = (pd.DataFrame(rng.normal(size=(4000, 150)), columns=names) for _ in range(3))
    test["p77"] += 3
    drift = measure_drift(joined(*(part.assign(y=np.arange(4000) % 10) for part in (train, valid, test))))
    assert len(drift.report.splits[1].columns) == 151
    assert (len(drift.report.shown), drift.report.shown[0]) == (20, "p77")
    assert "1 of 151 comparisons drifted. Shown, the furthest first: 20." in drift.page
    assert drift.page.count("Drift in column ") == 20


def test_names_and_values_cannot_bring_markup_into_the_page():
    """Evidently writes them into a script unescaped; the page has no more scripts than that of a harmless table."""
    plain = measure_drift(random_table(200, 60)).page
    evil = {"size": EVIL, "colour": f"k{EVIL}", "sold": f"y{EVIL}"}
    table = random_table(200, 60, every=lambda rows: rows.rename(columns=evil).replace({"red": EVIL, "yes": EVIL}))
    drift = measure_drift(table)
    assert {*evil.values()} <= set(drift.report.shown)
    for tag in ("<script", "</script", "<img", "&lt;i"):
        assert drift.page.count(tag) == plain.count(tag)
    assert "window.hurt" in drift.page


def test_page_names_stay_different():
    """Cut, cleaned, empty or like one another: every name is one line of its own."""
    given = ["a" * 99, "a" * 98 + "b", "<a>", "‹a›", "‹a› (2)", "x\ny", "x y", "", "\n", "a.b", "index", "target"]
    shown = harmless(given)
    assert len(set(shown)) == len(given)
    assert all(len(name) <= LONGEST + 4 and "\n" not in name and "<" not in name for name in shown)
    assert shown[-3:] == given[-3:]


def test_columns_named_like_evidentlys_own_are_columns():
    """Roles are ours to give."""
    special = dict(zip(draw(1, 0).columns, ["target", "prediction", "index", "per", "__proto__", "id"], strict=True))
    drift = measure_drift(random_table(200, 60, every=lambda rows: rows.rename(columns=special)))
    assert set(drift.report.shown) == set(special.values())


def test_there_is_no_page_where_nothing_can_be_compared():
    """Nor for a pair of which one side is empty."""
    empty = Pair("x", "values", "ks", pd.Series([1.0]), pd.Series([], dtype=float))
    split = SplitDrift(split="test", rows=(1, 1), of_rows=(1, 1), columns=measure._scored([empty]))
    assert measure._page(split, [empty]) == ("", ())
    assert split.columns[0].excess == 0


def test_measuring_leaves_the_table_and_the_warnings_alone():
    """What the library silences or adds is undone."""
    table = random_table(200, 60)
    before, filters = table.digest, list(warnings.filters)
    measure_drift(table)
    assert table.digest == before
    assert Table(table.schema, table.frame).digest == before
    assert warnings.filters == filters


def test_the_library_is_imported_late():
    """A config and everything else of the domain costs none of its seconds."""
    code = (
        "import sys, distillery.config, distillery.data.drift;"
        " sys.exit(bool({'evidently', 'plotly'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_library_calls_nobody(monkeypatch):
    """No address is looked up while it measures, and what would report its use is not even imported."""
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    calls = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(socket.socket, "connect", lambda *arguments: calls.append(arguments))
    assert measure_drift(random_table(200, 60)).page
    assert calls == []
    assert "iterative_telemetry" not in sys.modules
