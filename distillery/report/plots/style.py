"""The look of every model, and colour maps that work on light and dark grounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any, final

import numpy as np
from matplotlib.colors import Colormap, ListedColormap, to_rgb

from distillery.evaluation import Role, Scorecard, Scorecards
from distillery.report.plots.svg import INK

# Okabe & Ito (2008); its yellow cannot be seen on white.
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
GREY = "#808080"
TEAL, BROWN = "#35978F", "#BF812D"  # ends of two-sided scales; no model has them (ColorBrewer's BrBG)
STUDENTS = (VERMILLION, GREEN, PURPLE, ORANGE, SKY)
STUDENT_MARKERS = ("o", "^", "v", "X", "p", "<", ">", "h")
CLASSES = (TEAL, BROWN, PURPLE, SKY, ORANGE, GREEN, BLUE, VERMILLION)
CLASS_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
DEEPEST = 0.6  # cells with a number never hide the ground altogether, so that the page's text colour reads on them
STEPS = 256
Dashes = str | tuple[float, tuple[float, ...]]


@final
@dataclass(frozen=True)
class Look:
    """How one model is drawn everywhere.

    Attributes:
        key: ``teacher``, ``student-1``, ``control-1`` …, the id of what is drawn for it.
        colour: hex, or `INK`.
        marker, dashes: so that colour is never the only sign.
        hollow: its markers are.
    """

    key: str
    colour: str
    marker: str
    dashes: Dashes
    hollow: bool = False

    def line(self, **more: Any) -> dict[str, Any]:
        """Return the arguments of a line with markers."""
        return {"color": self.colour, "linestyle": self.dashes, **self._marked(), **more}

    def points(self, **more: Any) -> dict[str, Any]:
        """Return the arguments of markers without a line."""
        return {"color": self.colour, "linestyle": "none", **self._marked(), **more}

    def _marked(self) -> dict[str, Any]:
        face = "none" if self.hollow else self.colour
        return {"marker": self.marker, "markerfacecolor": face, "markeredgecolor": self.colour, "gid": self.key}


@final
class Palette:
    """The look of each model of a run."""

    def __init__(self, looks: Mapping[tuple[Role, str], Look]) -> None:
        self._looks = looks

    @classmethod
    def of(cls, cards: Scorecards) -> Palette:
        """Give every model its look: teacher blue, students by their order, controls as their students."""
        looks: dict[tuple[Role, str], Look] = {}
        signs = zip(cycle(STUDENTS), cycle(STUDENT_MARKERS), strict=False)  # both without end
        for i, (card, (colour, marker)) in enumerate(zip(cards.students, signs, strict=False), 1):
            looks["student", card.name] = Look(f"student-{i}", colour, marker, "-")
            looks["control", card.name] = Look(f"control-{i}", colour, marker, (0, (4, 2)), hollow=True)
        for card in cards.cards:
            looks.setdefault((card.role, card.name), _other(card))
        return cls(looks)

    def __getitem__(self, card: Scorecard) -> Look:
        return self._looks[card.role, card.name]


def _other(card: Scorecard) -> Look:
    others = {
        "teacher": Look("teacher", BLUE, "D", "-"),
        "baseline": Look("baseline", GREY, "s", (0, (1, 1.5))),
        "regular_teacher": Look("regular-teacher", BLUE, "d", (0, (4, 2)), hollow=True),
        "staged": Look("staged", INK, "P", (0, (6, 1.5, 1, 1.5))),
    }
    return others.get(card.role, Look(card.role, GREY, "*", ":"))


def ramp(colour: str, deepest: float = DEEPEST) -> Colormap:
    """Return a scale from the bare ground to a colour: more of it means more, on any ground."""
    return ListedColormap(_shades(colour, deepest))


def two_sided(deepest: float = DEEPEST) -> Colormap:
    """Return a scale from brown over the bare ground to teal."""
    return ListedColormap(np.vstack([_shades(BROWN, deepest)[::-1], _shades(TEAL, deepest)]))


def _shades(colour: str, deepest: float) -> np.ndarray:
    """Return a colour with rising opacity ``(STEPS, 4)``."""
    return np.column_stack([np.tile(to_rgb(colour), (STEPS, 1)), np.linspace(0.0, deepest, STEPS)])
