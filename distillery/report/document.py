"""A report as sections and blocks, each of which can be written as Markdown and as HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

from pydantic import JsonValue

from distillery.report.model import Report
from distillery.report.scene import Drawing
from distillery.report.texts import Texts

Mark = Literal["", "good", "bad", "focus"]
Format = Callable[[Any], str]
NOTHING = "–"


@final
@dataclass(frozen=True)
class Cell:
    """A cell of a table, or a figure.

    Attributes:
        text: as people read it.
        path: of its value in the report's JSON (RFC 6901); empty of what is no figure.
        mark: how it is to be seen.
    """

    text: str
    path: str = ""
    mark: Mark = ""


@final
@dataclass(frozen=True)
class Paragraph:
    """Text; ``lead`` is the verdict, ``warning`` stands out, ``note`` steps back."""

    kind: ClassVar[str] = "paragraph"
    text: str
    tone: Literal["", "lead", "warning", "note"] = ""
    mark: Mark = ""


@final
@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]


@final
@dataclass(frozen=True)
class Heading:
    """The title of what follows within a section."""

    kind: ClassVar[str] = "heading"
    text: str


@final
@dataclass(frozen=True)
class Table:
    """Rows under a header; the first column names the row."""

    kind: ClassVar[str] = "table"
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@final
@dataclass(frozen=True)
class Terms:
    """What words mean; shown on demand."""

    kind: ClassVar[str] = "terms"
    title: str
    items: tuple[tuple[str, str], ...]


@final
@dataclass(frozen=True)
class Tile:
    """One headline figure with what it is and a remark."""

    title: str
    figure: Cell
    remark: str = ""


@final
@dataclass(frozen=True)
class Tiles:
    """Headline figures side by side."""

    kind: ClassVar[str] = "tiles"
    items: tuple[Tile, ...]


@final
@dataclass(frozen=True)
class Picture:
    """A drawing with its words."""

    kind: ClassVar[str] = "picture"
    drawing: Drawing
    title: str
    caption: str


@final
@dataclass(frozen=True)
class Code:
    """Text that is shown as it is."""

    kind: ClassVar[str] = "code"
    text: str
    language: str = ""


Block = Paragraph | Bullets | Heading | Table | Terms | Tiles | Picture | Code


@final
@dataclass(frozen=True)
class Section:
    """A part of a report under one heading."""

    id: str
    title: str
    blocks: tuple[Block, ...]


@final
class Writer:
    """What the authors of sections write with.

    Attributes:
        report: the numbers.
        texts: the words.
    """

    def __init__(self, report: Report, texts: Texts, drawings: Sequence[Drawing] = ()) -> None:
        self.report, self.texts, self.drawings = report, texts, drawings
        self._json: JsonValue = report.model_dump(mode="json")

    def figure(self, path: str, form: Format, mark: Mark = "") -> Cell:
        """Return the number at a path of the report's JSON as people read it; ``–`` where there is none.

        So no figure is shown that the JSON does not hold.
        """
        value = self._json
        for part in path.strip("/").split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(value, list):
                value = value[int(name)]
            elif isinstance(value, dict):
                value = value.get(name)
            else:
                return Cell(NOTHING)
        return Cell(NOTHING) if value is None else Cell(form(value), path, mark)

    def pictures(self, section: str) -> list[Picture]:
        """Return a section's drawings with their words."""
        found = []
        for drawing in self.drawings:
            if drawing.section == section:
                note = f" ({drawing.note})" if drawing.note else ""
                title, caption = (self.texts(f"plot.{drawing.name}.{part}") for part in ("title", "caption"))
                found.append(Picture(drawing, title, caption + note))
        return found

    def section(self, name: str, *blocks: Block | None) -> Section:
        """Return a section with its drawings at its end; blocks that are None are left out."""
        kept = [block for block in blocks if block is not None]
        return Section(name, self.texts(f"section.{name}"), (*kept, *self.pictures(name)))

    def called(self, index: int) -> str:
        """Return the name of a model by its scorecard's place: its role and its own."""
        card = self.report.scorecards.cards[index]
        return f"{self.texts('role.' + card.role)} {card.name}"


def key(name: object) -> str:
    """Return a name as a part of a path.

    >>> key("a/b")
    'a~1b'
    """
    return str(name).replace("~", "~0").replace("/", "~1")
