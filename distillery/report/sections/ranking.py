"""How well the models rank rows within their query."""

from __future__ import annotations

from distillery.errors import shortlist
from distillery.evaluation import RANKING_METRICS
from distillery.report.document import Block, Cell, Heading, Paragraph, Table, Writer
from distillery.report.formats import difference
from distillery.report.sections._tables import MARKS, arrow, by_model, definitions, estimate, models


def ranked(writer: Writer) -> list[Block]:
    """Return the ranking metrics of every model and the students' differences, where the table names a query."""
    ranking, schema, texts = writer.report.teacher.ranking, writer.report.table_schema, writer.texts
    if ranking is None:
        return []
    said = {"query": schema.query, "target": schema.target, "relevant": shortlist(map(str, ranking.relevant))}
    counted = {"queries": ranking.queries, "left_out": ranking.left_out, "k": ranking.k}

    def metric(name: str, i: int) -> Cell:
        return writer.figure(f"/scorecards/cards/{i}/ranking/metrics/{name}", estimate)

    return [
        Heading(texts("rank.title", query=schema.query)),
        Paragraph(texts("rank.note", **said, **counted), "note"),
        by_model(writer, RANKING_METRICS, metric, lambda name: _title(writer, name, ranking.k)),
        _differences(writer, ranking.k),
        definitions(writer, "ranking"),
    ]


def _title(writer: Writer, name: str, k: int) -> str:
    one = RANKING_METRICS[name]
    title = writer.texts.get(f"ranking.{name}.title", one.title).replace("@k", f"@{k}")
    return f"{title} {arrow(one.bigger_is_better)}"


def _differences(writer: Writer, k: int) -> Table:
    """Return each student's differences to the teacher and to its control."""
    columns = [(i, c, minus) for i, c in models(writer, "student") for minus in ("versus_teacher", "lift")]
    names = {"versus_teacher": "rank.minus_teacher", "lift": "rank.minus_control"}
    rows = []
    for metric in RANKING_METRICS:
        row = [Cell(_title(writer, metric, k))]
        for i, card, minus in columns:
            compared = getattr(card.ranking, minus).get(metric)
            mark = MARKS.get(compared.verdict, "") if compared else ""
            row.append(writer.figure(f"/scorecards/cards/{i}/ranking/{minus}/{metric}/difference", difference, mark))
        rows.append(tuple(row))
    return Table(("", *(writer.texts(names[minus], name=c.name) for _, c, minus in columns)), tuple(rows))
