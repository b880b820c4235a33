"""Budgets are hard: a student keeps them, shrinks to keep them, or is refused."""

from __future__ import annotations

import pytest

from distillery.errors import TrainingError
from distillery.students import BoostedSpec, DecisionTreeSpec, LogisticRegressionSpec, SklearnMLPSpec, SVMSpec
from tests.checks import make_table
from tests.test_models import STUDENT_SPECS, lesson_of, maker

LESSON = lesson_of(make_table())
OWN = {"cnn", "multi_task"}  # kinds that ask for a table of their own
LESSONS = {kind: lesson_of(maker(spec)()) if kind in OWN else LESSON for kind, spec in STUDENT_SPECS.items()}
SELECTS = {
    "decision_tree",
    "boosted",
    "mlp",
    "factorized_mlp",
    "light_ctr",
    "multi_task",
    "cnn",
}  # needs as few columns as it is told to
SHRINKS = {"decision_tree": DecisionTreeSpec(max_leaves=40, min_leaf_rows=2), "boosted": BoostedSpec(threads=1)}


@pytest.mark.parametrize("kind", STUDENT_SPECS)
@pytest.mark.parametrize(("budget", "unit"), [("max_parameters", "parameters"), ("max_bytes", "bytes")])
def test_a_budget_no_student_can_meet_is_refused(kind, budget, unit):
    """The message names the budget, what it came to and what to do."""
    spec = STUDENT_SPECS[kind].model_copy(update={budget: 1})
    with pytest.raises(
        TrainingError, match=rf"^{kind} must keep {budget} = 1, got [\d,]+ {unit}; raise {budget}, or \w+"
    ):
        spec.fit(LESSONS[kind], seed=0)


@pytest.mark.parametrize("kind", [kind for kind in STUDENT_SPECS if kind not in SELECTS])
def test_a_student_that_selects_no_columns_is_refused_where_it_needs_too_many(kind):
    """It would need columns that the serving side was promised to be free of."""
    spec = STUDENT_SPECS[kind].model_copy(update={"max_features": 4})
    with pytest.raises(
        TrainingError, match="must keep max_features = 4, got 5 raw columns; raise max_features, or drop"
    ):
        spec.fit(LESSON, seed=0)


@pytest.mark.parametrize("kind", sorted(SELECTS - {"cnn"}))
def test_a_student_that_selects_columns_keeps_their_number(kind):
    """It is fitted again on the most important ones and asks for no others."""
    student = STUDENT_SPECS[kind].model_copy(update={"max_features": 2}).fit(LESSONS[kind], seed=0)
    assert set(student.schema.names) == {"signal", "city"}  # what decides the class
    assert [selected.name for selected in student.selected_features] == ["signal", "city"]
    assert student.predict_proba(LESSON.train.features[["city", "signal"]]).shape == (len(LESSON.train), 2)


@pytest.mark.parametrize("kind", STUDENT_SPECS)
def test_a_budget_is_an_upper_bound(kind):
    """More columns, numbers and bytes than there are may be allowed."""
    generous = {"max_features": 1000, "max_parameters": 10**9, "max_bytes": 10**9}
    spec = STUDENT_SPECS[kind]
    student, free = (one.fit(LESSONS[kind], seed=0) for one in (spec.model_copy(update=generous), spec))
    assert student.parameter_count() == free.parameter_count()
    assert student.schema == free.schema


@pytest.mark.parametrize("kind", SHRINKS)
@pytest.mark.parametrize("budget", ["max_parameters", "max_bytes"])
def test_a_student_shrinks_to_its_budget(kind, budget):
    """And spends most of it."""

    def spent(student):
        size = {
            "max_parameters": student.parameter_count().total,
            "max_bytes": len(student.exported().content),
        }
        return size[budget]

    free = spent(SHRINKS[kind].fit(LESSON, seed=0))
    most = free // 2
    student = SHRINKS[kind].model_copy(update={budget: most}).fit(LESSON, seed=0)
    assert most / 2 < spent(student) <= most


def test_the_largest_that_keeps_its_budgets_is_found_by_bisection():
    """Among 2 … 100 leaves, few are grown; the next larger tree would be too large."""
    spec = DecisionTreeSpec(max_leaves=100, min_leaf_rows=1, max_parameters=60)
    grown = []

    def make(leaves):
        grown.append(leaves)
        return spec.model_copy(update={"max_leaves": leaves, "max_parameters": None}).train(LESSON, seed=0)

    student = spec.largest_within_budgets(make, 2, 100)
    assert student.parameter_count().total <= 60
    assert spec.excess(make(grown[-1] + 1)) is not None
    assert len(grown) <= 10


@pytest.mark.parametrize(
    ("spec", "advice"),
    [
        (LogisticRegressionSpec(max_parameters=2), "raise min_frequency"),
        (SVMSpec(max_parameters=2), "raise min_frequency"),
        (SVMSpec(kernel="rbf", landmarks=16, max_parameters=2), "lower landmarks"),
        (SklearnMLPSpec(epochs=1, max_parameters=2), "choose smaller widths or raise min_frequency"),
        (BoostedSpec(threads=1, max_parameters=2), "lower num_leaves"),
        (DecisionTreeSpec(max_parameters=2), "raise min_frequency or choose a smaller kind of student"),
    ],
)
def test_advice_names_the_kinds_own_knob(spec, advice):
    """What to do is something this kind of student has."""
    with pytest.raises(TrainingError, match=f"raise max_parameters, or {advice}$"):
        spec.fit(LESSON, seed=0)


def test_something_must_teach():
    """Without soft labels and hard ones there is nothing to learn."""
    with pytest.raises(ValueError, match="alpha or hard_weight must be above 0, got 0 for both"):
        SVMSpec(alpha=0, hard_weight=0)
