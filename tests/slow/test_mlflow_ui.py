"""What a person sees in the MLflow UI after ``make run``, read with a browser."""

from __future__ import annotations

import json
import math
import socket
import time

import pytest
import requests
from mlflow.tracking import MlflowClient
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.slow.mlflow_pages import EXPAND, PATIENCE, charts, listed, section

pytestmark = pytest.mark.slow

MODELS = ["teacher ensemble", "student mlp T=1 α=.8", "control mlp"]
HARMLESS = (
    "/mlflow/users/current",  # MLflow asks itself for accounts, which a local server does not have
    "ResizeObserver loop",  # MLflow's layout settled a frame later
)
PIPELINES = "tags.`distillery.role` = 'pipeline'"


@pytest.fixture(scope="module")
def ui(started):
    """``make ui`` on the copy's store; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = started("make", "ui", f"PORT={port}")
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(f"{address}/health", timeout=5).ok:
                return address
        except requests.ConnectionError:
            time.sleep(0.5)
    pytest.fail("make ui did not answer")


@pytest.fixture(scope="module")
def client(ui):
    """MLflow's own, at the same server."""
    return MlflowClient(ui, ui)


@pytest.fixture(scope="module")
def experiment(client):
    """The id of the scenario's experiment."""
    return client.get_experiment_by_name("flights").experiment_id


def ids(client, experiment, parent):
    """Run ids by name of a run of the pipeline: ``parent``, and one for each model."""
    wanted = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    children = client.search_runs([experiment], filter_string=wanted)
    named = {r.info.run_name: r.info.run_id for r in children}
    assert len(named) == len(children)
    return {"title": parent.info.run_name, "parent": parent.info.run_id, **named}


@pytest.fixture(scope="module")
def first_run(client, experiment):
    """Run ids by name of the first run of the pipeline."""
    runs = client.search_runs([experiment], order_by=["attributes.start_time ASC"], max_results=1)
    return ids(client, experiment, runs[0])


@pytest.fixture(scope="module")
def second_run(copy, client, experiment):
    """Run ids by name of another run of the pipeline, whose training came from cache."""
    ran = copy.pipeline("-c", "configs/flights.yaml")
    assert ran.code == 0, ran.text
    latest = client.search_runs([experiment], filter_string=PIPELINES, max_results=1)
    return ids(client, experiment, latest[0])


@pytest.fixture
def page(ui, browser, tmp_path):
    """Open a page, wait for words on it, return its text; at the end no error of ours may be on the console."""

    def text():
        return browser.find_element(By.TAG_NAME, "body").text

    def open_page(place, *words):
        browser.get("about:blank")  # a change behind the # alone would not load anything
        browser.get(f"{ui}/#{place}")
        wait = WebDriverWait(browser, PATIENCE)
        wait.until(lambda _: all(word in text() for word in words), f"{words} must appear on {place}")
        return text()

    yield open_page
    browser.save_screenshot(str(tmp_path / "page.png"))
    severe = [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    ours = [message for message in severe if not any(known in message for known in HARMLESS)]
    assert not ours, "\n".join(ours)


def compared(page, browser, experiment, runs, *words):
    """Open the compare page on runs; return its metrics as name to what stands there from left to right."""
    page(f"/compare-runs?runs={json.dumps(runs)}&experiments={json.dumps([experiment])}", *words, "Metrics")
    rows = section(browser, "Metrics")
    assert len({name for name, _ in rows}) == len(rows)
    return dict(rows)


def figures(texts):
    """Of a metric that every run must have."""
    values = [float(text) for text in texts]
    assert all(math.isfinite(value) for value in values)
    return values


def curves(page, browser, experiment, run):
    """Open a run's charts of training; return their points, by name."""
    page(f"/experiments/{experiment}/runs/{run}/model-metrics", "Model metrics")
    return charts(browser, "train", 3)


def test_the_experiment_says_what_is_in_it(page, browser, experiment, first_run):
    """Two links at first sight, the whole description behind an arrow, and one parent run a pipeline run."""
    page(f"/experiments/{experiment}/runs", first_run["title"], "runs of the pipeline", "all models by ROC AUC")
    browser.find_element(By.CSS_SELECTOR, EXPAND).click()
    text = browser.find_element(By.TAG_NAME, "body").text
    assert "the same student without the teacher" in text
    assert "tick two runs of the pipeline" in text


def test_sorting_by_a_metric_orders_parents_and_children(page, browser, client, experiment, first_run):
    """The runs table, with the pipeline's runs among those of the models."""
    place = f"/experiments/{experiment}/runs?orderByKey=metrics.%60test.auc_roc%60&orderByAsc=false"
    page(place, *MODELS, "Sort: test.auc_roc")
    shown = listed(browser)
    assert {first_run[name] for name in ("parent", *MODELS)} <= set(shown)
    values = [client.get_run(run).data.metrics.get("test.auc_roc", float("-inf")) for run in shown]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("view", ["distillery-runs", "distillery-models"])
def test_the_views_show_the_columns_that_say_most(page, browser, experiment, first_run, view):
    """One of the pipeline's runs, one of the models."""
    page(f"/experiments/{experiment}/runs?viewStateShareKey={view}", "shared view", "cost.bytes", "retention.auc_roc")
    shown = listed(browser)
    models = {first_run[name] for name in MODELS}
    if view == "distillery-runs":
        assert first_run["parent"] in shown
        assert not models & set(shown)
    else:
        assert first_run["parent"] not in shown
        assert models <= set(shown)


def test_the_compare_page_lines_up_teacher_student_and_control(page, browser, experiment, first_run):
    """Three run names; each metric stands once, with a value for each of the three."""
    metrics = compared(page, browser, experiment, [first_run[name] for name in MODELS], *MODELS)
    for metric in ("test.auc_roc", "test.log_loss", "cost.bytes"):
        assert len(figures(metrics[metric])) == 3, metric


def test_the_compare_page_lines_up_two_runs_of_the_pipeline(page, browser, experiment, first_run, second_run):
    """Each by the student it stands for, with the teacher's figures beside it."""
    both = (first_run, second_run)
    metrics = compared(page, browser, experiment, [r["parent"] for r in both], *(r["title"] for r in both))
    for metric in ("test.auc_roc", "retention.auc_roc", "lift.log_loss", "compression.bytes", "teacher.test.auc_roc"):
        assert len(figures(metrics[metric])) == 2, metric


@pytest.mark.parametrize("which", ["first_run", "second_run"])
def test_training_is_charted_over_epochs(page, browser, client, experiment, which, request):
    """Also where it came from cache."""
    run = request.getfixturevalue(which)["student mlp T=1 α=.8"]
    drawn = curves(page, browser, experiment, run)
    assert set(drawn) == {"train.train_loss", "train.valid_loss", "train.valid_log_loss"}
    for name, points in drawn.items():
        history = client.get_metric_history(run, name)
        assert len(history) > 2
        assert points == [[m.step, pytest.approx(m.value)] for m in history]


def test_a_run_is_described(page, experiment, first_run):
    """A pipeline run by what it did, a model's by its role and figures; `page` fails where the words do not appear."""
    runs = f"/experiments/{experiment}/runs"
    page(f"{runs}/{first_run['parent']}", "promoted as flights-student", "teacher ensemble: ROC")
    page(f"{runs}/{first_run['control mlp']}", "The same student taught by the hard labels")


def test_the_report_is_readable_in_the_artifact_view(page, experiment, first_run):
    """The Markdown is rendered."""
    place = f"/experiments/{experiment}/runs/{first_run['parent']}/artifacts/report/report.md"
    text = page(place, "Compression report", "What was lost and saved")
    assert "# Compression report" not in text


def test_the_html_report_opens_in_the_artifact_view(page, browser, experiment, first_run):
    """In a frame without rights; its heading is visible."""
    page(f"/experiments/{experiment}/runs/{first_run['parent']}/artifacts/report/report.html", "report.html")
    wait = WebDriverWait(browser, PATIENCE)
    browser.switch_to.frame(wait.until(lambda b: b.find_element(By.CSS_SELECTOR, "iframe.mlflow-html-iframe")))
    headings = wait.until(lambda b: [h for h in b.find_elements(By.TAG_NAME, "h1") if h.is_displayed()])
    assert "flights" in headings[0].text
    browser.switch_to.default_content()


def test_the_model_page_shows_what_is_staged(page):
    """Description, tags, the alias, and the gates that were passed."""
    text = page("/models/flights-student", "staging", "Version 1")
    assert "models:/flights-student@staging" in text
    for fact in (
        "distillery.scenario",
        "distillery.target",
        "binary classification",
        "distillery.gate.min_auc_retention",
    ):
        assert fact in text


def test_the_version_page_shows_the_card_and_leads_to_the_run(page, browser, client, first_run):
    """The card is rendered; the link opens the student's run."""
    text = page("/models/flights-student/versions/1", "Model card", first_run["title"])
    assert "# Model card" not in text
    run = client.get_model_version("flights-student", "1").run_id
    assert run in first_run.values()
    links = {link.get_attribute("href") for link in browser.find_elements(By.TAG_NAME, "a")}
    assert any(href and href.endswith(f"/runs/{run}") for href in links)
