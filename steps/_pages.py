"""What MLflow's pages say beside the figures: descriptions of experiment, runs and registered model, in Markdown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from urllib.parse import quote

from pydantic import JsonValue

from distillery.config import DistillConfig
from distillery.data import Schema
from distillery.errors import shortlist
from distillery.evaluation import Comparison, Cost, Scorecard, Scorecards
from distillery.promotion import Verdict
from distillery.report.formats import code, count, duration, estimate, link, number, percent, signed, size, to_md
from distillery.report.render import CARD
from distillery.students import Trial

WRITTEN_TAG = "distillery.description"  # digest of the description that we wrote last
ROLES = {
    "teacher": "The strong model that the students learn from",
    "student": "A candidate, taught by the teacher",
    "control": "The same student taught by the hard labels alone: it shows what the teacher added",
    "baseline": "A small model that learned from the hard labels: it shows what not distilling would give",
    "regular_teacher": "The teacher without privileged columns: it shows what those are worth",
    "staged": "The model that held the alias `staging` when this run began, on this run's test rows",
}

COLUMNS = (
    "tags.`distillery.role`",
    "metrics.`test.auc_roc`",
    "metrics.`test.log_loss`",
    "metrics.`retention.auc_roc`",
    "metrics.`lift.log_loss`",
    "metrics.`agreement.rate`",
    "metrics.`cost.bytes`",
    "metrics.`cost.latency_p50_us`",
)
PIPELINES = "tags.`distillery.role` = 'pipeline'"
MODELS = "tags.`distillery.role` != 'pipeline' and tags.`distillery.role` != 'trial'"
# Views of the runs table, kept as MLflow's own Share button keeps them: tags of the experiment, named in a link.
VIEW_TAG = "mlflow.sharedViewState."
VIEWS: dict[str, dict[str, JsonValue]] = {
    "distillery-runs": {"searchFilter": PIPELINES, "selectedColumns": [*COLUMNS, "metrics.`teacher.test.auc_roc`"]},
    "distillery-models": {
        "searchFilter": MODELS,
        "orderByKey": "metrics.`test.auc_roc`",
        "orderByAsc": False,
        "selectedColumns": [*COLUMNS],
    },
}

EXPERIMENT = """\
Scenario **{scenario}**: [runs of the pipeline]({runs}) · [all models by ROC AUC]({models})

A strong model, the teacher, that predicts {target} is distilled into small ones, the students. The best student that \
passes every gate becomes {model} under the alias `staging`.

**Runs**

- `distill_pipeline-…`: a run of the pipeline with config, data, report, and the figures of the student it promoted, \
else of its best on the validation rows; every other run lies below one of these
- `teacher …`: the strong model
- `student … T=… α=…`: a candidate; T is the temperature, α the weight of the teacher's labels
- `control …`: the same student without the teacher
- `baseline …`: a small model that was not distilled
- `regular teacher …`: the strong model without privileged columns, where the source names some
- `staged version …`: the model that was staged, on the same test rows
- `trial … n`: a point of a search, below its student

**Columns**: `test.auc_roc` and `retention.auc_roc` (its share of the teacher's; more is better), `test.log_loss` in \
nats and `lift.log_loss` (minus its control's; less is better), `agreement.rate` (share of rows decided like the \
teacher), `cost.bytes` of the deployed file, `cost.latency_p50_us` a row. All runs but trials have the same names.

**Compare**: tick teacher, student and control below one run, then Compare; or tick two runs of the pipeline.
"""

MODEL = """\
Predicts {target} from raw columns: one ONNX file with the preprocessing inside, distilled from a stronger model. \
Scenario {scenario}; each version links to the run that made it.

- `staging`: the best student so far that passed every gate; load it as {address}
- `previous-staging`: the one that it replaced

A version's description is its model card; the whole card lies beside the model as `{card}`.
"""


def digest(text: str) -> str:
    """First 16 hex digits of the SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_ours(description: str | None, tags: Mapping[str, str]) -> bool:
    """Whether a description may be replaced: it is empty, or just what we wrote.

    >>> is_ours("", {}), is_ours("mine", {}), is_ours("auto", {WRITTEN_TAG: digest("auto")})
    (True, False, True)
    """
    return not (description or "").strip() or digest(description or "") == tags.get(WRITTEN_TAG)


def task(schema: Schema) -> str:
    """Say what is predicted: ``binary classification``, or of how many classes."""
    return "binary classification" if schema.n_classes == 2 else f"classification into {schema.n_classes} classes"


def about_experiment(config: DistillConfig, schema: Schema, experiment: str) -> str:
    """Describe a scenario's experiment, given its id."""
    runs, models = (f"#/experiments/{experiment}/runs?viewStateShareKey={view}" for view in VIEWS)
    return EXPERIMENT.format(
        scenario=to_md(config.name),
        target=_target(schema),
        model=link(config.model_name, f"#/models/{quote(config.model_name)}"),
        runs=runs,
        models=models,
    )


def about_model(config: DistillConfig, schema: Schema, experiment: str) -> str:
    """Describe a scenario's registered model."""
    return MODEL.format(
        scenario=link(config.name, f"#/experiments/{experiment}"),
        target=_target(schema),
        address=code(f"models:/{config.model_name}@staging"),
        card=CARD,
    )


def _target(schema: Schema) -> str:
    return f"*{to_md(schema.target)}* ({task(schema)}: {to_md(shortlist(schema.classes))})"


def run_metrics(cards: Scorecards, verdict: Verdict) -> dict[str, float]:
    """Return what a run of the pipeline is compared by: its student's metrics, and the teacher's beside them."""
    teacher = cards.teacher.metrics()
    beside = {f"teacher.{name}": teacher[name] for name in ("test.auc_roc", "test.log_loss") if name in teacher}
    return {**verdict.focus(cards).metrics(), **beside}


def about_run(cards: Scorecards, verdict: Verdict, done: str) -> str:
    """Describe a run of the pipeline by what was done and the figures it stands for.

    Args:
        cards: of its models.
        verdict: of its candidates.
        done: what came of it, in one sentence.
    """
    figures = [f"{to_md(card.label)}: {'; '.join(_quality(card))}" for card in (verdict.focus(cards), cards.teacher)]
    return f"{to_md(done)}.\n\nThe figures here are those of {'. '.join(figures)}."


def about_card(card: Scorecard) -> str:
    """Describe a model's run by its role and headline figures."""
    return f"{ROLES[card.role]}. On {count(card.rows)} test rows: {_figures(card)}."


def _figures(card: Scorecard) -> str:
    lift = card.lift.get("log_loss")
    parts = [
        *_quality(card),
        _lift(lift) if lift else "",
        f"{percent(card.agreement.rate)} decided like the teacher" if card.agreement else "",
        _cost(card.cost) if card.cost else "",
    ]
    return "; ".join(filter(None, parts))


def _quality(card: Scorecard) -> list[str]:
    metrics, retained = card.quality.metrics, card.retention.get("auc_roc")
    kept = [f"{percent(retained.value)} of the teacher's"] if retained else []
    return [f"ROC AUC {estimate(metrics['auc_roc'])}", *kept, f"log loss {number(metrics['log_loss'].value)} nats"]


def _lift(lift: Comparison) -> str:
    return f"{signed(lift.difference.value)} against its control ({lift.verdict})"


def _cost(cost: Cost) -> str:
    return f"{count(cost.params)} parameters, {size(cost.bytes)}, {duration(cost.latency_p50_us)} a row"


def about_trial(trial: Trial) -> str:
    """Describe a trial's run by what came of it."""
    if trial.valid_log_loss is None:
        return f"A point of a search, refused: {to_md(trial.refused)}"
    return f"A point of a search: log loss {number(trial.valid_log_loss)} nats on the validation rows."


def about_version(card: str, run: str, *, limit: int) -> str:
    """Describe a version by the run it comes from and as much of its card as fits.

    Args:
        card: the model card.
        run: Markdown, links included.
        limit: of characters.
    """
    head = f"From {run}.\n\n"
    return head + shortened(card, limit - len(head))


def shortened(card: str, limit: int) -> str:
    r"""Cut Markdown before the first section that no longer fits, and say where the whole is.

    >>> print(shortened("# Card\n\n## Use\nfor flights\n\n## Figures\n" + "many " * 30, 130))
    # Card
    <BLANKLINE>
    ## Use
    for flights
    <BLANKLINE>
    *Shortened here; the whole card is `model_card.md` among the version's files.*
    >>> shortened("# Card", 100)
    '# Card'
    """
    if len(card) <= limit:
        return card
    note = f"\n\n*Shortened here; the whole card is `{CARD}` among the version's files.*"
    room = limit - len(note)
    borders = [m.start() for m in re.finditer(r"^#{1,6} ", card, flags=re.MULTILINE)]
    outside_code = [b for b in borders if 0 < b <= room and card[:b].count("```") % 2 == 0]
    cut = max(outside_code, default=max(room, 0))
    return card[:cut].rstrip() + note
