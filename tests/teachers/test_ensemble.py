"""Members, weights, and the order of everything else."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from distillery.config import DistillConfig
from distillery.errors import ConfigError
from distillery.teachers import EnsembleSpec, LightGBMSpec, XGBoostSpec, load_teacher
from distillery.teachers.ensemble import average, fit_weights
from tests.checks import make_table

MEMBERS = (
    XGBoostSpec(trees=20, learning_rate=0.3, depth=3, threads=1, min_child_weight=1),
    LightGBMSpec(trees=20, learning_rate=0.3, num_leaves=7, min_data_in_leaf=10, threads=1),
)


def opinions(seed, members=3, n=400, classes=3):
    """Labels, and members' probabilities that know more or less about them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    logits = [rng.normal(size=(n, classes)) + strength * np.eye(classes)[labels] for strength in (0.3, 1.0, 2.0)]
    proba = [np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) for z in logits[:members]]
    return labels, proba


@pytest.mark.parametrize("space", ["logit", "probability"])
@pytest.mark.parametrize("seed", range(5))
def test_fitted_weights_are_never_worse_than_equal_ones_or_one_member(space, seed):
    """They are non-negative and sum to 1."""
    labels, proba = opinions(seed)
    weights = fit_weights(proba, labels, None, space)
    assert min(weights) >= 0
    assert sum(weights) == pytest.approx(1)
    rivals = [np.full(3, 1 / 3), *np.eye(3)]
    losses = [log_loss(labels, average(proba, w, space)) for w in (weights, *rivals)]
    assert losses[0] <= min(losses[1:]) + 1e-9


def test_row_weights_decide_too():
    """A member that is right where rows weigh much gets the weight."""
    labels = np.array([0, 0, 1, 1])
    left = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.9, 0.1]])
    right = left[:, ::-1]
    heavy_zeros, heavy_ones = np.array([9.0, 9, 1, 1]), np.array([1.0, 1, 9, 9])
    assert fit_weights([left, right], labels, heavy_zeros, "probability")[0] > 0.9
    assert fit_weights([left, right], labels, heavy_ones, "probability")[1] > 0.9


def test_its_answer_is_the_weighted_average_of_its_members():
    """In the space it says, and as many numbers and operations as they have together."""
    table = make_table(classes=3)
    for space in ("logit", "probability"):
        teacher = EnsembleSpec(members=MEMBERS, space=space).fit(
            table.rows("train"), table.rows("valid"), table.schema, seed=0
        )
        rows = table.rows("test").features
        expected = average([m.predict_proba(rows) for m in teacher.members], teacher.weights, space)
        np.testing.assert_allclose(teacher.predict_proba(rows), expected, atol=1e-12)
        assert teacher.parameter_count().total == sum(m.parameter_count().total for m in teacher.members) + 2
        assert teacher.flops_per_row(rows) == sum(m.flops_per_row(rows) for m in teacher.members) + 4


def test_members_keep_their_own_formats():
    """Beside the weights, in files that are told apart by their number."""
    table = make_table()
    teacher = EnsembleSpec(members=MEMBERS).fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)
    files = teacher.to_files()
    assert {"weights.json", "0.model.ubj", "1.model.txt"} <= set(files)
    assert load_teacher(files).weights == teacher.weights


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([{"kind": "xgboost"}], "at least 2 items"),
        ([{"kind": "xgboost"}, {"kind": "ensemble"}], "teacher kind must be one of .*, got 'ensemble'"),
        (
            [{"kind": "xgboost"}, {"kind": "lightgbm", "num_leafs": 3}],
            "unknown key 'num_leafs'; did you mean 'num_leaves'",
        ),
    ],
)
def test_members_are_checked_when_the_config_is_read(members, message):
    """An ensemble of ensembles is none."""
    with pytest.raises(ConfigError, match=message):
        DistillConfig.parse({"teacher": {"kind": "ensemble", "members": members}})
