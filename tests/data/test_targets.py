"""Several binary targets become one column, and their probabilities come back out of its classes."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distillery.config import DistillConfig
from distillery.data import Schema, Table
from distillery.data.build import Roles, build_table
from distillery.data.sources import FileSpec, FlightsFunnelSpec
from distillery.data.sources.flights import read_flights
from distillery.data.splits import SplitSpec
from distillery.data.targets import Joint
from distillery.errors import ConfigError, DataError

PAIR = ("click", "conversion")


def log(n: int = 400, *, funnel: bool = True, **changes: Any) -> pd.DataFrame:
    """Draw impressions with two targets."""
    rng = np.random.default_rng(3)
    age = rng.normal(size=n)
    click = (age + rng.normal(size=n) > 0).astype(int)
    conversion = (rng.random(n) < 0.4).astype(int) * (click if funnel else 1)
    return pd.DataFrame({"age": age, "click": click, "conversion": conversion}).assign(**changes)


def table_of(raw: pd.DataFrame, targets: tuple[str, ...] = PAIR, *, funnel: bool = True) -> Table:
    return build_table(raw, Roles(targets=targets, funnel=funnel), SplitSpec(), seed=0)


@pytest.mark.parametrize("t", [2, 3, 4])
def test_a_funnel_has_a_class_per_stage_and_free_targets_one_per_combination(t: int) -> None:
    """Members say which targets each class holds; a funnel is told by them."""
    names = [f"t{i}" for i in range(t)]
    for funnel, k in ((True, t + 1), (False, 2**t)):
        joint = Joint.of(names, funnel=funnel)
        schema = Schema(columns=(), target=joint.name, classes=joint.classes, tasks=joint.tasks)
        assert (schema.n_classes, schema.funnel) == (k, funnel)
        assert len(set(map(tuple, schema.members.T.tolist()))) == k
        assert all(str(c) == ("+".join(n for n, m in zip(names, of, strict=True) if m) or "none") for c, of in
                   zip(joint.classes, schema.members.T, strict=True))  # fmt: skip


@pytest.mark.parametrize("funnel", [True, False])
def test_the_class_of_a_row_says_which_targets_are_one(funnel: bool) -> None:
    """And the marginals of certain probabilities are the targets themselves."""
    raw = log(funnel=funnel)
    table = table_of(raw, funnel=funnel)
    schema = table.schema
    assert (schema.target, schema.names, schema.funnel) == ("click_and_conversion", ["age"], funnel)
    labels = schema.encode_labels(table.frame[schema.target])
    np.testing.assert_array_equal(schema.members[:, labels].T, raw[[*PAIR]])
    np.testing.assert_array_equal(schema.marginals(np.eye(schema.n_classes)[labels]), raw[[*PAIR]])


def test_marginals_sum_the_classes_of_a_task() -> None:
    """By hand: p(click) = .3 + .1."""
    schema = table_of(log()).schema
    np.testing.assert_allclose(schema.marginals(np.array([[0.6, 0.3, 0.1]])), [[0.4, 0.1]])
    assert Schema(columns=(), target="y", classes=(0, 1)).marginals(np.ones((2, 2))).shape == (2, 0)


@pytest.mark.parametrize(
    ("no", "yes"),
    [("no", "yes"), (False, True), (0.0, 1.0), (-1, 1), ("n", "Y"), (" False", "true"), ("F", "t"), ("0", "1")],
)
def test_the_second_of_two_values_stands_for_one(no: Any, yes: Any) -> None:
    """Text, booleans and numbers alike; a missing answer makes the class missing."""
    raw = log()
    said = raw.assign(**{name: [yes if one else no for one in raw[name]] for name in PAIR}).astype({"click": object})
    said.loc[7, "click"] = None
    column = table_of(said).frame["click_and_conversion"]
    expected = table_of(raw).frame["click_and_conversion"].mask(raw.index == 7, None)
    pd.testing.assert_series_equal(column, expected)


@pytest.mark.parametrize("said", [("not clicked", "clicked"), ("B", "a"), ("no", "true"), (0, "yes"), ("yes", "yep")])
def test_texts_that_could_stand_for_either_are_refused(said: tuple[Any, Any]) -> None:
    """A guess by the alphabet would turn clicks into none, without a word."""
    raw = log()
    raw["click"] = [said[one] for one in raw["click"]]
    one, other = (re.escape(repr(value)) for value in said)
    message = rf"'click' must hold numbers, booleans, or two texts .* got ({one}, {other}|{other}, {one}), .*; write 0"
    with pytest.raises(DataError, match=message):
        table_of(raw)


def test_a_conversion_without_a_click_is_refused() -> None:
    """With the count and the first rows; where no funnel is claimed it is a class of its own."""
    raw = log(funnel=False)
    broken = raw.index[(raw["click"] == 0) & (raw["conversion"] == 1)]
    first = ", ".join(map(str, broken[:3]))
    message = rf"'conversion' must be 0 wherever 'click' is 0.*got {len(broken)} rows.*\(first: {first} \(\+"
    with pytest.raises(DataError, match=message):
        table_of(raw)
    assert "conversion" in table_of(raw, funnel=False).schema.classes


@pytest.mark.parametrize(
    ("raw", "funnel", "message"),
    [
        (log(click=np.arange(400) % 3), True, "'click' must hold two values, .* got 0, 1, 2"),
        (log(conversion=0), True, "'conversion' must hold two values, .* got 0"),
        (log(conversion=None), True, "'conversion' must hold two values, .* got none"),
        (log(), False, "rows of every combination, got none of 'conversion'"),
        (log().drop(columns="click"), True, "target column 'click' is not in the table"),
        (log(click_and_conversion=1), True, "'click', 'conversion', which give the column 'click_and_conversion'"),
    ],
)
def test_targets_that_do_not_fit_are_refused(raw: pd.DataFrame, funnel: bool, message: str) -> None:
    """Which column, and what is wrong with it."""
    with pytest.raises(DataError, match=message):
        table_of(raw, funnel=funnel)


def test_names_that_cannot_be_joined_are_refused() -> None:
    """A target called as the class of nothing would make two classes one."""
    with pytest.raises(DataError, match="rename them"):
        table_of(log().rename(columns={"click": "none"}), ("none", "conversion"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "`target`, or several `targets`, but not both, got target=None and targets="),
        ({"target": "y", "targets": ["a", "b"]}, "but not both, got target='y'"),
        ({"targets": ["a"]}, "targets must be 2 to 4 columns, got 1"),
        ({"targets": list("abcde")}, "targets must be 2 to 4 columns, got 5"),
        ({"targets": ["a", "a"]}, "one role, got several for 'a'"),
        ({"targets": ["a", "b"], "positive": 1}, "positive must be left out"),
    ],
)
def test_a_file_has_a_target_or_several(keys: dict[str, Any], message: str) -> None:
    """Never both, nor none."""
    with pytest.raises(ConfigError, match=message):
        DistillConfig.parse({"source": {"kind": "file", "path": "x.csv", **keys}})


def test_a_file_of_two_targets_is_read(tmp_path: Path) -> None:
    """As the table of its rows is."""
    raw = log()
    raw.to_csv(tmp_path / "log.csv", index=False)
    read = FileSpec(path=str(tmp_path / "log.csv"), targets=PAIR).load(seed=0)
    assert read.schema == table_of(raw).schema
    assert Table.from_files(read.to_files()).schema == read.schema


def test_tasks_change_the_digest_and_none_leave_it() -> None:
    """The digest of a table of one target is what it was before there were tasks."""
    plain = Schema(columns=(), target="y", classes=("no", "yes"))
    assert plain.digest == "ef29d1a24ba40ae1"
    joint = table_of(log()).schema
    assert joint.digest != joint.model_copy(update={"tasks": ()}).digest


def test_the_flights_are_a_funnel() -> None:
    """A late arrival counts only after a late departure; the features are those of `flights`."""
    table = FlightsFunnelSpec(rows=5_000).load(seed=0)
    assert table.schema.funnel
    assert [task.name for task in table.schema.tasks] == ["late_departure", "late_arrival"]
    assert len(table.schema.columns) == 20
    counts = table.frame[table.schema.target].value_counts()
    assert counts["late_departure+late_arrival"] > counts["late_departure"] > 100


def test_the_second_stage_is_part_of_the_first() -> None:
    """Over all flights, and it is no other answer than `late` after a late departure."""
    flights = read_flights(("late", "late_departure", "late_arrival"))
    assert (flights["late_arrival"] <= flights["late_departure"]).all()
    assert set(product((0, 1), (0, 1))) == set(zip(flights["late"], flights["late_departure"], strict=True))
    np.testing.assert_array_equal(flights["late_arrival"], flights["late"] & flights["late_departure"])
