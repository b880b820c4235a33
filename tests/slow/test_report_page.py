"""The report that ``make run`` leaves, opened from its folder in a browser."""

from __future__ import annotations

import json
import re

import pytest
from selenium.webdriver.common.by import By

from distillery.report.model import Report
from tests.report.shown import wrong_figures

pytestmark = pytest.mark.slow

FIRST_SCREEN = 900  # pixels
FIGURES = "return [...document.querySelectorAll('[data-path]')].map(e => [e.dataset.path, e.textContent.trim()]);"
WIDTHS = (
    "const root = document.documentElement; return [root.scrollWidth, document.body.scrollWidth, root.clientWidth];"
)
PICTURES = """
const pictures = [...document.images];
pictures.forEach(one => one.closest('details')?.setAttribute('open', ''));
return Promise.all(pictures.map(one => one.decode().then(() => one.naturalWidth, () => 0)));
"""
BOTTOM = """
const found = document.querySelector(`.tile [data-path="${arguments[0]}"]`);
return found && found.checkVisibility() ? found.getBoundingClientRect().bottom + window.scrollY : null;
"""
GROUND = "return getComputedStyle(document.body).backgroundColor;"


@pytest.fixture(scope="module")
def place(copy):
    """The page's path."""
    return copy.folder / "reports" / "flights" / "report.html"


@pytest.fixture
def held(place):
    """The report's JSON."""
    return json.loads(place.with_name("report.json").read_text(encoding="utf-8"))


@pytest.fixture
def opened(browser, place):
    """Open the page in a window of some width, in light or dark."""

    def open_page(width=1300, scheme="light"):
        browser.get("about:blank")
        for log in ("browser", "performance"):
            browser.get_log(log)  # empties it
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        window = {"width": width, "height": FIRST_SCREEN, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)
        browser.get(place.as_uri())
        return browser

    yield open_page
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def requested(browser):
    """Every address the browser asked for since its log was emptied."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_needs_nothing_else(opened, place, scheme):
    """Nothing but itself is asked for, the console stays empty, every drawing is there."""
    browser = opened(scheme=scheme)
    sizes = browser.execute_script(PICTURES)
    assert len(sizes) > 10
    assert min(sizes) > 0
    addresses = requested(browser)
    assert place.as_uri() in addresses
    assert [one for one in addresses if not one.startswith("data:")] == [place.as_uri()]
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_heeds_light_and_dark(opened, scheme):
    """Its ground is what the reader's system asks for."""
    red, green, blue = (int(part) for part in re.findall(r"\d+", opened(scheme=scheme).execute_script(GROUND))[:3])
    assert (max(red, green, blue) < 60) == (scheme == "dark")
    assert (min(red, green, blue) > 200) == (scheme == "light")


@pytest.mark.parametrize("width", [1300, 400])
def test_the_page_fits_its_window(opened, width):
    """Wide tables scroll by themselves; the page does not."""
    root, body, window = opened(width).execute_script(WIDTHS)
    assert window <= width
    assert max(root, body) <= window


def test_every_figure_is_the_jsons(opened, held):
    """As the browser holds it, to its last digit."""
    figures = opened().execute_script(FIGURES)
    assert len(figures) > 150
    assert wrong_figures(figures, held) == []


def test_the_first_screen_says_what_was_promoted_and_what_it_costs(opened, held):
    """The verdict names the winner; what is kept of the ROC AUC, the log loss and the bytes stand below it."""
    browser, report = opened(), Report.model_validate(held)
    verdict = browser.find_element(By.CSS_SELECTOR, ".lead")
    assert report.focus.name in verdict.text
    assert verdict.rect["y"] + verdict.rect["height"] <= FIRST_SCREEN
    i = report.scorecards.cards.index(report.focus)
    for figure in ("retention/auc_roc", "versus_teacher/log_loss/difference", "cost/bytes"):
        bottom = browser.execute_script(BOTTOM, f"/scorecards/cards/{i}/{figure}")
        assert bottom is not None, figure
        assert bottom <= FIRST_SCREEN, figure
