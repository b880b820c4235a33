"""The table a run ends with in the terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from distillery.evaluation import Comparison
from distillery.report import formats
from distillery.report.model import Report, SelectionFacts
from distillery.report.summary import HEADINGS, LEGEND, WIDTH, print_summary, summarize
from distillery.students import Selected

Make = Callable[..., Report]
POINTERS = {"report": "reports/toy/report.md", "compare": "make ui"}
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def printed(report: Report, **console: Any) -> str:
    """What a console of some kind is told."""
    file = io.StringIO()
    settings = {"force_terminal": True, "color_system": "standard", "width": 120, "legacy_windows": False}
    print_summary(report, Console(file=file, **settings | console), "this is what was done", POINTERS)
    return file.getvalue()


def styled(text: str, codes: str) -> list[str]:
    """The pieces of coloured text that these codes come right before."""
    return re.findall(rf"\x1b\[{codes}m([^\x1b]*)\x1b\[0m", text)


def words(text: str) -> list[str]:
    return ESCAPES.sub("", text).split()


def decided(report: Report, action: str, verdicts: tuple[str, ...] = ("worse",) * 3) -> Report:
    """The report after another verdict, with other differences from the teacher, a card each."""
    verdict = report.verdict.model_copy(update={"action": action, "winner": "small"})
    cards = []
    for card, one in zip(report.scorecards.cards, verdicts, strict=True):
        versus = {m: Comparison(difference=c.difference, verdict=one) for m, c in card.versus_teacher.items()}
        cards.append(card.model_copy(update={"versus_teacher": versus}))
    scorecards = report.scorecards.model_copy(update={"cards": tuple(cards)})
    return report.model_copy(update={"verdict": verdict, "scorecards": scorecards})


def test_the_headline_says_how_many_test_rows_were_measured(report: Make) -> None:
    """Where more of them lie on disk."""
    one = report()
    data = one.data.model_copy(update={"held": {"train": 60, "valid": 70, "test": 80}})
    assert "2,500 test rows (80 of them measured) · 2 columns" in summarize(one.model_copy(update={"data": data}))


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
    lines = summarize(report(warnings=("one", "two"))).splitlines()
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


def test_away_from_a_terminal_the_summary_is_plain_text(report: Make) -> None:
    """What `summarize` gives, what was done and where to look; the width of whatever is there plays no part."""
    one = report(warnings=("one",))
    expected = (
        f"{summarize(one)}\nverdict  this is what was done\nreport   reports/toy/report.md      compare   make ui\n"
    )
    assert printed(one, force_terminal=False) == expected
    assert printed(one, force_terminal=False, width=30) == expected
    file = io.StringIO()
    print_summary(one, Console(file=file, force_terminal=False))
    assert file.getvalue() == summarize(one) + "\n"


@pytest.mark.parametrize("width", [20, 30, 45, 60, 80, 100, 140, 250])
def test_a_terminal_of_any_width_shows_every_figure(report: Make, width: int) -> None:
    """Columns that do not fit stand in a table below; nothing is cut, and no line is too long."""
    one = decided(report(warnings=("one warning",)), "promote")
    text = ESCAPES.sub("", printed(one, width=width))
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text
    together = "".join(text.split())
    for card in one.scorecards.cards:
        assert card.cost is not None
        for figure in (
            formats.number(card.quality.metrics["log_loss"].value),
            formats.size(card.cost.bytes),
            formats.duration(card.cost.latency_p50_us),
            formats.rate(card.cost.rows_per_second),
        ):
            assert figure.replace(" ", "") in together
    assert all(heading.replace(" ", "") in together for heading in HEADINGS)
    if width >= 45:
        assert all(formats.estimate(card.quality.metrics["auc_roc"]) in text for card in one.scorecards.cards)


def test_what_was_promoted_stands_out(report: Make) -> None:
    """Its name, and what was done, in another colour; nobody's where nothing was."""
    text = printed(decided(report(), "promote"))
    assert [part.strip() for part in styled(text, "1;32")] == ["student small", "this is what was done"]
    refused = printed(report())
    assert styled(refused, "1;32") == []
    assert [part.strip() for part in styled(refused, "1;33")] == ["this is what was done"]


def test_differences_from_the_teacher_are_marked(report: Make) -> None:
    """By a sign beside the colour; only those that the test rows show, and the signs are explained."""
    text = printed(decided(report(), "promote", ("better", "better", "worse")))
    assert (len(styled(text, "32")), len(styled(text, "31"))) == (2, 2)
    assert LEGEND in ESCAPES.sub("", text)
    plain = ESCAPES.sub("", printed(decided(report(), "promote", ("no difference shown",) * 3)))
    assert {"▲", "▼"} & set(plain) == set()


def test_warnings_are_yellow(report: Make) -> None:
    """In a terminal; each is there once."""
    assert [part.strip() for part in styled(printed(report(warnings=("beware",))), "33")] == ["beware"]


def test_without_colours_the_words_are_the_same(report: Make) -> None:
    """A terminal that has none is told all the same."""
    one = decided(report(warnings=("one",)), "promote")
    text = printed(one, color_system=None)
    assert re.search(r"\x1b\[[0-9;]*3[0-9]", text) is None
    assert words(text) == words(printed(one))


def test_names_do_not_steer_the_terminal(report: Make) -> None:
    """Neither markup nor escape codes in them work; wide characters count as two."""
    one = report()
    cards = list(one.scorecards.cards)
    for name in ("[bold]x[/bold]", "\x1b[31mred", "学生 模型", "a\nb", ":smile:"):
        cards[0] = cards[0].model_copy(update={"label": name})
        named = one.model_copy(update={"scorecards": one.scorecards.model_copy(update={"cards": tuple(cards)})})
        shown = name.replace("\x1b", "\N{REPLACEMENT CHARACTER}").replace("\n", "\N{REPLACEMENT CHARACTER}")
        plain, coloured = summarize(named), printed(named)
        assert shown in plain
        assert "\x1b" not in plain
        assert shown in ESCAPES.sub("", coloured)
        ends = {cell_len(line) for line in plain.splitlines()[2:]}
        assert len(ends) == 1


@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_from_outside_steers_the_terminal(report: Make, terminal: bool) -> None:
    """The scenario, what was done, where to look: neither in colour nor plain."""
    file, evil = io.StringIO(), "a\x1b]0;title\x07\x9b2J\rb"
    console = Console(file=file, force_terminal=terminal, color_system=None, width=200, legacy_windows=False)
    print_summary(report(scenario=evil), console, f"{evil} promoted", {f"report {evil}": f"reports/{evil}"})
    text = ESCAPES.sub("", file.getvalue())
    assert not {"\x1b", "\x07", "\x9b", "\r"} & set(text)
    assert text.count("a\N{REPLACEMENT CHARACTER}]0;title") == 4
