"""A small scikit-learn network on one-hot and scaled columns, taught by weighted rows."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from distillery.data import Rows
from distillery.errors import TrainingError
from distillery.progress import bar
from distillery.students._sklearn import Size, SklearnStudent, preprocessing, target_shares, weighted_rows
from distillery.students.base import CandidateSpec, Lesson, OnEpoch

# Adam's moments, the first weights and the random state: four times the weights, and no use for prediction.
TRAINING_ONLY = ("_optimizer", "_best_coefs", "_best_intercepts", "_random_state")


class SklearnMLPSpec(CandidateSpec):
    """A scikit-learn network; it takes no soft targets, so each row enters once per class.

    Attributes:
        widths: units of the hidden layers.
        epochs, patience: training stops after ``patience`` epochs without a better validation
            log loss; the best epoch's weights are kept.
        batch_size, learning_rate: of Adam.
        l2: strength of the L2 penalty.
        min_frequency: rarer categories share one column with the unseen ones.
    """

    kind: Literal["sklearn_mlp"] = "sklearn_mlp"
    widths: tuple[PositiveInt, ...] = Field((32,), min_length=1)
    epochs: PositiveInt = 30
    patience: PositiveInt = 6
    batch_size: PositiveInt = 512
    learning_rate: PositiveFloat = 1e-2
    l2: NonNegativeFloat = 1e-4
    min_frequency: PositiveInt = 10

    def train(self, lesson: Lesson, *, seed: int, on_epoch: OnEpoch | None = None) -> SklearnStudent:
        """Train on rows weighted by ``α · p_teacher + hard_weight · [y = k]``.

        Raises:
            TrainingError: the weights are not finite.
        """
        features = lesson.schema.worded(lesson.train.features)
        encode = preprocessing(lesson.schema, self.min_frequency).fit(features)
        row, label, weight = weighted_rows(lesson, target_shares(lesson, self.alpha, self.hard))
        valid = encode.transform(lesson.schema.worded(lesson.valid.features)).astype(np.float32)
        model = MLPClassifier(
            self.widths,
            alpha=self.l2,
            batch_size=min(self.batch_size, len(row)),
            learning_rate_init=self.learning_rate,
            random_state=seed,
        )
        taught = encode.transform(features).astype(np.float32)[row], label, weight
        history = self._run_epochs(model, taught, valid, lesson.valid, np.arange(lesson.schema.n_classes), on_epoch)
        for name in TRAINING_ONLY:
            delattr(model, name)
        student = SklearnStudent(self, lesson.schema, make_pipeline(encode, model), _size)
        student.history = history
        return student

    def _run_epochs(
        self,
        model: MLPClassifier,
        taught: tuple[Any, np.ndarray, np.ndarray],
        valid: Any,
        rows: Rows,
        classes: np.ndarray,
        on_epoch: OnEpoch | None,
    ) -> list[dict[str, float]]:
        """Train in place and leave the weights of the epoch with the best validation log loss.

        scikit-learn's own early stopping holds out some of the weighted rows, whose twins are trained on.
        """
        x, label, weight = taught
        history: list[dict[str, float]] = []
        best, best_epoch = math.inf, 0
        kept: tuple[list[np.ndarray], list[np.ndarray]] = [], []
        with bar(self.epochs, "training", unit="epoch") as advance:
            for epoch in range(self.epochs):
                with self._finite(epoch):
                    model.partial_fit(x, label, weight, classes=classes)
                    loss = log_loss(rows.labels, model.predict_proba(valid), sample_weight=rows.weights, labels=classes)
                history.append({"train_loss": float(model.loss_), "valid_log_loss": float(loss)})
                if on_epoch:
                    on_epoch(epoch, history[-1])
                if loss < best:
                    best, best_epoch, kept = loss, epoch, copy.deepcopy((model.coefs_, model.intercepts_))
                advance(1)
                if epoch - best_epoch >= self.patience:
                    break
        model.coefs_, model.intercepts_ = kept
        return history

    @contextmanager
    def _finite(self, epoch: int) -> Iterator[None]:
        """Stop where weights are not finite, and where scikit-learn would make a warning of Ctrl-C."""
        with np.errstate(over="ignore", invalid="ignore"), warnings.catch_warnings():
            warnings.filterwarnings("error", "Training interrupted by user")
            try:
                yield
            except UserWarning as warning:
                raise KeyboardInterrupt from warning
            except ValueError as error:
                raise TrainingError(
                    f"{self.title} must keep finite weights, got in epoch {epoch + 1} at learning rate"
                    f" {self.learning_rate:.2g}: {error} Lower learning_rate, or look for extreme values in the columns"
                ) from error

    def load(self, files: Mapping[str, bytes]) -> SklearnStudent:
        """Read what the student's ``to_files`` gave."""
        return SklearnStudent.read(self, files, _size)

    def shrinking_advice(self, budget: str) -> str:
        """Units and rare categories are what can be dropped."""
        if budget == "max_features":
            return super().shrinking_advice(budget)
        return "choose smaller widths or raise min_frequency"


def _size(pipeline: Pipeline) -> Size:
    """Count weights and biases: a multiplication and an addition per weight."""
    model: MLPClassifier = pipeline[-1]
    weights = sum(w.size for w in model.coefs_)
    return Size(weights + sum(b.size for b in model.intercepts_), 0, 2 * weights)
