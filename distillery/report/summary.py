"""The table a run ends with in the terminal."""

from __future__ import annotations

import io

from rich.console import Console
from rich.table import Table as RichTable

from distillery.errors import shortlist
from distillery.evaluation import Scorecard
from distillery.report.formats import count, duration, estimate, number, percent, rate, size
from distillery.report.model import Report, SelectionFacts

WIDTH = 160
MOST_COLUMNS = 12  # named; the report has them all
HEADINGS = ("", "ROC AUC", "retained", "log loss", "agreement", "parameters", "bytes", "p50 row", "rows/s")


def summarize(report: Report) -> str:
    """Return the headline and one line per model, as plain text."""
    schema, rows = report.table_schema, report.data.rows
    head = (
        f"{report.scenario} · {rows['train']:,} train · {rows['valid']:,} valid · {rows['test']:,} test rows"
        f" · {len(schema.columns)} columns ({len(schema.numeric)} numeric, {len(schema.categorical)} categorical)"
    )
    table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in HEADINGS:
        table.add_column(heading, no_wrap=True, justify="left" if not heading else "right")
    for card in report.scorecards.cards:
        table.add_row(*_cells(card))
    text = io.StringIO()
    Console(file=text, width=WIDTH, color_system=None).print(table)
    columns = [f"columns  {_selected(one)}" for one in report.selections]
    warnings = [f"warning  {warning}" for warning in report.warnings]
    return "\n".join([head, *(line.rstrip() for line in text.getvalue().splitlines()), *columns, *warnings])


def _selected(one: SelectionFacts) -> str:
    names = shortlist((column.name for column in one.columns), MOST_COLUMNS)
    return f"{one.name} needs {len(one.columns)} of {one.among} columns ({percent(one.share)}): {names}"


def _cells(card: Scorecard) -> tuple[str, ...]:
    cost = card.cost
    retained = None if card.role == "teacher" else card.retention["auc_roc"].value
    return (
        card.label,
        estimate(card.quality.metrics["auc_roc"]),
        percent(retained),
        number(card.quality.metrics["log_loss"].value),
        percent(card.agreement.rate if card.agreement else None),
        count(cost.params if cost else None),
        size(cost.bytes if cost else None),
        duration(cost.latency_p50_us if cost else None),
        rate(cost.rows_per_second if cost else None),
    )
