"""What a run leaves on MLflow's pages: descriptions, tags, figures to compare by, and the model card."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest

from distillery.report.card import to_card
from steps._pages import VIEW_TAG, VIEWS, WRITTEN_TAG, about_card, digest
from steps._registry import DESCRIPTION_LIMIT

NOTE = "mlflow.note.content"
LINEAR = {"kind": "logistic_regression"}
POOR_MLP = {"kind": "mlp", "widths": [4], "bins": 4, "epochs": 2, "batch_size": 64, "learning_rate": 2e-3}


@pytest.fixture
def logged(tracking, parameters):
    """All runs of a pipeline run: its own, and those below it by name."""

    def find(record):
        experiment = tracking.get_experiment_by_name(parameters["scenario"])
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


def test_a_run_explains_itself_and_can_be_compared_with_another(run, parameters, tracking, logged):
    """The parent has the figures of its student under a model's metric names, and the teacher's; all are described."""
    record = run({**parameters, "evaluation": {"replicates": 20, "cost": True}})
    parent, models = logged(record)
    report = report_of(record)
    student = models["student mlp T=1 α=.8"].data
    measured = {name: value for name, value in student.metrics.items() if not name.startswith("train.")}
    teacher = models["teacher xgboost"].data.metrics
    beside = {f"teacher.{name}": teacher[name] for name in ("test.auc_roc", "test.log_loss")}
    assert parent.data.metrics == {**measured, **beside}
    for group in ("test.auc_roc", "compression.bytes", "retention.auc_roc", "lift.log_loss"):
        assert group in parent.data.metrics
    assert parent.data.tags["distillery.role"] == "pipeline"
    assert parent.data.tags["distillery.student"] == "mlp"
    assert "promoted as" in parent.data.tags[NOTE]
    for card in report.scorecards.cards:
        (model,) = [r for r in models.values() if r.info.run_name.startswith(card.label)]
        assert model.data.tags[NOTE] == about_card(card)
        assert model.data.tags["distillery.role"] == card.role
        assert "distillery.verdict" not in model.data.tags

    experiment = tracking.get_experiment_by_name(parameters["scenario"])
    assert "churned" in experiment.tags[NOTE]
    assert f"#/models/{parameters['scenario']}-student" in experiment.tags[NOTE]
    for view in VIEWS:
        assert f"#/experiments/{experiment.experiment_id}/runs?viewStateShareKey={view}" in experiment.tags[NOTE]
        assert VIEW_TAG + view in experiment.tags


def test_the_model_page_has_description_tags_links_and_card(run, parameters, tracking, logged, tmp_path):
    """The whole card is a file of the version; its description begins with links to the runs."""
    record = run(parameters)
    parent, models = logged(record)
    name = f"{parameters['scenario']}-student"
    model, version = tracking.get_registered_model(name), tracking.get_model_version(name, "1")
    assert "churned" in model.description
    assert f"models:/{name}@staging" in model.description
    facts = {"scenario": parameters["scenario"], "target": "churned", "task": "binary classification"}
    assert {f"distillery.{key}": value for key, value in facts.items()}.items() <= model.tags.items()

    student = models["student mlp T=1 α=.8"].info
    assert version.run_id == student.run_id
    for linked in (student, parent.info):
        assert f"(#/experiments/{linked.experiment_id}/runs/{linked.run_id})" in version.description
    card = to_card(report_of(record))
    assert card.splitlines()[0] in version.description
    assert len(version.description) <= DESCRIPTION_LIMIT
    mlflow.set_tracking_uri(tracking.tracking_uri)
    uri = f"models:/{name}/1"
    assert "model_card.md" in {file.path for file in mlflow.artifacts.list_artifacts(uri)}
    local = mlflow.artifacts.download_artifacts(f"{uri}/model_card.md", dst_path=str(tmp_path))
    assert Path(local).read_text(encoding="utf-8") == card


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


def test_curves_are_there_also_when_training_came_from_cache(run, parameters, tracking, logged):
    """The same values at the same epochs, so that MLflow charts them."""
    first, second = run(parameters), run(parameters)
    assert second.steps["train_student_mlp"].status == "cached"
    for name in ("student mlp T=1 α=.8", "control mlp"):
        one, two = (curves(tracking, logged(record)[1][name]) for record in (first, second))
        assert one == two
        assert {"train.train_loss", "train.valid_log_loss"} <= set(one)
        assert [step for step, _ in one["train.train_loss"]] == list(range(4))


def test_trials_of_two_searches_have_names_of_their_own(run, parameters, logged):
    """Also where the students came from cache; the run's figures are those of the best on the validation rows."""
    search = {"alpha": [0.1, 0.9], "budget": 2}
    searched = [{**LINEAR, "search": search}, {**LINEAR, "name": "plain", "c": 0.01, "search": search}]
    closed = {**parameters["gates"], "min_auc_retention": 1.5}
    trials = {f"trial {name} {n}" for name in ("logistic_regression", "plain") for n in (0, 1)}
    for _ in range(2):
        record = run({**parameters, "students": searched, "gates": closed})
        parent, models = logged(record)
        assert trials <= set(models)
        for name in trials:
            assert f"{models[name].data.metrics['valid.log_loss']:.4f}".lstrip("0") in models[name].data.tags[NOTE]
        best = min(report_of(record).scorecards.students, key=lambda card: card.valid_log_loss)
        assert parent.data.tags["distillery.student"] == best.name
        assert parent.data.metrics["test.log_loss"] == best.quality.metrics["log_loss"].value


def test_sorting_by_a_metric_puts_all_runs_in_one_order(run, parameters, tracking):
    """Parents and children alike; those without the metric come last."""
    search = {"alpha": [0.1, 0.9], "budget": 2}
    run({**parameters, "students": [*parameters["students"], {**LINEAR, "search": search}]})
    experiment = tracking.get_experiment_by_name(parameters["scenario"]).experiment_id
    runs = tracking.search_runs([experiment], order_by=["metrics.`test.auc_roc` DESC"])
    values = [r.data.metrics.get("test.auc_roc") for r in runs]
    known = [value for value in values if value is not None]
    assert len(known) == 6
    assert known == sorted(known, reverse=True)
    assert values[6:] == [None, None]
