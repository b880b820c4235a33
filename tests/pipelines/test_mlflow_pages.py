"""What runs leave on MLflow's pages: descriptions, tags, figures to compare by, and the model card."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest

from distillery.report.render import to_card
from pipelines import distill_pipeline
from steps._pages import VIEW_TAG, VIEWS, WRITTEN_TAG, about_card, digest
from steps._registry import DESCRIPTION_LIMIT
from tests.pipelines.conftest import FAST_MLP, fast_parameters

NOTE = "mlflow.note.content"
SCENARIO = "pages"
MODEL = f"{SCENARIO}-student"
SEARCHED = {"kind": "logistic_regression", "search": {"alpha": [0.1, 0.9], "budget": 2}}
POOR_MLP = {"kind": "mlp", "widths": [4], "bins": 4, "epochs": 2, "batch_size": 64, "learning_rate": 2e-3}
STUDENT = "student mlp T=1 α=.8"


@pytest.fixture(scope="module")
def records(stack, raw, tmp_path_factory):
    """Two runs of one config, with searches and a promotion; training of the second comes from cache."""
    parameters = fast_parameters(raw, tmp_path_factory.mktemp(SCENARIO), SCENARIO) | {
        "students": [FAST_MLP, SEARCHED, {**SEARCHED, "name": "plain", "c": 0.01}]
    }
    return [stack.get_pipeline_run(distill_pipeline(**parameters).id) for _ in range(2)]


@pytest.fixture
def logged(tracking):
    """All MLflow runs of a pipeline run: its own, and those below it by name."""

    def find(record):
        experiment = tracking.get_experiment_by_name(SCENARIO)
        runs = tracking.search_runs([experiment.experiment_id])
        (parent,) = [r for r in runs if r.info.run_name == record.name]
        below = [r for r in runs if r.data.tags.get("distillery.zenml_run") == record.name]
        names = [r.info.run_name for r in below]
        assert len(names) == len(set(names)), f"two runs of one pipeline run have one name: {names}"
        return parent, dict(zip(names, below, strict=True))

    return find


def report_of(record):
    return record.steps["compression_report"].outputs["report"][0].load().report


def curves(tracking, run):
    names = [name for name in run.data.metrics if name.startswith("train.")]
    return {n: [(m.step, m.value) for m in tracking.get_metric_history(run.info.run_id, n)] for n in names}


def test_a_run_is_compared_by_its_student(records, logged):
    """It has the metrics of that student under a model's names, and the teacher's beside them."""
    for record in records:
        parent, models = logged(record)
        winner = report_of(record).verdict.winner
        assert parent.data.tags["distillery.role"] == "pipeline"
        assert parent.data.tags["distillery.student"] == winner
        assert parent.data.tags["distillery.dataset_digest"] == report_of(record).data.digest
        (student,) = [r.data for name, r in models.items() if name.startswith(f"student {winner} ")]
        teacher = models["teacher xgboost"].data.metrics
        beside = {f"teacher.{name}": teacher[name] for name in ("test.auc_roc", "test.log_loss")}
        own = {name: value for name, value in student.metrics.items() if not name.startswith("train.")}
        of_steps = {name: value for name, value in parent.data.metrics.items() if name.startswith("step.")}
        assert parent.data.metrics == {**own, **beside, **of_steps}
        assert {"test.auc_roc", "retention.auc_roc", "lift.log_loss"} <= set(own)


def test_every_run_is_described(records, logged):
    """A model's by its role and figures, the pipeline's by what came of it; only the latter has a verdict."""
    for record, done in zip(records, ("promoted as", "stays in staging"), strict=True):
        parent, models = logged(record)
        assert done in parent.data.tags[NOTE]
        for card in report_of(record).scorecards.cards:
            (model,) = [r for name, r in models.items() if f"{name} ".startswith(f"{card.label} ")]
            assert model.data.tags[NOTE] == about_card(card)
            assert model.data.tags["distillery.role"] == card.role
            assert "distillery.verdict" not in model.data.tags


@pytest.mark.usefixtures("records")
def test_the_experiment_is_described_with_links_to_its_views(tracking):
    """And to the registered model."""
    experiment = tracking.get_experiment_by_name(SCENARIO)
    assert "churned" in experiment.tags[NOTE]
    assert f"(#/models/{MODEL})" in experiment.tags[NOTE]
    for view in VIEWS:
        assert f"(#/experiments/{experiment.experiment_id}/runs?viewStateShareKey={view})" in experiment.tags[NOTE]
        assert VIEW_TAG + view in experiment.tags


@pytest.mark.usefixtures("records")
def test_the_model_page_has_description_and_tags(tracking):
    """What it predicts, and how to load it."""
    model = tracking.get_registered_model(MODEL)
    assert "churned" in model.description
    assert f"models:/{MODEL}@staging" in model.description
    facts = {"scenario": SCENARIO, "target": "churned", "task": "binary classification"}
    assert {f"distillery.{key}": value for key, value in facts.items()}.items() <= model.tags.items()


def test_the_version_has_its_card_and_links_to_its_runs(records, tracking, logged, tmp_path):
    """The whole card is a file of the version; as much as fits is its description, below the links."""
    parent, models = logged(records[0])
    version = tracking.get_model_version(MODEL, "1")
    (student,) = [r.info for r in models.values() if r.info.run_id == version.run_id]
    assert student.run_name.startswith("student ")
    for linked in (student, parent.info):
        assert f"(#/experiments/{linked.experiment_id}/runs/{linked.run_id})" in version.description
    card = to_card(report_of(records[0]))
    assert card.splitlines()[0] in version.description
    assert len(version.description) <= DESCRIPTION_LIMIT
    mlflow.set_tracking_uri(tracking.tracking_uri)
    uri = f"models:/{MODEL}/1"
    assert "model_card.md" in {file.path for file in mlflow.artifacts.list_artifacts(uri)}
    local = mlflow.artifacts.download_artifacts(f"{uri}/model_card.md", dst_path=str(tmp_path))
    assert Path(local).read_text(encoding="utf-8") == card


def test_curves_are_there_also_when_training_came_from_cache(records, tracking, logged):
    """The same values at the same epochs, so that MLflow charts them."""
    assert records[1].steps["train_student_mlp"].status == "cached"
    for name in (STUDENT, "control mlp"):
        one, two = (curves(tracking, logged(record)[1][name]) for record in records)
        assert one == two
        assert {"train.train_loss", "train.valid_log_loss"} <= set(one)
        assert [step for step, _ in one["train.train_loss"]] == list(range(FAST_MLP["epochs"]))


def test_the_curves_of_networks_that_teach_are_there_too(run, parameters, tracking):
    """A teacher's and a baseline's, trained and from cache."""
    network = {"kind": "mlp", "widths": [8], "bins": 4, "epochs": 3, "batch_size": 128}
    settings = {"teacher": network, "baseline": network, "soft_labels": {"method": "in_sample"}}
    names = [run({**parameters, **settings}).name for _ in range(2)]
    experiment = tracking.get_experiment_by_name(parameters["scenario"])
    runs = tracking.search_runs([experiment.experiment_id])
    for title in ("teacher mlp", "baseline mlp"):
        found = {r.data.tags["distillery.zenml_run"]: r for r in runs if r.info.run_name == title}
        one, two = (curves(tracking, found[name]) for name in names)
        assert one == two
        assert [step for step, _ in one["train.valid_log_loss"]] == [0, 1, 2]


def test_trials_of_two_searches_have_names_of_their_own(records, logged):
    """Also where the students came from cache."""
    for record in records:
        _, models = logged(record)
        for name in (f"trial {title} {n}" for title in ("logistic_regression", "plain") for n in (0, 1)):
            loss = models[name].data.metrics["valid.log_loss"]
            assert f"{loss:.4f}".removeprefix("0") in models[name].data.tags[NOTE]


def test_sorting_by_a_metric_puts_all_runs_in_one_order(records, tracking, logged):
    """Parents and children alike; those without the metric come last."""
    experiment = tracking.get_experiment_by_name(SCENARIO).experiment_id
    runs = tracking.search_runs([experiment], order_by=["metrics.`test.auc_roc` DESC"])
    values = [r.data.metrics.get("test.auc_roc") for r in runs]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=True)
    assert values[len(known) :] == [None] * 8  # the trials
    assert len(known) == sum(1 + len(logged(record)[1]) for record in records) - 8


def test_what_a_person_wrote_is_kept(run, parameters, tracking):
    """Descriptions of experiment and model; one that is still ours is brought up to date."""
    run({**parameters, "students": [POOR_MLP]})
    name = f"{parameters['scenario']}-student"
    experiment = tracking.get_experiment_by_name(parameters["scenario"])
    ours = experiment.tags[NOTE]
    tracking.set_experiment_tag(experiment.experiment_id, NOTE, f"{ours}\nAsk Ada.")
    tracking.update_registered_model(name, "Ada's model")
    run(parameters)
    assert tracking.get_model_version(name, "2").description
    assert tracking.get_registered_model(name).description == "Ada's model"
    assert tracking.get_experiment(experiment.experiment_id).tags[NOTE] == f"{ours}\nAsk Ada."

    tracking.set_experiment_tag(experiment.experiment_id, NOTE, "of an earlier release")
    tracking.set_experiment_tag(experiment.experiment_id, WRITTEN_TAG, digest("of an earlier release"))
    run(parameters)
    assert tracking.get_experiment(experiment.experiment_id).tags[NOTE] == ours
