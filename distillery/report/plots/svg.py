"""Figures as SVG texts that can be read on a light ground and on a dark one."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from distillery.report.texts import Texts

INK = "#010203"  # stands for the page's own text colour until the figure is written
LIGHT_INK, DARK_INK = "#222222", "#dddddd"
FONTS = "'DejaVu Sans',Verdana,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC','Noto Sans SC',sans-serif"
STYLE = (
    f"<style>svg{{color:{LIGHT_INK}}}@media (prefers-color-scheme: dark){{svg{{color:{DARK_INK}}}}}"
    f"text{{font-family:{FONTS}!important}}</style>"
)
SETTINGS: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so widths are the same everywhere
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.15,
    "lines.linewidth": 1.5,
    "lines.markersize": 5,
    "text.parse_math": False,  # `$` is a character of names
    "text.usetex": False,
    "svg.fonttype": "none",
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color", "hatch.color"),
        INK,
    ),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
}
RASTER_DPI, LONGEST_AXIS = 150, 90
LEGEND_MARK, LETTER = 0.7, 0.07  # inches
NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))

# Latin, Greek and Cyrillic, punctuation, arrows, mathematics: all in DejaVu Sans.
PLAIN = (
    (0x20, 0x7E),
    (0xA1, 0x24F),
    (0x370, 0x3FF),
    (0x400, 0x4FF),
    (0x2010, 0x2027),
    (0x2190, 0x21FF),
    (0x2200, 0x22FF),
)
# Glyphs about as wide as a Chinese character, that are used for nothing else; narrower ones in reserve.
STAND_INS = tuple(map(chr, chain(range(0x4DC0, 0x4E00), range(0x1D300, 0x1D357), range(0x2800, 0x2900))))
UNSAYABLE = "□"


@final
class Sheet:
    """A picture in the making.

    Attributes:
        figure: with constrained layout and no ground of its own.
    """

    def __init__(self, width: float, height: float, texts: Texts, *, square: bool = False) -> None:
        self._texts = texts
        # Panels of fixed proportions leave gaps, which are to be closed.
        self.figure = Figure(figsize=(width, height), layout="compressed" if square else "constrained")
        self._stand_ins: dict[str, str] = {}

    def axes(self, n: int = 1, columns: int | None = None, **options: Any) -> list[Axes]:
        """Return n axes, row by row, in so many columns (by default in one row)."""
        columns = columns or n
        rows = -(-n // columns)
        grid = self.figure.subplots(rows, columns, squeeze=False, **options)
        for place in range(n, rows * columns):
            grid.flat[place].set_visible(False)
            grid.flat[place - columns].tick_params(labelbottom=True)
        return list(grid.flat[:n])

    def legend(self, handles: Sequence[Any] = (), labels: Sequence[str] = ()) -> None:
        """Put one legend below all axes, in as many columns as fit; by default of everything labelled."""
        if not labels:
            named = {
                text: mark
                for ax in self.figure.axes
                for mark, text in zip(*ax.get_legend_handles_labels(), strict=True)
            }
            handles, labels = list(named.values()), list(named)
        room = self.figure.get_figwidth() / (LEGEND_MARK + LETTER * max(map(len, labels), default=0))
        columns = min(len(labels), max(1, int(room)))
        self.figure.legend(handles, labels, loc="outside lower center", ncols=columns)

    def axis(self, key: str, /, **values: object) -> str:
        """Return the text of an axis or a legend entry, in the report's language."""
        return self.say(self._texts(f"plot.axis.{key}", **values), LONGEST_AXIS)

    def say(self, text: object, limit: int = 30) -> str:
        """Return a text as this figure can measure it, shortened in its middle to about so many letters.

        Characters that the font lacks get a stand-in of their width, which `svg` takes back: no glyph is
        missing while matplotlib lays the figure out, and the reader's own fonts draw the real one.
        """
        return "".join(map(self._plain, shortened(_one_line(text), limit)))

    def _plain(self, letter: str) -> str:
        if any(low <= ord(letter) <= high for low, high in PLAIN):
            return letter
        if letter not in self._stand_ins and len(self._stand_ins) == len(STAND_INS):
            return self._plain(UNSAYABLE) if UNSAYABLE in self._stand_ins else "?"
        return self._stand_ins.setdefault(letter, STAND_INS[len(self._stand_ins) % len(STAND_INS)])

    def svg(self) -> str:
        """Write the figure: no metadata, no ground, text and axes in the page's own colour."""
        buffer = io.StringIO()
        self.figure.savefig(buffer, format="svg", transparent=True, dpi=RASTER_DPI, metadata=NO_METADATA)
        text = buffer.getvalue()
        text = text[text.index("<svg") :]  # a document type would name a foreign address
        text = re.sub(rf"(fill|stroke): {INK}\b", r"\1: currentColor", text)
        text = text.translate({ord(glyph): letter for letter, glyph in self._stand_ins.items()})
        head, _, body = text.partition(">")
        return f"{head}>{STYLE}{body}"


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """Draw with the house's settings; the same picture of this name always has the same bytes."""
    settings: Any = SETTINGS | {"svg.hashsalt": name}  # matplotlib's own type lists every key
    with mpl.rc_context(settings):
        yield


def shortened(text: str, limit: int) -> str:
    """Leave out the middle of a long text; a Chinese character counts as two letters.

    >>> shortened("a_very_long_column_name", 12), shortened("short", 12)
    ('a_very_…name', 'short')
    """
    widths = np.array([1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text] or [0])
    if widths.sum() <= limit:
        return text
    head = int(np.searchsorted(widths.cumsum(), (limit - 1) * 2 // 3, side="right"))
    tail = int(np.searchsorted(widths[::-1].cumsum(), (limit - 1) - (limit - 1) * 2 // 3, side="right"))
    return f"{text[:head]}…{text[len(text) - tail :]}"


def _one_line(text: object) -> str:
    """Drop what XML or a single line cannot hold: control, format, private and half characters."""
    kept = (" " if unicodedata.category(letter).startswith("C") else letter for letter in str(text))
    return " ".join("".join(kept).split())
