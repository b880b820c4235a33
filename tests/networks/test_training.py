"""How networks are trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from distillery.errors import DataError, TrainingError
from distillery.networks import Batches
from distillery.networks.training import device_of
from distillery.students import MLPSpec
from tests.checks import make_table
from tests.test_models import lesson_of

FAST = MLPSpec(widths=(8,), bins=4, epochs=4, batch_size=64, learning_rate=1e-2)


@pytest.fixture(scope="module")
def table():
    """A table of all kinds of columns."""
    return make_table()


@pytest.fixture(scope="module")
def lesson(table):
    """With the teacher at hand."""
    return lesson_of(table)


def batches_of(strata):
    """Rows that are nothing but their stratum."""
    n = len(strata)
    codes = torch.tensor(strata)
    return Batches((codes[:, None],), codes, None, torch.ones(n), torch.ones(n), codes)


def test_stratified_batches_hold_the_shares_of_the_whole():
    """One row in ten is rare, and every batch of 50 has 5 of them, give or take one."""
    rows = batches_of([1] * 100 + [0] * 900)
    torch.manual_seed(0)
    seen = [batch.y.sum().item() for batch in rows.shuffled(50)]
    assert len(seen) == 20
    assert sum(seen) == 100
    assert set(seen) <= {4, 5, 6}


def test_uniform_batches_do_not():
    """Chance alone spreads wider."""
    rows = batches_of([1] * 100 + [0] * 900)
    free = Batches(rows.inputs, rows.y, None, rows.weights, rows.real)
    torch.manual_seed(0)
    assert np.std([batch.y.sum().item() for batch in free.shuffled(50)]) > 1.5


@pytest.mark.parametrize("sampling", ["class", "city", "noise"])
def test_every_way_of_sampling_trains(sampling, lesson):
    """By class, by a category and by a number's deciles."""
    student = FAST.model_copy(update={"sampling": sampling}).fit(lesson, seed=0)
    assert student.history[-1]["valid_log_loss"] < 0.65


def test_sampling_by_an_unknown_column_is_refused(lesson):
    """With the nearest name."""
    with pytest.raises(DataError, match="sampling must be uniform, class or a column, got 'citi'; did you mean 'city'"):
        FAST.model_copy(update={"sampling": "citi"}).fit(lesson, seed=0)


def test_a_student_without_a_teacher_at_hand_cannot_resample(lesson):
    """It is not left out silently."""
    given = type(lesson)(lesson.schema, lesson.train, lesson.valid, lesson.soft)
    with pytest.raises(TrainingError, match=r"augment must have the teacher at hand .*, got none; set augment: null"):
        FAST.fit(given, seed=0)


def test_resampled_rows_are_drawn_as_often_as_asked_and_labelled_by_the_teacher(lesson):
    """Two draws serve four epochs; each is labelled once."""
    asked = []

    def logits(rows):
        asked.append(len(rows))
        return lesson.labeller.logits(rows)

    labeller = type(lesson.labeller)(lesson.labeller.schema, lesson.labeller.features, logits)
    given = type(lesson)(lesson.schema, lesson.train, lesson.valid, lesson.soft, labeller=labeller)
    spec = MLPSpec(**{**FAST.model_dump(), "augment": {"factor": 1.5, "redraws": 2}})
    spec.fit(given, seed=0)
    assert asked == [round(1.5 * len(lesson.train))] * 2


def test_stages_follow_each_other(lesson):
    """One on resampled rows, one on real ones with more weight on hard labels: as many epochs as both say."""
    stages = ({"epochs": 2, "rows": "resampled", "alpha": 1.0}, {"epochs": 3, "rows": "real", "alpha": 0.2})
    student = MLPSpec(**{**FAST.model_dump(), "stages": stages}).fit(lesson, seed=0)
    assert len(student.history) == 5
    assert student.history[-1]["valid_log_loss"] < student.history[0]["valid_log_loss"]


def test_a_stage_of_resampled_rows_needs_some(lesson):
    """Said before training."""
    spec = MLPSpec(**{**FAST.model_dump(), "stages": ({"epochs": 1, "rows": "resampled"},), "augment": None})
    with pytest.raises(TrainingError, match="a stage of resampled rows must have `augment`, got null"):
        spec.fit(lesson, seed=0)


@pytest.mark.parametrize(
    "change",
    [
        {"noise": 0.3},
        {"average": 0.9},
        {"mixed_precision": True, "device": "cpu"},
        {"loss": "mse_logits"},
        {"frequencies": 3},
        {"placement": "quantile"},
        {"bins": 0},
        {"widths": ()},
    ],
)
def test_every_way_of_training_learns(change, lesson, table):
    """And gives another network than without it."""
    plain = FAST.fit(lesson, seed=0)
    student = FAST.model_copy(update=change).fit(lesson, seed=0)
    rows = table.rows("test")
    assert (student.predict_proba(rows.features).argmax(axis=1) == rows.labels).mean() > 0.7
    assert not np.array_equal(student.predict_proba(rows.features), plain.predict_proba(rows.features))


def test_decoupled_distillation_of_two_classes_is_refused_before_training(lesson):
    """With what to use instead."""
    with pytest.raises(TrainingError, match="loss dkd must have at least 3 classes, got 2; use loss: kl"):
        FAST.model_copy(update={"loss": "dkd"}).fit(lesson, seed=0)


def test_decoupled_distillation_of_three_classes_learns():
    """Where it is at home."""
    table = make_table(classes=3)
    student = FAST.model_copy(update={"loss": "dkd", "epochs": 10}).fit(lesson_of(table), seed=0)
    rows = table.rows("test")
    assert (student.predict_proba(rows.features).argmax(axis=1) == rows.labels).mean() > 0.5


def test_a_device_that_is_not_there_is_refused():
    """``auto`` takes what there is."""
    absent = "mps" if torch.cuda.is_available() else "cuda"
    if not torch.backends.mps.is_available():
        with pytest.raises(TrainingError, match=f"device must be there, got '{absent}' and torch finds none; use auto"):
            device_of(FAST.model_copy(update={"device": absent}))
    assert device_of(FAST).type in {"cpu", "cuda"}


def test_the_epoch_kept_has_the_best_objective_on_validation(lesson, table):
    """Soft labels count there too, where the lesson has them."""
    soft = np.zeros((table.counts["valid"], 2), dtype=np.float32)
    given = type(lesson)(lesson.schema, lesson.train, lesson.valid, lesson.soft, soft, lesson.labeller)
    student = FAST.fit(given, seed=0)
    assert {"train_loss", "valid_loss", "valid_log_loss"} == set(student.history[0])
    assert student.history[0]["valid_loss"] != student.history[0]["valid_log_loss"]
