"""How pages of the MLflow UI are read with a browser."""

from __future__ import annotations

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

ROW = 45  # pixels
PATIENCE = 40  # seconds until a page shows what it should
EXPAND = "[data-component-id='mlflow.experiment.metadata_editor.expand_button']"
LISTED = """
const cells = [...document.querySelectorAll('[role=gridcell][col-id="attributes.`Run Name`"]')];
const place = e => e.closest('[role=row]').getAttribute('row-index');
return cells.sort((a, b) => place(a) - place(b)).map(e => e.querySelector('a').href);
"""
# The first trace is the drawn line, with a point an epoch; its name ends with the metric's in brackets.
CHARTS = """
const traces = [...document.querySelectorAll('.js-plotly-plot')].map(e => e.data[0]);
return Object.fromEntries(traces.filter(t => t.mode?.includes('lines')).map(
  t => [t.metricKey ?? t.name.match(/\\((.*)\\)$/)[1], [...t.x].map((x, i) => [x, t.y[i]])]));
"""
# The page draws only the rows in view: two grids, names and values, each cell placed by its top and left.
VISIBLE = """
const heading = [...document.querySelectorAll('[role=button]')].find(e => e.innerText.trim() === arguments[0]);
const grids = [...heading.parentElement.querySelectorAll('.ReactVirtualized__Grid')];
grids[1].scrollTop = arguments[1];
const cells = grid => [...grid.firstElementChild.children].map(
  e => [parseInt(e.style.top), parseInt(e.style.left), e.textContent.trim()]);
return {names: cells(grids[0]), values: cells(grids[1]), height: grids[1].scrollHeight, view: grids[1].clientHeight};
"""


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


def listed(browser):
    """Run ids of the runs table, from top to bottom."""
    links = browser.execute_script(LISTED)
    return [link.rpartition("/")[2] for link in links]


def charts(browser, words, count):
    """Search a run's charts for words; once there are so many, return the points of each, by its metric."""
    wait = WebDriverWait(browser, PATIENCE)
    search = wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "input[placeholder='Search metric charts']"))
    search[0].send_keys(words)
    return wait.until(lambda b: found if len(found := b.execute_script(CHARTS)) == count else False)
