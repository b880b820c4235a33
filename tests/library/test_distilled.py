from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import distillery
from distillery import DistilledClassifier, InSampleWarning, distil, load_student, save
from distillery.data.build import Roles, build_table
from distillery.data.splits import SplitSpec
from distillery.errors import ArtifactError, ConfigError, DataError
from distillery.library.given import GivenTeacher
from tests.library.conftest import TEACHER

QUICK = {"student": "logistic_regression", "evaluation": {"replicates": 20, "cost": False}}


def forest(frame, columns=("stops", "city", "class", "day")):
    """A forest that reads numbers, text and pandas categories as they are."""
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["city", "class"]), remainder="passthrough"
    )
    return make_pipeline(encode, RandomForestClassifier(20, random_state=0)).fit(frame[list(columns)], frame["late"])


def quick(teacher, data, target="late", **more):
    """Distil with little effort."""
    return distil(teacher, data, target, **QUICK | more)


class Knows:
    """A teacher with neither column names nor classes: it knows the answer."""

    def predict_proba(self, rows):
        late = np.where(rows["signal"].fillna(0) > 0, 0.9, 0.1)
        return np.column_stack([1 - late, late])


def test_any_fitted_model_can_teach(frame, tmp_path):
    """A scikit-learn pipeline reads its own raw columns; the student is measured, predicts and is saved."""
    student = distil(
        teacher=forest(frame[:200]),
        data=frame[200:],
        target="late",
        student={"kind": "mlp", "widths": [8], "epochs": 5, "batch_size": 32},
        evaluation={"replicates": 20},
        unseen=True,
    )
    teacher, _, control = student.scorecards.cards
    assert (teacher.kind, teacher.cost, control.role) == ("Pipeline", None, "control")
    assert student.scorecard.rows == teacher.rows == 50
    assert student.scorecard.retention["auc_roc"].value > 0.5
    assert set(student.predict(frame)) <= set(student.classes) == {"no", "yes"}
    loaded = load_student(student.save(tmp_path / "student"))
    np.testing.assert_array_equal(loaded.predict_proba(frame), student.predict_proba(frame))


def test_a_saved_teacher_can_teach(frame, tmp_path):
    """Its folder is enough; both models' costs are known. Rows may come from a file."""
    fitted = DistilledClassifier(TEACHER, "logistic_regression", random_state=0).fit(
        frame.drop(columns="late"), frame["late"]
    )
    frame.to_csv(tmp_path / "rows.csv", index=False)
    folder = save(fitted.teacher_, tmp_path / "teacher")
    student = quick(folder, tmp_path / "rows.csv", unseen=True, evaluation={"replicates": 20})
    assert student.scorecards.teacher.kind == "xgboost"
    assert set(student.scorecard.compression) >= {"params", "bytes"}
    logits = student.soft_labels.logits["train"]
    np.testing.assert_allclose(np.exp(logits).sum(axis=1), 1, atol=1e-6)
    assert student.soft_labels.method == "in_sample"


def test_a_saved_teacher_may_know_more_than_the_features(frame):
    """It reads the rows as they are given; then its cost alone is unknown."""
    fitted = DistilledClassifier(TEACHER, "logistic_regression", random_state=0).fit(
        frame.drop(columns="late"), frame["late"]
    )
    student = quick(fitted.teacher_, frame, unseen=True, drop=["city"], evaluation={"replicates": 20})
    assert student.scorecards.teacher.cost is None
    assert "city" not in student.student.schema.names


def test_the_student_learns_from_the_teacher_not_the_target(frame):
    """With α = 1 only the teacher's opinion counts: the student follows it where the target is noise."""
    noise = frame.assign(late=np.random.default_rng(0).permutation(frame["late"]))
    settings = {"kind": "logistic_regression", "alpha": 1.0}
    student = quick(Knows(), noise, student=settings, unseen=True, control=False)
    assert student.control is None
    agreed = student.predict(frame) == np.where(frame["signal"].fillna(0) > 0, "yes", "no")
    assert agreed.mean() > 0.9


def test_rows_the_teacher_may_have_seen_are_warned_of(frame):
    """The labels are in sample, and the scores too good."""
    with pytest.warns(InSampleWarning, match="the teacher Knows came fitted: .* say unseen=True"):
        quick(Knows(), frame)


def test_roles_are_those_of_a_source(frame):
    """Groups stay whole, privileged and dropped columns reach the teacher alone."""
    more = {"group": "day", "privileged": ["stops"], "drop": ["class"], "positive": "no"}
    student = quick(forest(frame), frame, unseen=True, **more)
    assert student.student.schema.names == ["signal", "city"]
    assert student.classes == ("yes", "no")
    assert student.scorecards.cards[0].quality.metrics["accuracy"].value > 0.9  # it has seen these rows


def test_classes_are_matched_by_label(frame):
    """The order of the teacher's classes is its own."""

    class Backwards(Knows):
        classes_ = ("yes", "no")

        def predict_proba(self, rows):
            return super().predict_proba(rows)[:, ::-1]

    one, other = (quick(teacher, frame, unseen=True) for teacher in (Knows(), Backwards()))
    np.testing.assert_array_equal(one.soft_labels.logits["train"], other.soft_labels.logits["train"])


def test_new_rows_are_labelled_in_the_types_the_teacher_knows(frame):
    """Whole numbers, text and pandas categories get their types back; what cannot is named."""
    table = build_table(frame, Roles("late"), SplitSpec(), seed=0)
    given = GivenTeacher(forest(frame), frame, table)
    rows = table.rows("train").features
    np.testing.assert_allclose(given.predict_proba(rows), np.exp(given.soft_labels().logits["train"]), atol=1e-6)
    spelled = frame.assign(stops=frame["stops"].astype(str))
    with pytest.raises(DataError, match=r"column 'stops' holds numbers as text; .* or name it in `categorical`"):
        GivenTeacher(forest(spelled), spelled, build_table(spelled, Roles("late"), SplitSpec(), seed=0)).predict_proba(
            rows
        )
    apart = build_table(frame, Roles("late", group="day"), SplitSpec(), seed=0)
    with pytest.raises(DataError, match="column 'day' is none; set `augment` to null, or make it a feature"):
        GivenTeacher(forest(frame), frame, apart).predict_proba(rows)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda n: np.ones((n, 3)) / 3, r"must give probabilities \(400, 2\), got shape \(400, 3\)"),
        (lambda n: np.ones((n, 2)), r"in \[0, 1\] that sum to 1, got \[1.0, 1.0\] in row 0 \(400 such rows\)"),
        (lambda n: np.full((n, 2), np.nan), r"got \[nan, nan\] in row 0"),
    ],
)
def test_answers_must_be_probabilities(frame, answer, message):
    """Anything else is shown."""

    class Odd:
        def predict_proba(self, rows):
            return answer(len(rows))

    with pytest.raises(DataError, match=message):
        quick(Odd(), frame, unseen=True)


def test_what_does_not_fit_together_is_named(frame, tmp_path):
    """Columns, classes, roles, files and settings: one message each."""
    teacher = forest(frame)
    numbers = frame.assign(late=(frame["late"] == "yes").astype(int))
    for problem, given in {
        "reads columns that the data lack: 'stops'; did you mean 'stop'": (
            teacher,
            frame.rename(columns={"stops": "stop"}),
        ),
        "classes must be those of 'late', 0, 1, got 'no', 'yes'": (teacher, numbers),
        "column names must be text, got 0": (teacher, frame.rename(columns={"signal": 0})),
        "nowhere.csv: the file does not exist": (teacher, tmp_path / "nowhere.csv"),
    }.items():
        with pytest.raises(DataError, match=problem):
            quick(*given)
    with pytest.raises(DataError, match="target column 'lat' is not in the table; did you mean 'late'"):
        quick(teacher, frame, "lat")
    with pytest.raises(ConfigError, match="a column must have one role, got several for 'day'"):
        quick(teacher, frame, group="day", drop=["day"])
    with pytest.raises(ConfigError, match="unknown key 'tran'; did you mean 'train'"):
        quick(teacher, frame, split={"tran": 0.5})
    with pytest.raises(
        TypeError, match="must be a fitted model with predict_proba, or a saved teacher's folder, got int"
    ):
        quick(3, frame)
    with pytest.raises(ArtifactError, match="must be a saved model's folder"):
        quick(tmp_path, frame)


def test_the_front_door_is_light():
    """Who imports the package for one room does not wait for all of them."""
    program = "import sys, distillery; assert not {'torch', 'xgboost', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_unknown_names_are_refused():
    """The front door offers what it lists."""
    with pytest.raises(AttributeError, match="has no attribute 'distill'"):
        distillery.distill  # noqa: B018
    assert pd.Index(distillery.__all__).is_unique
