"""Reads figures off a page and holds them against the JSON they come from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

UNITS = {"%": 0.01, "kB": 1e3, "MB": 1e6, "GB": 1e9, "ms": 1e3, "k": 1e3, "M": 1e6}
NUMBER = re.compile(r"(-?)\+?([\d,]*\.?\d+(?:e-?\d+)?)(?: ?(%|kB|MB|GB|ms|k|M)(?!\w))?")
MINUTES = re.compile(r"(\d+) min (\d+) s")


def shown_numbers(text: str) -> Iterator[tuple[float, float]]:
    """Every number of a text in the JSON's unit, and half of its last digit."""
    text = MINUTES.sub(lambda found: f"{60 * int(found[1]) + int(found[2])} s", text)
    for sign, digits, unit in NUMBER.findall(text.removeprefix("< ")):
        scale = UNITS.get(unit, 1.0)
        _, _, decimals = digits.partition(".")
        yield float(digits.replace(",", "")) * (-1 if sign else 1) * scale, 0.51 * scale * 10 ** -len(decimals)


def at(tree: Any, path: str) -> list[float]:
    """The numbers of the JSON at a path."""
    for part in path.strip("/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        tree = tree[int(name)] if isinstance(tree, list) else tree[name]
    values = [tree["value"], tree["low"], tree["high"]] if isinstance(tree, dict) else [tree]
    return [float(value) for value in values if value is not None]


def wrong_figures(figures: Iterable[tuple[str, str]], tree: Any) -> list[tuple[str, str, list[float]]]:
    """Those of (path, text) whose text is not the JSON's numbers at the path to the last digit, with these numbers."""
    return [(path, text, at(tree, path)) for path, text in figures if not _right(text, at(tree, path))]


def _right(text: str, held: list[float]) -> bool:
    if text == "< .001":
        return len(held) == 1 and held[0] < 0.001
    shown = list(shown_numbers(text))
    pairs = zip(shown, held, strict=False)
    return len(shown) == len(held) and all(abs(number - value) <= slack for (number, slack), value in pairs)
