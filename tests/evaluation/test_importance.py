"""Which columns a model rests on."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from distillery.data import Column, Schema
from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.errors import InputError
from distillery.evaluation import Entry, EvaluationSpec, Importance, evaluate_models, measure_importance
from distillery.evaluation.importance import LEAST_ROWS, REPEATS
from distillery.export import to_onnx
from distillery.teachers import XGBoostSpec


class Formula:
    """A model that reads some columns and answers by the first of them; it counts the rows it is asked about."""

    def __init__(self, *names: str, classes: int = 2) -> None:
        columns = tuple(Column(name=name, kind="numeric") for name in names)
        self.schema = Schema(columns=columns, target="y", classes=tuple(range(classes)))
        self.asked = 0

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        self.asked += len(frame)
        k = self.schema.n_classes
        proba = np.full((len(frame), k), 0.2 / (k - 1))
        proba[np.arange(len(frame)), frame[self.schema.names[0]].to_numpy(int)] = 0.8
        return proba


def made(n: int, classes: int = 2, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a column that is the class, in three of four rows, a free one, a constant one, and the class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    told = np.where(rng.random(n) < 0.75, y, rng.integers(0, classes, n)).astype(float)
    return pd.DataFrame({"free": rng.normal(size=n), "told": told, "same": 1.0}), y


def named(importance: Importance) -> dict[str, float]:
    return {one.name: one.mean for one in importance.columns}


@pytest.mark.parametrize("classes", [2, 26])
def test_importance_is_what_shuffling_by_hand_costs(classes):
    """The mean over many shuffles, and each of those that scikit-learn's generator makes."""
    frame, y = made(400, classes)
    model = Formula("told", "free", classes=classes)
    found = measure_importance(model, frame, y, seed=7)
    assert found.rows == 400
    labels = np.arange(classes)
    base = log_loss(y, model.predict_proba(frame[model.schema.names]), labels=labels)
    generator = np.random.RandomState(np.random.RandomState(7).randint(2**31))
    order, shuffled, rises = np.arange(400), frame, []
    for _ in range(REPEATS):
        generator.shuffle(order)
        shuffled = shuffled.assign(told=shuffled["told"].to_numpy()[order])[model.schema.names]
        rises.append(log_loss(y, model.predict_proba(shuffled), labels=labels) - base)
    first = found.columns[0]
    assert first.name == "told"
    assert first.rises == pytest.approx(rises)
    assert first.mean == pytest.approx(np.mean(rises))


def test_a_column_that_is_not_read_has_none():
    """Nor has one that is read and plays no part, or one that does not vary; all columns are listed."""
    frame, y = made(300)
    found = measure_importance(Formula("told", "free", "same"), frame.assign(other="text"), y, seed=0)
    by_name = {one.name: one for one in found.columns}
    assert set(by_name) == {"told", "free", "same", "other"}
    assert by_name["free"].rises == (0,) * REPEATS
    assert by_name["same"].rises == by_name["other"].rises == ()
    assert [one.mean for one in found.columns][1:] == [0, 0, 0]
    assert Importance.model_validate_json(found.model_dump_json()) == found


def test_a_model_that_reads_nothing_of_what_varies_is_not_asked():
    """A constant is known to have importance 0."""
    frame, y = made(50)
    model = Formula("same")
    assert set(named(measure_importance(model, frame, y, seed=0)).values()) == {0}
    assert model.asked == 0


def test_weights_are_repeated_rows():
    """Rows of weight 0 play no part, and a common factor changes nothing."""
    frame, y = made(200)
    weights = (np.arange(200) % 2).astype(float)
    model = Formula("told", "free")
    half = measure_importance(model, frame[weights > 0], y[weights > 0], seed=1)
    assert named(measure_importance(model, frame, y, seed=1, weights=weights * 3)) == pytest.approx(named(half))
    wrong = (frame["told"] != y).to_numpy()
    light = measure_importance(model, frame, y, seed=1, weights=np.where(wrong, 0.01, 1.0))
    assert named(light)["told"] > named(measure_importance(model, frame, y, seed=1))["told"]


@pytest.mark.parametrize(
    ("columns", "rows", "repeats"),
    [(2, 500, 5), (4, 250, 5), (5, LEAST_ROWS, 5), (10, 250, 2), (60, LEAST_ROWS, 1)],
)
def test_the_work_is_bounded(columns, rows, repeats):
    """About so many rows are predicted, fewer shuffles coming before fewer rows; and never fewer than 200."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 2, (3000, columns))).astype(float).rename(columns="x{}".format)
    model = Formula(*frame.columns)
    found = measure_importance(model, frame, frame["x0"].to_numpy(int), seed=0, predicted_rows=5000)
    assert found.rows == rows
    assert {len(one.rises) for one in found.columns} == {repeats}
    assert model.asked == rows * (1 + columns * repeats)


def test_the_seed_alone_decides():
    """The same seed draws the same rows and shuffles, another seed others."""
    frame, y = made(3000)
    once, again, other = (
        measure_importance(Formula("told", "free"), frame, y, seed=seed, predicted_rows=4000) for seed in (3, 3, 4)
    )
    assert once == again
    assert named(once)["told"] != named(other)["told"]


def test_a_file_and_its_model_rest_on_the_same_columns():
    """Numbers with gaps and texts, read once; the exported file is asked without a frame."""
    rng = np.random.default_rng(0)
    n = 600
    raw = pd.DataFrame({"x": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)), "noise": rng.normal(size=n)})
    raw["city"] = rng.choice(["Oslo", "Lima", None], n)
    raw["y"] = (np.nan_to_num(raw["x"]) + (raw["city"] == "Oslo") > 0.5).astype(int)
    table = build_table(raw, Roles(target="y"), SplitSpec(), seed=0)
    model = XGBoostSpec(trees=20, threads=1).fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    test = table.rows("test")
    own = measure_importance(model, test.features, test.labels, seed=0)
    for form in ("columns", "tensors"):
        told = measure_importance(to_onnx(model, form=form), test.features, test.labels, seed=0)
        assert named(told) == pytest.approx(named(own), abs=1e-5)
    assert {one.name for one in own.columns[:2]} == {"x", "city"}


def test_scorecards_of_teacher_and_students_have_it():
    """A control's has not; nor has that of a model that is not at hand; and it can be left out."""
    frame, y = made(300)
    teacher, student = Formula("told", "free"), Formula("free", "told")
    frame["free"] = (frame["free"] > 0).astype(float)
    entries = [
        Entry("big", "teacher", "toy", "teacher toy", model=teacher),
        Entry("small", "student", "toy", "student toy", model=student),
        Entry("small", "control", "toy", "control toy", model=student),
        Entry("away", "student", "toy", "away", proba=np.full((300, 2), 0.5)),
    ]

    def measured(**changes):
        spec = EvaluationSpec(replicates=20, cost=False, **changes)
        return evaluate_models(
            entries,
            y=y,
            features=frame,
            weights=None,
            groups=None,
            spec=spec,
            seed=5,
            scenario="toy",
            classes=(0, 1),
        ).cards

    cards = measured()
    assert cards[0].importance == measure_importance(teacher, frame, y, seed=5)
    assert [card.importance is None for card in cards] == [False, False, True, True]
    assert [card.slices is None for card in cards] == [True, False, True, False]
    assert cards[1].slices.disagreeing[0].disagreement > 0
    bare = measured(importance=False, slices=False)
    assert all(card.importance is None and card.slices is None for card in bare)


def test_wrong_weights_are_named():
    """As everywhere."""
    frame, y = made(20)
    with pytest.raises(InputError, match=re.escape("weights must be of shape (20,), got (3,)")):
        measure_importance(Formula("told"), frame, y, seed=0, weights=np.ones(3))
