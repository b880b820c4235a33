"""The model card of the promoted student, after Mitchell et al. (2019), arXiv:1810.03993."""

from __future__ import annotations

from distillery.report import formats
from distillery.report.document import Block, Bullets, Cell, Paragraph, Section, Table, Writer
from distillery.report.formats import difference, percent_interval
from distillery.report.sections._tables import cost_title, estimate, metric_title
from distillery.report.sections.overview import headline

METRICS_SHOWN = ("auc_roc", "auc_pr", "log_loss", "brier", "ece", "accuracy", "f1")
COSTS_SHOWN = ("params", "bytes", "latency_p50_us", "rows_per_second")
MOST_COLUMNS = 30
MOST_SLICES = 3


def card_sections(writer: Writer) -> tuple[Section, ...]:
    """Write the nine parts that the paper names, about the winner, or the best student where there is none."""
    parts: dict[str, list[Block]] = {
        "details": _details(writer),
        "use": _use(writer),
        "factors": _factors(writer),
        "metrics": [Paragraph(_metrics(writer))],
        "evaluation_data": [Paragraph(_data(writer, "evaluation_data"))],
        "training_data": [Paragraph(_data(writer, "training_data"))],
        "analyses": _analyses(writer),
        "ethics": [Paragraph(writer.texts("card.ethics_text"))],
        "caveats": _caveats(writer),
    }
    return tuple(Section(name, writer.texts(f"card.{name}"), tuple(blocks)) for name, blocks in parts.items())


def _details(writer: Writer) -> list[Block]:
    report, texts = writer.report, writer.texts
    said = texts(
        "card.details_text",
        name=report.focus.name,
        kind=report.focus.kind,
        teacher=report.teacher.name,
        created=report.origin.created[:10],
        run=report.origin.run,
        mlflow_run=report.origin.mlflow_run or "–",
        git_commit=(report.origin.git_commit or "–")[:12],
        onnx=_is_file(writer),
        distillery=report.origin.versions.get("distillery", "–"),
    )
    return [Paragraph(headline(writer)), Paragraph(said)]


def _is_file(writer: Writer) -> bool:
    """Whether the student was exported, as far as is known."""
    return not writer.report.focus.export_problem


def _metrics(writer: Writer) -> str:
    return writer.texts("card.metrics_text", confidence=writer.report.scorecards.confidence, onnx=_is_file(writer))


def _use(writer: Writer) -> list[Block]:
    report, texts = writer.report, writer.texts
    needed = _needed(writer)
    said = {"target": report.table_schema.target, "classes": ", ".join(map(str, report.table_schema.classes))}
    columns = formats.count(len(needed)), ", ".join(needed[:MOST_COLUMNS])
    more = len(needed) - MOST_COLUMNS
    use = texts("card.use_text", **said, k=columns[0], columns=columns[1], more=max(more, 0))
    return [Paragraph(use), Paragraph(texts("card.not_for"))]


def _needed(writer: Writer) -> list[str]:
    """Return the raw columns that the student asks for."""
    report = writer.report
    kept = next((s for s in report.selections if s.name == report.focus.name), None)
    schema = report.table_schema.regular
    if kept is None:
        return schema.names
    names = [one.name for one in kept.columns]
    texts = [text.name for text in schema.text if set(text.parts("terms")) & set(names)]
    return [name for name in names if name in schema.names] + texts


def _factors(writer: Writer) -> list[Block]:
    slices, texts = writer.report.focus.slices, writer.texts
    if slices is None:
        return [Paragraph(texts("card.no_factors"))]
    said = Paragraph(texts("card.factors_text", n=slices.looked_at))
    worst = tuple(
        texts("card.slice", slice=one.text, rows=one.rows, increase=one.loss_increase.value, p=one.loss_p)
        for one in slices.losing[:MOST_SLICES]
    )
    return [said, Bullets(worst)] if worst else [said]


def _data(writer: Writer, part: str) -> str:
    report = writer.report
    return writer.texts(
        f"card.{part}_text",
        rows=report.data.rows,
        held=report.data.held,
        sampled=report.focus.name in report.sampled,
        digest=report.data.digest,
        group=report.table_schema.unit,
        ready_made=report.soft_labels.ready_made,
        method=report.soft_labels.method,
        folds=report.soft_labels.folds,
    )


def _analyses(writer: Writer) -> list[Block]:
    """Quality and cost beside the teacher's."""
    report, texts = writer.report, writer.texts
    path = f"/scorecards/cards/{report.scorecards.cards.index(report.focus)}"
    above = f"/scorecards/cards/{report.scorecards.cards.index(report.teacher)}"
    rows = [
        (
            Cell(metric_title(writer, name)),
            writer.figure(f"{path}/quality/metrics/{name}", estimate),
            writer.figure(f"{above}/quality/metrics/{name}", estimate),
            writer.figure(f"{path}/versus_teacher/{name}/difference", difference),
        )
        for name in METRICS_SHOWN
    ]
    header = ("", texts("role.student"), texts("role.teacher"), texts("report.versus_teacher"))
    quality, costs = Table(header, tuple(rows)), _costs(writer, path, above)
    kept = writer.figure(f"{path}/retention/auc_roc", percent_interval)
    retained = Paragraph(texts("card.retained", kept=kept.text))
    return [retained, quality, costs] if costs else [retained, quality]


def _costs(writer: Writer, path: str, above: str) -> Table | None:
    if writer.report.focus.cost is None:
        return None
    forms = dict(zip(COSTS_SHOWN, (formats.count, formats.size, formats.duration, formats.rate), strict=True))
    rows = tuple(
        (
            Cell(cost_title(writer, name)),
            writer.figure(f"{path}/cost/{name}", form),
            writer.figure(f"{above}/cost/{name}", form),
        )
        for name, form in forms.items()
    )
    return Table(("", writer.texts("role.student"), writer.texts("role.teacher")), rows)


def _caveats(writer: Writer) -> list[Block]:
    warnings, texts = writer.report.warnings, writer.texts
    said = Paragraph(texts("card.caveats_text"))
    return [Bullets(tuple(texts("report.sentence", text=one) for one in warnings)), said] if warnings else [said]
