"""What was promoted and why, on the first screen."""

from __future__ import annotations

from distillery.promotion import GateResult
from distillery.report import formats
from distillery.report.document import (
    Block,
    Bullets,
    Cell,
    Format,
    Heading,
    Mark,
    Paragraph,
    Section,
    Table,
    Tile,
    Tiles,
    Writer,
)
from distillery.report.formats import difference, percent_interval
from distillery.report.sections._tables import agreed, estimate, models

VERDICT_MARKS: dict[str, Mark] = {"promote": "good", "keep_staged": "", "refuse": "bad"}


def overview(writer: Writer) -> Section:
    """Verdict, headline figures, warnings, conclusions, gates."""
    report, texts = writer.report, writer.texts
    action = report.verdict.action
    warnings = [Paragraph(texts("report.warning", text=one), "warning") for one in report.warnings]
    results = tuple(texts("report.sentence", text=one.text) for one in report.findings if one.severity == "result")
    return writer.section(
        "overview",
        Paragraph(headline(writer), "lead", VERDICT_MARKS[action]),
        Paragraph(_about(writer), "note"),
        _tiles(writer),
        *warnings,
        Heading(texts("report.conclusion")) if results else None,
        Bullets(results) if results else None,
        Heading(texts("report.lost_and_saved")),
        _headline_table(writer),
        Paragraph(_intervals(writer), "note"),
        *_gates(writer),
    )


def headline(writer: Writer) -> str:
    """Return the verdict in one sentence, with its numbers."""
    report, texts = writer.report, writer.texts
    card, verdict = report.focus, report.verdict
    judgement = next((j for j in verdict.judgements if j.name == card.name), None)
    gates = judgement.gates if judgement else ()
    values = {
        "name": card.name,
        "teacher": report.teacher.name,
        "model": f"{report.scenario}-student",
        "version": verdict.staged.version,
        "retention": card.retention["auc_roc"].model_dump(),
        "bytes_saved": card.compression.get("bytes"),
        "passed": sum(gate.passed for gate in gates),
        "gates": len(gates),
    }
    if verdict.action == "keep_staged":
        return texts("headline.keep_staged", **values, **_staged_reason(writer))
    if verdict.action == "promote":
        return texts("headline.promote", **values)
    failures = [texts("headline.failed", name=j.name, gates=_failed(writer, j.gates)) for j in verdict.judgements]
    return texts("headline.refuse", **values, failures=failures)


def _staged_reason(writer: Writer) -> dict[str, str]:
    comparison = writer.report.focus.versus_staged["log_loss"]
    return {"difference": difference(comparison.difference.model_dump()), "verdict": comparison.verdict}


def _failed(writer: Writer, gates: tuple[GateResult, ...]) -> list[str]:
    return [writer.texts(f"gate.{gate.gate}.title") for gate in gates if not gate.passed]


def _about(writer: Writer) -> str:
    report = writer.report
    return writer.texts(
        "report.about",
        scenario=report.scenario,
        target=report.table_schema.target,
        teacher=report.teacher.name,
        students=", ".join(card.name for card in report.scorecards.students),
        rows=report.data.rows,
        columns=len(report.table_schema.columns),
        confidence=report.scorecards.confidence,
        created=report.origin.created[:16].replace("T", " "),
    )


def _tiles(writer: Writer) -> Tiles:
    """The best student's headline figures."""
    report, texts = writer.report, writer.texts
    place = report.scorecards.cards.index(report.focus)
    path = f"/scorecards/cards/{place}"
    kept = writer.figure(f"{path}/retention/auc_roc", percent_interval)
    loss = writer.figure(f"{path}/versus_teacher/log_loss/difference", difference)
    tiles = [
        Tile(texts("tile.kept"), kept, texts("tile.kept_remark", **_own_and_above(writer))),
        Tile(texts("tile.loss"), loss, texts(f"verdict.{report.focus.versus_teacher['log_loss'].verdict}")),
        Tile(texts("tile.agreement"), agreed(writer, place, "rate")),
    ]
    if report.focus.cost is not None:
        saved = [
            ("bytes", formats.size, "bytes"),
            ("latency_p50_us", formats.duration, "latency"),
            ("raw_columns", formats.count, "columns"),
        ]
        tiles += [_cost_tile(writer, path, *one) for one in saved]
    return Tiles(tuple(tiles))


def _own_and_above(writer: Writer) -> dict[str, object]:
    student, teacher = (c.quality.metrics["auc_roc"].value for c in (writer.report.focus, writer.report.teacher))
    return {"name": writer.report.focus.name, "own": student, "above": teacher}


def _cost_tile(writer: Writer, path: str, cost: str, form: Format, title: str) -> Tile:
    saved = writer.report.focus.compression.get(cost)
    teacher = writer.report.teacher.cost
    was = "–" if teacher is None else form(getattr(teacher, cost))
    remark = writer.texts("tile.saved_remark", was=was, saved=saved)
    return Tile(writer.texts(f"tile.{title}"), writer.figure(f"{path}/cost/{cost}", form), remark)


def _headline_table(writer: Writer) -> Table:
    rows = []
    for i, card in models(writer):
        path, mark = f"/scorecards/cards/{i}", _mark(writer, card.role, card.name)
        retained = (
            Cell("–") if card.role == "teacher" else writer.figure(f"{path}/retention/auc_roc/value", formats.percent)
        )
        rows.append(
            (
                Cell(writer.called(i), mark=mark),
                writer.figure(f"{path}/quality/metrics/auc_roc", estimate),
                retained,
                writer.figure(f"{path}/quality/metrics/log_loss", estimate),
                agreed(writer, i, "rate"),
                writer.figure(f"{path}/cost/params", formats.count),
                writer.figure(f"{path}/cost/bytes", formats.size),
                writer.figure(f"{path}/cost/latency_p50_us", formats.duration),
                writer.figure(f"{path}/cost/rows_per_second", formats.rate),
            )
        )
    names = ("model", "auc_roc", "retained", "log_loss", "agreement", "params", "bytes", "latency", "rows")
    return Table(tuple(writer.texts(f"report.head.{name}") for name in names), tuple(rows))


def _mark(writer: Writer, role: str, name: str) -> Mark:
    return "focus" if role == "student" and name == writer.report.verdict.winner else ""


def _intervals(writer: Writer) -> str:
    cards = writer.report.scorecards
    return writer.texts(
        "report.intervals",
        confidence=cards.confidence,
        replicates=cards.replicates,
        group=writer.report.table_schema.unit,
    )


def _gates(writer: Writer) -> list[Block]:
    """One table for each candidate."""
    texts, blocks = writer.texts, list[Block]()
    for j, judgement in enumerate(writer.report.verdict.judgements):
        passed = sum(gate.passed for gate in judgement.gates)
        blocks.append(Heading(texts("report.gates", name=judgement.name, passed=passed, gates=len(judgement.gates))))
        rows = [_gate_row(writer, f"/verdict/judgements/{j}/gates/{g}", gate) for g, gate in enumerate(judgement.gates)]
        header = ("report.gate", "report.passed", "report.measured", "report.asked")
        blocks.append(Table(tuple(map(texts, header)), tuple(rows)))
    return blocks


def _gate_row(writer: Writer, path: str, gate: GateResult) -> tuple[Cell, ...]:
    texts, form = writer.texts, _GATE_FORMATS.get(gate.gate, estimate)
    mark: Mark = "good" if gate.passed else "bad"
    measured = writer.figure(f"{path}/measured", form)
    if not measured.path:
        said = texts("report.as_said", text=gate.text)
        measured = Cell(texts.get(f"gate.{gate.gate}.nothing", said) if gate.passed else said)
    asked = Cell(texts(f"gate.{gate.gate}.asked", limit=gate.asked))
    return (
        Cell(texts(f"gate.{gate.gate}.title")),
        Cell(texts("report.yes" if gate.passed else "report.no"), mark=mark),
        measured,
        asked,
    )


_GATE_FORMATS = {
    "min_auc_retention": lambda one: percent_interval(one, 2),
    "max_log_loss_increase": lambda one: formats.signed_percent(one["value"], 2),
    "min_agreement": lambda one: percent_interval(one, 2),
    "max_bytes": lambda one: formats.size(one["value"]),
    "max_params": lambda one: formats.count(one["value"]),
    "max_latency_p50_us": lambda one: formats.duration(one["value"]),
    "smaller_than_teacher": lambda one: formats.size(one["value"]),
    "max_onnx_difference": lambda one: f"{one['value']:.1e}",
    "beats_control": difference,
    "not_worse_than_staged": difference,
}
