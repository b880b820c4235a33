"""What a report concludes: rules that turn its numbers into sentences, warnings first.

A rule looks at the numbers alone and says nothing that does not follow from them; the sentences stand in the
catalogues under ``finding.<code>``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from pydantic import JsonValue

from distillery.errors import shortlist
from distillery.evaluation import Comparison, Estimate, Scorecard, Verdict
from distillery.report.model import Finding, Report, Severity
from distillery.report.spec import ReportSpec
from distillery.report.texts import Texts

FEW_ROWS = 1000  # test rows below which every interval is wide
BARELY = 0.98  # share of the teacher's gain over knowing nothing that a control may reach before it is said
OVERCONFIDENT = 0.01  # probability claimed above what is kept
RELEVANT = 0.02  # gain in log loss, as a share of the teacher's, that may make a student worth while
MORE = 1.1  # times the teacher's cost from which a student is said to cost more
SIMILAR_COST = 1.5  # as cheap as the student: up to so many times its bytes and its latency


class Draft(NamedTuple):
    """A finding before it is put into words."""

    code: str
    values: dict[str, JsonValue]


Rule = Callable[[Report, ReportSpec], Iterator[Draft]]


def conclude(report: Report, spec: ReportSpec, texts: Texts) -> tuple[Finding, ...]:
    """Apply every rule; warnings come first, each kind in the order of the rules."""
    kinds: tuple[tuple[Severity, tuple[Rule, ...]], ...] = (("warning", WARNINGS), ("result", RESULTS))
    return tuple(
        Finding(
            code=draft.code,
            severity=severity,
            text=texts(f"finding.{draft.code}", **_in_words(draft.values, texts)),
            values=draft.values,
        )
        for severity, rules in kinds
        for rule in rules
        for draft in rule(report, spec)
    )


def _in_words(values: dict[str, JsonValue], texts: Texts) -> dict[str, JsonValue]:
    """Translate a role, where one is named."""
    return values | {key: texts(f"role.{values[key]}") for key in ("role",) if key in values}


def _shown(p: float | None, report: Report) -> bool:
    """Whether a corrected p value says so, at the confidence of the run's intervals."""
    return p is not None and p < 1 - report.scorecards.confidence


def _loss(card: Scorecard) -> float | None:
    return card.quality.metrics["log_loss"].value


# Warnings: what the reader must know before believing a number.


def no_better_than_prior(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """The teacher knows no more than the class shares."""
    if report.scorecards.pointless:
        loss, prior = _loss(report.teacher), report.scorecards.prior_log_loss
        yield Draft("no_better_than_prior", {"name": report.teacher.name, "loss": loss, "prior": prior})


def staged_other_data(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """The staged model may have been trained on these test rows."""
    staged = report.verdict.staged
    if staged.version is not None and staged.other_data:
        yield Draft("staged_other_data", {"version": staged.version})


def labelled_in_sample(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """The teacher had seen the rows it labelled."""
    if report.soft_labels.ready_made:
        yield Draft("ready_made", {"uri": report.soft_labels.ready_made})
    elif report.soft_labels.method == "in_sample":
        yield Draft("in_sample", {})


def harm(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """A control has the lower log loss."""
    for card in report.scorecards.students:
        lift = card.lift.get("log_loss")
        if lift is not None and lift.verdict == "worse":
            yield Draft("harm", {"name": card.name, "difference": lift.difference.model_dump()})


def barely_ahead(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """The best control is about as good as the teacher, so there is little to be taught."""
    controls = [c for c in report.scorecards.of_role("control") if _loss(c) is not None]
    teacher, prior = _loss(report.teacher), report.scorecards.prior_log_loss
    if not controls or teacher is None:
        return
    best = min(controls, key=lambda c: _loss(c) or 0.0)
    versus = best.versus_teacher["log_loss"]
    if versus.difference.low is not None and versus.verdict != "worse":
        yield Draft("teacher_not_ahead", {"name": best.name, "difference": versus.difference.model_dump()})
    elif prior is not None and teacher < prior:
        share = (prior - (_loss(best) or 0.0)) / (prior - teacher)
        if share >= BARELY:
            yield Draft("teacher_barely_ahead", {"name": best.name, "share": share})


def no_intervals(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """There are too few groups to resample."""
    if report.teacher.quality.metrics["log_loss"].low is None:
        yield Draft("no_intervals", {})


def few_rows(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """Intervals are wide."""
    if report.teacher.rows < FEW_ROWS:
        yield Draft("few_rows", {"rows": report.teacher.rows})


def constant(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """The teacher or a student answers every row alike."""
    for card in (report.teacher, *report.scorecards.students):
        if card.quality.constant:
            yield Draft("constant", {"role": card.role, "name": card.name})


def overconfident(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """A student claims more than it keeps, and more so than its teacher."""
    allowed = max(OVERCONFIDENT, report.teacher.quality.overconfidence.value or 0.0)
    for card in report.scorecards.students:
        gap = card.quality.overconfidence
        if gap.value is not None and gap.low is not None and gap.low > 0 and gap.value > allowed:
            yield Draft("overconfident", {"name": card.name, "gap": gap.model_dump()})


def slice_lost(report: Report, spec: ReportSpec) -> Iterator[Draft]:
    """The best student lost more than allowed on some rows, shown after correction for all that were looked at."""
    loss, card = _loss(report.teacher), report.focus
    if card.slices is None or loss is None:
        return
    limit = spec.max_slice_loss
    for one in card.slices.losing:
        increase = one.loss_increase.value or 0.0
        if _shown(one.loss_p, report) and increase > limit * loss:
            where: dict[str, JsonValue] = {"slice": one.text, "rows": one.rows, "limit": limit}
            yield Draft("slice_lost", {"name": card.name, **where, "increase": increase, "share": increase / loss})
            return  # the worst; the table has the others


def compile_instead(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """Something that was not distilled is as good and as cheap as the best student."""
    student, loss = report.focus, _loss(report.teacher)
    rivals = [(c, student.versus_baseline) for c in report.scorecards.of_role("baseline")]
    rivals += [(c, student.versus_regular) for c in report.scorecards.of_role("regular_teacher")]
    if not report.table_schema.privileged:  # what reads those columns cannot be served, compiled or not
        rivals.append((report.teacher, student.versus_teacher))
    for rival, versus in rivals:
        comparison = versus.get("log_loss")
        ratios = _cost_ratios(rival, student)
        if comparison is None or ratios is None or not _as_good(comparison, loss):
            continue
        if max(ratios.values()) <= SIMILAR_COST:
            who: dict[str, JsonValue] = {"role": rival.role, "rival": rival.name, "name": student.name, **ratios}
            yield Draft(
                "compile_instead", who | {"difference": comparison.difference.model_dump(), "relevant": RELEVANT}
            )


def _as_good(comparison: Comparison, loss: float | None) -> bool:
    """Whether a gain of the student is not shown, and one that would matter is ruled out by the interval."""
    low = comparison.difference.low
    return low is not None and loss is not None and comparison.verdict != "better" and low >= -RELEVANT * loss


def _cost_ratios(rival: Scorecard, student: Scorecard) -> dict[str, float] | None:
    """Return the rival's bytes and latency over the student's; None unless both were measured as files."""
    mine, its = student.cost, rival.cost
    if mine is None or its is None or {mine.runtime, its.runtime} != {"onnx"}:
        return None
    return {"bytes_ratio": its.bytes / mine.bytes, "latency_ratio": its.latency_p50_us / mine.latency_p50_us}


def inherits_labels_only(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """A student was to inherit the teacher's vectors, which it has none of."""
    for one in report.inherited:
        if one.took.fell_back:
            values: dict[str, JsonValue] = {"name": one.name, "asked": one.took.asked, "teacher": report.teacher.kind}
            yield Draft("inherits_labels_only", values)


def suspicious_columns(report: Report, spec: ReportSpec) -> Iterator[Draft]:
    """Privileged columns make the teacher suspiciously good; its labels can then harm (arXiv:2209.08754)."""
    gain = _privileged_gain(report)
    if gain is not None and gain.low is not None and gain.low > spec.suspicious_gain:
        values: dict[str, JsonValue] = {"gain": gain.model_dump(), "limit": spec.suspicious_gain}
        yield Draft("suspicious_columns", {"columns": shortlist(report.table_schema.privileged), **values})


def _privileged_gain(report: Report) -> Estimate | None:
    """Return the teacher's ROC AUC minus that without privileged columns, where both were fitted."""
    for card in report.scorecards.of_role("regular_teacher"):
        less = card.versus_teacher["auc_roc"].difference
        value, low, high = (None if one is None else -one for one in (less.value, less.high, less.low))
        return Estimate(value=value, low=low, high=high)
    return None


def no_file(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """A model was measured in Python, for it has no ONNX file."""
    for card in report.scorecards.cards:
        if card.export_problem:
            yield Draft("no_file", {"role": card.role, "name": card.name, "problem": card.export_problem})


def sampled(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """Some models learnt from a part of the training rows, for their kind needs them in memory."""
    held = report.data.held
    if report.sampled and held is not None:
        rows: dict[str, JsonValue] = {"rows": held["train"], "all": report.data.rows["train"]}
        yield Draft("sampled", {"names": ", ".join(report.sampled), **rows})


def measured_on_sample(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """Intervals, slices and gates rest on the test rows in memory."""
    held = report.data.held
    if held is not None and held["test"] < report.data.rows["test"]:
        whole = any(card.whole is not None for card in report.scorecards.cards)
        rows: dict[str, JsonValue] = {"rows": held["test"], "all": report.data.rows["test"], "whole": whole}
        yield Draft("measured_on_sample", rows)


def read_badly(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """Rows of the log were left out, and columns hashed."""
    log = report.data.log
    if log is not None and log.bad_rows:
        yield Draft("bad_rows", {"bad": log.bad_rows, "rows": log.rows})
    if log is not None and log.hashed:
        yield Draft("hashed", {"columns": ", ".join(log.hashed)})


def negatives_dropped(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """Negative training rows were left out, and the others weigh more."""
    log = report.data.log
    if log is not None and log.dropped_negatives:
        values: dict[str, JsonValue] = {"dropped": log.dropped_negatives, "negatives": log.negatives}
        values["drift"] = report.drift is not None
        yield Draft("negatives_dropped", values)


def target_drifted(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """The test split's target is not distributed as training's."""
    for column in report.drift.of("test") if report.drift else ():
        if column.column == report.table_schema.target and column.drifted:
            values: dict[str, JsonValue] = {"score": column.score, "method": column.method}
            yield Draft("target_drifted", {"target": column.column, "threshold": column.threshold, **values})


# Results: what was lost, what was saved, what distillation brought.


def kept(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """How much of the teacher's quality the best student keeps."""
    card = report.focus
    loss = card.versus_teacher["log_loss"]
    values: dict[str, JsonValue] = {"name": card.name, "retention": card.retention["auc_roc"].model_dump()}
    yield Draft("kept", values | {"difference": loss.difference.model_dump(), "verdict": loss.verdict})


def saved(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """What the best student costs less."""
    card, teacher = report.focus, report.teacher
    if card.cost is None or teacher.cost is None or card.export_problem:
        return
    values: dict[str, JsonValue] = {
        "name": card.name,
        "bytes": card.cost.bytes,
        "bytes_saved": card.compression["bytes"],
        "latency_saved": card.compression.get("latency_p50_us"),
        "against_python": teacher.cost.native_latency_p50_us / card.cost.latency_p50_us,
    }
    yield Draft("saved", values)


def costs_more(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """What the best student costs more than its teacher."""
    mine, its = report.focus.cost, report.teacher.cost
    if mine is None or its is None or mine.runtime != its.runtime:
        return
    for name in ("params", "bytes", "peak_memory_bytes", "latency_p50_us", "flops_per_row"):
        own, above = getattr(mine, name), getattr(its, name)
        if own is not None and above and own > above * MORE:
            yield Draft(f"more_{name}", {"name": report.focus.name, "own": own, "above": above, "ratio": own / above})


def brought(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """What distillation added to each candidate."""
    for card in report.scorecards.students:
        lift = card.lift.get("log_loss")
        if lift is not None and lift.verdict != "worse":
            code = "lift_shown" if lift.verdict == "better" else "lift_not_shown"
            yield Draft(code, {"name": card.name, "difference": lift.difference.model_dump()})


def against_baseline(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """Whether the best student is better than the compiled baseline."""
    card = report.focus
    comparison = card.versus_baseline.get("log_loss")
    if comparison is None:
        return
    for baseline in report.scorecards.of_role("baseline"):
        values: dict[str, JsonValue] = {"name": card.name, "baseline": baseline.name, "verdict": comparison.verdict}
        unknown: dict[str, JsonValue] = {"bytes_ratio": None, "latency_ratio": None}
        ratios = {**unknown, **(_cost_ratios(baseline, card) or {})}
        yield Draft("against_baseline", {**values, **ratios, "difference": comparison.difference.model_dump()})


def privileged_gave(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """What privileged columns gave the teacher, and how far the best student, without them, comes."""
    gain, card = _privileged_gain(report), report.focus
    if gain is None:
        return
    regular = report.scorecards.of_role("regular_teacher")[0]
    verdict = _from_the_other_side(regular.versus_teacher["auc_roc"].verdict)
    yield Draft("privileged_teacher", {"name": regular.name, "gain": gain.model_dump(), "verdict": verdict})
    versus, lift = card.versus_regular.get("log_loss"), card.lift.get("log_loss")
    if versus is not None and lift is not None:
        values: dict[str, JsonValue] = {"name": card.name, "difference": versus.difference.model_dump()}
        values |= {"verdict": versus.verdict, "lift": lift.difference.model_dump(), "lift_verdict": lift.verdict}
        yield Draft("privileged_student", values)


def _from_the_other_side(verdict: Verdict) -> Verdict:
    swapped: dict[Verdict, Verdict] = {"better": "worse", "worse": "better"}
    return swapped.get(verdict, verdict)


def agreed(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """How often the best student decides like the teacher, and where least."""
    card = report.focus
    if card.agreement is None:
        return
    yield Draft("agreed", {"name": card.name, "rate": card.agreement.rate})
    worst = card.slices.disagreeing[0] if card.slices and card.slices.disagreeing else None
    if worst is not None and _shown(worst.disagreement_p, report):
        elsewhere = worst.disagreement_elsewhere
        where: dict[str, JsonValue] = {"slice": worst.text, "rows": worst.rows, "elsewhere": elsewhere}
        yield Draft("disagrees_most", {"name": card.name, "disagreement": worst.disagreement, **where})


def fewer_columns(report: Report, _: ReportSpec) -> Iterator[Draft]:
    """How many of the raw columns a student needs."""
    for one in report.selections:
        yield Draft("fewer_columns", {"name": one.name, "k": len(one.columns), "d": one.among, "share": one.share})


WARNINGS: tuple[Rule, ...] = (
    no_better_than_prior,
    compile_instead,
    harm,
    barely_ahead,
    overconfident,
    slice_lost,
    constant,
    labelled_in_sample,
    staged_other_data,
    target_drifted,
    inherits_labels_only,
    suspicious_columns,
    no_file,
    sampled,
    read_badly,
    no_intervals,
    few_rows,
)
RESULTS: tuple[Rule, ...] = (
    kept,
    saved,
    costs_more,
    brought,
    privileged_gave,
    against_baseline,
    agreed,
    fewer_columns,
    measured_on_sample,
    negatives_dropped,
)
