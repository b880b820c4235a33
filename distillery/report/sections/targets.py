"""How the models do on each of several binary targets."""

from __future__ import annotations

from collections.abc import Mapping

from distillery.evaluation import Comparison, Scorecard
from distillery.report import formats
from distillery.report.document import Block, Cell, Heading, Mark, Paragraph, Table, Writer, key
from distillery.report.formats import difference
from distillery.report.sections._tables import MARKS, estimate, models

HEADER = ("model", "auc_roc", "retained", "log_loss", "over_teacher", "over_control")


def per_target(writer: Writer) -> list[Block]:
    """Return a table of models for each target; nothing where the target is just one."""
    names, texts = list(writer.report.teacher.targets), writer.texts
    if not names:
        return []
    blocks: list[Block] = [Paragraph(texts("report.targets_note"), "note")]
    for name in names:
        rows = tuple(_row(writer, i, card, name) for i, card in models(writer) if name in card.targets)
        blocks += [Heading(texts("report.target_alone", name=name)), _table(writer, rows)]
    return blocks


def _table(writer: Writer, rows: tuple[tuple[Cell, ...], ...]) -> Table:
    return Table(tuple(writer.texts(f"report.head.{name}") for name in HEADER), rows)


def _row(writer: Writer, i: int, card: Scorecard, name: str) -> tuple[Cell, ...]:
    path, score = f"/scorecards/cards/{i}/targets/{key(name)}", card.targets[name]
    over_teacher, over_control = (_mark(compared) for compared in (score.versus_teacher, score.lift))
    return (
        Cell(writer.called(i)),
        writer.figure(f"{path}/quality/metrics/auc_roc", estimate),
        writer.figure(f"{path}/retention/auc_roc/value", formats.percent),
        writer.figure(f"{path}/quality/metrics/log_loss", estimate),
        writer.figure(f"{path}/versus_teacher/log_loss/difference", difference, over_teacher),
        writer.figure(f"{path}/lift/log_loss/difference", difference, over_control),
    )


def _mark(compared: Mapping[str, Comparison]) -> Mark:
    return MARKS.get(compared["log_loss"].verdict, "") if compared else ""
