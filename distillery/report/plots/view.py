"""A scene as the plots look at it: models with their look, test rows, columns in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter

from distillery.data import Rows
from distillery.data.schema import Column
from distillery.evaluation import Scorecard
from distillery.evaluation._rows import as_probabilities
from distillery.report.plots.style import Look, Palette
from distillery.report.plots.svg import Sheet
from distillery.report.scene import Drawing, Scene, Section
from distillery.report.texts import Texts

SEED = 0
MOST_MODELS = 8  # more lines than these are too many: controls are left out
MOST_PANELS = 6
PERCENT = FuncFormatter(lambda share, _: f"{100 * share:.3g} %")


@final
@dataclass(frozen=True)
class Shown:
    """A model in a picture.

    Attributes:
        card: what was measured of it.
        label: its name in the report's language.
        look: its colour, marker and dashes.
        proba: its test probabilities ``(n, K)``; None where they were not kept.
    """

    card: Scorecard
    label: str
    look: Look
    proba: np.ndarray | None


@final
class View:
    """What every plot draws from.

    Attributes:
        scene: the run.
        texts: of the report's language.
        palette: each model's look.
    """

    def __init__(self, scene: Scene, texts: Texts) -> None:
        self.scene, self.texts = scene, texts
        self.palette = Palette.of(scene.report.scorecards)

    @cached_property
    def models(self) -> tuple[Shown, ...]:
        """The teacher, each student with its control after it, the others."""
        cards = self.scene.report.scorecards
        taught = [card for one in cards.students for card in (one, cards.control_of(one.name)) if card]
        first = [cards.teacher, *taught]
        return tuple(map(self._shown, [*first, *(card for card in cards.cards if card not in first)]))

    def _shown(self, card: Scorecard) -> Shown:
        proba = self.scene.predictions.proba.get((card.role, card.name))
        checked = None if proba is None else as_probabilities(proba, len(self.y))
        return Shown(card, self._label(card), self.palette[card], checked)

    def _label(self, card: Scorecard) -> str:
        """Say the label's role word in the report's language."""
        role = card.role.replace("_", " ")
        rest = card.label.removeprefix(f"{role} ")
        return f"{self.texts(f'plot.role.{card.role}')} {rest}" if rest and rest != card.label else card.label

    @property
    def teacher(self) -> Shown:
        return self.models[0]

    @property
    def students(self) -> list[Shown]:
        return [one for one in self.models if one.card.role == "student"]

    @property
    def leading(self) -> list[Shown]:
        """Teacher and students."""
        return [self.teacher, *self.students]

    def compared(self) -> tuple[list[Shown], str]:
        """Return the models of a picture with a line each whose answers are known, and what was left out."""
        known = [one for one in self.models if one.proba is not None]
        if len(known) <= MOST_MODELS:
            return known, ""
        kept = [one for one in known if one.card.role != "control"]
        return kept, self.texts("plot.note.controls") if len(kept) < len(known) else ""

    def panels(self, of: Sequence[Shown]) -> tuple[list[Shown], str]:
        """Return those of some models whose answers are known, as many as get a panel, and what was left out."""
        known = [one for one in of if one.proba is not None]
        return known[:MOST_PANELS], self.fewer("models", min(len(known), MOST_PANELS), len(known))

    @cached_property
    def test(self) -> Rows:
        return self.scene.table.rows("test")

    @cached_property
    def train(self) -> Rows:
        return self.scene.table.rows("train")

    @property
    def y(self) -> np.ndarray:
        """Class indices of the test rows ``(n,)``."""
        return self.scene.predictions.y

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(map(str, self.scene.report.scorecards.classes))

    def is_class(self, k: int) -> str:
        """Say that a row is of a class, such as ``late = 1``."""
        return f"{self.scene.table.schema.target} = {self.classes[k]}"

    @property
    def binary(self) -> bool:
        return len(self.classes) == 2

    @cached_property
    def ranking(self) -> list[str]:
        """Columns ranked by the teacher's importance, else by a student's, else by a selection; maybe empty."""
        known = {column.name for column in self.scene.table.schema.columns}
        measured = [one.card.importance for one in self.leading if one.card.importance]
        if measured:
            return [column.name for column in measured[0].columns if column.name in known]
        selections = self.scene.report.selections
        return [column.name for column in selections[0].columns if column.name in known] if selections else []

    def leading_columns(self, of: Iterable[Column], most: int) -> tuple[list[Column], str]:
        """Return the most important columns of some, unranked ones last, and what was left out."""
        place = {name: i for i, name in enumerate(self.ranking)}
        ranked = sorted(of, key=lambda column: place.get(column.name, len(place)))
        return ranked[:most], self.fewer("columns", min(len(ranked), most), len(ranked))

    def fewer(self, what: str, shown: int, total: int) -> str:
        """Say that only some of the rows, columns, classes … are shown; nothing where all are."""
        return self.texts(f"plot.note.{what}", shown=shown, total=total) if shown < total else ""

    def sampled(self, rows: int, most: int) -> tuple[np.ndarray, str]:
        """Return the positions of at most so many of the rows, in order, and what was left out."""
        if rows <= most:
            return np.arange(rows), ""
        chosen = np.random.default_rng(SEED).choice(rows, most, replace=False)
        return np.sort(chosen), self.fewer("rows", most, rows)

    def sheet(self, width: float, height: float, *, square: bool = False) -> Sheet:
        """Return an empty sheet of this size in inches; ``square`` where panels have fixed proportions."""
        return Sheet(width, height, self.texts, square=square)

    def drawn(self, name: str, section: Section, sheet: Sheet, *notes: str) -> Drawing:
        """Write a sheet; notes are joined in the report's language."""
        kept = list(dict.fromkeys(note for note in notes if note))
        return Drawing(name, section, sheet.svg(), self.texts("plot.note.all", notes=kept))


Plot = Callable[[View], Drawing | None]


def across(panels: int) -> int:
    """Return how many panels stand in a row.

    >>> [across(n) for n in range(1, 7)]
    [1, 2, 3, 2, 3, 3]
    """
    return 2 if panels == 4 else min(3, panels)


def bounded(values: pd.Series, low: float = 0.01, high: float = 0.99) -> np.ndarray:
    """Return numbers ``(n,)`` with extreme ones at the quantiles given, NaN where missing.

    >>> bounded(pd.Series([0.0, 1.0, 2.0, np.inf, None]), 0.0, 0.5).tolist()
    [0.0, 1.0, 1.0, 1.0, nan]
    """
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    finite = numbers[np.isfinite(numbers)]
    if not len(finite):
        return np.full(len(numbers), np.nan)
    bounds = np.quantile(finite, [low, high], method="nearest")  # interpolation would overflow at the largest number
    return np.asarray(np.clip(numbers, *bounds))
