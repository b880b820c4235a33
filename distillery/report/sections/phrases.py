"""The phrases that drive the teacher."""

from __future__ import annotations

from distillery.report import formats
from distillery.report.document import Block, Cell, Heading, Paragraph, Table, Writer
from distillery.report.phrases import MOST_WORDS

DIRECTIONS = ("raising", "lowering")


def phrases(writer: Writer) -> list[Block]:
    """Of each product, the phrases of its texts that raise or lower the teacher's probability most."""
    texts, report = writer.texts, writer.report
    if not report.phrases:
        return []
    blocks: list[Block] = [Heading(texts("phrases.title")), Paragraph(texts("phrases.note", words=MOST_WORDS), "note")]
    for i, one in enumerate(report.phrases):
        mean = writer.figure(f"/phrases/{i}/mean", formats.percent).text
        said = {"target": report.table_schema.target, "label": one.label, "rows": one.rows, "mean": mean}
        blocks.append(Paragraph(texts("phrases.of", group=report.table_schema.group, product=one.product, **said)))
        blocks.append(_table(writer, i))
    return blocks


def _table(writer: Writer, product: int) -> Table:
    texts, rows = writer.texts, []
    for direction in DIRECTIONS:
        for k, one in enumerate(getattr(writer.report.phrases[product], direction)):
            path = f"/phrases/{product}/{direction}/{k}"
            effect = writer.figure(f"{path}/effect", formats.signed)
            count = writer.figure(f"{path}/texts", formats.count)
            rows.append((Cell(one.phrase), effect, count, Cell(one.column), Cell(one.excerpt)))
    header = ("phrase", "effect", "texts", "column", "excerpt")
    return Table(tuple(texts(f"phrases.{name}") for name in header), tuple(rows))
