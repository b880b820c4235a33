"""Soft labels: what the teacher says about every row, stored as logits.

In-sample labels of a strong tree ensemble are nearly the hard labels again, so training rows are
labelled by cross-fitting (Dao et al. 2021, arXiv:2111.08267): row i by a teacher that did not see it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from pydantic import Field
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from distillery.data import Rows, Table
from distillery.data.model import Model
from distillery.data.splits import assign_folds
from distillery.data.table import SPLITS, Split
from distillery.distillation.logits import logits_of
from distillery.distillation.logits import to_logits as to_logits
from distillery.distillation.streaming import STREAMED, Fit, StreamedLogits, cross_fitted, labelled
from distillery.errors import DataError
from distillery.progress import bar
from distillery.spec import Spec

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
        streamed: where the table lies on disk, the file with the logits of all its training rows.
    """

    logits: dict[Split, np.ndarray]
    fold: np.ndarray
    method: Method
    streamed: StreamedLogits | None = None

    @property
    def rows(self) -> dict[Split, int]:
        """How many rows of each split are labelled, those on disk included."""
        held = {name: len(logits) for name, logits in self.logits.items()}
        return held if self.streamed is None else held | {"train": len(self.streamed.values)}

    def proba(self, split: Split) -> np.ndarray:
        """Return the teacher's probabilities ``(n, K)`` of one split."""
        p = np.exp(self.logits[split].astype(np.float64))
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    def to_files(self) -> dict[str, bytes | Path]:
        """Return ``soft_labels.safetensors`` and ``method.txt``; streamed logits as the file they lie in."""
        arrays = {f"logits.{name}": np.ascontiguousarray(z) for name, z in self.logits.items()}
        return {
            "soft_labels.safetensors": save_arrays({**arrays, "fold": self.fold}),
            "method.txt": self.method.encode(),
            **({} if self.streamed is None else {STREAMED: self.streamed.path}),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, Any]) -> SoftLabels:
        """Read what `to_files` gave; streamed logits as a path."""
        arrays = load_arrays(files["soft_labels.safetensors"])
        method: Method = "in_sample" if files["method.txt"] == b"in_sample" else "cross_fitted"
        streamed = StreamedLogits(files[STREAMED]) if STREAMED in files else None
        return cls({name: arrays[f"logits.{name}"] for name in SPLITS}, arrays["fold"], method, streamed)


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
        name: logits_of(teacher, table.rows(name).features) for name in SPLITS if name != "train"
    }
    if train.stream is not None:
        return _streamed(table, train, valid, teacher, fit, spec, logits, progress)
    if spec.method == "in_sample":
        fold = np.full(len(train), -1, dtype=np.int64)
        logits["train"] = logits_of(teacher, train.features)
        return SoftLabels(logits, fold, "in_sample")
    fold = assign_folds(train.labels, spec.folds, groups=table.groups("train"), times=table.times("train"), seed=seed)
    logits["train"] = np.empty((len(train), table.schema.n_classes), dtype=np.float32)
    with bar(spec.folds, "cross-fitting", unit="fold") as advance:
        for k in range(spec.folds):
            held_out = fold == k
            fold_teacher = fit(train.take(np.flatnonzero(~held_out)), valid)
            logits["train"][held_out] = logits_of(fold_teacher, train.features[held_out])
            advance(1)
            progress(f"fold {k + 1} of {spec.folds}: {int(held_out.sum()):,} rows labelled")
    return SoftLabels(logits, fold, "cross_fitted")


def _streamed(
    table: Table,
    train: Rows,
    valid: Rows,
    teacher: Model,
    fit: Fit,
    spec: SoftLabelsSpec,
    logits: dict[Split, np.ndarray],
    progress: Callable[[str], None],
) -> SoftLabels:
    """Label all training rows of a table on disk, some at a time."""
    stream = train.stream
    assert stream is not None, "asked for what is on disk"
    if spec.method == "cross_fitted" and table.schema.group is not None:
        raise DataError(
            "soft_labels.method must be in_sample for a log with groups, got cross_fitted and group"
            f" {table.schema.group!r}: a log's folds are consecutive rows, which cut groups"
        )
    shape, kept = (stream.total, table.schema.n_classes), stream.parts.kept["train"]
    if spec.method == "in_sample":
        labelled_rows, fold = labelled(teacher, stream), np.full(len(kept), -1, dtype=np.int64)
    else:
        labelled_rows = cross_fitted(train, stream, valid, fit, spec.folds, progress)
        fold = kept * spec.folds // stream.total
    written = StreamedLogits.written(labelled_rows, shape)
    return SoftLabels({**logits, "train": np.array(written.values[kept])}, fold, spec.method, written)
