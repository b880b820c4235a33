"""Draws README's pictures from the report of the last default run: ``make run pictures``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

PAGE = Path("reports/flights/report.html")
PICTURES = Path("docs/pictures")
WIDTH, HEIGHT = 1240, 900
FIGURE = "plot-front"


def main() -> None:
    """Write ``report.png``, the report's first screen, and ``front.png``, one of its figures."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not PAGE.exists():
        sys.exit(f"{PAGE} must be there, it is not; `make run` writes it")
    if not binary or not driver:
        sys.exit("chromium and chromedriver must be installed: the page is drawn by a real browser")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in ("--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}"):
        options.add_argument(flag)
    PICTURES.mkdir(parents=True, exist_ok=True)
    with webdriver.Chrome(options=options, service=Service(driver)) as browser:
        browser.get(PAGE.resolve().as_uri())
        browser.save_screenshot(str(PICTURES / "report.png"))
        browser.find_element(By.ID, FIGURE).screenshot(str(PICTURES / "front.png"))


if __name__ == "__main__":
    main()
