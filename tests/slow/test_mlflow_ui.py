"""What a person sees in the MLflow UI after ``make run``, read with a browser."""

from __future__ import annotations

import json
import shutil
import socket
import time

import pytest
import requests
from mlflow.tracking import MlflowClient
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.slow

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1700,1300",
)
ROW = 45  # pixels
PATIENCE = 40  # seconds until a page shows what it should
MODELS = ["teacher ensemble", "student mlp T=1 α=.8", "control mlp"]
HARMLESS = (
    "/mlflow/users/current",  # MLflow asks itself for accounts, which a local server does not have
    "ResizeObserver loop",  # MLflow's layout settled a frame later
)
# The page draws only the rows in view: two grids, names and values, each cell placed by its top and left.
VISIBLE = """
const heading = [...document.querySelectorAll('[role=button]')].find(e => e.innerText.trim() === arguments[0]);
const grids = [...heading.parentElement.querySelectorAll('.ReactVirtualized__Grid')];
grids[1].scrollTop = arguments[1];
const cells = grid => [...grid.firstElementChild.children].map(
  e => [parseInt(e.style.top), parseInt(e.style.left), e.textContent.trim()]);
return {names: cells(grids[0]), values: cells(grids[1]), height: grids[1].scrollHeight, view: grids[1].clientHeight};
"""


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
def first_run(ui):
    """Run ids by name of the first run: ``parent``, and one for each model."""
    client = MlflowClient(ui, ui)
    experiment = client.get_experiment_by_name("flights").experiment_id
    runs = client.search_runs([experiment], order_by=["attributes.start_time ASC"])
    parent = runs[0]
    children = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    return {
        "experiment": experiment,
        "title": parent.info.run_name,
        "parent": parent.info.run_id,
        **{r.info.run_name: r.info.run_id for r in children},
    }


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium with a profile of its own."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        pytest.fail("install chromium and chromedriver: the MLflow UI is looked at in a real browser")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chromium = webdriver.Chrome(options=options, service=Service(driver))
    yield chromium
    chromium.quit()


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


def section(browser, heading):
    """Scroll through a section of the compare page; return its rows as (name, values from left to right)."""
    names, values, top = {}, {}, 0
    while True:
        browser.execute_script(VISIBLE, heading, top)
        seen = WebDriverWait(browser, PATIENCE).until(lambda b, at=top: drawn(b, heading, at))
        names |= {y: text for y, _, text in seen["names"]}
        values |= {(y, x): text for y, x, text in seen["values"]}
        if top + seen["view"] >= seen["height"]:
            break
        top += seen["view"] // 2
    return [(names[y], [values[at] for at in sorted(values) if at[0] == y]) for y in sorted(names)]


def drawn(browser, heading, top):
    """Return what is visible once both grids have drawn the rows from here on, else False."""
    seen = browser.execute_script(VISIBLE, heading, top)
    first, last = top, min(top + seen["view"], seen["height"]) - ROW
    rows = [[y for y, *_ in seen[part]] for part in ("names", "values")]
    there = all(min(ys, default=first + 1) <= first and max(ys, default=0) >= last for ys in rows)
    return seen if there else False


def test_the_runs_page_shows_the_run(page, first_run):
    """One parent run a pipeline run, under ZenML's name."""
    assert "flights" in page(f"/experiments/{first_run['experiment']}/runs", first_run["title"])


def test_the_compare_page_lines_up_teacher_student_and_control(page, browser, first_run):
    """Three run names; each metric stands once, with a value for each of the three."""
    runs = json.dumps([first_run[name] for name in MODELS])
    page(f"/compare-runs?runs={runs}&experiments={json.dumps([first_run['experiment']])}", *MODELS, "Metrics")
    rows = section(browser, "Metrics")
    names = [name for name, _ in rows]
    assert len(names) == len(set(names))
    values = dict(rows)
    for metric in ("test.auc_roc", "test.log_loss", "cost.bytes"):
        assert len([float(value) for value in values[metric]]) == 3, metric
        assert "nan" not in " ".join(values[metric]).lower()


def test_the_report_is_readable_in_the_artifact_view(page, first_run):
    """The Markdown is rendered."""
    place = f"/experiments/{first_run['experiment']}/runs/{first_run['parent']}/artifacts/report/report.md"
    text = page(place, "Compression report", "What was lost and saved")
    assert "# Compression report" not in text


def test_the_model_page_shows_what_is_staged(page):
    """The alias, and the gates that were passed."""
    text = page("/models/flights-student", "staging", "Version 1")
    assert "distillery.gate.min_auc_retention" in text
