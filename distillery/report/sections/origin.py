"""How the training went, and how to do it again."""

from __future__ import annotations

import yaml

from distillery.report import formats
from distillery.report.document import Cell, Code, Heading, Paragraph, Section, Table, Writer


def training(writer: Writer) -> Section:
    """Epochs of each network, time and memory of each step."""
    texts, report = writer.texts, writer.report
    return writer.section(
        "training",
        _epochs(writer) if report.training else None,
        Heading(texts("report.steps")) if report.steps else None,
        _steps(writer) if report.steps else None,
        Paragraph(texts("report.steps_note"), "note") if report.steps else None,
    )


def _epochs(writer: Writer) -> Table:
    texts, rows = writer.texts, []
    for t, one in enumerate(writer.report.training):
        best = min(range(len(one.history)), key=[_loss(epoch) for epoch in one.history].__getitem__)
        path = f"/training/{t}/history/{best}"
        losses = (writer.figure(f"{path}/{name}", formats.number) for name in ("train_loss", "valid_log_loss"))
        epochs = (Cell(str(best + 1)), Cell(str(len(one.history))))
        rows.append((Cell(f"{texts('role.' + one.role)} {one.name}"), *epochs, *losses))
    header = ("head.model", "best_epoch", "epochs", "train_loss", "valid_log_loss")
    return Table(tuple(texts(f"report.{name}") for name in header), tuple(rows))


def _loss(epoch: dict[str, float]) -> float:
    """What decided which epoch was kept: the objective where it was measured."""
    return epoch.get("valid_loss", epoch["valid_log_loss"])


def _steps(writer: Writer) -> Table:
    texts, rows = writer.texts, []
    for i, step in enumerate(writer.report.steps):
        seconds = writer.figure(f"/steps/{i}/seconds", formats.seconds)
        memory = writer.figure(f"/steps/{i}/peak_memory_bytes", formats.size)
        rows.append((Cell(step.name), seconds, memory, Cell(texts("report.cached") if step.cached else "")))
    return Table((*(texts(f"report.{name}") for name in ("step", "seconds", "peak_memory")), ""), tuple(rows))


def reproduce(writer: Writer) -> Section:
    """Where the numbers come from."""
    texts, origin = writer.texts, writer.report.origin
    facts = {
        "run": origin.run,
        "mlflow_run": origin.mlflow_run or "–",
        "created": origin.created,
        "machine": origin.machine or "–",
        "git_commit": origin.git_commit or "–",
        "digest": writer.report.data.digest,
        "versions": ", ".join(f"{name} {version}" for name, version in origin.versions.items()),
    }
    rows = tuple((Cell(texts(f"origin.{name}")), Cell(value)) for name, value in facts.items())
    settings = yaml.safe_dump({"parameters": origin.settings}, sort_keys=False, allow_unicode=True)
    return writer.section("reproduce", Table(("", ""), rows), Paragraph(texts("origin.config")), Code(settings, "yaml"))
