"""Soft labels: what the teacher says about every row, stored as logits.

In-sample labels of a strong tree ensemble are nearly the hard labels again, so training rows are
labelled by cross-fitting (Dao et al. 2021, arXiv:2111.08267): row i by a teacher that did not see it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import pandas as pd
from pydantic import Field
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from distillery.data import Rows, Table
from distillery.data.model import Model
from distillery.data.splits import assign_folds
from distillery.data.table import SPLITS, Split
from distillery.progress import bar
from distillery.spec import Spec

LOGIT_BOUND = 1e-7  # a probability nearer to 0 carries no more information than this
Fit = Callable[[Rows, Rows], Model]
Method = Literal["cross_fitted", "in_sample"]


class SoftLabelsSpec(Spec):
    """How training rows are labelled.

    Attributes:
        method: ``cross_fitted``, or ``in_sample`` (faster; the report marks it).
        folds: K of the cross-fitting.
    """

    method: Method = "cross_fitted"
    folds: int = Field(5, ge=2, le=50)

    @property
    def needed_folds(self) -> int | None:
        """How many rows every class must have in training; None without folds."""
        return self.folds if self.method == "cross_fitted" else None


@final
@dataclass(frozen=True)
class SoftLabels:
    """The teacher's logits (clipped log probabilities) for every row.

    Attributes:
        logits: per split ``(n, K)`` float32; rows as in `Table.rows`.
        fold: the fold of each training row ``(n,)``; -1 throughout for in-sample labels.
        method: how the training rows were labelled.
    """

    logits: dict[Split, np.ndarray]
    fold: np.ndarray
    method: Method

    def proba(self, split: Split) -> np.ndarray:
        """Return the teacher's probabilities ``(n, K)`` of one split."""
        p = np.exp(self.logits[split].astype(np.float64))
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    def to_files(self) -> dict[str, bytes]:
        """Return ``soft_labels.safetensors`` and ``method.txt``."""
        arrays = {f"logits.{name}": np.ascontiguousarray(z) for name, z in self.logits.items()}
        return {
            "soft_labels.safetensors": save_arrays({**arrays, "fold": self.fold}),
            "method.txt": self.method.encode(),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> SoftLabels:
        """Read what `to_files` gave."""
        arrays = load_arrays(files["soft_labels.safetensors"])
        method: Method = "in_sample" if files["method.txt"] == b"in_sample" else "cross_fitted"
        return cls({name: arrays[f"logits.{name}"] for name in SPLITS}, arrays["fold"], method)


def generate_soft_labels(
    table: Table,
    teacher: Model,
    fit: Fit,
    spec: SoftLabelsSpec,
    *,
    seed: int,
    progress: Callable[[str], None] = lambda _: None,
) -> SoftLabels:
    """Label every row of a table.

    Args:
        table: all three splits.
        teacher: the full teacher; it labels valid and test (and train, where in-sample).
        fit: fits a fold's teacher on some training rows, stopping on the validation rows.
        spec: method and number of folds.
        seed: decides the folds.
        progress: told about each fold.

    Raises:
        DataError: a class has fewer training rows than folds, or there are fewer groups than folds.
    """
    train, valid = table.rows("train"), table.rows("valid")
    logits: dict[Split, np.ndarray] = {
        name: _logits(teacher, table.rows(name).features) for name in SPLITS if name != "train"
    }
    if spec.method == "in_sample":
        fold = np.full(len(train), -1, dtype=np.int64)
        logits["train"] = _logits(teacher, train.features)
        return SoftLabels(logits, fold, "in_sample")
    fold = assign_folds(train.labels, spec.folds, groups=table.groups("train"), times=table.times("train"), seed=seed)
    logits["train"] = np.empty((len(train), table.schema.n_classes), dtype=np.float32)
    with bar(spec.folds, "cross-fitting", unit="fold") as advance:
        for k in range(spec.folds):
            held_out = fold == k
            fold_teacher = fit(train.take(np.flatnonzero(~held_out)), valid)
            logits["train"][held_out] = _logits(fold_teacher, train.features[held_out])
            advance(1)
            progress(f"fold {k + 1} of {spec.folds}: {int(held_out.sum()):,} rows labelled")
    return SoftLabels(logits, fold, "cross_fitted")


def _logits(model: Model, features: pd.DataFrame) -> np.ndarray:
    return to_logits(model.predict_proba(features)).astype(np.float32)


def to_logits(proba: np.ndarray) -> np.ndarray:
    """Return log probabilities ``(n, K)``, clipped below at log(1e-7), as the soft labels' logits.

    >>> to_logits(np.array([[0.0, 1.0], [0.5, 0.5]])).round(2)[:, 0].tolist()
    [-16.12, -0.69]
    """
    clipped = np.clip(proba, LOGIT_BOUND, 1.0)
    return np.asarray(np.log(clipped / clipped.sum(axis=1, keepdims=True)))
