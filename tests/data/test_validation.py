"""A table that breaks what it is held to is stopped, with the offending values in the message."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distillery.data import Table
from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.data.table import SPLIT_COLUMN
from distillery.data.validation import ExpectationSpec, ValidationReport, ValidationSpec, validate_table
from distillery.errors import ConfigError, DataError

Make = Callable[..., Table]
Change = Callable[[pd.DataFrame], None]


def changed(table: Table, change: Change) -> Table:
    frame = table.frame.copy()
    change(frame)
    return Table(table.schema, frame)


def expecting(type_: str, *, split: str | None = None, **arguments: Any) -> ValidationSpec:
    one = ExpectationSpec.model_validate({"type": type_, "arguments": arguments, "split": split})
    return ValidationSpec(expectations=(one,))


def check(table: Table, spec: ValidationSpec | None = None, **settings: Any) -> ValidationReport:
    return validate_table(table, spec or ValidationSpec(), **settings)


@pytest.fixture
def table(make_table: Make) -> Table:
    """A table as it should be, with groups."""
    return make_table(group="house")


@pytest.mark.parametrize("roles", [{}, {"group": "house"}, {"time": "day"}, {"privileged": ["size"]}], ids=str)
def test_a_good_table_holds(make_table: Make, roles: dict[str, Any]) -> None:
    """All results are kept, none has failed, and nothing is raised."""
    report = check(make_table(**roles), folds=5)
    assert report.success
    assert len(report.results) > 15
    assert report.rows == 400
    report.raise_if_failed()


def target_gap(frame: pd.DataFrame) -> None:
    frame.loc[3:5, "sold"] = None


def strange_target(frame: pd.DataFrame) -> None:
    frame.loc[3:5, "sold"] = "perhaps"


def constant(frame: pd.DataFrame) -> None:
    frame["rooms"] = 3.0


def constant_text(frame: pd.DataFrame) -> None:
    frame["colour"] = "red"


def nearly_all_missing(frame: pd.DataFrame) -> None:
    frame.loc[frame.index[4:], "size"] = np.nan


def unseen(frame: pd.DataFrame) -> None:
    frame.loc[frame[SPLIT_COLUMN] != "train", "colour"] = "violet"


def some_unseen(frame: pd.DataFrame) -> None:
    frame.loc[::5, "colour"] = "violet"


def out_of_range(frame: pd.DataFrame) -> None:
    frame.loc[frame[SPLIT_COLUMN] == "test", "rooms"] = 1e6


def identifier(frame: pd.DataFrame) -> None:
    frame["colour"] = [f"#{i}" for i in range(len(frame))]


def twin(frame: pd.DataFrame) -> None:
    frame["colour"] = frame["sold"].map({"yes": "green", "no": "red"})


def numeric_twin(frame: pd.DataFrame) -> None:
    frame["rooms"] = frame["sold"].map({"yes": 1.0, "no": 2.0})


def one_class_in_train(frame: pd.DataFrame) -> None:
    frame.loc[frame[SPLIT_COLUMN] == "train", "sold"] = "no"


def text_among_numbers(frame: pd.DataFrame) -> None:
    frame["rooms"] = "many"


def spread_group(frame: pd.DataFrame) -> None:
    frame.loc[frame[SPLIT_COLUMN] == "test", "house"] = frame.loc[frame[SPLIT_COLUMN] == "train", "house"].iloc[0]


def repeated_rows(frame: pd.DataFrame) -> None:
    test = frame.index[frame[SPLIT_COLUMN] == "test"]
    train = frame[frame[SPLIT_COLUMN] == "train"].iloc[: len(test)]
    for name in ("size", "rooms", "colour", "sold"):
        frame.loc[test, name] = train[name].to_numpy()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (target_gap, ["ExpectColumnValuesToNotBeNull", "'sold'", "3 of 400", "drop the rows without a target"]),
        (strange_target, ["'sold'", "3 of 400", "'perhaps'"]),
        (one_class_in_train, ["'sold'", "(train)", "two classes"]),
        (constant, ["1 of 3 columns, e.g. 'rooms'", "constant in training", "source.drop: [rooms]"]),
        (
            constant_text,
            ["1 of 3 columns, e.g. 'colour'", "source.drop: [colour]", "validation.constant_columns: allow"],
        ),
        (nearly_all_missing, ["ExpectColumnValuesToNotBeNull", "'size'", "validation.max_missing"]),
        (unseen, ["'colour'", "'violet'", "unseen in training", "validation.mostly_known"]),
        (out_of_range, ["'rooms'", "1000000.0", "validation.range_tolerance"]),
        (identifier, ["'colour'", "identifier", "source.drop: [colour]"]),
        (twin, ["ExpectNoColumnToRepeatTheTarget", "1 of 3", "'colour'", "source.drop"]),
        (numeric_twin, ["ExpectNoColumnToRepeatTheTarget", "1 of 3", "'rooms'"]),
        (text_among_numbers, ["'rooms'", "source.categorical"]),
        (spread_group, ["ExpectGroupsToLieInOneSplit", "'house'", "1 of ", "must lie in one split"]),
        (repeated_rows, ["ExpectFewRowsInBothTrainAndTest", "row ", "source.group"]),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_a_broken_table_fails_with_the_offenders(table: Table, change: Change, words: list[str]) -> None:
    """One failure names the expectation, the column, the count, the values and the repair."""
    report = check(changed(table, change), folds=5)
    assert not report.success
    assert any(all(word in failure.message for word in words) for failure in report.failures), report.message()
    with pytest.raises(DataError, match="nothing was trained"):
        report.raise_if_failed()


def test_a_class_smaller_than_the_folds_fails(table: Table) -> None:
    """The class and its training rows are named; without folds it is no fault."""

    def change(frame: pd.DataFrame) -> None:
        train = frame[SPLIT_COLUMN] == "train"
        frame.loc[train & (frame["sold"] == "yes"), "sold"] = "no"
        frame.loc[frame.index[train][:3], "sold"] = "yes"

    small = changed(table, change)
    failure = next(f for f in check(small, folds=5).failures if f.expectation == "ExpectClassesToFillTheFolds")
    assert failure.column == "sold"
    assert (failure.unexpected, failure.checked) == (1, 2)
    assert "'yes'" in str(failure.examples)
    assert "lower soft_labels.folds" in failure.message
    for folds in (3, None):
        assert "ExpectClassesToFillTheFolds" not in {f.expectation for f in check(small, folds=folds).failures}


@pytest.mark.parametrize(
    ("change", "tolerance"),
    [
        (nearly_all_missing, {"max_missing": 1.0}),
        (some_unseen, {"mostly_known": 0.5}),
        (out_of_range, {"range_tolerance": 1e6}),
        (identifier, {"max_unique_categories": 1.0, "mostly_known": 0.01}),
        (repeated_rows, {"max_shared_rows": 1.0}),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_tolerances_are_the_configs(table: Table, change: Change, tolerance: dict[str, float]) -> None:
    """What the config allows is no fault in that respect."""
    strict, loose = (check(changed(table, change), spec) for spec in (None, ValidationSpec(**tolerance)))
    assert len(loose.failures) < len(strict.failures)


def all_constant(frame: pd.DataFrame) -> None:
    frame["size"], frame["rooms"], frame["colour"] = 1.0, 3.0, "red"


@pytest.mark.parametrize(
    ("change", "names"),
    [(constant, ("rooms",)), (constant_text, ("colour",)), (all_constant, ("size", "rooms", "colour"))],
)
def test_constant_columns_may_be_allowed(table: Table, change: Change, names: tuple[str, ...]) -> None:
    """They are then no fault, and the report counts and names them all the same."""
    allowing = ValidationSpec(constant_columns="allow", max_shared_rows=1)
    report = check(changed(table, change), allowing)
    assert report.success, report.message()
    (found,) = [r for r in report.results if r.expectation == "ExpectNoColumnToBeConstant"]
    assert (found.unexpected, found.checked, found.unit, found.examples) == (len(names), 3, "columns", names)


def test_a_column_that_is_constant_or_missing_tells_rows_apart(table: Table) -> None:
    """Whether it is there is worth knowing; nothing but missing values is not."""

    def change(frame: pd.DataFrame) -> None:
        frame.loc[::2, "rooms"] = np.nan
        frame.loc[1::2, "rooms"] = 3.0

    tolerant = ValidationSpec(max_missing=1, max_shared_rows=1)
    assert check(changed(table, change), tolerant).success
    empty = check(changed(table, lambda frame: frame.__setitem__("rooms", np.nan)), tolerant)
    assert [failure.expectation for failure in empty.failures] == ["ExpectNoColumnToBeConstant"]


def with_ink(raw: pd.DataFrame, **values: list[float]) -> Table:
    """A table with a pixel ``ink`` that takes these values in turn in each split."""
    splits = np.resize(["train", "valid", "test"], len(raw))
    raw = raw.assign(split=splits, ink=0.0)
    for split, ink in values.items():
        raw.loc[splits == split, "ink"] = np.resize(ink, (splits == split).sum())
    return build_table(raw, Roles("sold", drop=["house", "day"]), SplitSpec(column="split"), seed=0)


@pytest.mark.parametrize("values", [{"test": [9.0]}, {"valid": [np.nan], "test": [0.0, 9.0]}], ids=str)
def test_a_pixel_without_ink_in_training_is_a_constant(
    raw: Callable[..., pd.DataFrame], values: dict[str, list[float]]
) -> None:
    """It is described as what training holds, and nothing can be out of a range it does not have."""
    table = with_ink(raw(), **values)
    ink = table.schema.columns[-1]
    assert (ink.name, ink.lower, ink.upper) == ("ink", 0.0, 0.0)
    tolerant = ValidationSpec(max_missing=1)
    assert [f.expectation for f in check(table, tolerant).failures] == ["ExpectNoColumnToBeConstant"]
    assert check(table, ValidationSpec(max_missing=1, constant_columns="allow")).success


def test_a_pixel_without_ink_elsewhere_is_no_constant(raw: Callable[..., pd.DataFrame]) -> None:
    """Only training decides what a column is."""
    assert check(with_ink(raw(), train=[0.0, 9.0])).success


def test_gaps_are_counted_and_each_is_held_to_its_bound(table: Table) -> None:
    """One line says how many columns have some; a column without needs no line of its own."""
    results = check(table).results
    (counted,) = [r for r in results if r.expectation == "ExpectNoColumnToHaveGaps"]
    assert (counted.success, counted.unexpected, counted.examples) == (True, 2, ("size", "colour"))
    held = {r.column for r in results if r.expectation == "ExpectColumnValuesToNotBeNull"}
    assert held == {"sold", "size", "colour"}


def test_few_strangers_are_tolerated(table: Table) -> None:
    """A new category or an outlier now and then is life."""

    def change(frame: pd.DataFrame) -> None:
        test = frame.index[frame[SPLIT_COLUMN] == "test"]
        frame.loc[test[0], "colour"] = "violet"

    assert check(changed(table, change)).success


@pytest.mark.parametrize("name", ["ExpectColumnValuesToBeBetween", "expect_column_values_to_be_between"])
def test_an_expectation_of_the_config_is_held(table: Table, name: str) -> None:
    """It passes where the data hold to it, by its class name or its snake-case name."""
    report = check(table, expecting(name, column="rooms", min_value=1, max_value=8))
    assert report.success
    assert report.results[-1].expectation == "ExpectColumnValuesToBeBetween"
    assert report.results[-1].arguments == {"column": "rooms", "min_value": 1, "max_value": 8}


def test_a_failed_expectation_of_the_config_shows_the_values(table: Table) -> None:
    """Counts, the rows looked at and at most five distinct values."""
    report = check(table, expecting("ExpectColumnValuesToBeBetween", split="test", column="rooms", max_value=1))
    (failure,) = report.failures
    test = table.split("test")
    assert (failure.unexpected, failure.checked) == (int((test["rooms"] > 1).sum()), len(test))
    assert failure.split == "test"
    assert 1 < len(failure.examples) <= 5
    assert len(set(failure.examples)) == len(failure.examples)
    assert set(failure.examples) <= set(range(2, 9))
    assert " on column 'rooms' (test): " in failure.message
    assert f"{failure.unexpected:,} of {failure.checked:,} rows" in failure.message
    assert "mend the data, or the expectation in validation.expectations" in failure.message


@pytest.mark.parametrize(
    ("type_", "arguments", "message"),
    [
        (
            "ExpectColumnValuesToBeBetwen",
            {"column": "rooms"},
            "'ExpectColumnValuesToBeBetwen' is no expectation; did you mean 'ExpectColumnValuesToBeBetween'",
        ),
        ("ExpectColumnValuesToBeBetween", {"colum": "rooms"}, "ExpectColumnValuesToBeBetween has wrong arguments: "),
        ("ExpectColumnValuesToBeBetween", {"column": "rooms", "mostly": 7}, "has wrong arguments: .*mostly"),
        ("ExpectColumnValuesToBeInSet", {"column": "rooms"}, "has wrong arguments: .*value_set"),
    ],
)
def test_an_expectation_that_cannot_be_is_a_mistake_of_the_config(
    table: Table, type_: str, arguments: dict[str, Any], message: str
) -> None:
    """Unknown names get the nearest one; wrong arguments are named."""
    with pytest.raises(ConfigError, match=f"(?s)validation.expectations: .*{message}"):
        check(table, expecting(type_, **arguments))


@pytest.mark.parametrize(
    ("type_", "arguments"),
    [
        ("ExpectColumnValuesToBeBetween", {"column": "absent", "min_value": 0}),
        ("ExpectColumnMeanToBeBetween", {"column": "colour", "min_value": 0}),
        ("ExpectColumnValuesToMatchRegex", {"column": "colour", "regex": "("}),
    ],
)
def test_an_expectation_that_breaks_inside_is_a_failure(table: Table, type_: str, arguments: dict[str, Any]) -> None:
    """It is never silent: the result says that it could not be computed, and why."""
    report = check(table, expecting(type_, **arguments))
    (failure,) = report.failures
    assert failure.expectation == type_
    assert "could not be computed: " in failure.message
    assert len(failure.detail) > len("could not be computed: ")


def test_the_message_counts_and_lists_failures(table: Table) -> None:
    """One line for each of the first ten, and how many more there are."""
    many = ValidationSpec(
        expectations=tuple(
            ExpectationSpec(type="ExpectColumnValuesToBeBetween", arguments={"column": "rooms", "min_value": 100 + i})
            for i in range(12)
        )
    )
    report = check(table, many)
    head, *lines = report.message().splitlines()
    assert head == f"the table failed 12 of {len(report.results)} expectations, nothing was trained:"
    assert len(lines) == 11
    assert lines[-1].strip() == "and 2 more"
    assert all("ExpectColumnValuesToBeBetween on column 'rooms'" in line for line in lines[:-1])


def test_a_report_survives_json(table: Table) -> None:
    """Failed or not, what is saved is read back."""
    for one in (table, changed(table, target_gap), changed(table, out_of_range)):
        report = check(one, folds=5)
        assert ValidationReport.model_validate_json(report.model_dump_json()) == report


ODD = ["<script>alert(1)</script>", "a|b", 'quo"te', "new\nline", "offender"]


@pytest.mark.parametrize("name", ODD)
def test_odd_column_names_do_no_harm(make_table: Make, raw: Callable[..., pd.DataFrame], name: str) -> None:
    """They are checked like any other, named in the failure and escaped in the page."""
    table = make_table(raw().rename(columns={"rooms": name}))
    good = check(table)
    assert good.success
    bad = check(changed(table, lambda frame: frame.__setitem__(name, 1e6)))
    assert name in {failure.column for failure in bad.failures}
    for page in (good.to_html(), bad.to_html()):
        assert "<script>" not in page
    assert "All expectations hold" in good.to_html()
    assert f"{len(bad.failures)} of {len(bad.results)} expectations failed" in bad.to_html()


def test_offending_values_are_escaped_too(table: Table) -> None:
    """The data may be hostile."""
    page = check(changed(table, lambda frame: frame.__setitem__("sold", "<script>x</script>"))).to_html()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_validation_writes_nothing_and_is_quiet(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the working folder nor the temporary one keeps a file; the library does not chat."""
    (tmp_path / "work").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    with caplog.at_level(logging.INFO):
        check(changed(table, target_gap))
    assert list((tmp_path / "work").iterdir()) == []
    assert list((tmp_path / "tmp").iterdir()) == []
    assert [r.name for r in caplog.records if r.name.startswith("great_expectations")] == []


def test_validation_leaves_the_table_alone(table: Table) -> None:
    """The digest is the same afterwards."""
    before = table.frame.copy()
    check(table, folds=5)
    pd.testing.assert_frame_equal(table.frame, before)


@pytest.mark.parametrize("classes", [[0, 1], [False, True], [1, 2, 3], ["a", "b", "c"]], ids=str)
def test_targets_of_any_type_are_validated(
    make_table: Make, raw: Callable[..., pd.DataFrame], classes: list[Any]
) -> None:
    """Whole numbers, booleans and text, two classes or more."""
    assert check(make_table(raw().assign(sold=np.resize(np.array(classes), 400))), folds=5).success
