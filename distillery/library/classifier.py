"""A student behind scikit-learn's interface: fitting it fits a teacher first."""

from __future__ import annotations

import warnings
from typing import Any, Self, final

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    assert_all_finite,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from distillery.config import DistillConfig
from distillery.data import Rows, Table
from distillery.data.build import Roles, build_table
from distillery.distillation import SoftLabelsSpec
from distillery.errors import ConfigError, DataError
from distillery.evaluation import EvaluationSpec, Scorecards
from distillery.library.memory import distil_table, of_kind, score, teacher_entry, without_importance
from distillery.students import CandidateSpec, Student
from distillery.teachers import Teacher, TeacherKind

# For scikit-learn's `check_estimator`: what it asks for and does not get, and why.
EXPECTED_FAILED_CHECKS = {
    "check_sample_weight_equivalence_on_dense_data": (
        "rows are drawn for validation, folds and batches: a row given twice may lie on both sides, a row of weight 2"
        " cannot"
    ),
}


@final
class DistilledClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """A small classifier taught by a strong one.

    Columns of a DataFrame keep their names and may hold text, categories and missing values; an
    array must hold numbers, missing ones as NaN. Rows of weight 0 take no part.

    Args:
        teacher: a kind (``"xgboost"``), its settings (``{"kind": "xgboost", "depth": 5}``), or a spec.
        student: the same for the student, such as ``{"kind": "mlp", "widths": [64, 32]}``.
        soft_labels: how training rows are labelled, see `SoftLabelsSpec`; by default cross-fitted
            over 5 folds, or over as many as the smallest class has rows (this is warned of).
        valid_share: share of each class's rows, in (0, 0.5], that decide when training stops.
        control: fit the same student without the teacher too, for the report.
        random_state: of the validation rows, the folds and every fit.

    Attributes:
        classes_: the labels, in the order of the probabilities.
        n_features_in_, feature_names_in_: as everywhere in scikit-learn.
        teacher_: the fitted teacher.
        student_: the fitted student, which predicts; see `distillery.save`.
        control_: the student without the teacher, or None.
        soft_labels_: how training rows were labelled in the end.
        report_: scorecards of the three on the *validation* rows. No further rows are kept from
            the fit: who compares estimators holds out rows of their own and would not expect that.
            Early stopping has seen the validation rows, so their scores are somewhat too good;
            `measure` gives honest ones on rows of one's own.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> y = np.where(X[:, 0] > 0, "late", "on time")
    >>> model = DistilledClassifier("xgboost", "logistic_regression", random_state=0).fit(X, y)
    >>> model.predict([[2.0, 0.0], [-2.0, 0.0]])
    array(['late', 'on time'], dtype='<U7')
    """

    classes_: np.ndarray
    n_features_in_: int
    teacher_: Teacher
    student_: Student
    control_: Student | None
    soft_labels_: SoftLabelsSpec
    report_: Scorecards

    def __init__(
        self,
        teacher: str | dict[str, Any] | TeacherKind = "xgboost",
        student: str | dict[str, Any] | CandidateSpec = "mlp",
        *,
        soft_labels: dict[str, Any] | SoftLabelsSpec | None = None,
        valid_share: float = 0.2,
        control: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.teacher = teacher
        self.student = student
        self.soft_labels = soft_labels
        self.valid_share = valid_share
        self.control = control
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803  scikit-learn's name
        """Fit the teacher, and the student on its labels.

        Args:
            X: ``(n, d)`` DataFrame or array.
            y: class labels ``(n,)``: whole numbers, text or booleans.
            sample_weight: ``(n,)``, not negative, or None for equal weights.

        Raises:
            ConfigError: a parameter is wrong.
            DataError: there are fewer than two classes, or a column cannot be used.
            ValueError: the arguments are not as said above, in scikit-learn's words.
        """
        if not 0 < self.valid_share <= 0.5:
            raise ConfigError(f"valid_share must be in (0, 0.5], got {self.valid_share!r}")
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        config = self._config(seed, {"cost": False, "slices": False, "importance": False})  # no part of a fit
        table = self._table(self._frame(X, reset=True), y, sample_weight, seed)
        self.soft_labels_ = _within_reach(config.soft_labels, table.rows("train").labels)
        config = config.model_copy(update={"soft_labels": self.soft_labels_})
        outcome = distil_table(table, config, control=self.control)
        self.teacher_, (self.student_,) = outcome.teacher, outcome.students
        self.control_ = outcome.controls[0] if outcome.controls else None
        self.report_ = self._scorecards(table.rows("valid"), config)
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return the likeliest label of each row ``(n,)``."""
        proba = self.predict_proba(X)
        return np.asarray(self.classes_[proba.argmax(axis=1)])

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return probabilities ``(n, K)``, in the order of ``classes_``."""
        check_is_fitted(self)
        return self.student_.predict_proba(self._frame(X, reset=False))

    def measure(
        self,
        X: Any,  # noqa: N803
        y: Any,
        sample_weight: Any = None,
        evaluation: dict[str, Any] | EvaluationSpec | None = None,
    ) -> Scorecards:
        """Measure teacher, student and control, costs included, on rows that were no part of the fit.

        Args:
            X, y, sample_weight: as in `fit`.
            evaluation: how, see `EvaluationSpec`; importances only where they are asked for.

        Raises:
            DataError: a label is none of ``classes_``.
        """
        check_is_fitted(self)
        frame = self._frame(X, reset=False)
        labels, weights = _targets(frame, y, sample_weight)
        schema = self.teacher_.schema
        rows = Rows(frame, schema.encode_labels(pd.Series(labels, name=schema.target)), weights)
        return self._scorecards(rows, self._config(self.report_.seed, without_importance(evaluation)))

    def _config(self, seed: int, evaluation: dict[str, Any] | EvaluationSpec) -> DistillConfig:
        parameters = {
            "scenario": type(self).__name__,
            "seed": seed,
            "teacher": of_kind(self.teacher),
            "students": [of_kind(self.student)],
            "soft_labels": self.soft_labels or {},
            "evaluation": evaluation,
        }
        return DistillConfig.parse(parameters)

    def _frame(self, X: Any, *, reset: bool) -> pd.DataFrame:  # noqa: N803
        """Return the rows under the names they were fitted with; arrays are checked by scikit-learn."""
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, reset=reset, skip_check_array=True)
        else:
            X = validate_data(self, X, reset=reset, ensure_all_finite="allow-nan")  # noqa: N806
        names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(self.n_features_in_)])
        return pd.DataFrame(X).set_axis(names, axis=1)

    def _table(self, frame: pd.DataFrame, y: Any, sample_weight: Any, seed: int) -> Table:
        labels, weights = _targets(frame, y, sample_weight)
        if weights is not None:
            frame, labels, weights = frame[weights > 0], labels[weights > 0], weights[weights > 0]
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(
                f"{type(self).__name__} needs two classes or more, got 1 class: {self.classes_.tolist()[0]!r}"
            )
        target = _free(y.name if isinstance(y, pd.Series) and y.name else "target", frame)
        weight = None if weights is None else _free("weight", frame)
        roles = Roles(target=target, weight=weight)
        frame = frame.assign(**{target: labels}, **({} if weight is None else {weight: weights}))
        splits = np.where(_held_out(codes, self.valid_share, seed), "valid", "train").astype(object)
        return build_table(frame, roles, splits, seed=seed)

    def _scorecards(self, rows: Rows, config: DistillConfig) -> Scorecards:
        controls = () if self.control_ is None else (self.control_,)
        classes = self.teacher_.schema.classes
        return score(
            teacher_entry(self.teacher_), (self.student_,), controls, rows=rows, classes=classes, config=config
        )


def _targets(frame: pd.DataFrame, y: Any, sample_weight: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Check labels and weights in scikit-learn's words."""
    if y is None:
        raise ValueError("This estimator requires y to be passed, but the target y is None")
    labels = column_or_1d(y, warn=True)
    assert_all_finite(labels, input_name="y")
    if pd.isna(labels).any():
        raise DataError(f"y must not be missing, got {int(pd.isna(labels).sum())} missing labels; drop these rows")
    check_consistent_length(frame, labels)
    check_classification_targets(labels)
    if sample_weight is None:
        return labels, None
    return labels, _check_sample_weight(sample_weight, frame, dtype=np.float64, ensure_non_negative=True)


def _free(name: object, frame: pd.DataFrame) -> str:
    """Return the name, underlined until no column has it."""
    text = str(name)
    while text in frame.columns:
        text += "_"
    return text


def _held_out(codes: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Draw validation rows, the same share of each class: a mask ``(n,)``.

    A class keeps a training row at least, and the largest class gives a validation row at least.

    Raises:
        DataError: no class has two rows.

    >>> codes = np.array([0] * 10 + [1] * 5 + [2])
    >>> np.bincount(codes[_held_out(codes, 0.2, seed=0)], minlength=3)
    array([2, 1, 0])
    """
    sizes = np.bincount(codes)
    if sizes.max() < 2:
        raise DataError(f"a class must have two rows or more, got one of each of {len(sizes)} classes")
    order = np.random.default_rng(seed).permutation(len(codes))
    rank = np.empty(len(codes), dtype=np.int64)
    rank[order] = pd.Series(codes[order]).groupby(codes[order]).cumcount()
    wanted = np.minimum(np.round(sizes * share), sizes - 1)
    wanted[sizes.argmax()] = max(wanted[sizes.argmax()], 1)
    return np.asarray(rank < wanted[codes])


def _within_reach(spec: SoftLabelsSpec, labels: np.ndarray) -> SoftLabelsSpec:
    """Return as many folds as the smallest class has rows; in-sample labels where that is one."""
    smallest = int(np.bincount(labels).min())
    if spec.method == "in_sample" or smallest >= spec.folds:
        return spec
    reached = {"folds": smallest} if smallest > 1 else {"method": "in_sample"}
    how = f"over {smallest} folds" if smallest > 1 else "in sample, where a strong teacher is overconfident"
    warnings.warn(
        f"{spec.folds} folds need as many training rows of every class, got {smallest} of the smallest:"
        f" training rows are labelled {how}",
        stacklevel=3,
    )
    return spec.model_copy(update=reached)
