"""Which raw columns a network can do with."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch

from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.errors import DataError
from distillery.networks.selection import Gates
from distillery.networks.settings import FeaturesSpec
from distillery.students import CNNSpec, DecisionTreeSpec, FactorizedMLPSpec, MLPSpec, load_student
from distillery.teachers import CNNTeacherSpec
from tests.test_models import lesson_of

QUICK = {"epochs": 8, "batch_size": 64, "learning_rate": 1e-2, "augment": None}


@pytest.fixture(scope="module")
def table():
    """Two of eight columns decide, one number and one category."""
    rng = np.random.default_rng(3)
    n = 800
    raw = pd.DataFrame({f"noise{i}": rng.normal(size=n) for i in range(5)})
    raw["signal"] = rng.normal(size=n)
    raw["city"] = rng.choice(["Oslo", "Lima", "Rome"], n)
    raw["plan"] = rng.choice(["a", "b"], n)
    raw["y"] = (raw["signal"] + 1.5 * (raw["city"] == "Oslo") + 0.2 * rng.normal(size=n) > 0.4).astype(int)
    return build_table(raw, Roles(target="y"), SplitSpec(), seed=0)


@pytest.mark.parametrize("method", ["gates", "permutation"])
@pytest.mark.parametrize("kind", [MLPSpec, FactorizedMLPSpec])
def test_the_columns_that_decide_are_found(kind, method, table):
    """They are listed with scores, the most important first, and nothing else is needed."""
    spec = kind(widths=(16,), **QUICK, features=FeaturesSpec(at_most=2, method=method))
    student = spec.fit(lesson_of(table), seed=0)
    assert {one.name for one in student.selected_features} == {"signal", "city"}
    scores = [one.score for one in student.selected_features]
    assert scores == sorted(scores, reverse=True)
    rows = table.rows("test")
    alone = student.predict_proba(rows.features[["city", "signal"]])
    np.testing.assert_array_equal(alone, student.predict_proba(rows.features))
    assert (alone.argmax(axis=1) == rows.labels).mean() > 0.85
    assert student.schema.names == ["signal", "city"]


def test_the_selection_is_saved(table):
    """With its scores."""
    spec = MLPSpec(widths=(8,), **QUICK, features=FeaturesSpec(share=0.25))
    student = spec.fit(lesson_of(table), seed=0)
    loaded = load_student(student.to_files())
    assert loaded.selected_features == student.selected_features
    assert len(loaded.selected_features) == 2


def test_the_path_of_the_gates_ends_at_the_scores(table):
    """λ grows by its factor each epoch, gates close one after the other, and the last μ are the scores."""
    features = FeaturesSpec(at_most=2, penalty=2e-3, growth=1.5)
    spec = FactorizedMLPSpec(widths=(16,), **QUICK, features=features)
    student = spec.fit(lesson_of(table), seed=0)
    path = student.gate_path
    assert sorted(path.columns) == sorted(table.schema.names)
    assert path.penalties == pytest.approx([2e-3 * 1.5**epoch for epoch in range(len(path.gates))])
    assert len(path.gates[0]) == 8
    last = dict(zip(path.columns, path.gates[-1], strict=True))
    assert {one.name: pytest.approx(one.score, abs=1e-6) for one in student.selected_features}.items() <= last.items()
    still_open = [sum(mu > 0 for mu in gates) for gates in path.gates]
    assert still_open[0] > 2
    assert still_open[-1] <= 2
    assert min(still_open[:-1]) > 2
    assert load_student(student.to_files()).gate_path == path


def test_a_selection_without_gates_has_no_path(table):
    """Nor has a student whose file is older than paths, or one that selects nothing."""
    spec = MLPSpec(widths=(4,), **QUICK, features=FeaturesSpec(at_most=2, method="permutation"))
    student = spec.fit(lesson_of(table), seed=0)
    assert student.gate_path is None
    files = student.to_files()
    old = {name: json.loads(files["selected.json"])[name] for name in ("names", "scores")}
    loaded = load_student({**files, "selected.json": json.dumps(old).encode()})
    assert (loaded.gate_path, loaded.selected_features) == (None, student.selected_features)
    assert MLPSpec(widths=(4,), **QUICK).fit(lesson_of(table), seed=0).gate_path is None


def test_factors_are_the_norms_of_the_first_matrix(table):
    """Of each column's own components, in the order of the schema; they survive saving."""
    student = FactorizedMLPSpec(widths=(16,), rank=3, **QUICK).fit(lesson_of(table), seed=0)
    network = student.fitted.network
    first, owner = network.body[0].weight.detach().numpy(), network.encoder.owner.numpy()
    encoded = [column.name for column in student.schema.encoded]
    expected = [
        [np.linalg.norm(first[factor, owner == encoded.index(name)]) for name in student.schema.names]
        for factor in range(3)
    ]
    np.testing.assert_allclose(student.factors(), expected, rtol=1e-5)
    np.testing.assert_array_equal(load_student(student.to_files()).factors(), student.factors())


def test_what_is_not_factorized_has_no_factors(table):
    """A dense network, one of so high a rank that factors save nothing, one without a hidden layer, and no network."""
    lesson = lesson_of(table)
    specs = [
        MLPSpec(widths=(4,), **QUICK),
        FactorizedMLPSpec(widths=(4,), rank=50, **QUICK),
        MLPSpec(widths=(), **QUICK),
        DecisionTreeSpec(),
    ]
    assert [spec.fit(lesson, seed=0).factors() for spec in specs] == [None] * 4


@pytest.mark.parametrize(("share", "kept"), [(0.2, 1), (0.25, 2), (0.3, 2), (1.0, 8), (0.01, 1)])
def test_a_share_is_rounded_down_but_never_to_nothing(share, kept, table):
    """At most so many, and at least one."""
    assert FeaturesSpec(share=share).limit(table.schema) == kept


def test_more_columns_than_there_are_cannot_be_asked_for(table):
    """The message says how many there are."""
    spec = MLPSpec(**QUICK, features=FeaturesSpec(at_most=9))
    with pytest.raises(DataError, match=r"features\.at_most must be at most the table's 8 columns, got 9"):
        spec.fit(lesson_of(table), seed=0)


@pytest.mark.parametrize("both", [{}, {"at_most": 2, "share": 0.5}])
def test_one_limit_is_set(both):
    """Neither or both would leave open how many."""
    with pytest.raises(ValueError, match="features must set at_most or share"):
        FeaturesSpec(**both)


def test_gates_are_noisy_in_training_and_fixed_after_it():
    """clip(μ + σε, 0, 1), then clip(μ, 0, 1); each row draws its own noise."""
    gates = Gates(3, temperature=0.5)
    torch.manual_seed(0)
    assert (gates(4).std(dim=0) > 0).all()
    gates.eval()
    with torch.no_grad():
        gates.mu.copy_(torch.tensor([-1.0, 0.25, 2.0]))
    assert gates(2).tolist() == [[0.0, 0.25, 1.0]] * 2


def test_the_expected_number_of_open_gates_is_a_sum_of_normal_probabilities():
    """Φ(0.5 / 0.5) = Φ(1) = .8413 each, at the start."""
    assert Gates(4, temperature=0.5).open_share().item() == pytest.approx(4 * 0.841345, abs=1e-5)


def image_table(n=500):
    """A 4 × 4 image whose class is in two of its pixels."""
    rng = np.random.default_rng(0)
    pixels = rng.normal(size=(n, 16))
    raw = pd.DataFrame(pixels, columns=[f"p{i}" for i in range(16)]).assign(y=(pixels[:, 5] + pixels[:, 10] > 0) * 1)
    return build_table(raw, Roles(target="y"), SplitSpec(), seed=0)


def test_a_convolutional_student_keeps_each_pixel_in_its_place():
    """Selected pixels stand where they stood; the others are blank, and not needed."""
    table = image_table()
    spec = CNNSpec(shape=(1, 4, 4), channels=(8,), units=16, epochs=20, batch_size=32, features=FeaturesSpec(at_most=3))
    student = spec.fit(lesson_of(table), seed=0)
    names = student.schema.names
    assert {"p5", "p10"} <= set(names)
    assert student.fitted.network.encoder.positions.tolist() == [int(name[1:]) for name in names]
    rows = table.rows("test").features
    loaded = load_student(student.to_files())
    np.testing.assert_array_equal(loaded.predict_proba(rows[names]), student.predict_proba(rows))


def test_rows_that_are_no_such_image_are_refused():
    """The message counts pixels and columns, from student and teacher alike."""
    table = image_table(100)
    message = r"shape \[1, 8, 8\] must have a column per pixel, 64 in all, got a table of 16; mend `shape`"
    with pytest.raises(DataError, match=message):
        CNNSpec(shape=(1, 8, 8)).fit(lesson_of(table), seed=0)
    with pytest.raises(DataError, match=message):
        CNNTeacherSpec(shape=(1, 8, 8)).fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)


def test_an_image_has_no_categories(table):
    """They are named."""
    spec = CNNSpec(shape=(1, 2, 4))
    with pytest.raises(DataError, match="the pixels of an image must be numeric, got categories in 'city', 'plan'"):
        spec.fit(lesson_of(table), seed=0)
