"""Writes a report down: Markdown, one HTML file that needs no network, JSON, the drawings, the model card."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from distillery.report.card import card_sections
from distillery.report.document import Section, Writer
from distillery.report.formats import to_md
from distillery.report.model import Report
from distillery.report.scene import Drawing
from distillery.report.sections import sections
from distillery.report.texts import Texts

REPORT, PAGE, CARD = "report.json", "report.html", "model_card.md"
DRAWINGS = "drawings.json"
VALIDATION, DRIFT = "validation.html", "drift.html"  # pages of the data, beside the report
WRITTEN = ("report.md", PAGE, REPORT, CARD, VALIDATION, DRIFT, "plots/*.svg")  # what may be cleared away


@final
@dataclass(frozen=True)
class IllustratedReport:
    """A report with its drawings.

    Attributes:
        report: the numbers and what follows from them.
        drawings: in the order they were drawn.
    """

    report: Report
    drawings: tuple[Drawing, ...] = ()

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Every form of the report by file name; drawings are under ``plots/``."""
        texts = {
            "report.md": to_markdown(self.report, self.drawings),
            PAGE: to_html(self.report, self.drawings),
            REPORT: self.report.model_dump_json(indent=1),
            CARD: to_card(self.report),
        }
        plots = {f"plots/{one.name}.svg": one.svg for one in self.drawings}
        return {name: text.encode() for name, text in (texts | plots).items()}

    def to_files(self) -> dict[str, bytes]:
        """Return what it can be read back from: ``content.json`` and ``drawings.json``."""
        drawings = [asdict(one) for one in self.drawings]
        return {"content.json": self.report.model_dump_json(indent=1).encode(), DRAWINGS: json.dumps(drawings).encode()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> IllustratedReport:
        """Read what `to_files` gave."""
        drawings = tuple(Drawing(**one) for one in json.loads(files[DRAWINGS]))
        return cls(Report.model_validate_json(files["content.json"]), drawings)


def write_report(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files into a folder, each only once it is complete; then remove what only an earlier report wrote.

    Nothing but `WRITTEN` is ever removed: a person may keep other files there.
    """
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(content)
        partial.replace(path)
    for old in (path for pattern in WRITTEN for path in folder.glob(pattern)):
        if old.relative_to(folder).as_posix() not in files:
            old.unlink()


def to_markdown(report: Report, drawings: Sequence[Drawing] = ()) -> str:
    """Render a report; every figure is one of its JSON's."""
    texts = Texts(report.language)
    return _page("page.md.jinja", report, sections(Writer(report, texts, drawings)))


def to_card(report: Report) -> str:
    """Render the promoted, or best, student's model card (Mitchell et al. 2019) as Markdown."""
    texts = Texts(report.language)
    title = texts("card.title", name=f"{report.scenario}-student")
    return _page("page.md.jinja", report, card_sections(Writer(report, texts)), title=title)


def to_html(report: Report, drawings: Sequence[Drawing] = ()) -> str:
    """Render a report as one page that needs nothing else."""
    texts = Texts(report.language)
    return _page("page.html.jinja", report, sections(Writer(report, texts, drawings)))


def _page(template: str, report: Report, parts: tuple[Section, ...], *, title: str = "") -> str:
    texts = Texts(report.language)
    title = title or texts("report.title", scenario=report.scenario)
    environment = _environment(html=template.endswith(".html.jinja"))
    page = environment.get_template(template).render(title=title, sections=parts, t=texts, language=report.language)
    return page if template.endswith(".html.jinja") else re.sub(r"\n{3,}", "\n\n", page).strip() + "\n"


@cache
def _environment(*, html: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("distillery.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=html,  # noqa: S701  Markdown is escaped by the filter `md`
    )
    environment.filters |= {"md": to_md, "data_uri": data_uri}
    return environment


def data_uri(svg: str) -> Markup:
    """Return a drawing as an address that holds it."""
    return Markup("data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode())  # noqa: S704  base64
