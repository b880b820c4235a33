"""Soft labels of a table on disk: written and read some rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import final

import numpy as np

from distillery.data.lent import LentFolder
from distillery.data.model import Model
from distillery.data.rows import Fold, Rows, Stream
from distillery.distillation.logits import logits_of
from distillery.progress import bar

STREAMED = "streamed_logits.npy"
Fit = Callable[[Rows, Rows], Model]


@final
@dataclass(frozen=True)
class StreamedLogits:
    """Logits in a file of numpy's own format, read from it as they are needed.

    Attributes:
        path: the file.
        lease: what keeps a temporary folder alive, if it lies in one.
    """

    path: Path
    lease: object = None

    @cached_property
    def values(self) -> np.ndarray:
        """The logits ``(n, K)`` float32, mapped from the file; nothing is pickled."""
        values: np.ndarray = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return values

    @classmethod
    def written(cls, parts: Iterable[tuple[np.ndarray, np.ndarray]], shape: tuple[int, int]) -> StreamedLogits:
        """Write positions ``(m,)`` and their logits ``(m, K)``, as they come, into a new file of this shape."""
        folder = LentFolder()
        path = folder.path / STREAMED
        file = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        for positions, logits in parts:
            file[positions] = logits
        file.flush()
        return cls(path, folder)


def labelled(teacher: Model, stream: Stream) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield positions ``(m,)``, of as many rows as are read at once, and the teacher's logits for them ``(m, K)``."""
    for positions, rows in stream:
        yield positions, logits_of(teacher, rows.features)


def cross_fitted(
    train: Rows, stream: Stream, valid: Rows, fit: Fit, folds: int, progress: Callable[[str], None]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield what `labelled` does, each fold by a teacher that learnt from all others.

    Args:
        train: the sample in memory.
        stream: all rows.
        valid: decides when a teacher stops.
        fit: fits a teacher.
        folds: K; a fold is rows that follow each other.
        progress: told about each fold.
    """
    kept = stream.parts.kept[stream.split]
    with bar(folds, "cross-fitting", unit="fold") as advance:
        for k in range(folds):
            others = stream.folded(k, folds, inside=False)
            known = np.flatnonzero(Fold(k, folds, inside=False).holds(kept, stream.total))
            fold_teacher = fit(replace(train.take(known), stream=others), valid)
            yield from labelled(fold_teacher, stream.folded(k, folds, inside=True))
            advance(1)
            progress(f"fold {k + 1} of {folds}: labelled by a teacher of {len(others):,} rows")
