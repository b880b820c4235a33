"""What privileged columns gave: the teacher with and without them, the student with and without the teacher."""

from __future__ import annotations

from distillery.errors import shortlist
from distillery.evaluation import METRICS
from distillery.report.document import Block, Cell, Heading, Paragraph, Writer
from distillery.report.sections._tables import by_model, compared, estimate, metric_title

SHOWN = ("auc_roc", "auc_pr", "log_loss", "brier", "ece")
FOUR = ("teacher", "regular_teacher", "student", "control")


def privileged(writer: Writer) -> list[Block]:
    """Return both comparisons, where a teacher was fitted without the privileged columns."""
    texts, report = writer.texts, writer.report
    if not report.scorecards.of_role("regular_teacher"):
        return []

    def metric(name: str, i: int) -> Cell:
        return writer.figure(f"/scorecards/cards/{i}/quality/metrics/{name}", estimate)

    names = [name for name in METRICS if name in SHOWN]
    return [
        Heading(texts("privileged.title")),
        Paragraph(texts("privileged.note", columns=shortlist(report.table_schema.privileged)), "note"),
        by_model(writer, names, metric, lambda name: metric_title(writer, name), *FOUR),
        Heading(texts("privileged.versus_regular")),
        compared(writer, "versus_regular"),
    ]
