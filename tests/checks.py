"""Checks that every teacher and every student passes; a new kind gets all of them by being listed.

Each check takes a `Case` and fails with an assertion. What a check catches is in its docstring.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from distillery.data import Table
from distillery.data.build import Roles, build_table
from distillery.data.schema import Task, bucket_of
from distillery.data.splits import SplitSpec
from distillery.distillation.losses import soft_cross_entropy
from distillery.distillation.soft_labels import to_logits
from distillery.errors import DataError
from distillery.export import OnnxModel, to_onnx
from distillery.export.parity import measure_parity
from tests.terminal import error_terminal


def make_table(
    *, classes: int = 2, numeric: bool = True, categorical: bool = True, weight: bool = False, level: float = 1000
) -> Table:
    """A learnable table of 600 rows with missing values."""
    rng = np.random.default_rng(5)
    n = 600
    signal = rng.normal(size=n)
    city = rng.choice(["Oslo", "Lima", "Kyiv", "Rome"], n, p=[0.4, 0.3, 0.25, 0.05])
    raw = pd.DataFrame(index=range(n))
    if numeric:
        raw["signal"] = np.where(rng.random(n) < 0.1, np.nan, signal)
        raw["noise"] = rng.normal(level, level / 20, n)
        raw["zeros"] = np.where(rng.random(n) < 0.8, 0.0, rng.exponential(size=n))
    if categorical:
        raw["city"] = np.where(rng.random(n) < 0.1, None, city)
        raw["plan"] = rng.choice(["a", "b"], n)
    if weight:
        raw["w"] = rng.uniform(0.5, 2, n)
    score = (2 * signal if numeric else 0) + (2.0 * (city == "Oslo") if categorical else 0)
    raw["y"] = pd.qcut(score + 0.3 * rng.normal(size=n), classes, labels=False)
    return build_table(raw, Roles(target="y", weight="w" if weight else None), SplitSpec(), seed=0)


def make_image(*, make: Callable[..., Table] = make_table, **shape: Any) -> Table:
    """The same table for kinds that take numbers only: its three numeric columns are the pixels."""
    return make(**{**shape, "numeric": True, "categorical": False, "level": 1.0})


def make_funnel(**shape: Any) -> Table:
    """The same table for kinds that need several targets: whether y is at least 1, at least 2 and so on."""
    table = make_table(**shape)
    classes = table.schema.classes
    tasks = tuple(Task(name=f"least_{k}", positive=classes[k:]) for k in range(1, len(classes)))
    return Table(table.schema.model_copy(update={"tasks": tasks}), table.frame)


@dataclass(frozen=True)
class Case:
    """A kind under check: how to fit it on a table with a seed, how to read it from files, and what tables it takes."""

    fit: Callable[[Table, int], Any]
    load: Callable[[dict[str, bytes]], Any]
    make: Callable[..., Table] = make_table


def check_purity_of_inputs(case: Case) -> None:
    """Neither fitting nor predicting changes the rows that were given."""
    table = case.make()
    before = table.frame.copy(deep=True)
    rows = table.rows("test").features
    model = case.fit(table, 0)
    model.predict_proba(rows)
    pd.testing.assert_frame_equal(table.frame, before)


def check_probabilities(case: Case) -> None:
    """Shape (n, K), finite, in [0, 1], rows sum to 1, with two classes and with three."""
    for classes in (2, 3):
        table = case.make(classes=classes)
        proba = case.fit(table, 0).predict_proba(table.rows("test").features)
        assert proba.shape == (table.counts["test"], classes)
        assert ((proba >= 0) & (proba <= 1)).all()
        np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)


def check_row_order_is_irrelevant(case: Case) -> None:
    """A row's probabilities do not depend on its neighbours."""
    table = case.make()
    model, rows = case.fit(table, 0), table.rows("test").features
    np.testing.assert_allclose(model.predict_proba(rows[::-1])[::-1], model.predict_proba(rows), atol=1e-6)


def check_one_row_equals_batch(case: Case) -> None:
    """One row at a time gives what the batch gives."""
    table = case.make(classes=3)
    model, rows = case.fit(table, 0), table.rows("test").features.head(8)
    single = np.vstack([model.predict_proba(rows.iloc[[i]]) for i in range(len(rows))])
    np.testing.assert_allclose(single, model.predict_proba(rows), atol=1e-6)


def check_zero_rows(case: Case) -> None:
    """No rows in, no rows out."""
    table = case.make(classes=3)
    assert case.fit(table, 0).predict_proba(table.rows("test").features.head(0)).shape == (0, 3)


def check_same_seed_same_model(case: Case) -> None:
    """Two fits with one seed agree bit for bit, in memory and on disk."""
    table = case.make()
    one, two, rows = case.fit(table, 3), case.fit(table, 3), table.rows("test").features
    np.testing.assert_array_equal(one.predict_proba(rows), two.predict_proba(rows))
    assert one.to_files() == two.to_files()


def check_exported_file_agrees(case: Case) -> None:
    """The ONNX file says what the model says: test rows, missing, unseen, hashed, extreme, empty, one row, none."""
    shapes: tuple[dict[str, Any], ...] = ({}, {"numeric": False}, {"categorical": False})
    for table in (*(case.make(**shape) for shape in shapes), hashing(case.make(classes=3))):
        model, rows = case.fit(table, 0), table.rows("test").features
        for form in ("columns", "tensors"):
            exported = OnnxModel(to_onnx(model, form=form).content)
            assert measure_parity(model, exported, rows).max_difference <= 1e-5, (table.schema.names, form)
            one = exported.predict_proba(rows.head(1))
            np.testing.assert_allclose(one, exported.predict_proba(rows)[:1], atol=1e-6)


def check_round_trip_through_files(case: Case) -> None:
    """What was saved predicts the same, bit for bit, and knows its schema and spec."""
    for shape in ({}, {"classes": 3}, {"numeric": False}, {"categorical": False}):
        table = case.make(**shape)
        model, rows = case.fit(table, 0), table.rows("test").features
        loaded = case.load(model.to_files())
        np.testing.assert_array_equal(loaded.predict_proba(rows), model.predict_proba(rows))
        assert (loaded.schema, loaded.spec) == (model.schema, model.spec)


def check_unseen_and_missing_values(case: Case) -> None:
    """A new category, a missing value in any column, and a row of nothing have probabilities."""
    table = case.make()
    model, rows = case.fit(table, 0), table.rows("test").features.head(4)
    columns = [rows.assign(**{name: None}) for name in rows.columns]
    nothing = rows.assign(**dict.fromkeys(rows.columns))
    for changed in (rows.assign(city="Atlantis"), rows.assign(city=""), *columns, nothing):
        assert np.isfinite(model.predict_proba(changed)).all()


def hashing(table: Table) -> Table:
    """The same table whose cities but two share two buckets."""
    columns = [
        c.model_copy(update={"categories": ("Lima", "Oslo"), "buckets": 2}) if c.name == "city" else c
        for c in table.schema.columns
    ]
    return Table(table.schema.model_copy(update={"columns": tuple(columns)}), table.frame)


def check_hashed_texts(case: Case) -> None:
    """With buckets, unknown texts of one bucket are one; fitted and saved models hash alike."""
    table = hashing(case.make(classes=3))
    model, rows = case.fit(table, 0), table.rows("test").features
    np.testing.assert_array_equal(case.load(model.to_files()).predict_proba(rows), model.predict_proba(rows))
    buckets = bucket_of(new := [f"new {i}" for i in range(8)], 2)
    answers = np.array([model.predict_proba(rows.head(4).assign(city=text)) for text in new])
    for bucket in (0, 1):
        alike = answers[buckets == bucket]
        np.testing.assert_array_equal(alike, alike[:1].repeat(len(alike), axis=0))


def check_extreme_values(case: Case) -> None:
    """Values far outside training have probabilities."""
    table = case.make()
    model, rows = case.fit(table, 0), table.rows("test").features.head(4)
    for value in (1e30, -1e30, 1e-300):
        assert np.isfinite(model.predict_proba(rows.assign(noise=value, signal=-value))).all()


def check_infinite_numbers(case: Case) -> None:
    """An infinite number is read as a very large one: probabilities without a warning, in one column and in all."""
    for classes in (2, 3):
        table = case.make(classes=classes)
        model, rows = case.fit(table, 0), table.rows("test").features.head(4)
        names = [column.name for column in model.schema.numeric]
        for changed in (*([name] for name in names), names):
            for sign in (1, -1):
                infinite, large = (rows.assign(**dict.fromkeys(changed, sign * value)) for value in (np.inf, 1e300))
                proba = model.predict_proba(infinite)
                assert ((proba >= 0) & (proba <= 1)).all()
                np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
                np.testing.assert_array_equal(model.predict_proba(large), proba)


def check_columns_are_found_by_name(case: Case) -> None:
    """Their order is free, and further ones are ignored."""
    table = case.make()
    model, rows = case.fit(table, 0), table.rows("test").features
    shuffled = rows[rows.columns[::-1]].assign(further="x")
    np.testing.assert_array_equal(model.predict_proba(shuffled), model.predict_proba(rows))


def check_wrong_columns_are_named(case: Case) -> None:
    """A needed column that is absent, and text where a number is due, are named with the row."""
    table = case.make()
    model, rows = case.fit(table, 0), table.rows("test").features
    name = model.schema.numeric[0].name
    with pytest.raises(DataError, match=f"'{name}'"):
        model.predict_proba(rows.drop(columns=name))
    with pytest.raises(DataError, match=f"'{name}' must be numeric, got 'x' in row 0"):
        model.predict_proba(rows.assign(**{name: "x"}))


def check_learns(case: Case) -> None:
    """Where the columns decide the class, most test rows are right."""
    for classes, least in ((2, 0.75), (3, 0.55)):
        table = case.make(classes=classes)
        test = table.rows("test")
        right = case.fit(table, 0).predict_proba(test.features).argmax(axis=1) == test.labels
        assert right.mean() > least


def check_row_weights(case: Case) -> None:
    """Weights reach the fit: other weights, other model."""
    light, heavy = case.make(weight=True), case.make(weight=True)
    heavy.frame.loc[heavy.frame["y"] == 1, "w"] *= 20
    rows = light.rows("test").features
    assert case.fit(heavy, 0).predict_proba(rows)[:, 1].mean() > case.fit(light, 0).predict_proba(rows)[:, 1].mean()


def check_counts_and_flops(case: Case) -> None:
    """Parameters are whole and positive, learnable ones no more than all, and a row costs operations."""
    table = case.make()
    model = case.fit(table, 0)
    count = model.parameter_count()
    assert 0 < count.learnable <= count.total
    assert model.flops_per_row(table.rows("test").features) > 0


def check_nothing_is_pickled(case: Case) -> None:
    """No saved file is a pickle."""
    for name, content in case.fit(case.make(), 0).to_files().items():
        assert not content.startswith(b"\x80"), name
        assert name.rsplit(".", 1)[-1] not in {"pkl", "pickle", "pt", "joblib"}


def check_fits_are_independent(case: Case) -> None:
    """A spec keeps nothing of a fit: one on another table changes neither the first model nor its repeat."""
    table, other = case.make(), case.make(classes=3)
    rows = table.rows("test").features
    first = case.fit(table, 0)
    proba, files = first.predict_proba(rows), first.to_files()
    case.fit(other, 0).predict_proba(rows)
    np.testing.assert_array_equal(first.predict_proba(rows), proba)
    assert first.to_files() == files
    assert case.fit(table, 0).to_files() == files


def check_a_bar_changes_nothing(case: Case) -> None:
    """Fitted at a terminal, where rounds are counted, it is the same model."""
    table = case.make(classes=3)
    files = case.fit(table, 0).to_files()
    with error_terminal():
        counted = case.fit(table, 0)
    assert counted.to_files() == files


def check_random_numbers_are_its_own(case: Case) -> None:
    """The seed alone decides: no global generator is drawn from, and none is set."""
    table = case.make()
    found = []
    for state in (1, 2):
        set_generators(state)
        before = drawn()
        set_generators(state)
        model = case.fit(table, 3)
        model.predict_proba(table.rows("test").features)
        assert drawn() == before
        found.append(model.to_files())
    assert found[0] == found[1]


def set_generators(seed: int) -> None:
    """Set every global generator."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  the global state is what is watched
    torch.manual_seed(seed)


def drawn() -> tuple[float, ...]:
    """Return the next number of every global generator."""
    return random.random(), np.random.random(), torch.rand(1).item()  # noqa: NPY002


def check_warmer_labels_say_less(case: Case) -> None:
    """Every row's soft label comes nearer to equal shares as T rises, by its entropy: log K less the divergence."""
    table = case.make(classes=3)
    proba = case.fit(table, 0).predict_proba(table.rows("test").features)
    logits = torch.from_numpy(to_logits(proba))
    equal = torch.zeros_like(logits)
    divergence = [soft_cross_entropy(equal, logits, temperature=t) / t**2 for t in (0.5, 1.0, 2.0, 4.0, 100.0)]
    entropy = -(proba * np.log(np.clip(proba, 1e-300, 1))).sum(axis=1)
    np.testing.assert_allclose(divergence[1], np.log(3) - entropy, atol=1e-5)
    for warmer, colder in zip(divergence[1:], divergence[:-1], strict=True):
        assert (warmer <= colder + 1e-12).all()
    assert divergence[-1].max() < 0.02


def all_checks() -> Iterator[Callable[[Case], None]]:
    """Yield every check of this module."""
    for name, check in globals().items():
        if name.startswith("check_"):
            yield check
