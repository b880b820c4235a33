"""What MLflow's pages say."""

from __future__ import annotations

import re
from html import unescape
from types import SimpleNamespace

import pytest
from markdown_it import MarkdownIt
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion, SqlRegisteredModel, SqlRegisteredModelTag
from mlflow.utils.validation import MAX_EXPERIMENT_TAG_VAL_LENGTH

from distillery.config import DistillConfig
from distillery.data import Column, Schema
from distillery.evaluation import METRICS, Agreement, Estimate, Quality, Scorecard, Scorecards
from distillery.promotion import Judgement, StagedModel, Verdict
from distillery.students import LogisticRegressionSpec, MLPSpec, Trial
from steps import _pages as pages
from steps._registry import DESCRIPTION_LIMIT
from steps._tracking import run_name
from steps.promote import _link

CARD = (
    "# Card\n\n## Use\n"
    + "late or not. " * 20
    + "\n\n## Load\n```python\n# of MLflow\nload()\n```\n\n## Figures\n1, 2, 3\n"
)


def card(role, name, loss, valid):
    values = dict.fromkeys(METRICS, Estimate(value=loss, low=loss - 0.01, high=loss + 0.01))
    agreement = Agreement(rate=0.9, disagreement=0.1, kl=0.1, spearman=None)
    return Scorecard(
        name=name,
        role=role,
        kind="mlp",
        label=f"{role} {name}",
        rows=1234,
        quality=Quality(metrics=values, per_class=(), overconfidence=values["ece"]),
        valid_log_loss=valid,
        agreement=None if role == "teacher" else agreement,
    )


CARDS = Scorecards(
    scenario="toy",
    cards=(
        card("teacher", "big", 0.31, 0.3),
        card("student", "a", 0.52, 0.5),
        card("student", "b", 0.43, 0.4),
        card("student", "c", 0.64, None),
    ),
    classes=("no", "yes"),
    confidence=0.95,
    replicates=10,
    seed=0,
)


def verdict(winner):
    judged = tuple(Judgement(name=name, gates=()) for name in "abc")
    action = "promote" if winner else "refuse"
    return Verdict(action=action, winner=winner, reason="why", judgements=judged, staged=StagedModel())


def schema(target="late", classes=("no", "yes")):
    column = Column(name="age", kind="numeric", lower=0, upper=90, missing=0.0)
    return Schema(columns=(column,), target=target, classes=classes)


@pytest.mark.parametrize(("winner", "name"), [("a", "a"), (None, "b")])
def test_a_run_stands_for_its_winner_else_for_the_best_on_the_validation_rows(winner, name):
    """Under the metric names of a model's run, with the teacher's beside them."""
    metrics = pages.run_metrics(CARDS, verdict(winner))
    own = CARDS.get("student", name).metrics()
    assert {key: metrics[key] for key in own} == own
    assert set(metrics) - set(own) == {"teacher.test.auc_roc", "teacher.test.log_loss"}
    assert metrics["teacher.test.log_loss"] == 0.31


def test_a_run_is_described_by_what_was_done_and_its_figures():
    """The student's and the teacher's, named."""
    text = pages.about_run(CARDS, verdict("a"), "a promoted")
    assert text.startswith("a promoted.")
    assert "student a: ROC AUC .5200 [.5100, .5300]" in text
    assert "teacher big: ROC AUC .3100" in text


@pytest.mark.parametrize("card", CARDS.cards[:2], ids=lambda card: card.role)
def test_a_models_run_is_described_by_role_and_figures(card):
    """Only what it has: a teacher has no agreement with itself."""
    text = pages.about_card(card)
    assert text.startswith(pages.ROLES[card.role])
    assert "1,234 test rows" in text
    assert ("90.0 % decided like the teacher" in text) == (card.role == "student")


def test_a_refused_trial_says_why():
    """And one that was trained how well it did."""
    assert ".5000 nats" in pages.about_trial(Trial(number=0, params={}, valid_log_loss=0.5))
    refused = Trial(number=0, params={}, valid_log_loss=None, refused="too <big>")
    assert "too &lt;big&gt;" in pages.about_trial(refused)


def test_names_from_outside_make_no_html():
    """A target or class may hold anything."""
    config, odd = DistillConfig.parse({"scenario": "toy"}), schema("<b>|x", ("<i>", "yes"))
    for text in (pages.about_experiment(config, odd, "7"), pages.about_model(config, odd, "7")):
        assert "<" not in text
        assert "&lt;b&gt;" in text
        assert "&lt;i&gt;" in text


@pytest.mark.parametrize("name", ["x*](http://evil) `a` <b>", "[y](http://evil)", "a] [b", "www|_c_\\", "`", "**d**"])
def test_names_from_outside_are_read_as_they_are(name):
    """No name makes a link, markup or code, nor breaks the links that are there."""
    config = DistillConfig.parse({"scenario": "toy"}).model_copy(update={"scenario": name})
    odd = schema(name, (name, "yes"))
    cards = CARDS.model_copy(update={"cards": tuple(c.model_copy(update={"label": name}) for c in CARDS.cards)})
    run = SimpleNamespace(info=SimpleNamespace(experiment_id="7", run_id="8"))
    pages_and_links = {
        pages.about_experiment(config, odd, "7"): 3,
        pages.about_model(config, odd, "7"): 1,
        pages.about_run(cards, verdict("a"), f"{name} promoted"): 0,
        pages.about_trial(Trial(number=0, params={}, valid_log_loss=None, refused=name)): 0,
        pages.about_version("", _link(run, name), limit=500): 1,
    }
    for text, links in pages_and_links.items():
        rendered = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
        assert re.findall(r'href="([^"#])', rendered) == []
        assert rendered.count("<a ") == links
        assert "<b>" not in rendered
        assert name in unescape(re.sub(r"<[^>]*>", "", rendered))


def test_descriptions_fit_whatever_the_table():
    """Also with a thousand classes."""
    config, wide = DistillConfig.parse({"scenario": "s" * 80}), schema("t" * 200, tuple(range(1000)))
    assert len(pages.about_experiment(config, wide, "7")) < MAX_EXPERIMENT_TAG_VAL_LENGTH
    assert len(pages.about_model(config, wide, "7")) < DESCRIPTION_LIMIT


def test_the_limit_is_mlflows():
    """SQLite does not hold to its columns' lengths; PostgreSQL and MySQL refuse what is longer."""
    for table in (SqlModelVersion, SqlRegisteredModel):
        assert table.__table__.c.description.type.length == DESCRIPTION_LIMIT
    assert SqlRegisteredModelTag.__table__.c.value.type.length >= 16


@pytest.mark.parametrize("limit", range(100, len(CARD) + 20, 7))
def test_a_card_is_cut_at_a_sections_border(limit):
    """Never beyond the limit, never inside code, and it says where the whole is."""
    short = pages.shortened(CARD, limit)
    assert len(short) <= limit
    if limit >= len(CARD):
        assert short == CARD
        return
    kept, note = short.split("\n\n*Shortened")
    assert "model_card.md" in note
    assert CARD.startswith(kept)
    assert CARD[len(kept) :].lstrip("\n").startswith("## ")
    assert kept.count("```") % 2 == 0


def test_a_card_without_sections_is_cut_all_the_same():
    """A description that is too long would be refused after the model was registered."""
    assert len(pages.shortened("x" * 9000, 5000)) == 5000


def test_a_versions_description_fits_with_its_links():
    """The links come first: they are never cut."""
    text = pages.about_version("# Card\n" + "x" * 9000, "[run](#/experiments/1)", limit=DESCRIPTION_LIMIT)
    assert text.startswith("From [run](#/experiments/1).")
    assert len(text) == DESCRIPTION_LIMIT


@pytest.mark.parametrize(("now", "ours"), [(None, True), (" ", True), ("ours", True), ("ours, changed", False)])
def test_only_our_own_description_is_replaced(now, ours):
    """One that a person wrote, or wrote into, stays."""
    assert pages.is_ours(now, {pages.WRITTEN_TAG: pages.digest("ours")}) is ours


def test_no_two_models_of_a_run_have_one_name():
    """A student's name also says how it was taught; its control shares the title, not the role."""
    specs = [MLPSpec(alpha=0.7, temperature=2), LogisticRegressionSpec(alpha=1)]
    names = [run_name(role, s.title, s) for s in specs for role in ("student", "control")]
    assert names == [
        "student mlp T=2 α=.7",
        "control mlp",
        "student logistic_regression α=1",
        "control logistic_regression",
    ]
    assert run_name("teacher", "xgboost") == "teacher xgboost"
    assert run_name("baseline", "lightgbm") == "baseline lightgbm"
