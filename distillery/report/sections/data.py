"""The rows, their columns, and what was selected of them."""

from __future__ import annotations

from distillery.data import Column
from distillery.evaluation.importance import Importance
from distillery.report import formats
from distillery.report.document import Block, Cell, Heading, Paragraph, Section, Table, Writer
from distillery.report.sections._tables import models
from distillery.report.sections.phrases import phrases

MOST_COLUMNS = 40  # of the schema that are listed; the JSON has them all
MOST_DRIFTED = 15
MOST_IMPORTANT = 15


def data(writer: Writer) -> Section:
    """Rows per split, how they were labelled, schema, validation, drift."""
    report, texts = writer.report, writer.texts
    hidden = len(report.table_schema.columns) - MOST_COLUMNS
    return writer.section(
        "data",
        Paragraph(_target(writer)),
        _splits(writer),
        Paragraph(_labels(writer)),
        Heading(texts("report.schema")),
        _schema(writer),
        Paragraph(texts("report.more_columns", n=hidden), "note") if hidden > 0 else None,
        Paragraph(texts("report.validated", n=len(report.validation.results))),
        *_drift(writer),
    )


def _target(writer: Writer) -> str:
    schema = writer.report.table_schema
    positive = schema.classes[-1] if schema.n_classes == 2 else None
    return writer.texts("report.target", target=schema.target, positive=positive, digest=writer.report.data.digest)


def _splits(writer: Writer) -> Table:
    schema, rows = writer.report.table_schema, []
    for split in writer.report.data.rows:
        shares = (writer.figure(f"/data/classes/{split}/{k}", formats.percent) for k in range(schema.n_classes))
        name = Cell(writer.texts(f"split.{split}"))
        rows.append((name, writer.figure(f"/data/rows/{split}", formats.count), *shares))
    return Table((writer.texts("report.split"), writer.texts("report.rows"), *map(str, schema.classes)), tuple(rows))


def _labels(writer: Writer) -> str:
    facts = writer.report.soft_labels
    how = "ready_made" if facts.ready_made else facts.method
    return writer.texts(
        f"labels.{how}", folds=facts.folds, uri=facts.ready_made, loss=formats.number(facts.train_log_loss)
    )


def _schema(writer: Writer) -> Table:
    texts, rows = writer.texts, []
    for i, column in enumerate(writer.report.table_schema.columns[:MOST_COLUMNS]):
        kind = texts(f"kind.{column.kind}") + (f", {texts('kind.privileged')}" if column.privileged else "")
        missing = writer.figure(f"/table_schema/columns/{i}/missing", formats.percent)
        rows.append((Cell(column.name), Cell(kind), Cell(_values(writer, column)), missing))
    return Table(tuple(texts(f"report.{name}") for name in ("column", "kind", "in_training", "missing")), tuple(rows))


def _values(writer: Writer, column: Column) -> str:
    if column.kind == "text":
        return writer.texts("report.terms", n=len(column.terms))
    if column.kind == "categorical":
        return writer.texts("report.categories", n=len(column.categories), buckets=column.buckets)
    return "–" if column.lower is None else f"{column.lower:g} … {column.upper:g}"


def _drift(writer: Writer) -> list[Block]:
    """The columns that moved most, of each split."""
    texts, report = writer.texts, writer.report
    if report.drift is None:
        return []
    blocks: list[Block] = [Heading(texts("report.drift"))]
    for s, split in enumerate(report.drift.splits):
        drifted, columns = ({one.column for one in some} for some in (split.drifted, split.columns))
        said = {"split": texts(f"split.{split.split}"), "page": split.split == "test"}
        blocks.append(Paragraph(texts("report.drifted", drifted=len(drifted), columns=len(columns), **said)))
        rows = [_drift_row(writer, s, split.columns.index(one)) for one in split.drifted[:MOST_DRIFTED]]
        if rows:
            header = ("column", "method", "score", "threshold")
            blocks.append(Table(tuple(texts(f"report.{name}") for name in header), tuple(rows)))
    return blocks


def _drift_row(writer: Writer, split: int, i: int) -> tuple[Cell, ...]:
    assert writer.report.drift is not None
    one, path = writer.report.drift.splits[split].columns[i], f"/drift/splits/{split}/columns/{i}"
    form = (lambda value: f"{value:.2g}") if one.kind == "p_value" else lambda value: formats.number(value, 3)
    name = one.column if one.part == "values" else writer.texts("report.missing_of", column=one.column)
    return Cell(name), Cell(one.method), *(writer.figure(f"{path}/{of}", form) for of in ("score", "threshold"))


def columns(writer: Writer) -> Section:
    """Selected columns, and what every model's answers rest on."""
    texts, blocks = writer.texts, list[Block]()
    for s, selection in enumerate(writer.report.selections):
        share = writer.figure(f"/selections/{s}/share", formats.percent).text
        among, k = selection.among, len(selection.columns)
        blocks.append(Heading(texts("report.selected", name=selection.name, k=k, d=among, share=share)))
        rows = tuple(
            (Cell(str(i + 1)), Cell(one.name), writer.figure(f"/selections/{s}/columns/{i}/score", _score))
            for i, one in enumerate(selection.columns)
        )
        blocks.append(Table(tuple(texts(f"report.{name}") for name in ("rank", "column", "selection_score")), rows))
    if writer.report.selections:
        blocks.append(Paragraph(texts("report.selection_unit"), "note"))
    return writer.section("columns", *blocks, *_importances(writer), *phrases(writer))


def _score(value: float) -> str:
    return formats.number(value, 3)


def _importances(writer: Writer) -> list[Block]:
    """The columns that matter most to teacher and students."""
    texts = writer.texts
    chosen = [(i, c.importance) for i, c in models(writer, "teacher", "student") if c.importance is not None]
    if not chosen:
        return []
    names = [one.name for one in chosen[0][1].columns][:MOST_IMPORTANT]
    rows = tuple((Cell(name), *(_rise(writer, i, of, name) for i, of in chosen)) for name in names)
    headings = (texts("report.importance_of", name=writer.called(i), rows=of.rows) for i, of in chosen)
    header = (texts("report.column"), *headings)
    first, ranking = chosen[0]
    note = texts("report.importance_note", n=len(names), d=len(ranking.columns), name=writer.called(first))
    return [Heading(texts("report.importance")), Paragraph(note, "note"), Table(header, rows)]


def _rise(writer: Writer, card: int, of: Importance, name: str) -> Cell:
    place = next((i for i, one in enumerate(of.columns) if one.name == name), None)
    if place is None:
        return Cell("–")
    return writer.figure(f"/scorecards/cards/{card}/importance/columns/{place}/mean", formats.signed)
