"""The Markdown says what the JSON says, whatever columns are called."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from distillery.distillation import SoftLabelsSpec
from distillery.evaluation import COSTS, METRICS
from distillery.promotion import StagedModel, Verdict
from distillery.report import formats
from distillery.report.markdown import to_markdown
from distillery.report.model import Report, SearchFacts, SelectionFacts, SoftLabelFacts
from distillery.students import Selected, Trial

Make = Callable[..., Report]
Rows = list[list[str]]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def tables(markdown: str) -> list[tuple[list[str], Rows]]:
    """Return every table as its heading and rows."""
    found: list[tuple[list[str], Rows]] = []
    lines = markdown.splitlines()
    for i, line in enumerate(lines):
        if re.fullmatch(r"(\|-+)+\|", line):
            rows: Rows = []
            for row in lines[i + 1 :]:
                if not row.startswith("|"):
                    break
                rows.append(cells(row))
            assert len(cells(line)) == len(cells(lines[i - 1]))
            found.append((cells(lines[i - 1]), rows))
    return found


def table(markdown: str, *heading: str) -> Rows:
    """Return the rows of the one table whose heading begins so."""
    (rows,) = [rows for head, rows in tables(markdown) if tuple(head[: len(heading)]) == heading]
    return rows


def read_back(report: Report) -> Report:
    """The report as its JSON has it."""
    return Report.model_validate_json(report.model_dump_json())


@pytest.mark.parametrize("classes", [("no", "yes"), (0, 1, 2), (False, True)], ids=str)
def test_every_table_is_whole(report: Make, classes: tuple[object, ...]) -> None:
    """Each row has a cell for each heading; nothing is left of the template."""
    markdown = to_markdown(report(classes=classes))
    for heading, rows in tables(markdown):
        assert rows, heading
        assert {len(row) for row in rows} == {len(heading)}, heading
    assert "{{" not in markdown
    assert "{%" not in markdown


def test_the_first_table_has_the_headline_figures(report: Make) -> None:
    """One row per model, the teacher first; a teacher retains nothing and agrees with nobody."""
    one = report()
    rows = table(to_markdown(one), "model", "ROC AUC")
    for row, card in zip(rows, read_back(one).scorecards.cards, strict=True):
        cost = card.cost
        assert cost is not None
        retained = None if card.role == "teacher" else card.retention["auc_roc"].value
        assert row == [
            card.label,
            formats.estimate(card.quality.metrics["auc_roc"]),
            formats.percent(retained),
            formats.estimate(card.quality.metrics["log_loss"]),
            formats.percent(card.agreement.rate if card.agreement else None),
            formats.count(cost.params),
            formats.size(cost.bytes),
            formats.duration(cost.latency_p50_us),
            formats.rate(cost.rows_per_second),
        ]


def test_the_quality_table_has_every_metric_of_every_model(report: Make) -> None:
    """With its interval, its direction in the heading."""
    one = report()
    cards = read_back(one).scorecards.cards
    rows = table(to_markdown(one), "metric", "teacher big")
    assert len(rows) == len(METRICS)
    for row, (name, metric) in zip(rows, METRICS.items(), strict=True):
        arrow = "↑" if metric.bigger_is_better else "↓"
        assert row == [f"{metric.title} {arrow}", *(formats.estimate(card.quality.metrics[name]) for card in cards)]


@pytest.mark.parametrize(("section", "field"), [("minus teacher", "versus_teacher"), ("minus its control", "lift")])
def test_the_comparisons_are_the_jsons(report: Make, section: str, field: str) -> None:
    """Difference, interval and verdict, each metric."""
    one = report()
    markdown = to_markdown(one)
    part = markdown[markdown.index(section) :]
    rows = next(rows for head, rows in tables(part) if head[0] == "metric")
    (student,) = read_back(one).scorecards.students
    compared = getattr(student, field)
    assert rows == [
        [METRICS[name].title, formats.estimate(compared[name].difference), compared[name].verdict] for name in METRICS
    ]


def test_the_cost_and_compression_tables_are_the_jsons(report: Make) -> None:
    """Every cost is shown; what was not measured is a dash."""
    one = report()
    markdown, back = to_markdown(one), read_back(one).scorecards
    rows = {row[0]: row[1:] for row in table(markdown, "cost")}
    assert list(rows) == [info.title for info in COSTS.values()]
    costs = [card.cost for card in back.cards]
    assert rows[COSTS["flops_per_row"].title] == [formats.count(c.flops_per_row) for c in costs if c]
    assert rows[COSTS["bytes"].title] == [formats.size(c.bytes) for c in costs if c]
    assert rows[COSTS["latency_p99_us"].title] == [formats.duration(c.latency_p99_us) for c in costs if c]
    assert rows[COSTS["peak_memory_bytes"].title] == ["–"] * 3
    (row,) = table(markdown, "model", COSTS["params"].title)
    assert row == ["student small", *(formats.percent(v) for v in back.students[0].compression.values())]


def test_the_agreement_table_leaves_the_teacher_out(report: Make) -> None:
    """It agrees with itself."""
    one = report()
    rows = table(to_markdown(one), "model", "agreement")
    cards = [card for card in read_back(one).scorecards.cards if card.agreement]
    for row, card in zip(rows, cards, strict=True):
        assert card.agreement is not None
        a = card.agreement
        assert row == [
            card.label,
            formats.percent(a.rate, 2),
            formats.percent(a.disagreement, 2),
            formats.number(a.kl),
            "–",
        ]


def test_the_data_tables_are_the_jsons(report: Make) -> None:
    """Rows and class shares per split; the columns with range and missing share."""
    one = report()
    markdown, data = to_markdown(one), read_back(one).data
    assert table(markdown, "split", "rows", "no", "yes") == [
        [name, f"{n:,}", *(formats.percent(share) for share in data.classes[name])] for name, n in data.rows.items()
    ]
    assert table(markdown, "column", "kind") == [
        ["age", "numeric", "0.0 … 90.0", "12.5 %"],
        ["plan", "categorical, privileged", "3 categories", "0.0 %"],
    ]


def test_the_gates_show_what_was_measured(report: Make) -> None:
    """A failed gate cries out."""
    assert table(to_markdown(report()), "gate") == [["max_bytes", "NO", "bytes 69,134, at most 60,000 asked"]]


@pytest.mark.parametrize("classes", [(0, 1, 2), ("a|b", "<b>", "c")], ids=str)
def test_more_than_two_classes_get_a_table_of_their_own(report: Make, classes: tuple[object, ...]) -> None:
    """F1 per class and model, in class order."""
    one = report(classes=classes)
    rows = table(to_markdown(one), "class", "teacher big")
    cards = read_back(one).scorecards.cards
    assert rows == [
        [formats.cell(label), *(formats.estimate(card.quality.per_class[i].f1) for card in cards)]
        for i, label in enumerate(classes)
    ]


def test_two_classes_need_no_table_per_class(report: Make) -> None:
    """The metrics speak of the positive class already."""
    assert "Per class" not in to_markdown(report())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a|b", r"a\|b"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("new\nline", "new line"),
        ("a & b", "a &amp; b"),
        ("ümlaut", "ümlaut"),
    ],
)
def test_odd_column_names_do_not_break_a_table(report: Make, name: str, shown: str) -> None:
    """A pipe, a tag or a line break is a name, not markup."""
    markdown = to_markdown(report(column=name))
    assert table(markdown, "column", "kind")[0] == [shown, "numeric", "0.0 … 90.0", "12.5 %"]
    assert "<script>" not in markdown


def test_a_search_shows_its_best_trials(report: Make) -> None:
    """Settings, validation log loss, the chosen one, and why one was refused; a report without a search is silent."""
    tried = [
        Trial(number=i, params={"alpha": i / 20, "widths": [8, i]}, valid_log_loss=0.4 + i / 1000) for i in range(11)
    ]
    refused = Trial(number=11, params={"alpha": 0.9, "widths": None}, valid_log_loss=None, refused="a|b")
    few = SearchFacts(name="few", chosen=1, trials=(tried[1], refused))
    many = SearchFacts(name="many", chosen=0, trials=tuple(tried))
    one = report(searches=(few, many))
    markdown = to_markdown(one)
    heading = ["trial", "alpha", "widths", "validation log loss", ""]
    first, second = [rows for head, rows in tables(markdown) if head == heading]
    assert first == [["1", "0.05", "[8, 1]", ".4010", "chosen"], ["11", "0.9", "null", "–", r"a\|b"]]
    assert [row[0] for row in second] == [str(i) for i in range(10)]
    assert "**few**: 2 trials\n" in markdown
    assert "**many**: 11 trials, the best 10\n" in markdown
    assert read_back(one).searches == one.searches
    assert "searched" not in to_markdown(report())


def test_warnings_stand_before_the_figures(report: Make) -> None:
    """They are read first."""
    markdown = to_markdown(report(warnings=("the test split has only 90 rows", "second")))
    assert markdown.index("> **Warning:** the test split has only 90 rows.") < markdown.index("| model |")
    assert "> **Warning:** second." in markdown


@pytest.mark.parametrize(
    ("action", "winner", "line"),
    [
        ("promote", "small", "**Verdict:** promoted – candidate `small`. because."),
        ("keep_staged", "small", "**Verdict:** the staged model stays – candidate `small`. because."),
        ("refuse", None, "**Verdict:** nothing is promoted. because."),
    ],
)
def test_the_verdict_is_the_first_sentence(report: Make, action: str, winner: str | None, line: str) -> None:
    """Action, candidate and reason."""
    fields = {"action": action, "winner": winner, "reason": "because", "judgements": (), "staged": StagedModel()}
    lines = to_markdown(report(verdict=Verdict.model_validate(fields))).splitlines()
    assert lines[0] == "# Compression report: toy"
    assert lines[2] == line


def test_labels_taken_in_sample_are_marked(report: Make) -> None:
    """They are too good to be true."""
    facts = SoftLabelFacts(method=SoftLabelsSpec(method="in_sample").method, folds=None, train_log_loss=0.01)
    assert "by the teacher **in sample** (log loss of these labels .0100)" in to_markdown(report(soft_labels=facts))
    assert "by the teacher cross-fitted over 5 folds (log loss of these labels .4321)" in to_markdown(report())


def test_a_ready_made_teacher_is_named(report: Make) -> None:
    """Where its version lies."""
    facts = SoftLabelFacts(method="in_sample", folds=None, train_log_loss=0.01, ready_made="models:/churn/3")
    assert "by the teacher, the ready-made `models:/churn/3`, **in sample**" in to_markdown(report(soft_labels=facts))


def test_costs_that_are_unknown_are_dashes(report: Make) -> None:
    """A ready-made teacher's parameters are not known; what was saved of them is left out."""
    one = report()
    teacher, student, control = one.scorecards.cards
    assert teacher.cost is not None
    unknown = teacher.cost.model_copy(update={"params": None, "learnable_params": None, "flops_per_row": None})
    known = {name: share for name, share in student.compression.items() if name not in ("params", "flops_per_row")}
    cards = (
        teacher.model_copy(update={"cost": unknown}),
        student.model_copy(update={"compression": known}),
        control,
    )
    markdown = to_markdown(report(scorecards=one.scorecards.model_copy(update={"cards": cards})))
    assert table(markdown, "model", "ROC AUC")[0][5] == "–"
    assert {row[0]: row[1] for row in table(markdown, "cost")}[COSTS["flops_per_row"].title] == "–"
    assert len(table(markdown, "model", COSTS["bytes"].title)[0]) == 1 + len(known)


def test_the_prior_stands_beside_the_metrics(report: Make) -> None:
    """Where it was measured."""
    one = report()
    cards = one.scorecards.model_copy(update={"prior_log_loss": 0.4567})
    line = "A model that knows no column, and gives every row the class shares of training, has log loss .4567."
    assert line in to_markdown(report(scorecards=cards)).splitlines()
    assert "knows no column" not in to_markdown(one)


def test_the_settings_can_be_copied_out(report: Make) -> None:
    """The last block is the run's config as JSON."""
    markdown = to_markdown(report())
    assert json.loads(markdown.split("```json")[1].split("```")[0]) == {"seed": 0}


def test_selected_columns_are_listed_with_scores(report: Make) -> None:
    """All of them; a report without a selection is silent."""
    chosen = SelectionFacts(name="mlp", among=8, columns=(Selected("city", 0.75), Selected("a|b", 0.5)))
    markdown = to_markdown(report(selections=(chosen,)))
    assert r"**mlp**: 2 of 8 columns (25.0 %): city (.750), a\|b (.500)" in markdown
    assert "Raw columns that were selected" not in to_markdown(report())


def test_a_model_without_an_onnx_file_is_named(report: Make) -> None:
    """With the reason, beside its costs, which are then those in Python."""
    one = report()
    teacher, *others = one.scorecards.cards
    teacher = teacher.model_copy(update={"export_problem": "its class defines no `to_graph`"})
    cards = one.scorecards.model_copy(update={"cards": (teacher, *others)})
    line = f"{teacher.label} has no ONNX file, so all its figures are those in Python: its class defines no `to_graph`"
    assert line in to_markdown(one.model_copy(update={"scorecards": cards}))
    assert "has no ONNX file" not in to_markdown(one)
