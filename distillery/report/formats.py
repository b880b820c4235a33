"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from distillery.evaluation import Estimate


def number(value: float | None, digits: int = 4) -> str:
    """Write a score without its leading zero, ``–`` where there is none.

    >>> number(0.73444), number(-0.5), number(1.25), number(None)
    ('.7344', '-.5000', '1.2500', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def estimate(one: Estimate | None) -> str:
    """Write a score with its interval.

    >>> estimate(Estimate(value=0.7, low=0.65, high=0.75))
    '.7000 [.6500, .7500]'
    """
    if one is None or one.value is None:
        return "–"
    return f"{number(one.value)} [{number(one.low)}, {number(one.high)}]"


def percent(value: float | None, digits: int = 1) -> str:
    """Write a share as a percentage.

    >>> percent(0.999), percent(-0.25)
    ('99.9 %', '-25.0 %')
    """
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:.{digits}f} %"


def count(value: float | None) -> str:
    """Write a whole number with separators.

    >>> count(18793.0)
    '18,793'
    """
    return "–" if value is None else f"{value:,.0f}"


def size(value: float | None) -> str:
    """Write bytes in kB, MB or GB of 1,000.

    >>> size(78_400), size(1_310_000), size(512), size(1_095_000_000)
    ('78 kB', '1.3 MB', '512 B', '1.1 GB')
    """
    if value is None:
        return "–"
    if value < 1000:
        return f"{value:.0f} B"
    if value < 1e6:
        return f"{value / 1e3:.0f} kB"
    return f"{value / 1e6:.1f} MB" if value < 1e9 else f"{value / 1e9:.1f} GB"


def duration(microseconds: float | None) -> str:
    """Write a latency given in µs.

    >>> duration(60.2), duration(3600)
    ('60 µs', '3.6 ms')
    """
    if microseconds is None:
        return "–"
    return f"{microseconds:.0f} µs" if microseconds < 1000 else f"{microseconds / 1000:.1f} ms"


def rate(per_second: float | None) -> str:
    """Write a rate per second.

    >>> rate(210_400), rate(1_250_000), rate(93)
    ('210k', '1.2M', '93')
    """
    if per_second is None:
        return "–"
    if per_second < 1000:
        return f"{per_second:.0f}"
    return f"{per_second / 1e3:.0f}k" if per_second < 1e6 else f"{per_second / 1e6:.1f}M"


def cell(text: object) -> str:
    r"""Escape a value for a cell of a Markdown table.

    >>> cell("a|b<c>\nd")
    'a\\|b&lt;c&gt; d'
    """
    escaped = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(escaped.replace("|", "\\|").split())


def signed(value: float | None, digits: int = 4) -> str:
    """Write a difference with its sign.

    >>> signed(0.0123), signed(-0.5), signed(0.00001)
    ('+.0123', '-.5000', '.0000')
    """
    if value is None or not math.isfinite(value):
        return "–"
    sign = "+" if round(value, digits) > 0 else "-" if round(value, digits) < 0 else ""
    return sign + number(abs(value), digits)


def signed_percent(value: float | None, digits: int = 1) -> str:
    """Write a change as a percentage with its sign.

    >>> signed_percent(0.123), signed_percent(-0.5)
    ('+12.3 %', '-50.0 %')
    """
    return f"+{percent(value, digits)}" if value is not None and value > 0 else percent(value, digits)


def seconds(value: float | None) -> str:
    """Write a time given in seconds.

    >>> seconds(0.25), seconds(12.3), seconds(75)
    ('0.2 s', '12.3 s', '1 min 15 s')
    """
    if value is None:
        return "–"
    return f"{value:.1f} s" if value < 60 else f"{value // 60:.0f} min {value % 60:.0f} s"


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
