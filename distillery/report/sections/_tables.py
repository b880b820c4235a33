"""Tables that several sections share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from distillery.evaluation import COSTS, METRICS, RANKING_METRICS, CostInfo, Estimate, Metric, Scorecard
from distillery.report import formats
from distillery.report.document import Cell, Format, Mark, Table, Terms, Writer
from distillery.report.formats import difference, percent_interval

MARKS: Mapping[str, Mark] = {"better": "good", "worse": "bad"}
COST_FORMATS: Mapping[str, Format] = {
    "bytes": formats.size,
    "peak_memory_bytes": formats.size,
    "latency_p50_us": formats.duration,
    "latency_p99_us": formats.duration,
    "rows_per_second": formats.rate,
    "native_latency_p50_us": formats.duration,
    "native_rows_per_second": formats.rate,
}


def estimate(value: Mapping[str, Any]) -> str:
    """Write an estimate as the JSON holds it."""
    return formats.estimate(Estimate.model_validate(value))


def agreed(writer: Writer, i: int, name: str, digits: int = 1) -> Cell:
    """Return a figure of a model's agreement with the teacher, with its interval where there is one."""
    card = writer.report.scorecards.cards[i]
    path, share = f"/scorecards/cards/{i}/agreement", name in ("rate", "disagreement")
    if card.agreement is None or name not in card.agreement.intervals:
        return writer.figure(f"{path}/{name}", lambda v: formats.percent(v, digits) if share else formats.number(v))
    return writer.figure(f"{path}/intervals/{name}", lambda v: percent_interval(v, digits) if share else estimate(v))


def models(writer: Writer, *roles: str) -> list[tuple[int, Scorecard]]:
    """Return the scorecards of some roles, or all, with their places."""
    return [(i, card) for i, card in enumerate(writer.report.scorecards.cards) if not roles or card.role in roles]


def by_model(
    writer: Writer, names: Iterable[str], row: Callable[[str, int], Cell], title: Callable[[str], str], *roles: str
) -> Table:
    """Return a table of one row per name and one column per model."""
    chosen = models(writer, *roles)
    rows = tuple((Cell(title(name)), *(row(name, i) for i, _ in chosen)) for name in names)
    return Table(("", *(writer.called(i) for i, _ in chosen)), rows)


def metric_title(writer: Writer, name: str) -> str:
    """Return a metric's title with the direction that is better."""
    return f"{writer.texts.get(f'metric.{name}.title', METRICS[name].title)} {arrow(METRICS[name].bigger_is_better)}"


def cost_title(writer: Writer, name: str) -> str:
    """Return a cost's title."""
    return writer.texts.get(f"cost.{name}.title", COSTS[name].title)


def arrow(bigger_is_better: bool) -> str:
    """Return the direction that is better."""
    return "↑" if bigger_is_better else "↓"


def definitions(writer: Writer, kind: str, *more: tuple[str, str]) -> Terms:
    """Return what every metric, or every cost, means and is counted in, and more terms with what they mean."""
    known: Mapping[str, Metric | CostInfo] = METRICS if kind == "metric" else COSTS
    if kind == "ranking":
        known = RANKING_METRICS
    items = []
    for name, one in known.items():
        title, unit, definition = (
            writer.texts.get(f"{kind}.{name}.{part}", getattr(one, part)) for part in ("title", "unit", "definition")
        )
        items.append((f"{title} ({unit})", definition))
    return Terms(writer.texts(f"report.{kind}s_mean"), (*items, *more))


def compared(writer: Writer, field: str) -> Table:
    """Return every metric's difference and verdict, two columns for each student."""
    chosen = [(i, card) for i, card in models(writer, "student") if getattr(card, field)]
    header = ["", *(text for i, _ in chosen for text in (writer.called(i), ""))]
    rows = []
    for name in METRICS:
        row = [Cell(metric_title(writer, name))]
        for i, card in chosen:
            verdict = getattr(card, field)[name].verdict
            path = f"/scorecards/cards/{i}/{field}/{name}"
            row.append(writer.figure(f"{path}/difference", difference, MARKS.get(verdict, "")))
            row.append(Cell(writer.texts(f"verdict.{verdict}"), mark=MARKS.get(verdict, "")))
        rows.append(tuple(row))
    return Table(tuple(header), tuple(rows))
