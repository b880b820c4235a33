from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator, parametrize_with_checks

from distillery import DistilledClassifier
from distillery.distillation import SoftLabelsSpec
from distillery.errors import ConfigError, DataError
from distillery.library import EXPECTED_FAILED_CHECKS
from distillery.students import MLPSpec
from distillery.teachers import XGBoostSpec
from tests.library.conftest import TEACHER

NETWORK = {"kind": "mlp", "widths": [16], "epochs": 20, "batch_size": 64, "learning_rate": 0.01}
FEW_FOLDS = "ignore:5 folds need as many training rows of every class"


def small(**parameters) -> DistilledClassifier:
    """Return an estimator that is fitted in a moment."""
    return DistilledClassifier(**{"teacher": TEACHER, "student": "logistic_regression", "random_state": 0} | parameters)


@pytest.mark.filterwarnings(FEW_FOLDS)
@parametrize_with_checks([small(student=NETWORK)], expected_failed_checks=lambda _: EXPECTED_FAILED_CHECKS)
def test_scikit_learns_checks(estimator, check):
    """It behaves as scikit-learn asks of every classifier; what fails is listed with its reason."""
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_checks_with_the_defaults():
    """The settings it comes with pass too, in one call."""
    results = check_estimator(DistilledClassifier(), expected_failed_checks=EXPECTED_FAILED_CHECKS)
    assert {r["check_name"] for r in results if r["status"] == "xfail"} == set(EXPECTED_FAILED_CHECKS)


def test_every_expected_failure_is_a_check():
    """A check that scikit-learn renames or drops does not stay listed."""
    names = {check.func.__name__ for _, check in estimator_checks_generator(small()) if hasattr(check, "func")}
    assert set(EXPECTED_FAILED_CHECKS) <= names


def test_it_works_in_cross_validation_and_pipelines(frame):
    """Frames with text and gaps go through, and so do arrays behind a transformer."""
    x, y = frame.drop(columns="late"), frame["late"]
    assert cross_val_score(small(), x, y, cv=3, scoring="roc_auc").min() > 0.8
    numbers = make_pipeline(StandardScaler(), small()).fit(x[["signal", "stops"]], y)
    assert numbers.score(x[["signal", "stops"]], y) > 0.7


def test_a_grid_searches_its_parameters(frame):
    """Settings are parameters like any other."""
    grid = {"student": ["logistic_regression", {"kind": "logistic_regression", "alpha": 0.5}]}
    search = GridSearchCV(small(control=False), grid, cv=2).fit(frame[["signal", "city"]], frame["late"])
    assert search.best_params_["student"] in grid["student"]


def test_parameters_may_be_kinds_settings_or_specs():
    """All three ways of naming a kind give the same model."""
    x, y = make_classification(60, random_state=0)
    kinds = [("xgboost", "mlp"), ({"kind": "xgboost"}, {"kind": "mlp"}), (XGBoostSpec(), MLPSpec())]
    fitted = [small(teacher=t, student=s, soft_labels=SoftLabelsSpec(folds=2)).fit(x, y) for t, s in kinds]
    np.testing.assert_array_equal(fitted[0].predict_proba(x), fitted[1].predict_proba(x))
    np.testing.assert_array_equal(fitted[0].predict_proba(x), fitted[2].predict_proba(x))


def test_a_clone_fits_the_same(frame):
    """The same seed gives the same model; the clone shares nothing."""
    x, y = frame.drop(columns="late"), frame["late"]
    one = small().fit(x, y)
    other = clone(one)
    assert not hasattr(other, "student_")
    np.testing.assert_array_equal(other.fit(x, y).predict_proba(x), one.predict_proba(x))
    assert other.get_params() == one.get_params()
    assert small().set_params(valid_share=0.3).valid_share == 0.3


@pytest.mark.parametrize("values", [[False, True], [0, 1], [3, -1], [0.0, 1.0], ["no", "yes"], ["b", "a"]])
def test_labels_come_back_as_they_were(frame, values):
    """Booleans, numbers and text are predicted as they were taught, in sorted order."""
    y = frame["late"].map({"no": values[0], "yes": values[1]})
    model = small().fit(frame[["signal", "city"]], y)
    predicted = model.predict(frame[["signal", "city"]])
    assert model.classes_.tolist() == sorted(values)
    assert list(model.student_.schema.classes) == sorted(values)
    assert (predicted == y).mean() > 0.8


def test_columns_keep_their_names_and_kinds(frame):
    """Text and pandas categories are categories, gaps are gaps, and what was never seen is predicted."""
    x = frame.drop(columns="late")
    model = small().fit(x, frame["late"])
    kinds = {c.name: c.kind for c in model.student_.schema.columns}
    assert kinds == dict.fromkeys(["signal", "stops", "day"], "numeric") | dict.fromkeys(
        ["city", "class"], "categorical"
    )
    assert model.feature_names_in_.tolist() == list(x.columns)
    unseen = x.head(2).assign(city="Atlantis", signal=None, stops=None)
    assert np.isfinite(model.predict_proba(unseen)).all()


def test_a_target_may_be_called_like_a_column(frame):
    """Names that the table needs make way for the columns'."""
    x = frame[["signal", "city"]].set_axis(["late", "weight"], axis=1)
    model = small().fit(x, frame["late"], sample_weight=np.ones(len(x)))
    assert model.student_.schema.names == ["late", "weight"]
    assert model.student_.schema.target == "late_"


def test_rows_of_weight_0_take_no_part(frame):
    """They are left out, whatever they hold."""
    x, y = frame[["signal", "stops"]], frame["late"]
    weights = np.where(frame["day"] < 30, 1.0, 0.0)
    wild = x.mask(frame["day"] >= 30, 1e9)
    model = small().fit(x, y, sample_weight=weights)
    np.testing.assert_array_equal(small().fit(wild, y, sample_weight=weights).predict_proba(x), model.predict_proba(x))


def test_the_report_measures_the_validation_rows(frame):
    """Teacher, student and control stand in it; its rows are the share that was held out, of each class."""
    x, y = frame.drop(columns="late"), frame["late"]
    report = small(valid_share=0.25).fit(x, y).report_
    assert [card.role for card in report.cards] == ["teacher", "student", "control"]
    assert {card.rows for card in report.cards} == {100}
    assert report.cards[1].cost is None


def test_measuring_takes_rows_of_ones_own(frame):
    """Costs are measured too; who wants no control has none."""
    x, y = frame.drop(columns="late"), frame["late"]
    model = small(control=False).fit(x[:300], y[:300])
    cards = model.measure(x[300:], y[300:], evaluation={"replicates": 20})
    assert [card.role for card in cards.cards] == ["teacher", "student"]
    assert {card.rows for card in cards.cards} == {100}
    assert cards.students[0].cost.params == model.student_.parameter_count().total
    with pytest.raises(DataError, match="target 'late' must hold one of 'no', 'yes', got 'maybe' in 100 rows"):
        model.measure(x[300:], ["maybe"] * 100)


def test_few_rows_of_a_class_lower_the_folds():
    """That is warned of, and written down."""
    x, y = make_classification(60, random_state=0)
    y[:3] = 2
    with pytest.warns(UserWarning, match="got 2 of the smallest: training rows are labelled over 2 folds"):
        assert small().fit(x, y).soft_labels_ == SoftLabelsSpec(folds=2)
    y[:2] = 1
    with pytest.warns(UserWarning, match="got 1 of the smallest: training rows are labelled in sample"):
        assert small().fit(x, y).soft_labels_ == SoftLabelsSpec(method="in_sample")


def test_nothing_predicts_before_it_is_fitted(frame):
    """scikit-learn's own error says so."""
    for ask in (lambda m: m.predict(frame), lambda m: m.measure(frame, frame["late"])):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            ask(small())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"teacher": "xgbost"}, "teacher kind must be one of .* got 'xgbost'; did you mean 'xgboost'"),
        ({"student": {"kind": "mlp", "alhpa": 1}}, "unknown key 'alhpa'; did you mean 'alpha'"),
        ({"student": 3}, "a student must have a `kind`, .* got 3"),
        ({"soft_labels": {"fold": 3}}, "unknown key 'fold'; did you mean 'folds'"),
        ({"valid_share": 0.9}, r"valid_share must be in \(0, 0.5\], got 0.9"),
    ],
)
def test_wrong_parameters_are_named(frame, parameters, message):
    """As everywhere in scikit-learn, at the fit."""
    with pytest.raises(ConfigError, match=message):
        small(**parameters).fit(frame[["signal"]], frame["late"])


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([[1], [2]], [1, 1], "needs two classes or more, got 1 class: 1"),
        ([[1], [2]], [0, 1], "a class must have two rows or more, got one of each of 2 classes"),
        ([["Oslo"], ["Lima"]], [0, 1], "not compatible with arrays of bytes/strings"),
        ([[1], [2]], [0, np.nan], "Input y contains NaN"),
        ([[1], [2]], ["a", None], "y must not be missing, got 1 missing labels"),
        (pd.DataFrame({"x": [1.0, np.inf, 2.0]}), [0, 1, 1], "column 'x' must be finite"),
        (pd.DataFrame({"x": [None, None, None]}), [0, 1, 1], "column 'x' must hold values, got only missing ones"),
        (
            pd.DataFrame([[1, 2], [2, 3], [3, 4]], columns=["x", "x"]),
            [0, 1, 1],
            "Expected unique column names, got:\n- 'x' 2 times",
        ),
    ],
)
def test_rows_it_cannot_use_are_named(x, y, message):
    """Each mistake has its message."""
    with pytest.raises(ValueError, match=message):
        small().fit(x, y)
