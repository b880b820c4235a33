"""The model card: what a promoted student is, what it is for, and how well it does it."""

from __future__ import annotations

from distillery.report.formats import cell, count, estimate, number, percent
from distillery.report.model import Report


def to_card(report: Report) -> str:
    """Render the promoted student's card as Markdown.

    Raises:
        ValueError: the verdict names no winner.
    """
    if report.verdict.winner is None:
        raise ValueError("report.verdict must name a winner to have a model card, got none")
    card = report.scorecards.get("student", report.verdict.winner)
    metrics, kept = card.quality.metrics, card.retention.get("auc_roc")
    return f"""# Model card: {cell(card.label)} of {cell(report.scenario)}

## Details
A {cell(card.kind)} distilled from {cell(report.scorecards.teacher.label)}; it predicts
{cell(report.table_schema.target)}. {cell(report.verdict.reason)}.

## Data
{count(report.data.rows["train"])} training rows, {count(report.data.rows["test"])} test rows; digest
`{report.data.digest}`.

## Metrics
- ROC AUC: {estimate(metrics["auc_roc"])}, {percent(kept.value if kept else None)} of the teacher's
- log loss: {number(metrics["log_loss"].value)} nats per row
"""
