"""Several binary targets as one column: a row's class is the combination of its targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any, final

import numpy as np
import pandas as pd

from distillery.data.schema import Label, Task
from distillery.errors import DataError, shortlist

FEWEST, MOST = 2, 4  # targets; of independent ones four already make 16 classes
NOTHING = "none"
PAIRS = (("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"), ("0", "1"))  # texts of which it is known what is 1


@final
@dataclass(frozen=True)
class Joint:
    """What the joint column is called and holds.

    Attributes:
        name: the column's.
        classes: its values, in the order of probabilities.
        tasks: the targets, each with the classes in which it is 1.
    """

    name: str
    classes: tuple[Label, ...]
    tasks: tuple[Task, ...]

    @classmethod
    def of(cls, targets: Sequence[str], *, funnel: bool) -> Joint:
        """Name the combinations: T + 1 of a funnel (none, the first, the first two …), or else all 2^T.

        >>> Joint.of(["click", "conversion"], funnel=True).classes
        ('none', 'click', 'click+conversion')
        """
        held = [
            tuple(name for t, name in enumerate(targets) if code >> t & 1)
            for code in range(2 ** len(targets))
            if not funnel or code & (code + 1) == 0  # without a gap: 0, 1, 11, 111
        ]
        classes = tuple("+".join(names) or NOTHING for names in held)
        tasks = (Task(name=t, positive=tuple(c for c, h in zip(classes, held, strict=True) if t in h)) for t in targets)
        return cls("_and_".join(targets), classes, tuple(tasks))

    def check_present(self, target: pd.Series) -> None:
        """See that every class has rows.

        Raises:
            DataError: one has none.
        """
        absent = [label for label in self.classes if label not in set(target.dropna())]
        if absent:
            raise DataError(
                f"targets must have rows of every combination, got none of {shortlist(map(repr, absent))}; leave out"
                " a target, or say by `funnel` whether each target needs the one before"
            )


def join_targets(raw: pd.DataFrame, targets: Sequence[str], *, funnel: bool) -> tuple[pd.DataFrame, Joint]:
    """Replace the targets by one column that says which of them are 1; missing where any is.

    Args:
        raw: rows with the targets, each of two values: numbers, of which the larger stands for 1, booleans, or texts
            such as no and yes.
        targets: in the order of the funnel, if it is one.
        funnel: whether a target can be 1 only where the one before is.

    Raises:
        DataError: a target has not two values or it is not known which is 1, names clash, or a row breaks the funnel.
    """
    joint = Joint.of(targets, funnel=funnel)
    if joint.name in raw.columns or len(set(joint.classes)) < len(joint.classes):
        raise DataError(
            f"targets must have names that can be joined, got {shortlist(map(repr, targets))}, which give the column"
            f" {joint.name!r} of {shortlist(map(repr, joint.classes))}; rename them"
        )
    ones = np.column_stack([_ones(raw[name]) for name in targets])
    if funnel:
        _check_funnel(ones, targets, raw.index)
    known = ~np.isnan(ones).any(axis=1)
    codes = (np.nan_to_num(ones).astype(np.int64) << np.arange(len(targets))).sum(axis=1)
    names = {sum(1 << t for t, one in enumerate(joint.tasks) if c in one.positive): c for c in joint.classes}
    column = np.full(len(raw), None, dtype=object)
    column[known] = [names[code] for code in codes[known]]
    return raw.drop(columns=list(targets)).assign(**{joint.name: column}), joint


def _ones(values: pd.Series) -> np.ndarray:
    """Return 1 for the larger of two numbers, or the second of `PAIRS`, 0 for the other, NaN for missing ``(n,)``."""
    found = sorted(pd.unique(values.dropna()), key=_place)
    if len(found) != 2:
        raise DataError(
            f"target {values.name!r} must hold two values, since there are several targets, got"
            f" {shortlist(map(repr, map(_plain, found))) or 'none'}"
        )
    numbers = all(isinstance(value, Number | np.bool_) for value in found)
    if not numbers and tuple(str(value).strip().lower() for value in found) not in PAIRS:
        raise DataError(
            f"target {values.name!r} must hold numbers, booleans, or two texts such as 'no' and 'yes', got"
            f" {shortlist(map(repr, found))}, of which either could stand for 1; write 0 and 1 instead"
        )
    return np.where(values.isna(), np.nan, (values == found[1]).astype(np.float64))


def _place(value: Any) -> tuple[bool, Any]:
    return isinstance(value, str), value.strip().lower() if isinstance(value, str) else value


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _check_funnel(ones: np.ndarray, targets: Sequence[str], index: pd.Index) -> None:
    for t in range(1, len(targets)):
        broken = (ones[:, t] == 1) & (ones[:, t - 1] == 0)
        if broken.any():
            raise DataError(
                f"target {targets[t]!r} must be 0 wherever {targets[t - 1]!r} is 0, since they are a funnel, got"
                f" {int(broken.sum())} rows where it is 1 (first: {shortlist(index[broken], 3)}); mend these rows or"
                " the order of `targets`, or set funnel: false"
            )
