"""The pages say what the JSON says, in either language, whatever columns and models are called."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
import yaml

from distillery.evaluation import (
    COSTS,
    METRICS,
    Agreement,
)
from distillery.promotion import StagedModel, Verdict
from distillery.report import formats
from distillery.report.findings import conclude
from distillery.report.model import (
    Finding,
    InheritedFacts,
    Report,
    SoftLabelFacts,
)
from distillery.report.render import IllustratedReport, to_card, to_html, to_markdown, write_report
from distillery.report.scene import Drawing
from distillery.report.sections._tables import percent_interval
from distillery.report.spec import ReportSpec
from distillery.report.texts import LANGUAGES, Texts
from distillery.students import Inherited
from tests.report.conftest import make_report
from tests.report.rich import rich_report
from tests.report.shown import shown_numbers, wrong_figures

Make = Callable[..., Report]
Rows = list[list[str]]
ODD_NAMES = (
    "a|b",
    "<script>alert(1)</script>",
    "new\nline",
    "a & b",
    "客户年龄",
    "**b**",
    "[x](javascript:alert(1))",
    "`c`",
)
DRAWING = Drawing("roc", "quality", "<svg xmlns='http://www.w3.org/2000/svg'/>", "2 of 3 rows")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def plain(cell: str) -> str:
    """A cell as it is read."""
    text = re.sub(r"\\([\\`*_|~\]#+:-])", r"\1", cell)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def tables(markdown: str) -> list[tuple[list[str], Rows]]:
    """Every table as its heading and rows, as they are read."""
    found: list[tuple[list[str], Rows]] = []
    lines = markdown.splitlines()
    for i, line in enumerate(lines):
        if re.fullmatch(r"(\|-+)+\|", line):
            rows: Rows = []
            for row in lines[i + 1 :]:
                if not row.startswith("|"):
                    break
                rows.append([plain(cell) for cell in cells(row)])
            assert len(cells(line)) == len(cells(lines[i - 1]))
            found.append(([plain(cell) for cell in cells(lines[i - 1])], rows))
    return found


def table(markdown: str, *heading: str) -> Rows:
    """The rows of the one table whose heading begins so."""
    (rows,) = [rows for head, rows in tables(markdown) if tuple(head[: len(heading)]) == heading]
    return rows


class Page(HTMLParser):
    """The elements of a page, its figures by path, and its tables."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.figures: list[tuple[str, str]] = []
        self.text = ""
        self._path, self._tag, self._inside = "", "", ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if path := dict(attrs).get("data-path"):
            self._path, self._tag, self._inside = path, tag, ""

    def handle_data(self, data: str) -> None:
        self.text += data
        self._inside += data

    def handle_endtag(self, tag: str) -> None:
        if self._path and tag == self._tag:
            self.figures.append((self._path, self._inside))
            self._path = ""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("classes", [("no", "yes"), (0, 1, 2), (False, True)], ids=str)
def test_every_figure_of_the_page_is_the_jsons(report: Make, language: str, classes: tuple[object, ...]) -> None:
    """Read off the page with its unit, each is the number at its path, to its last digit."""
    one = rich_report(report, language=language, classes=classes)
    tree, figures = json.loads(one.model_dump_json()), Page(to_html(one)).figures
    assert len(figures) > 150
    assert wrong_figures(figures, tree) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_markdown_has_the_figures_of_the_page(report: Make, language: str) -> None:
    """All of them, in the same order: so they are the JSON's, too."""
    one = rich_report(report, language=language)
    shown = [cell for _, rows in tables(to_markdown(one)) for row in rows for cell in row]
    place = 0
    for path, text in Page(to_html(one)).figures:
        assert text in shown[place:], path
        place = shown.index(text, place) + 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("classes", [("no", "yes"), (0, 1, 2), tuple("abcdefghijklmnopqrstuvwxyz")], ids=len)
def test_every_table_is_whole(report: Make, language: str, classes: tuple[object, ...]) -> None:
    """Each row has a cell for each heading; nothing is left of a template."""
    one = rich_report(report, language=language, classes=classes)
    for page in (to_markdown(one), to_card(one)):
        for heading, rows in tables(page):
            assert rows, heading
            assert {len(row) for row in rows} == {len(heading)}, heading
        assert not re.search(r"\{\{|\{%|None|Undefined", page.split("```")[0])


def test_the_first_table_has_the_headline_figures(report: Make) -> None:
    """One row per model, the teacher first; a teacher retains nothing and agrees with nobody."""
    one = report()
    rows = table(to_markdown(one), "model", "ROC AUC")
    for row, card in zip(rows, one.scorecards.cards, strict=True):
        cost = card.cost
        assert cost is not None
        retained = None if card.role == "teacher" else card.retention["auc_roc"].value
        assert row == [
            card.label,
            formats.estimate(card.quality.metrics["auc_roc"]),
            formats.percent(retained),
            formats.estimate(card.quality.metrics["log_loss"]),
            percent_interval(card.agreement.intervals["rate"].model_dump()) if card.agreement else "–",
            formats.count(cost.params),
            formats.size(cost.bytes),
            formats.duration(cost.latency_p50_us),
            formats.rate(cost.rows_per_second),
        ]


def test_agreement_without_intervals_is_shown_bare(report: Make) -> None:
    """With them, each of the four has its square brackets."""
    one = report()
    heads = ("model", "agreement", "disagreement")
    assert all(cell.endswith("]") for row in table(to_markdown(one), *heads) for cell in row[1:])
    bare = Agreement(rate=0.75, disagreement=0.25, kl=0.125, spearman=None)
    cards = tuple(c.model_copy(update={"agreement": bare if c.agreement else None}) for c in one.scorecards.cards)
    one = one.model_copy(update={"scorecards": one.scorecards.model_copy(update={"cards": cards})})
    assert all(row[1:] == ["75.00 %", "25.00 %", ".1250", "–"] for row in table(to_markdown(one), *heads))


@pytest.mark.parametrize(("got", "said"), [("compressed", "labels and compressed embeddings"), ("labels", "alone")])
def test_what_students_took_from_the_teacher(report: Make, got: Any, said: str) -> None:
    """One row a candidate, with its tables counted apart; nothing where no candidate can inherit."""
    assert "took from the teacher" not in to_html(report())
    took = InheritedFacts(name="small", took=Inherited(asked="compressed", got=got, dimensions=3, hashed=("plan",)))
    page = to_html(report(inherited=(took,)))
    assert "What the students took from the teacher" in page
    assert said in page


def test_every_metric_and_every_cost_of_every_model_is_there(report: Make) -> None:
    """With its direction; what was not measured is a dash."""
    one = report()
    found = [
        {row[0]: row[1:] for row in rows} for head, rows in tables(to_markdown(one)) if head[:2] == ["", "teacher big"]
    ]
    quality, costs = found
    titles = [f"{m.title} {'↑' if m.bigger_is_better else '↓'}" for m in METRICS.values()]
    assert list(quality) == [*titles, "Calibration ratio (best 1)"]
    assert list(costs) == [info.title for info in COSTS.values()]
    assert costs[COSTS["peak_memory_bytes"].title] == ["–"] * 3


def test_metrics_are_explained_once(report: Make) -> None:
    """Definitions are long; those of ranking metrics stand by themselves."""
    page = to_html(rich_report(report))
    assert page.count("What the metrics mean") == 1
    assert page.count("What the ranking metrics mean") == 1


def test_signs_of_percentages(report: Make) -> None:
    """What is saved is positive, what costs more negative, and words never hold a double negation."""
    one = report()
    teacher, student, control = one.scorecards.cards
    student = student.model_copy(update={"compression": student.compression | {"bytes": 0.75, "latency_p50_us": -0.25}})
    cards = one.scorecards.model_copy(update={"cards": (teacher, student, control)})
    markdown = to_markdown(one.model_copy(update={"scorecards": cards}))
    found = next(
        {row[0]: row[1] for row in rows}
        for head, rows in tables(markdown)
        if head[:2] == ["", "student small"] and rows[0][0] == "Parameters"
    )
    assert (found["Size"], found["Latency, median"]) == ("+75.0 %", "-25.0 %")
    assert "75.0 % saved" in markdown
    assert "25.0 % more" in markdown


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_odd_names_are_names_and_no_markup(report: Make, name: str, language: str) -> None:
    """A pipe, a tag, a link or a line break of a column breaks no table and runs nothing."""
    warning = Finding(code="slice_lost", severity="warning", text=f"lost where {name} = 1")
    one = rich_report(report, column=name, language=language, findings=(warning,), classes=(name, "<b>yes</b>"))
    markdown, page, card = to_markdown(one), Page(to_html(one)), to_card(one)
    shown = " ".join(name.split())
    columns = [rows for _, rows in tables(markdown) if any(row[0] == shown for row in rows)]
    assert len(columns) >= 2
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "b0", "iframe", "object"}
    assert name in page.text
    for text in (markdown, card):
        assert "<script" not in text
        assert not re.search(r"(?<!\\)\]\(javascript", text)


@pytest.mark.parametrize(
    "name", ["two words", "模型 一", "a|b", "<script>alert(1)</script>", "[x](javascript:alert(1))"]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_odd_names_of_models_are_names_and_no_markup(report: Make, name: str, language: str) -> None:
    """In every table, in the conclusions, on the card; the verdict calls the model by it."""
    one = rich_report(report, language=language)
    cards = tuple(card.model_copy(update={"name": name}) for card in one.scorecards.cards)
    judgements = tuple(j.model_copy(update={"name": name}) for j in one.verdict.judgements)
    one = one.model_copy(
        update={
            "scorecards": one.scorecards.model_copy(update={"cards": cards}),
            "verdict": one.verdict.model_copy(update={"action": "promote", "winner": name, "judgements": judgements}),
        }
    )
    one = one.model_copy(update={"findings": conclude(one, ReportSpec(), Texts(one.language))})
    markdown, page, shown = to_markdown(one), Page(to_html(one)), " ".join(name.split())
    heads = [head for head, _ in tables(markdown)]
    assert sum(any(cell.endswith(f" {shown}") for cell in head) for head in heads) >= 5
    assert shown in plain(markdown.splitlines()[4])
    assert page.text.count(name) > 20
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "object"}
    for text in (markdown, to_card(one)):
        assert "<script" not in text
        assert not re.search(r"(?<!\\)\]\(javascript", text)


def test_the_page_stands_alone(report: Make) -> None:
    """No script, no address but data; pictures have words for those who cannot see them."""
    html = to_html(rich_report(report), (DRAWING,))
    page = Page(html)
    assert "script" not in {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        for name in ("src", "href"):
            address = attributes.get(name) or "#"
            assert address.startswith(("#", "data:")), (tag, address)
        assert not any(name.startswith("on") for name in attributes)
        if tag == "img":
            assert attributes["alt"]
    assert "(2 of 3 rows)" in page.text
    assert "url(" not in html


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("action", ["promote", "keep_staged", "refuse"])
def test_the_verdict_is_the_first_sentence(report: Make, action: str, language: str) -> None:
    """With its candidate and its reason in figures."""
    one = report()
    gates = one.verdict.judgements
    winner = None if action == "refuse" else "small"
    fields = {
        "action": action,
        "winner": winner,
        "reason": "because",
        "judgements": gates,
        "staged": StagedModel(version="3"),
    }
    teacher, student, control = one.scorecards.cards
    student = student.model_copy(update={"versus_staged": student.lift})
    cards = one.scorecards.model_copy(update={"cards": (teacher, student, control)})
    verdict = Verdict.model_validate(fields)
    lines = to_markdown(
        one.model_copy(update={"verdict": verdict, "scorecards": cards, "language": language})
    ).splitlines()
    sentence = lines[4]
    assert sentence.startswith("**")
    assert "small" in sentence
    if action == "promote":
        assert formats.percent(student.retention["auc_roc"].value) in sentence
    if (action, language) == ("refuse", "en"):
        assert "no student passed every gate. small failed “size of the file”" in sentence


def test_warnings_stand_before_the_tables(report: Make) -> None:
    """They are read first, and what follows comes after them."""
    warning = Finding(code="few_rows", severity="warning", text="The test split has only 90 rows")
    result = Finding(code="kept", severity="result", text="small keeps everything")
    markdown = to_markdown(report(findings=(warning, result)))
    assert markdown.index("> Warning: The test split has only 90 rows.") < markdown.index("- small keeps everything.")
    assert markdown.index("- small keeps everything.") < markdown.index("| model |")


def test_two_classes_need_no_table_per_class(report: Make) -> None:
    """The metrics speak of the positive class already."""
    assert "per class" not in to_markdown(report())
    assert "F1 per class" in to_markdown(report(classes=(0, 1, 2)))


def test_labels_taken_in_sample_are_marked(report: Make) -> None:
    """They are too good to be true; a ready-made teacher is named."""
    facts = SoftLabelFacts(method="in_sample", folds=None, train_log_loss=0.01)
    assert "labelled in sample, by a teacher that had seen them (log loss of these labels .0100)" in to_markdown(
        report(soft_labels=facts)
    )
    assert "by cross-fitting over 5 folds" in to_markdown(report())
    named = facts.model_copy(update={"ready_made": "models:/churn/3"})
    assert "by the ready-made models:/churn/3, in sample" in to_markdown(report(soft_labels=named))


def test_costs_that_were_not_measured_are_left_out(report: Make) -> None:
    """The page says so; nothing is drawn up of nothing."""
    one = report()
    bare = [card.model_copy(update={"cost": None, "compression": {}}) for card in one.scorecards.cards]
    one = one.model_copy(update={"scorecards": one.scorecards.model_copy(update={"cards": tuple(bare)})})
    assert "Costs were not measured" in to_markdown(one)
    assert "Costs were not measured" in to_html(one)
    assert to_card(one)


def test_a_report_without_controls(report: Make) -> None:
    """That of a library call, which trained none."""
    one = report()
    teacher, student, _ = one.scorecards.cards
    student = student.model_copy(update={"lift": {}})
    cards = one.scorecards.model_copy(update={"cards": (teacher, student)})
    assert "No controls were trained" in to_markdown(one.model_copy(update={"scorecards": cards}))


def test_a_report_without_intervals(report: Make) -> None:
    """Too few groups to resample: values stand alone."""
    text = re.sub(r'"(low|high)":[-.e\d]+', r'"\1":null', rich_report(report).model_dump_json())
    one = Report.model_validate_json(text)
    for page in (to_markdown(one), to_card(one), Page(to_html(one)).text):
        assert "None" not in page
        assert "[–" not in page


@pytest.mark.parametrize("action", ["promote", "keep_staged"])
def test_the_figures_of_the_verdict_are_the_jsons(report: Make, action: str) -> None:
    """The sentence that people quote."""
    one = report()
    teacher, student, control = one.scorecards.cards
    student = student.model_copy(update={"versus_staged": student.lift})
    fields = {"action": action, "winner": "small", "reason": "", "judgements": one.verdict.judgements}
    verdict = Verdict.model_validate({**fields, "staged": StagedModel(version="3")})
    cards = one.scorecards.model_copy(update={"cards": (teacher, student, control)})
    sentence = to_markdown(one.model_copy(update={"verdict": verdict, "scorecards": cards})).splitlines()[4]
    staged = student.versus_staged["log_loss"].difference
    kept = student.retention["auc_roc"]
    known = [
        kept.value,
        kept.low,
        kept.high,
        student.compression["bytes"],
        1,
        3,
        staged.value,
        staged.low,
        staged.high,
    ]
    for number, slack in shown_numbers(sentence):
        assert any(abs(number - value) <= slack for value in known if value is not None), sentence


def test_the_settings_can_be_copied_out(report: Make) -> None:
    """The last block is a config that makes the run again."""
    markdown = to_markdown(report())
    assert yaml.safe_load(markdown.split("```yaml")[1].split("```")[0]) == {"parameters": {"seed": 0}}


def test_a_share_of_columns_is_k_over_d(report: Make) -> None:
    """Two of eight are a quarter, in words, in the table and in the JSON."""
    one = rich_report(report)
    assert "small needs 2 of 8 columns (25.0 %)" in to_markdown(one)
    assert json.loads(one.model_dump_json())["selections"][0]["share"] == 0.25
    assert Report.model_validate_json(one.model_dump_json()) == one


def test_the_model_card_has_the_papers_nine_parts(report: Make) -> None:
    """Mitchell et al. (2019), section 4."""
    card = to_card(report())
    assert re.findall(r"^## (.*)$", card, re.MULTILINE) == [
        "Model details",
        "Intended use",
        "Factors",
        "Metrics",
        "Evaluation data",
        "Training data",
        "Quantitative analyses",
        "Ethical considerations",
        "Caveats and recommendations",
    ]


def test_the_model_card_says_which_rows_were_measured(report: Make) -> None:
    """Those in memory, where more lie on disk; also where the student's kind could learn from no more."""
    assert "in memory" not in to_card(report())
    one = report(sampled=("small",))
    data = one.data.model_copy(update={"held": {"train": 60, "valid": 70, "test": 80}})
    card = to_card(one.model_copy(update={"data": data}))
    assert "2,500 test rows" in card
    assert "gates rest on the 80 test and 70 validation rows in memory" in card
    assert "fitted on 60 of the training rows" in card


def test_an_illustrated_report_comes_back(report: Make) -> None:
    """Numbers and drawings; every form is among its files."""
    one = IllustratedReport(rich_report(report), (DRAWING,))
    back = IllustratedReport.from_files(one.to_files())
    assert back == one
    assert set(back.files) == {"report.md", "report.html", "report.json", "model_card.md", "plots/roc.svg"}


def test_files_are_written_whole_and_replaced(tmp_path: Any) -> None:
    """Folders are made; no partial file stays behind."""
    folder = tmp_path / "reports" / "toy"
    write_report({"report.md": b"old", "plots/a.svg": b"<svg/>"}, folder)
    write_report({"report.md": "näher".encode(), "plots/a.svg": b"<svg></svg>"}, folder)
    assert sorted(path.name for path in folder.rglob("*")) == ["a.svg", "plots", "report.md"]
    assert (folder / "report.md").read_text(encoding="utf-8") == "näher"


def test_what_only_an_earlier_report_wrote_is_removed(tmp_path: Any) -> None:
    """Its pages and drawings; whatever else lies in the folder stays."""
    own = ("notes.md", "report.txt", "data.csv", "plots/mine.png", "plots/deep/x.svg", "other/a.svg", "logo.svg")
    for name in own:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
    old = IllustratedReport(make_report(), (DRAWING,)).files | {"drift.html": b"", "validation.html": b""}
    write_report(old, tmp_path)
    new = {"report.md": b"new", "plots/other.svg": b"<svg/>"}
    write_report(new, tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*own, *new}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_target_has_a_table(language: Any) -> None:
    """Of every model's ROC AUC and log loss; a report of one target says nothing of it."""
    texts = Texts(language)
    rich, plain = rich_report(make_report, language=language), make_report(language=language)
    page, without = to_markdown(rich), to_markdown(plain)
    for name in ("age 0", "age 1"):
        assert texts("report.target_alone", name=name) in page
    assert page.count(texts("report.head.over_control")) == 2
    assert texts("report.targets_note") not in without
