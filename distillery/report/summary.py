"""The table a run ends with in the terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from distillery.errors import shortlist
from distillery.evaluation import Scorecard
from distillery.promotion import Verdict
from distillery.report.formats import count, duration, estimate, number, percent, rate, size
from distillery.report.model import Report, SelectionFacts

WIDTH = 160
MOST_COLUMNS = 12  # named; the report has them all
HEADINGS = ("", "ROC AUC", "retained", "log loss", "agreement", "parameters", "bytes", "p50 row", "rows/s")
COMPARED = {"ROC AUC": "auc_roc", "log loss": "log_loss"}
MARKS = {"better": ("▲ ", "green"), "worse": ("▼ ", "red"), "no difference shown": ("", "")}
LEGEND = "▲ better, ▼ worse than the teacher; without a mark, no difference is shown"
VERDICTS = {"promote": "bold green", "keep_staged": "bold", "refuse": "bold yellow"}
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # a name that holds some must not steer the terminal


def summarize(report: Report) -> str:
    """Return the headline and one line per model, as plain text."""
    table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in HEADINGS:
        table.add_column(heading, no_wrap=True, justify="left" if not heading else "right")
    for card in report.scorecards.cards:
        table.add_row(*map(_harmless, _cells(card)))
    text = io.StringIO()
    Console(file=text, width=WIDTH, color_system=None, markup=False, emoji=False).print(table)
    notes = [f"{kind:7}  {note}" for kind, note in _notes(report)]
    return "\n".join([_headline(report), *(line.rstrip() for line in text.getvalue().splitlines()), *notes])


def print_summary(report: Report, console: Console, done: str = "", pointers: Mapping[str, str] | None = None) -> None:
    """Print the summary: coloured and as wide as the terminal, or the text of `summarize` where there is none.

    Args:
        report: what is summed up.
        console: where to.
        done: what became of the verdict, in one sentence.
        pointers: where to look next, by what is found there.
    """
    pointers = pointers or {}
    if console.is_terminal:
        console.print(_coloured(report, console, done, pointers))
        return
    lines = [summarize(report), *([f"verdict  {_harmless(done)}"] if done else [])]
    where = "      ".join(f"{_harmless(name)}   {_harmless(place)}" for name, place in pointers.items())
    console.file.write("\n".join([*lines, *([where] if where else [])]) + "\n")


def _headline(report: Report) -> str:
    schema, rows, held = report.table_schema, report.data.rows, report.data.held
    measured = "" if held is None else f" ({held['test']:,} of them measured)"
    return (
        f"{_harmless(report.scenario)} · {rows['train']:,} train · {rows['valid']:,} valid · {rows['test']:,} test rows"
        f"{measured} · {len(schema.columns)} columns"
        f" ({len(schema.numeric)} numeric, {len(schema.categorical)} categorical)"
    )


def _notes(report: Report) -> Iterator[tuple[str, str]]:
    """Yield what stands below the table: its kind and its text."""
    for one in report.selections:
        yield "columns", _harmless(_selected(one))
    for warning in report.warnings:
        yield "warning", _harmless(warning)


def _harmless(text: str) -> str:
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


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


def _coloured(report: Report, console: Console, done: str, pointers: Mapping[str, str]) -> Group:
    rows = [_coloured_cells(card, report.verdict) for card in report.scorecards.cards]
    marked = any(mark and mark in cell.plain for row in rows for cell in row for mark, _ in MARKS.values())
    notes = RichTable.grid(padding=(0, 2, 0, 0))
    notes.add_column(no_wrap=True, style="dim")
    notes.add_column(overflow="fold")
    for kind, note in _notes(report):
        notes.add_row(kind, Text(note), style="yellow" if kind == "warning" else "")
    if done:
        notes.add_row("verdict", Text(_harmless(done), style=VERDICTS[report.verdict.action]))
    for name, place in pointers.items():
        notes.add_row(Text(_harmless(name)), Text(_harmless(place)))
    legend = [Text(LEGEND, style="dim")] if marked else []
    return Group(Text(_headline(report), style="bold"), *_tables(rows, console), *legend, notes)


def _coloured_cells(card: Scorecard, verdict: Verdict) -> list[Text]:
    """Return a row; the model that is staged after the run stands out, differences from the teacher are marked."""
    promoted = card.role == "student" and verdict.action == "promote" and card.name == verdict.winner
    stays = card.role == "staged" and verdict.action == "keep_staged"
    style = "bold" if promoted or stays else ""
    cells = []
    for heading, text in zip(HEADINGS, _cells(card), strict=True):
        compared = card.versus_teacher.get(COMPARED.get(heading, ""))
        mark, colour = MARKS[compared.verdict] if compared else ("", "")
        cells.append(Text.assemble((mark, colour), (_harmless(text), style)))
    if style:
        cells[0].stylize("green")
    return cells


def _tables(rows: Sequence[Sequence[Text]], console: Console) -> list[RichTable]:
    """Put the columns into as few tables as the terminal's width allows, each with the models' names."""
    tables, held = [], [1]
    for i in range(2, len(HEADINGS)):
        if _wide(_table([*held, i], rows), console):
            tables.append(held)
            held = []
        held.append(i)
    return [_table(columns, rows) for columns in [*tables, held]]


def _table(columns: Sequence[int], rows: Sequence[Sequence[Text]]) -> RichTable:
    table = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold", min_width=8)
    for i in columns:  # one that is too wide all by itself is broken, not cut
        table.add_column(HEADINGS[i], justify="right", no_wrap=len(columns) > 1, overflow="fold")
    for row in rows:
        table.add_row(row[0], *(row[i] for i in columns))
    return table


def _wide(table: RichTable, console: Console) -> bool:
    unbounded = console.options.update(width=10_000)
    return Measurement.get(console, unbounded, table).maximum > console.width
