"""The table a run ends with in the terminal."""

from __future__ import annotations

from collections.abc import Callable

from distillery.report import formats
from distillery.report.model import Finding, Report, SelectionFacts
from distillery.report.summary import HEADINGS, WIDTH, summarize
from distillery.students import Selected

Make = Callable[..., Report]


def test_the_headline_counts_rows_and_columns(report: Make) -> None:
    """Scenario, rows per split, columns by kind."""
    assert summarize(report()).splitlines()[0] == (
        "toy · 6,000 train · 1,500 valid · 2,500 test rows · 2 columns (1 numeric, 1 categorical)"
    )


def test_there_is_one_line_per_model(report: Make) -> None:
    """Below the headings, in run order, with the headline figures."""
    one = report()
    _, headings, *lines = summarize(one).splitlines()
    assert all(heading in headings for heading in HEADINGS)
    assert len(lines) == len(one.scorecards.cards)
    for line, card in zip(lines, one.scorecards.cards, strict=True):
        assert line.startswith(card.label)
        assert formats.estimate(card.quality.metrics["auc_roc"]) in line
        assert formats.number(card.quality.metrics["log_loss"].value) in line
        assert card.cost is not None
        assert formats.size(card.cost.bytes) in line
    assert "–" in lines[0]


def test_warnings_come_last(report: Make) -> None:
    """One line each."""
    findings = tuple(Finding(code="few_rows", severity="warning", text=text) for text in ("one", "two"))
    lines = summarize(report(findings=findings)).splitlines()
    assert lines[-2:] == ["warning  one", "warning  two"]


def test_it_is_plain_text_of_bounded_width(report: Make) -> None:
    """No colours, no trailing spaces; it can be logged."""
    for line in summarize(report()).splitlines():
        assert "\x1b" not in line
        assert len(line) <= WIDTH
        assert line == line.rstrip()


def test_the_columns_a_student_needs_are_named(report: Make) -> None:
    """The most important first, a long list cut, with their share."""
    columns = tuple(Selected(f"pixel{i}", 1 - i / 20) for i in range(13))
    chosen = SelectionFacts(name="mlp", among=65, columns=columns)
    lines = summarize(report(selections=(chosen,))).splitlines()
    names = ", ".join(f"pixel{i}" for i in range(12))
    assert lines[-1] == f"columns  mlp needs 13 of 65 columns (20.0 %): {names} (+1 more)"
