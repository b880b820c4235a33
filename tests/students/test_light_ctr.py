"""A small network that may start from its teacher's vectors: what it takes, what it refuses, what stays."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import onnx
import pandas as pd
import pytest
import torch

from distillery.data import Column, RawEncoder, Table
from distillery.data.build import Roles, build_table
from distillery.data.schema import bucket_of
from distillery.data.splits import SplitSpec
from distillery.distillation.logits import logits_of
from distillery.distillation.soft_labels import SoftLabels, to_logits
from distillery.errors import TrainingError
from distillery.export import to_onnx
from distillery.export.parity import measure_parity
from distillery.networks.fields import main_directions, merged
from distillery.networks.hints import HintSpec, standardised
from distillery.networks.settings import FeaturesSpec
from distillery.students import InheritSpec, Lesson, LightCTRSpec, lesson_of, load_student
from distillery.students.light_ctr import INHERITED_SPREAD, hashed
from distillery.students.torch_student import narrowed
from distillery.teachers import DCNv2Spec, DeepFMSpec, MLPTeacherSpec, XGBoostSpec
from tests.texts import make_texts

TEACHERS = {
    "deepfm": DeepFMSpec(embedding=6, widths=(8,), bins=4, frequencies=1, epochs=4, batch_size=64, learning_rate=1e-2),
    "dcn_v2": DCNv2Spec(embedding=6, widths=(8,), rank=4, bins=4, epochs=4, batch_size=64, learning_rate=1e-2),
    "mlp": MLPTeacherSpec(widths=(8,), epochs=1),
    "xgboost": XGBoostSpec(trees=5, threads=1),
}
STUDENT = LightCTRSpec(widths=(8,), epochs=1, batch_size=128, min_count=1)
EVERY_WAY = ["labels", "embeddings", "compressed"]


@cache
def ids_table() -> Table:
    """1,000 rows of an id with 60 values, a city, and two numbers, one of them privileged; some are missing."""
    rng = np.random.default_rng(1)
    n = 1000
    shop = np.minimum(rng.geometric(0.05, n), 60)
    raw = pd.DataFrame({"shop": [f"s{i}" for i in shop], "city": rng.choice(["Oslo", "Lima", "Rome"], n)})
    raw["secret"], raw["x"] = rng.normal(size=n), np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n))
    raw.loc[rng.random(n) < 0.1, "shop"] = None
    score = rng.normal(size=61)[shop] + raw["x"].fillna(1) + raw["secret"] + (raw["city"] == "Oslo")
    raw["y"] = (score > score.median()).astype(int)
    return build_table(raw, Roles(target="y", privileged=("secret",)), SplitSpec(), seed=0)


@cache
def lesson_by(kind: str) -> Lesson:
    """A teacher's lesson."""
    table = ids_table()
    train, valid = table.rows("train"), table.rows("valid")
    teacher = TEACHERS[kind].fit(train, valid, table.schema, seed=0)
    logits = {
        name: to_logits(teacher.predict_proba(table.rows(name).features)).astype(np.float32)
        for name in ("train", "valid")
    }
    return lesson_of(table, teacher, SoftLabels(method="in_sample", logits=logits, fold=np.full(len(train), -1)))


def with_inherit(how: str, **more) -> LightCTRSpec:
    """A spec that takes what it takes as it is, unless said otherwise."""
    inherit = InheritSpec(how=how, **{key: more.pop(key) for key in ("frozen", "fallback") if key in more})
    return STUDENT.model_copy(update={"inherit": inherit, **more})


def vectors(student) -> dict[str, np.ndarray]:
    return student.fitted.field_embeddings()


def test_a_word_says_it_all():
    """As in a config; the word for how is the same as the block with it."""
    for how in EVERY_WAY:
        assert LightCTRSpec.model_validate({"inherit": how}).inherit == InheritSpec(how=how)
    with pytest.raises(ValueError, match="labels"):
        LightCTRSpec.model_validate({"inherit": "everything"})


@pytest.mark.parametrize("kind", ["deepfm", "dcn_v2"])
def test_frozen_embeddings_are_the_teachers_own(kind):
    """Times one factor, by column, numbers and categories; privileged columns are left behind."""
    lesson = lesson_by(kind)
    student = with_inherit("embeddings", frozen=True).fit(lesson, seed=0)
    own, theirs = vectors(student), lesson.embeddings().vectors
    assert list(own) == ["shop", "city", "x"]
    assert "secret" in theirs
    factor = own["shop"][0, 0] / theirs["shop"][0, 0]
    for name, table in own.items():
        np.testing.assert_allclose(table, factor * theirs[name], rtol=1e-5)
    given = student.fitted.field_vectors(lesson.train.features)
    assert np.sqrt((given.astype(float) ** 2).mean()) == pytest.approx(INHERITED_SPREAD, rel=1e-4)
    assert (student.inherited.got, student.inherited.dimensions, student.spec.embedding) == ("embeddings", 6, 6)


def test_what_goes_into_the_network_is_what_the_teachers_embedding_layer_gives():
    """For the columns they share, row by row, times one factor."""
    lesson = lesson_by("deepfm")
    student = with_inherit("embeddings", frozen=True).fit(lesson, seed=0)
    table = ids_table()
    teacher = TEACHERS["deepfm"].fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    rows = table.rows("test").features
    shared = [table.schema.names.index(name) for name in student.schema.names]
    ours, theirs = student.fitted.field_vectors(rows), teacher.field_vectors(rows)[:, shared]
    np.testing.assert_allclose(ours, theirs * (ours[0, 0, 0] / theirs[0, 0, 0]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("how", ["embeddings", "compressed"])
def test_frozen_vectors_stay_and_others_move(how):
    """Frozen ones are the same after one epoch as after three; trained ones are not, in any column."""
    one, more = (with_inherit(how, frozen=True, epochs=n).fit(lesson_by("deepfm"), seed=0) for n in (1, 3))
    free = with_inherit(how, epochs=3, learning_rate=1e-2).fit(lesson_by("deepfm"), seed=0)
    for name in vectors(one):
        np.testing.assert_array_equal(vectors(one)[name], vectors(more)[name])
        assert np.abs(vectors(free)[name] - vectors(one)[name]).max() > 1e-3, name


def test_gradients_reach_every_table():
    """Every column's vectors, the layers, and the learned waves of a teacher that has them."""
    spec = with_inherit("embeddings").model_copy(update={"embedding": 6, "frequencies": 1})
    pupil = spec._pupil(lesson_by("deepfm"), None)
    pupil.network(*pupil.train.inputs).square().sum().backward()
    for name, weights in pupil.network.named_parameters():
        assert weights.grad is not None, name
        assert weights.grad.abs().sum() > 0, name
    offsets = [*pupil.reading.scaler.offsets.tolist(), pupil.reading.scaler.n_codes]
    table = pupil.network.encoder.columns.table.weight.grad
    assert all(table[a:b].abs().sum() > 0 for a, b in pairwise(offsets))


def test_a_table_of_low_rank_is_kept_by_its_main_directions():
    """Rank 2 in 5 dimensions: turned into 2 and back, nothing is lost; weights play no part."""
    rng = np.random.default_rng(0)
    table, counts = rng.normal(size=(30, 2)) @ rng.normal(size=(2, 5)), rng.integers(1, 9, 30)
    turn = main_directions(table.T @ (counts[:, None] * table), 2)
    np.testing.assert_allclose(table @ turn @ turn.T, table, atol=1e-12)


def test_main_directions_are_those_of_the_weighted_decomposition():
    """As NumPy's decomposition of the table with each row as often as it counts."""
    rng = np.random.default_rng(1)
    table, counts = rng.normal(size=(40, 6)), rng.integers(1, 9, 40)
    turn = main_directions(table.T @ (counts[:, None] * table), 3)
    right = np.linalg.svd(np.repeat(table, counts, axis=0))[2][:3]
    np.testing.assert_allclose(turn @ turn.T, right.T @ right, atol=1e-10)


def test_compressed_vectors_lose_as_little_as_can_be():
    """Of each column, over the training rows: the sum of squares beyond the first dimensions, and no more."""
    lesson = lesson_by("deepfm")
    theirs = lesson.embeddings().of_columns(lesson.schema, lesson.train.features, min_count=1)
    ours = theirs.reduced(2, lesson.train.features)
    inputs = theirs.reading.scaler(lesson.train.features)
    full = theirs.encoder()(*inputs).detach().double().numpy().reshape(len(lesson.train), 3, -1)
    kept = ours.encoder()(*inputs).detach().double().numpy().reshape(len(lesson.train), 3, -1)
    for j in range(3):
        squares = np.linalg.svd(full[:, j], compute_uv=False) ** 2
        assert (kept[:, j] ** 2).sum() == pytest.approx(squares[:2].sum(), rel=1e-4)


def test_buckets_hold_the_mean_of_what_falls_into_them():
    """Weighted by rows; categories that stay keep their own; a bucket nothing falls into has the mean of all."""
    rng = np.random.default_rng(2)
    theirs = Column(name="c", kind="categorical", categories=tuple(f"t{i}" for i in range(12)))
    ours = theirs.model_copy(update={"categories": ("t3", "t7"), "buckets": 40})
    table, counts = rng.normal(size=(14, 3)), np.array([5, 0, *range(1, 13)])
    found = merged(table, counts, theirs, ours)
    np.testing.assert_allclose(found[[0, 1, 2, 3]], table[[0, 1, 5, 9]], atol=1e-12)
    buckets = bucket_of(theirs.categories, 40)
    rest = np.array([text not in ours.categories for text in theirs.categories])
    for b in range(40):
        falls = np.flatnonzero(rest & (buckets == b)) + RawEncoder.FIRST
        chosen = falls if len(falls) else np.arange(14)
        mean = np.average(table[chosen], axis=0, weights=np.maximum(counts[chosen], 1e-6))
        np.testing.assert_allclose(found[4 + b], mean, atol=1e-6)


def test_buckets_of_buckets_stay_together():
    """Where the teacher's column was hashed already, texts that shared a bucket share one still."""
    theirs = Column(name="c", kind="categorical", categories=("a", "b"), buckets=12)
    lesson = replace(lesson_by("deepfm"), schema=replace_column(theirs))
    ours = next(c for c in hashed(lesson, 1, 5, 1, divide=True).columns if c.name == "city")
    assert ours.buckets == 4  # the most below 5 that divide 12
    table = np.arange(16.0)[:, None]
    found = merged(table, np.ones(16), theirs, theirs.model_copy(update={"buckets": 4}))
    assert found[4:, 0].tolist() == [np.mean([4 + b, 8 + b, 12 + b]) for b in range(4)]


def test_what_was_hashed_has_no_more_buckets_than_asked_for():
    """With few categories, too, which all stay. Labels alone need no divisor; vectors need one near."""
    schema = replace_column(Column(name="c", kind="categorical", categories=("Lima", "Rome"), buckets=997))
    lesson = replace(lesson_by("deepfm"), schema=schema)
    city = next(c for c in hashed(lesson, 100, 50, 1, divide=False).columns if c.name == "city")
    assert (city.categories, city.buckets) == (("Lima", "Rome"), 50)
    assert hashed(lesson, 100, 997, 1, divide=True) == schema
    message = (
        "buckets must be at, or little above, a divisor of the 997 that column 'city' has .* got 50, and the next one"
        " below is 1; set buckets to 997, or the source's to a multiple of 50, or inherit to labels"
    )
    with pytest.raises(TrainingError, match=message):
        hashed(lesson, 100, 50, 1, divide=True)


def replace_column(column: Column):
    """The lesson's schema with another column of cities."""
    schema = lesson_by("deepfm").schema
    columns = (column.model_copy(update={"name": "city"}) if c.name == "city" else c for c in schema.columns)
    return schema.model_copy(update={"columns": tuple(columns)})


def test_frequent_ids_are_kept_and_rare_ones_hashed():
    """The most frequent in training, ids of too few rows never; columns of few categories stay as they are."""
    lesson = lesson_by("deepfm")
    counts = lesson.train.features["shop"].value_counts()
    schema = hashed(lesson, 10, 7, 1, divide=True)
    shop = next(c for c in schema.columns if c.name == "shop")
    assert set(shop.categories) <= set(counts[counts >= counts.iloc[9]].index)
    assert (len(shop.categories), shop.buckets) == (10, 7)
    assert [c for c in schema.columns if c.name != "shop"] == [c for c in lesson.schema.columns if c.name != "shop"]
    least = int(counts.iloc[4])
    few = next(c for c in hashed(lesson, 10, 7, least, divide=True).columns if c.name == "shop").categories
    assert set(few) == set(counts[counts >= least].index[:10])
    assert hashed(lesson, 60, 7, 1, divide=True) == lesson.schema


@pytest.mark.parametrize("how", EVERY_WAY)
@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_saved_and_exported_it_says_the_same(how, quantize):
    """With hashed ids; of int8 the tables are whole numbers in the file, and answers are near."""
    student = with_inherit(how, most_ids=10, buckets=7, quantize=quantize).fit(lesson_by("deepfm"), seed=0)
    rows = ids_table().rows("test").features
    loaded = load_student(student.to_files())
    np.testing.assert_array_equal(loaded.predict_proba(rows), student.predict_proba(rows))
    assert (loaded.inherited, loaded.spec) == (student.inherited, student.spec)
    assert student.inherited.hashed == (() if how == "embeddings" else ("shop",))
    assert measure_parity(student, to_onnx(student), rows).max_difference <= 1e-5
    exported = student.exported()
    np.testing.assert_allclose(exported.predict_proba(rows), student.predict_proba(rows), atol=0.02)
    kinds = {one.data_type for one in onnx.load_model_from_string(exported.content).graph.initializer}
    assert (onnx.TensorProto.INT8 in kinds) == (quantize == "int8")


@pytest.mark.parametrize("kind", ["mlp", "xgboost"])
@pytest.mark.parametrize("how", ["embeddings", "compressed"])
def test_a_teacher_without_vectors_is_refused(kind, how):
    """What must be, what was seen, what to do."""
    message = f"inherit: {how} must have a teacher with a vector per column, got one without; .* deepfm or dcn_v2"
    with pytest.raises(TrainingError, match=message):
        with_inherit(how).fit(lesson_by(kind), seed=0)


def test_raw_columns_will_do_where_the_config_says_so():
    """It is the student that labels alone would have made, and it says so, saved and loaded."""
    lesson, rows = lesson_by("xgboost"), ids_table().rows("test").features
    student = with_inherit("compressed", fallback="raw").fit(lesson, seed=0)
    plain = with_inherit("labels").fit(lesson, seed=0)
    np.testing.assert_array_equal(student.predict_proba(rows), plain.predict_proba(rows))
    said = load_student(student.to_files()).inherited
    assert (said.asked, said.got, said.fell_back) == ("compressed", "labels", True)
    assert not plain.inherited.fell_back


def test_the_control_inherits_nothing():
    """Not even where the teacher has no vectors; else it is the same network."""
    control = with_inherit("compressed", most_ids=10, frozen=True).control()
    assert control.inherit == InheritSpec(how="compressed", fallback="raw", fresh=True)
    assert with_inherit("labels").control().inherit == InheritSpec()
    student = with_inherit("compressed", most_ids=10).fit(lesson_by("deepfm"), seed=0)
    fitted = control.fit(lesson_by("xgboost"), seed=0)
    assert fitted.parameter_count().tables == student.parameter_count().tables
    assert (fitted.inherited.got, fitted.inherited.fell_back) == ("labels", False)


@pytest.mark.parametrize("how", ["embeddings", "compressed"])
def test_the_control_has_the_students_shape_and_reading(how):
    """As long vectors, the same codes and bins; what it learns owes nothing to the teacher's vectors."""
    lesson = lesson_by("deepfm")
    student, control = (
        spec.fit(lesson, seed=0) for spec in (with_inherit(how, most_ids=10), with_inherit(how, most_ids=10).control())
    )
    assert control.parameter_count() == student.parameter_count()
    assert control.schema == student.schema
    ours, theirs = student.fitted.reading.tensors(), control.fitted.reading.tensors()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert (control.inherited.got, control.inherited.dimensions) == ("labels", student.inherited.dimensions)
    given = lesson.embeddings()
    turned = replace(given, vectors={name: table[::-1].copy() for name, table in given.vectors.items()})
    again = with_inherit(how, most_ids=10).control().fit(replace(lesson, embeddings=lambda: turned), seed=0)
    assert again.to_files()["weights.safetensors"] == control.to_files()["weights.safetensors"]


def test_tables_are_counted_apart():
    """By hand: codes times dimensions, those of missing, unseen and hashed texts among them."""
    count = with_inherit("labels", most_ids=10, buckets=7).fit(lesson_by("deepfm"), seed=0).parameter_count()
    assert count.tables == (10 + 7 + 2 + 3 + 2) * 4
    assert 0 < count.tables < count.learnable < count.total


def test_columns_can_still_be_selected():
    """What is left inherits."""
    spec = with_inherit("embeddings", frozen=True, max_features=2)
    student = spec.fit(lesson_by("deepfm"), seed=0)
    assert len(student.schema.columns) == 2
    theirs = lesson_by("deepfm").embeddings().vectors
    factors = {(table[0, 0] / theirs[name][0, 0]).round(3) for name, table in vectors(student).items()}
    assert len(factors) == 1


@pytest.mark.parametrize("method", ["gates", "permutation"])
def test_columns_can_be_selected_with_hints(method):
    """They play no part in the selection: the same columns are chosen, by the same scores."""
    plain = with_inherit("compressed", features=FeaturesSpec(at_most=2, method=method, epochs=2))
    hinted = plain.model_copy(update={"hint": HintSpec()})
    one, other = (spec.fit(lesson_by("deepfm"), seed=0) for spec in (plain, hinted))
    assert one.selected_features == other.selected_features
    assert one.to_files()["weights.safetensors"] != other.to_files()["weights.safetensors"]


def test_rows_count_for_hints_by_their_weights():
    """A row of weight 0 might as well have any hint."""
    pupil = STUDENT.model_copy(update={"hint": HintSpec(weight=2.0)})._pupil(lesson_by("mlp"), None)
    numbers, missing, codes, hints, weights = (x[:4] for x in pupil.train.inputs)
    assert weights.tolist() == [1.0] * 4
    weighed = torch.tensor([1.0, 3.0, 0.0, 0.0])
    pupil.hinted.eval()
    pupil.hinted(numbers, missing, codes, hints, weighed)
    found = pupil.hinted.penalty().item()
    gaps = []
    for i in range(2):
        pupil.hinted(*(x[i : i + 1] for x in (numbers, missing, codes, hints, weights)))
        gaps.append(pupil.hinted.penalty().item())
    assert found == pytest.approx((gaps[0] + 3 * gaps[1]) / 4, rel=1e-5)


def test_a_hint_pulls_the_hidden_layer_towards_the_teachers():
    """A linear map foretells the teacher's activations better from the student's than it did without."""
    lesson = lesson_by("mlp")
    target = standardised(lesson.hidden()).numpy()
    told = []
    spec = STUDENT.model_copy(update={"widths": (32,), "epochs": 16, "learning_rate": 1e-2})
    for hint in (None, HintSpec(weight=1.0)):
        student = spec.model_copy(update={"hint": hint}).fit(lesson, seed=0)
        ours = np.column_stack([student.fitted.hidden(lesson.train.features), np.ones(len(target))])
        told.append(((ours @ np.linalg.lstsq(ours, target, rcond=None)[0] - target) ** 2).mean())
    assert told[1] < 0.9 * told[0]


@pytest.mark.parametrize("how", ["labels", "compressed"])
def test_what_hints_need_is_not_kept(how):
    """The files hold the network alone; the same columns and numbers as without."""
    hinted, plain = (with_inherit(how, hint=hint).fit(lesson_by("dcn_v2"), seed=0) for hint in (HintSpec(), None))
    assert hinted.parameter_count() == plain.parameter_count()
    assert hinted.to_files()["weights.safetensors"] != plain.to_files()["weights.safetensors"]
    rows = ids_table().rows("test").features
    loaded = load_student(hinted.to_files())
    np.testing.assert_array_equal(loaded.predict_proba(rows), hinted.predict_proba(rows))


def test_hidden_activations_are_the_last_layers_input():
    """Times the last layer they are the logits."""
    lesson, table = lesson_by("mlp"), ids_table()
    teacher = TEACHERS["mlp"].fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    hidden = teacher.hidden(table.rows("train").features)
    assert hidden.shape == (len(lesson.train), 8)
    np.testing.assert_array_equal(hidden, lesson.hidden())
    last = teacher.fitted.network.body[-1]
    z = hidden @ last.weight.detach().numpy()[0] + last.bias.item()
    np.testing.assert_allclose(
        1 / (1 + np.exp(-z)), teacher.predict_proba(table.rows("train").features)[:, 1], atol=1e-6
    )
    assert teacher.hidden(table.rows("train").features.head(0)).shape == (0, 8)


def test_hints_need_a_hidden_layer():
    """Of the teacher and of the student; a control has none."""
    with pytest.raises(TrainingError, match="hint must have a teacher with a hidden layer, got one without; use"):
        STUDENT.model_copy(update={"hint": HintSpec()}).fit(lesson_by("xgboost"), seed=0)
    for unfit in ({"widths": ()}, {"augment": {}}):
        with pytest.raises(ValueError, match="hint must have augment: null"):
            LightCTRSpec.model_validate({"hint": {"weight": 1.0}, **unfit})
    assert LightCTRSpec(hint=HintSpec()).control().hint is None


def test_vectors_that_no_row_uses_stay_the_teachers():
    """However strong the weights' decay: that of unseen cities, as no row has one."""
    spec = with_inherit("embeddings", weight_decay=5.0, learning_rate=1e-2, epochs=3)
    lesson = lesson_by("deepfm")
    given = spec.model_copy(update={"embedding": 6, "frequencies": 1})._pupil(lesson, None)
    student = spec.fit(lesson, seed=0)
    ours, start = (n.encoder.columns.table.weight.detach() for n in (student.fitted.network, given.network))
    unused = given.train.code_counts(len(ours)) == 0
    assert unused.any()
    torch.testing.assert_close(ours[unused], start[unused])
    assert not torch.isclose(ours[~unused], start[~unused]).all(dim=1).any()


@cache
def texts_lesson() -> Lesson:
    """A teacher that reads hashed words, and the terms that its students find."""
    table = make_texts(n=300)
    teacher = TEACHERS["deepfm"].fit_on(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    logits = {name: logits_of(teacher, table.rows(name).features) for name in ("train", "valid")}
    fold = np.full(len(table.rows("train")), -1)
    return lesson_of(table, teacher, SoftLabels(method="in_sample", logits=logits, fold=fold))


@pytest.mark.parametrize("how", ["embeddings", "compressed"])
@pytest.mark.parametrize("frozen", [True, False])
def test_terms_of_a_text_begin_afresh(how, frozen):
    """The teacher knows hashed words instead; what both have is inherited, and the rest can be learnt."""
    lesson = texts_lesson()
    student = with_inherit(how, frozen=frozen).fit(lesson, seed=0)
    own, theirs = vectors(student), lesson.embeddings().vectors
    terms = [c.name for c in lesson.schema.derived]
    assert len(terms) > 10
    assert not set(terms) & set(theirs)
    assert all(np.abs(own[name]).min() > 0 for name in terms)
    if frozen and how == "embeddings":
        np.testing.assert_allclose(own["shop"], theirs["shop"] * (own["shop"][0, 0] / theirs["shop"][0, 0]), rtol=1e-5)
    rows = make_texts(n=300).rows("test").features
    np.testing.assert_array_equal(load_student(student.to_files()).predict_proba(rows), student.predict_proba(rows))
    assert measure_parity(student, to_onnx(student), rows).max_difference <= 1e-5
    control = with_inherit(how, frozen=frozen).control().fit(lesson, seed=0)
    assert control.parameter_count() == student.parameter_count()


def test_a_student_of_terms_alone_has_nothing_to_inherit():
    """Nor does it fail."""
    schema = texts_lesson().schema
    lesson = narrowed(texts_lesson(), tuple(c.name for c in schema.derived))
    student = with_inherit("compressed").fit(lesson, seed=0)
    assert len(student.schema.columns) == len(schema.derived)


def test_hidden_dims_is_another_word_for_widths():
    """But not both at once."""
    assert LightCTRSpec.model_validate({"hidden_dims": [16, 8]}) == LightCTRSpec(widths=(16, 8))
    with pytest.raises(ValueError, match="widths must be given once, got hidden_dims as well; leave out one"):
        LightCTRSpec.model_validate({"hidden_dims": [16], "widths": [8]})


@pytest.mark.parametrize("key", [{"frozen": True}, {"fallback": "raw"}, {"fresh": True}])
def test_labels_have_no_vectors_to_speak_of(key):
    """What is said of vectors is refused, not passed over."""
    with pytest.raises(ValueError, match="inherit must be embeddings or compressed where frozen, fallback or fresh"):
        LightCTRSpec.model_validate({"inherit": key})


def test_more_dimensions_than_the_teacher_has_are_not_made_up():
    """The student has the teacher's."""
    assert with_inherit("compressed", embedding=32).fit(lesson_by("deepfm"), seed=0).spec.embedding == 6


def test_a_folded_layer_is_the_network():
    """The exported product over components is the one over vectors."""
    student = with_inherit("embeddings").fit(lesson_by("deepfm"), seed=0)
    rows = ids_table().rows("test").features
    with torch.no_grad():
        z = student.fitted.network(*student.fitted.reading.scaler(rows))
    ours = torch.softmax(z, dim=1).numpy()
    np.testing.assert_allclose(to_onnx(student).predict_proba(rows), ours, atol=1e-6)
    assert "Einsum" not in {n.op_type for n in onnx.load_model_from_string(to_onnx(student).content).graph.node}
