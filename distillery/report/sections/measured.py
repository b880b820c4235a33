"""What was measured: quality, agreement, cost, and what distillation brought."""

from __future__ import annotations

from collections.abc import Mapping

from distillery.evaluation import COSTS, METRICS, WholeScores
from distillery.evaluation.slices import Slice
from distillery.report import formats
from distillery.report.document import Block, Cell, Format, Heading, Paragraph, Section, Table, Writer, key
from distillery.report.formats import difference, percent_interval
from distillery.report.model import InheritedFacts
from distillery.report.sections._tables import (
    COST_FORMATS,
    agreed,
    by_model,
    compared,
    cost_title,
    definitions,
    estimate,
    metric_title,
    models,
)
from distillery.report.sections.privileged import privileged
from distillery.report.sections.ranking import ranked
from distillery.report.sections.targets import per_target

MOST_CLASSES = 40  # listed; the JSON has them all
MOST_TRIALS = 10
RATIO = "calibration_ratio"  # beside the metrics: it has no direction


def quality(writer: Writer) -> Section:
    """Every metric of every model, what is retained, and per class where there are more than two."""
    texts, prior = writer.texts, writer.report.scorecards.prior_log_loss
    return writer.section(
        "quality",
        by_model(
            writer, (*METRICS, RATIO), lambda name, i: _metric(writer, name, i), lambda name: _title(writer, name)
        ),
        Paragraph(texts("report.prior", loss=formats.number(prior)), "note") if prior is not None else None,
        definitions(writer, "metric", (texts("calibration_ratio.title"), texts("calibration_ratio.definition"))),
        *_whole(writer),
        *per_target(writer),
        Heading(texts("report.versus_teacher")),
        compared(writer, "versus_teacher"),
        Heading(texts("report.retention")),
        _retention(writer),
        *_per_class(writer),
        *ranked(writer),
    )


WHOLE_FORMATS: Mapping[str, Format] = {"rows": formats.count, "auc_error": lambda value: f"{value:.1e}"}


def _whole(writer: Writer) -> list[Block]:
    """The scores on all test rows, where more lie on disk."""
    texts = writer.texts
    chosen = [i for i, card in models(writer) if card.whole is not None]
    if not chosen:
        return []
    rows = []
    for i in chosen:
        path = f"/scorecards/cards/{i}/whole"
        cells = (writer.figure(f"{path}/{n}", WHOLE_FORMATS.get(n, formats.number)) for n in WholeScores.model_fields)
        rows.append((Cell(writer.called(i)), *cells))
    header = (texts("report.head.model"), *(texts(f"whole.{name}") for name in WholeScores.model_fields))
    note = Paragraph(texts("whole.note"), "note")
    return [Heading(texts("whole.title")), note, Table(header, tuple(rows))]


def _metric(writer: Writer, name: str, i: int) -> Cell:
    path = RATIO if name == RATIO else f"metrics/{name}"
    return writer.figure(f"/scorecards/cards/{i}/quality/{path}", estimate)


def _title(writer: Writer, name: str) -> str:
    return writer.texts("calibration_ratio.head") if name == RATIO else metric_title(writer, name)


def _retention(writer: Writer) -> Table:
    def row(name: str, i: int) -> Cell:
        return writer.figure(f"/scorecards/cards/{i}/retention/{name}", percent_interval)

    names = [m.name for m in METRICS.values() if m.bigger_is_better]
    return by_model(writer, names, row, lambda name: metric_title(writer, name), "student", "control", "baseline")


def _per_class(writer: Writer) -> list[Block]:
    classes, texts = writer.report.scorecards.classes, writer.texts
    if len(classes) < 3:
        return []
    names = {str(k): str(label) for k, label in enumerate(classes[:MOST_CLASSES])}

    def f1(k: str, i: int) -> Cell:
        return writer.figure(f"/scorecards/cards/{i}/quality/per_class/{k}/f1", estimate)

    blocks: list[Block] = [Heading(texts("report.f1_per_class")), by_model(writer, names, f1, names.__getitem__)]
    blocks += [Heading(texts("report.per_class", name=writer.report.focus.name)), _scores_per_class(writer, names)]
    hidden = len(classes) - MOST_CLASSES
    return [*blocks, Paragraph(texts("report.more_classes", n=hidden), "note")] if hidden > 0 else blocks


def _scores_per_class(writer: Writer, names: dict[str, str]) -> Table:
    path = f"/scorecards/cards/{writer.report.scorecards.cards.index(writer.report.focus)}/quality/per_class"
    rows = []
    for k, label in names.items():
        scores = (writer.figure(f"{path}/{k}/{score}", estimate) for score in ("precision", "recall", "f1"))
        rows.append((Cell(label), *scores, writer.figure(f"{path}/{k}/support", formats.count)))
    header = [writer.texts.get(f"metric.{m}.title", METRICS[m].title) for m in ("precision", "recall", "f1")]
    return Table((writer.texts("report.class"), *header, writer.texts("report.rows")), tuple(rows))


def agreement(writer: Writer) -> Section:
    """How alike the models and the teacher answer, and where they do not."""
    names, rows = ("rate", "disagreement", "kl", "spearman"), []
    for i, _ in models(writer, "student", "control", "baseline", "staged"):
        rows.append((Cell(writer.called(i)), *(agreed(writer, i, name, digits=2) for name in names)))
    header = ("report.head.model", *(f"agreement.{name}" for name in names))
    table = Table(tuple(map(writer.texts, header)), tuple(rows))
    note = Paragraph(writer.texts("agreement.note"), "note")
    return writer.section("agreement", table, note, *_slices(writer))


def _slices(writer: Writer) -> list[Block]:
    """The best student's worst slices."""
    card, texts = writer.report.focus, writer.texts
    if card.slices is None:
        return []
    path = f"/scorecards/cards/{writer.report.scorecards.cards.index(card)}/slices"
    said = {"name": card.name, "n": card.slices.looked_at, "least": card.slices.least_rows}
    blocks: list[Block] = [Heading(texts("slices.title")), Paragraph(texts("slices.note", **said), "note")]
    for kind, found in (("disagreeing", card.slices.disagreeing), ("losing", card.slices.losing)):
        if found:
            names = ("slice", "rows", kind, "elsewhere", "p")
            rows = tuple(_slice_row(writer, f"{path}/{kind}/{i}", one, kind) for i, one in enumerate(found))
            blocks.append(Table(tuple(texts(f"slices.{name}") for name in names), rows))
    if card.slices.miscalibrated:
        off = (
            _calibration_row(writer, f"{path}/miscalibrated/{i}", s) for i, s in enumerate(card.slices.miscalibrated)
        )
        names = ("slice", "rows", "calibration_ratio", "teacher_calibration_ratio", "calibration_p")
        note = Paragraph(texts("slices.calibration_note"), "note")
        blocks += [note, Table(tuple(texts(f"slices.{name}") for name in names), tuple(off))]
    return blocks


def _calibration_row(writer: Writer, path: str, one: Slice) -> tuple[Cell, ...]:
    ratios = (writer.figure(f"{path}/{whose}calibration_ratio", formats.number) for whose in ("", "teacher_"))
    p = writer.figure(f"{path}/calibration_p", _p)
    return Cell(one.text), writer.figure(f"{path}/rows", formats.count), *ratios, p


def _slice_row(writer: Writer, path: str, one: Slice, kind: str) -> tuple[Cell, ...]:
    rows = writer.figure(f"{path}/rows", formats.count)
    if kind == "disagreeing":
        names, form, p = ("disagreement", "disagreement_elsewhere"), formats.percent, "disagreement_p"
        figures = tuple(writer.figure(f"{path}/{name}", form) for name in names)
    else:
        worst = writer.figure(f"{path}/loss_increase", difference)
        figures, p = (worst, writer.figure(f"{path}/loss_increase_elsewhere", formats.signed)), "loss_p"
    return Cell(one.text), rows, *figures, writer.figure(f"{path}/{p}", _p)


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else formats.number(value, 3)


def cost(writer: Writer) -> Section:
    """Every cost of every model, and what is saved."""
    texts, cards = writer.texts, writer.report.scorecards.cards
    if all(card.cost is None for card in cards):
        return writer.section("cost", Paragraph(texts("report.no_costs")))

    def one(name: str, i: int) -> Cell:
        return writer.figure(f"/scorecards/cards/{i}/cost/{name}", COST_FORMATS.get(name, formats.count))

    def share(name: str, i: int) -> Cell:
        return writer.figure(f"/scorecards/cards/{i}/compression/{name}", formats.signed_percent)

    names = list(next(c.compression for c in writer.report.scorecards.students))
    return writer.section(
        "cost",
        Paragraph(texts("report.cost_note"), "note"),
        by_model(writer, COSTS, one, lambda name: cost_title(writer, name)),
        definitions(writer, "cost"),
        Heading(texts("report.compression")),
        Paragraph(texts("report.compression_note"), "note"),
        by_model(writer, names, share, lambda name: cost_title(writer, name), "student", "control", "baseline"),
    )


def distillation(writer: Writer) -> Section:
    """Students against their controls and the baseline, and what was searched."""
    texts, students = writer.texts, writer.report.scorecards.students
    lift, baseline = any(c.lift for c in students), any(c.versus_baseline for c in students)
    return writer.section(
        "distillation",
        Paragraph(texts("report.lift_note"), "note") if lift else Paragraph(texts("report.no_control")),
        compared(writer, "lift") if lift else None,
        Heading(texts("report.versus_baseline")) if baseline else None,
        Paragraph(texts("report.versus_baseline_note"), "note") if baseline else None,
        compared(writer, "versus_baseline") if baseline else None,
        *_inherited(writer),
        *privileged(writer),
        *_searches(writer),
    )


def _inherited(writer: Writer) -> list[Block]:
    """What each student took from the teacher, what that costs and what it brought."""
    texts, facts = writer.texts, writer.report.inherited
    if not facts:
        return []
    places = {card.name: i for i, card in models(writer, "student")}
    names = ("candidate", "took", "dimensions", "hashed", "tables", "network", "auc_roc", "retained", "lift")
    measured = [(f, one, f"/scorecards/cards/{places[one.name]}") for f, one in enumerate(facts) if one.name in places]
    rows = tuple(_inherited_row(writer, *one) for one in measured)
    table = Table(tuple(texts(f"report.inherited_head.{name}") for name in names), rows)
    return [Heading(texts("report.inherited")), table, Paragraph(texts("report.inherited_note"), "note")]


def _inherited_row(writer: Writer, place: int, one: InheritedFacts, card: str) -> tuple[Cell, ...]:
    took, path = one.took, f"/inherited/{place}/took"
    how = took.got + ("_instead" if took.fell_back else "_frozen" if took.frozen else "")
    return (
        Cell(one.name),
        Cell(writer.texts(f"report.inherit.{how}")),
        writer.figure(f"{path}/dimensions", formats.count),
        Cell(str(len(took.hashed))),
        writer.figure(f"{card}/cost/table_params", formats.count),
        writer.figure(f"{card}/cost/network_params", formats.count),
        writer.figure(f"{card}/quality/metrics/auc_roc", estimate),
        writer.figure(f"{card}/retention/auc_roc", percent_interval),
        writer.figure(f"{card}/lift/log_loss/difference", difference),
    )


def _searches(writer: Writer) -> list[Block]:
    texts, blocks = writer.texts, list[Block]()
    for s, search in enumerate(writer.report.searches):
        blocks.append(Heading(texts("report.search", name=search.name, n=len(search.trials))))
        names = list(search.trials[0].params)
        header = (texts("report.trial"), *names, texts("report.valid_log_loss"), "")
        rows = []
        for i, trial in enumerate(search.trials[:MOST_TRIALS]):
            path = f"/searches/{s}/trials/{i}"
            params = (writer.figure(f"{path}/params/{key(name)}", str) for name in names)
            fate = texts("report.chosen") if trial.number == search.chosen else trial.refused
            loss = writer.figure(f"{path}/valid_log_loss", formats.number)
            rows.append((Cell(str(trial.number)), *params, loss, Cell(fate)))
        blocks += [Table(header, tuple(rows)), Paragraph(texts("report.search_note"), "note")]
    return blocks
