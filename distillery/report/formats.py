"""Numbers as people read them, and text as Markdown takes it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from distillery.evaluation import Estimate

# What Markdown would read: not an underscore within a word, nor brackets that are no link.
MARKS = re.compile(r"[\\`*|~]|^[#+-](?=\s)|(?<!\w)_|_(?!\w)|\](?=[(\[:])|:(?=//)")
LABEL_MARKS = re.compile(rf"{MARKS.pattern}|[\[\]]")


def number(value: float | None, digits: int = 4) -> str:
    """Write a score without its leading zero, ``–`` where there is none.

    >>> number(0.73444), number(-0.5), number(1.25), number(-0.00001), number(None)
    ('.7344', '-.5000', '1.2500', '.0000', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:z.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def estimate(one: Estimate | None) -> str:
    """Write a score with its interval, if it has one.

    >>> estimate(Estimate(value=0.7, low=0.65, high=0.75)), estimate(Estimate(value=0.7, low=None, high=None))
    ('.7000 [.6500, .7500]', '.7000')
    """
    if one is None or one.value is None:
        return "–"
    return _bracketed(one.model_dump(), number)


def percent(value: float | None, digits: int = 1) -> str:
    """Write a share as a percentage.

    >>> percent(0.999), percent(-0.25), percent(-0.0001)
    ('99.9 %', '-25.0 %', '0.0 %')
    """
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:z.{digits}f} %"


def count(value: float | None) -> str:
    """Write a whole number with separators.

    >>> count(18793.0)
    '18,793'
    """
    return "–" if value is None else f"{value:,.0f}"


def _scaled(value: float | None, *units: tuple[float, int, str]) -> str:
    """Write in the first of ``(size, digits, name)`` in which, once rounded, it is below 1,000; else in the last."""
    if value is None:
        return "–"
    texts = [(f"{value / one:.{digits}f}", name) for one, digits, name in units]
    return "".join(next((pair for pair in texts if float(pair[0]) < 1000), texts[-1]))


def size(value: float | None) -> str:
    """Write bytes in kB, MB or GB of 1,000.

    >>> size(78_400), size(1_310_000), size(512), size(1_095_000_000), size(999_700)
    ('78 kB', '1.3 MB', '512 B', '1.1 GB', '1.0 MB')
    """
    return _scaled(value, (1, 0, " B"), (1e3, 0, " kB"), (1e6, 1, " MB"), (1e9, 1, " GB"))


def duration(microseconds: float | None) -> str:
    """Write a latency given in µs.

    >>> duration(60.2), duration(3600), duration(999.7), duration(2_340_000)
    ('60 µs', '3.6 ms', '1.0 ms', '2.3 s')
    """
    return _scaled(microseconds, (1, 0, " µs"), (1e3, 1, " ms"), (1e6, 1, " s"))


def rate(per_second: float | None) -> str:
    """Write a rate per second.

    >>> rate(210_400), rate(1_250_000), rate(93), rate(999_700)
    ('210k', '1.2M', '93', '1.0M')
    """
    return _scaled(per_second, (1, 0, ""), (1e3, 0, "k"), (1e6, 1, "M"))


def signed(value: float | None, digits: int = 4) -> str:
    """Write a difference with its sign.

    >>> signed(0.0123), signed(-0.5), signed(0.00001)
    ('+.0123', '-.5000', '.0000')
    """
    return _plus(value, digits) + number(value, digits)


def signed_percent(value: float | None, digits: int = 1) -> str:
    """Write a change as a percentage with its sign.

    >>> signed_percent(0.123), signed_percent(-0.5), signed_percent(0.0001)
    ('+12.3 %', '-50.0 %', '0.0 %')
    """
    return _plus(None if value is None else 100 * value, digits) + percent(value, digits)


def _plus(value: float | None, digits: int) -> str:
    return "+" if value is not None and math.isfinite(value) and round(value, digits) > 0 else ""


def times(ratio: float) -> str:
    """Write how many times as much, no finer than such ratios are known.

    >>> times(141.6), times(5.93), times(0.523)
    ('142', '5.9', '0.52')
    """
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2g}"


def seconds(value: float | None) -> str:
    """Write a time given in seconds.

    >>> seconds(0.25), seconds(12.3), seconds(59.97), seconds(75), seconds(119.7)
    ('0.2 s', '12.3 s', '1 min 0 s', '1 min 15 s', '2 min 0 s')
    """
    if value is None:
        return "–"
    minutes, rest = divmod(round(value), 60)
    return f"{value:.1f} s" if round(value, 1) < 60 else f"{minutes} min {rest} s"


def to_md(text: object) -> str:
    r"""Escape text for Markdown, in running text as in the cell of a table.

    >>> to_md("a|b<c>\n*d* e_f")
    'a\\|b&lt;c&gt; \\*d\\* e_f'
    >>> to_md("[x](y) [.1, .2]")
    '[x\\](y) [.1, .2]'
    """
    return _escaped(text, MARKS)


def link(label: object, address: str) -> str:
    r"""Write a link whose label may hold anything.

    >>> link("a](b) [c]", "#/d")
    '[a\\](b) \\[c\\]](#/d)'
    """
    return f"[{_escaped(label, LABEL_MARKS)}]({address})"


def code(text: object) -> str:
    """Write text as it is, on one line.

    >>> code("a*b"), code("a`b")
    ('`a*b`', '`` a`b ``')
    """
    one_line = " ".join(str(text).split())
    longest = max(map(len, re.findall("`+", one_line)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{one_line}{space}{fence}"


def _escaped(text: object, marks: re.Pattern[str]) -> str:
    marked = marks.sub(r"\\\g<0>", " ".join(str(text).split()))
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def difference(one: Mapping[str, float | None]) -> str:
    """Write a difference with its interval, signs shown; the interval is left out where there is none.

    >>> difference({"value": 0.01, "low": -0.02, "high": 0.04}), difference({"value": 0.01, "low": None, "high": None})
    ('+.0100 [-.0200, +.0400]', '+.0100')
    """
    return _bracketed(one, signed)


def percent_interval(one: Mapping[str, float | None], digits: int = 1) -> str:
    """Write a share with its interval as percentages; the interval is left out where there is none.

    >>> percent_interval({"value": 0.5, "low": 0.25, "high": 1})
    '50.0 % [25.0 %, 100.0 %]'
    """
    return _bracketed(one, lambda value: percent(value, digits))


def _bracketed(one: Mapping[str, float | None], form: Callable[[float | None], str]) -> str:
    if one["low"] is None or one["high"] is None:
        return form(one["value"])
    return f"{form(one['value'])} [{form(one['low'])}, {form(one['high'])}]"
