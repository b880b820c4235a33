"""A ready-made teacher, handed in by a registry made up for the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distillery.data.model import saved_bytes
from distillery.errors import ArtifactError, DataError, InputError
from distillery.evaluation import measure_cost
from distillery.teachers import ReadyModel, RegisteredSpec, load_teacher
from tests import checks
from tests.checks import Case, all_checks, make_table

Predict = Callable[[pd.DataFrame], Any]
SPEC = RegisteredSpec(uri="models:/churn@champion")
COLUMNS = ("city", "noise", "plan", "signal", "zeros")  # not the table's order


def of_signal(rows: pd.DataFrame) -> np.ndarray:
    """The positive class's probabilities ``(n,)``."""
    return 1 / (1 + np.exp(-np.clip(rows["signal"].fillna(0).to_numpy(), -30, 30)))


def both(rows: pd.DataFrame) -> np.ndarray:
    p = of_signal(rows)
    return np.column_stack([1 - p, p])


def model(predict: Predict = both, **changes: Any) -> ReadyModel:
    base = ReadyModel("models:/churn/3", "m-1", 1000, COLUMNS, (0, 1), predict)
    return replace(base, **changes)


def teacher(predict: Predict = both, spec: RegisteredSpec = SPEC, **changes: Any) -> Any:
    changes = {"classes": None, **changes}
    return spec.open(make_table().schema, lambda _: model(predict, **changes))


def rows(n: int = 8) -> pd.DataFrame:
    return make_table().rows("test").features.head(n)


def names_of(table: Any) -> tuple[str, ...]:
    return tuple(reversed(table.schema.names))


def opened(table: Any, _seed: int) -> Any:
    """A ready-made model that fits whatever table a common check makes: K logits of the first column."""
    k = table.schema.n_classes

    def predict(frame: pd.DataFrame) -> np.ndarray:
        first = frame[table.schema.names[0]]
        x = first.fillna(0) if first.dtype == np.float64 else (first == "Oslo").astype(float)
        cuts = np.linspace(-0.43, 0.43, k - 1) if k > 2 else np.array([0.0])
        z = 8 * np.clip(x.to_numpy()[:, None] - cuts, -9, 9)
        below = np.column_stack([1 / (1 + np.exp(z)), np.ones(len(frame))])
        return np.diff(below, axis=1, prepend=0)

    ready = ReadyModel("models:/any/1", "m-1", 9, names_of(table), tuple(range(k)), predict)
    MODELS["models:/any/1"] = ready
    return SPEC.open(table.schema, lambda _: ready)


MODELS: dict[str, ReadyModel] = {}
CASE = Case(opened, lambda files: load_teacher(files, lambda spec: MODELS[spec.uri]))
NOT_COMMON = {
    checks.check_row_weights: "nothing is fitted",
    checks.check_counts_and_flops: "neither is known",
    checks.check_exported_file_agrees: "only its answers are known",
}


@pytest.mark.parametrize("check", [c for c in all_checks() if c not in NOT_COMMON], ids=lambda c: c.__name__)
def test_common(check):
    """See the check's own docstring."""
    check(CASE)


def test_it_is_opened_not_fitted():
    """There is nothing to train."""
    table = make_table()
    assert not SPEC.fitted
    with pytest.raises(TypeError, match=r"models:/churn@champion comes ready-made: it must be opened, not fitted"):
        SPEC.fit(table.rows("train"), table.rows("valid"), table.schema, seed=0)


def test_an_alias_is_pinned_when_the_teacher_is_opened():
    """What is saved names the version, so that a moved alias does not change it."""
    asked = []
    files = SPEC.open(make_table().schema, lambda _: model()).to_files()
    loaded = load_teacher(files, lambda spec: asked.append(spec.uri) or model())
    assert asked == [loaded.spec.uri] == ["models:/churn/3"]


def test_another_model_under_the_same_version_is_refused():
    """A name that was deleted and registered anew counts from 1 again."""
    files = teacher().to_files()
    with pytest.raises(ArtifactError, match=r"models:/churn/3 must still be the model m-1, got m-2; open the teacher"):
        load_teacher(files, lambda _: model(identity="m-2"))


def test_nobody_to_open_the_model_is_one_clear_error():
    """The domain knows no registry."""
    with pytest.raises(InputError, match=r"must be loaded with something that opens its model; give load_teacher"):
        load_teacher(teacher().to_files())


@pytest.mark.parametrize("uri", ["churn", "models/churn", "https://mlflow/churn", ""])
def test_a_uri_that_is_none_of_mlflows_is_refused(uri):
    """The message says which there are."""
    with pytest.raises(ValueError, match=r"must be models:/<name>@<alias>, .*runs:/<run id>/<path>, got"):
        RegisteredSpec(uri=uri)


ANSWERS: dict[str, tuple[Predict, dict[str, Any]]] = {
    "matrix": (both, {}),
    "matrix of float32": (lambda f: both(f).astype(np.float32), {}),
    "list": (lambda f: both(f).tolist(), {}),
    "positive class": (of_signal, {}),
    "one column": (lambda f: of_signal(f)[:, None], {}),
    "series": (lambda f: pd.Series(of_signal(f)), {}),
    "frame of one column": (lambda f: pd.DataFrame({"p": of_signal(f)}), {}),
    "nameless frame": (lambda f: pd.DataFrame(both(f)), {}),
    "named frame": (lambda f: pd.DataFrame(both(f)[:, ::-1], columns=["1", "0"]), {}),
    "numbered frame": (lambda f: pd.DataFrame(both(f)[:, ::-1], columns=[1.0, 0.0]), {}),
    "turned classes": (lambda f: both(f)[:, ::-1], {"classes": tuple(np.array([1, 0]))}),
    "columns unknown": (both, {"columns": None}),
}


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda name: name.replace(" ", "_"))
def test_every_way_to_give_probabilities_is_read(answer):
    """Whatever its form, each class gets its own."""
    predict, changes = ANSWERS[answer]
    np.testing.assert_allclose(teacher(predict, **changes).predict_proba(rows()), both(rows()), atol=1e-6)


def test_columns_come_in_the_models_order():
    """Many models find them by place."""
    seen = []
    teacher(lambda f: seen.append(tuple(f.columns)) or both(f)).predict_proba(rows()[::-1])
    assert seen == [COLUMNS]


def test_codes_are_told_apart_by_the_config():
    """Many libraries are trained on 0 … K − 1; the config says what these stand for."""
    schema = make_table().schema.model_copy(update={"classes": ("stays", "leaves")})
    spec = RegisteredSpec(uri=SPEC.uri, classes=("leaves", "stays"))
    proba = spec.open(schema, lambda _: model()).predict_proba(rows())
    np.testing.assert_allclose(proba, both(rows())[:, ::-1])
    unnamed = SPEC.open(schema, lambda _: model(classes=None)).predict_proba(rows())
    np.testing.assert_allclose(unnamed, proba)  # ascending, as every library has them
    positive = SPEC.open(schema, lambda _: model(of_signal, classes=None)).predict_proba(rows())
    np.testing.assert_allclose(positive[:, 1], of_signal(rows()))


def test_other_columns_are_listed():
    """Both those that the table lacks and those that the model does."""
    with pytest.raises(
        DataError, match=r"the table lacks column 'age', 'job'; the teacher lacks column 'zeros', 'plan'.*source\.drop"
    ):
        teacher(columns=("age", "city", "job", "noise", "signal"))


@pytest.mark.parametrize(
    ("predict", "classes"),
    [(both, ("no", "yes")), (lambda f: pd.DataFrame(both(f), columns=["no", "yes"]), None)],
    ids=["of the model", "of its answer"],
)
def test_other_classes_are_listed(predict, classes):
    """As the model says them, or its answer does."""
    message = (
        r"must know the classes of the table, 0, 1, got no, yes; the table lacks class 'no', 'yes';"
        r" the teacher lacks class '0', '1'.*teacher\.classes"
    )
    with pytest.raises(DataError, match=message):
        teacher(predict, classes=classes).predict_proba(rows())


def test_classes_that_differ_are_refused_before_the_first_prediction():
    """Where the model says them, opening it is enough."""
    with pytest.raises(DataError, match=r"got a, b, c; the table lacks class 'a', 'b', 'c'"):
        teacher(classes=("a", "b", "c"))


WRONG: dict[str, tuple[Predict, str]] = {
    "labels": (
        lambda f: (of_signal(f) > 0.5).astype(int),
        r"values of type int64 and shape \(8,\): [01], [01], [01] \(\+5 more\)",
    ),
    "text labels": (lambda f: np.where(of_signal(f) > 0.5, "yes", "no"), r"values of type <U3 and shape \(8,\)"),
    "numbers as labels": (lambda f: 2.0 * (of_signal(f) > 0.5), r"\[-1\.0, 2\.0\] in row \d \(\d such rows\)"),
    "other shape": (lambda f: np.column_stack([both(f), both(f)]), r"of type float64 and shape \(8, 4\)"),
    "too few rows": (lambda f: both(f)[:3], r"shape \(3, 2\)"),
    "words": (lambda f: pd.DataFrame({"label": ["yes"] * len(f), "score": 0.5}), r"\['yes', 0\.5\] in row 0"),
    "logits": (lambda f: both(f) - 0.5, r"in row 0 \(8 such rows\)"),
    "sum": (lambda f: both(f) * 0.9, r"in row 0 \(8 such rows\)"),
    "missing": (lambda f: both(f) * np.nan, r"\[nan, nan\] in row 0"),
    "infinite": (lambda f: both(f) * np.inf, r"in row 0"),
    "dictionary": (lambda f: {"proba": both(f)}, r"values of type object and shape \(\): \{'proba'"),
}


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.replace(" ", "_"))
def test_what_is_no_probability_is_refused(case):
    """The message shows what came, and how to log a model that gives probabilities."""
    predict, got = WRONG[case]
    with pytest.raises(DataError, match=rf"probabilities \(8, 2\).*; got .*{got}.*pyfunc_predict_fn=\"predict_proba\""):
        teacher(predict).predict_proba(rows())


def test_one_number_for_three_classes_is_refused():
    """It can be no probability of three."""
    schema = make_table(classes=3).schema
    one = SPEC.open(schema, lambda _: model(of_signal, classes=None))
    with pytest.raises(DataError, match=r"probabilities \(8, 3\).*shape \(8,\).*Where these are labels"):
        one.predict_proba(rows())


def test_a_model_that_fails_is_named():
    """With its own words, and the error it raised behind."""

    def fail(_):
        raise KeyError("unheard-of\n  category")

    with pytest.raises(DataError, match=r"models:/churn/3 cannot read these rows: KeyError: 'unheard-of") as caught:
        teacher(fail).predict_proba(rows())
    assert isinstance(caught.value.__cause__, KeyError)


def test_it_weighs_what_the_models_own_files_weigh():
    """Its cost is known as far as it can be; parameters and operations are not."""
    one = teacher()
    cost = measure_cost(one, rows())
    assert cost.bytes == saved_bytes(one) == 1000 + sum(map(len, one.to_files().values()))
    assert (cost.params, cost.learnable_params, cost.flops_per_row) == (None, None, None)
    assert cost.raw_columns == 5
    assert cost.latency_p50_us > 0
