"""How networks are trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from distillery.data import RawEncoder
from distillery.errors import DataError, TrainingError
from distillery.networks import Batches, Pupil
from distillery.networks.fitted import strata_of
from distillery.networks.training import Objective, device_of
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


def test_categories_that_no_training_row_has_are_no_noise(table):
    """Their vectors are zero while the others are learnt, and the mean of their column's in the end."""
    rows = table.rows("train")
    train = rows.take(np.flatnonzero(rows.features["city"] != "Rome"))
    pupil = Pupil.of(FAST, table.schema, train, table.rows("valid"))
    sizes, vectors = RawEncoder(table.schema).cardinalities, pupil.network.encoder.table.weight
    counts = torch.bincount(pupil.train.inputs[2].flatten(), minlength=sum(sizes))
    unused = counts == 0
    assert [part.tolist() for part in unused.split(sizes)] == [
        [False, True, False, False, False, True],
        [True, True, False, False],
    ]
    assert (vectors[unused] == 0).all()
    assert (vectors[~unused] != 0).all()
    pupil.taught(FAST)
    for part, n in zip(vectors.split(sizes), counts.split(sizes), strict=True):
        mean = (part * n[:, None]).sum(0) / n.sum()
        torch.testing.assert_close(part[n == 0], mean.expand(int((n == 0).sum()), -1))


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


def test_strata_hold_beside_resampled_rows(lesson):
    """With the default augmentation, too: batches by class train another network than uniform ones."""
    one, two = (FAST.model_copy(update={"sampling": way}).fit(lesson, seed=0) for way in ("uniform", "class"))
    assert one.to_files()["weights.safetensors"] != two.to_files()["weights.safetensors"]


def test_resampled_rows_are_one_stratum_of_their_own():
    """So every batch holds as many of them as the whole."""
    real = batches_of([1] * 100 + [0] * 100)
    soft = np.zeros((400, 2), dtype=np.float32)
    taught = Batches(real.inputs, real.y, torch.zeros(200, 2), real.weights, real.real, real.strata)
    rows = taught.joined(Batches.resampled((torch.zeros(400, 1, dtype=torch.int64),), soft, None))
    torch.manual_seed(0)
    shares = [batch.real.mean().item() for batch in rows.shuffled(60)]
    assert max(shares) - min(shares) < 0.06


def test_rows_are_spread_by_a_column_that_is_not_selected(lesson):
    """The strata are taken before columns are."""
    spec = MLPSpec(**{**FAST.model_dump(), "sampling": "noise", "features": {"at_most": 1, "epochs": 3}})
    assert spec.fit(lesson, seed=0).schema.names != ["noise"]


def test_a_column_without_values_makes_one_stratum(lesson):
    """A number never seen in training has no deciles."""
    rows = type(lesson.train)(lesson.train.features.assign(noise=np.nan), lesson.train.labels)
    assert set(strata_of("noise", lesson.schema, rows)) == {0}


def test_a_stage_on_hard_labels_learns(lesson):
    """The hard labels' weight is 1 − α of the stage, not of the candidate."""
    stages = ({"epochs": 4, "alpha": 0.0},)
    student = MLPSpec(**{**FAST.model_dump(), "alpha": 1.0, "stages": stages}).fit(lesson, seed=0)
    losses = [epoch["train_loss"] for epoch in student.history]
    assert losses[0] > losses[-1] > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"stages": ({"epochs": 1, "rows": "resampled", "alpha": 0},)},
            "a stage of resampled rows must have alpha above 0",
        ),
        (
            {"stages": ({"epochs": 1, "alpha": 0},), "hard_weight": 0},
            "must have alpha or hard_weight above 0, got 0 for",
        ),
    ],
)
def test_a_stage_that_nothing_would_teach_is_refused(settings, message, lesson):
    """Before training."""
    with pytest.raises(ValueError, match=message):
        MLPSpec(**{**FAST.model_dump(), **settings}).fit(lesson, seed=0)


def test_without_a_part_for_soft_labels_nothing_is_resampled(lesson):
    """α 0 with augmentation is the student on hard labels, not one fed with rows that say nothing."""
    plain, also = (
        MLPSpec(**{**FAST.model_dump(), "alpha": 0.0, "augment": augment}).fit(lesson, seed=0)
        for augment in (None, {"factor": 2})
    )
    assert plain.to_files()["weights.safetensors"] == also.to_files()["weights.safetensors"]


def test_the_unit_of_row_weights_does_not_matter(lesson, table):
    """A resampled row weighs what the row weighs that it stems from."""
    rows = table.rows("test").features
    weights = np.random.default_rng(0).uniform(0.5, 2, len(lesson.train))
    answers = []
    for unit in (1.0, 1000.0):
        train = type(lesson.train)(lesson.train.features, lesson.train.labels, weights * unit)
        given = type(lesson)(lesson.schema, train, lesson.valid, lesson.soft, labeller=lesson.labeller)
        answers.append(FAST.fit(given, seed=0).predict_proba(rows))
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-4)


def test_a_control_trains_as_long_as_its_student():
    """Also where the student's schedule has stages."""
    spec = MLPSpec(**{**FAST.model_dump(), "stages": ({"epochs": 2}, {"epochs": 5})})
    assert spec.control().epochs == 7
    assert FAST.control().epochs == FAST.epochs


def test_the_smaller_of_two_limits_on_columns_holds(lesson):
    """``max_features`` shrinks what ``features`` asks for."""
    spec = MLPSpec(**{**FAST.model_dump(), "max_features": 2, "features": {"at_most": 4, "epochs": 5}})
    assert len(spec.fit(lesson, seed=0).selected_features) == 2


def test_soft_labels_warm_up_from_hard_labels_alone():
    """The loss is that of w α: of real rows both parts, of resampled ones the soft part alone."""
    torch.manual_seed(0)
    z, soft, y = torch.randn(6, 2), torch.randn(6, 2), torch.tensor([0, 1, 1, 0, 1, 0])
    rows = Batches((), y, soft, torch.ones(6), torch.ones(6))
    resampled = Batches((), y, soft, torch.ones(6), torch.zeros(6))
    warming = Objective(0.8, warm_up=0.4)
    for progress, alpha in ((0.1, 0.2), (0.3, 0.6), (0.4, 0.8), (1.0, 0.8)):
        torch.testing.assert_close(warming.at(progress)(z, rows), Objective(alpha)(z, rows))
        share = alpha / 0.8
        torch.testing.assert_close(warming.at(progress)(z, resampled), share * Objective(0.8)(z, resampled))
    assert Objective(0.8).at(0.001) == Objective(0.8)


def test_a_warm_up_changes_the_training_and_not_its_control(lesson):
    """The weight rises with every step; validation is held to the whole objective."""
    plain, warming = FAST, FAST.model_copy(update={"warm_up": 0.5})
    cold, warm = (spec.fit(lesson, seed=0).history for spec in (plain, warming))
    assert cold[0]["train_loss"] != warm[0]["train_loss"]
    assert all(np.isfinite(list(epoch.values())).all() for epoch in warm)
    assert plain.control() == warming.control()


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_warm_up_is_a_share_below_the_whole(share):
    """Else α would never be reached."""
    with pytest.raises(ValueError, match="warm_up"):
        MLPSpec(warm_up=share)
