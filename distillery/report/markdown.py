"""The report as Markdown."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from distillery.evaluation import COSTS, METRICS, Scorecard
from distillery.report import formats
from distillery.report.model import Report

MOST_TRIALS = 10  # shown; the JSON has them all
TITLES = {"promote": "promoted", "keep_staged": "the staged model stays", "refuse": "nothing is promoted"}


def to_markdown(report: Report) -> str:
    """Render a report; every figure is one of its JSON's."""
    environment = Environment(
        loader=PackageLoader("distillery.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  Markdown: cells are escaped by the `cell` filter
    )
    for name in ("number", "estimate", "percent", "count", "size", "duration", "rate", "cell"):
        environment.filters[name] = getattr(formats, name)
    environment.filters["cost"] = _cost
    template = environment.get_template("report.md.jinja")
    return template.render(
        report=report, cards=report.scorecards, metrics=METRICS, costs=COSTS, title=TITLES, most_trials=MOST_TRIALS
    )


_COST_FORMATS = {
    "bytes": formats.size,
    "peak_memory_bytes": formats.size,
    "latency_p50_us": formats.duration,
    "latency_p99_us": formats.duration,
    "rows_per_second": formats.rate,
    "native_latency_p50_us": formats.duration,
    "native_rows_per_second": formats.rate,
}


def _cost(card: Scorecard, name: str) -> str:
    value = None if card.cost is None else getattr(card.cost, name)
    return _COST_FORMATS.get(name, formats.count)(value)
