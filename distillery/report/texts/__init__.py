"""What a report says, in each of its languages: YAML catalogues of short Jinja templates."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal, final

import yaml
from jinja2 import Environment, StrictUndefined

from distillery.report import formats

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
FILTERS = (
    "number",
    "estimate",
    "percent",
    "signed_percent",
    "count",
    "size",
    "duration",
    "seconds",
    "rate",
    "times",
    "signed",
    "difference",
    "percent_interval",
)


@final
class Texts:
    """One language's catalogue.

    >>> Texts("en")("report.title", scenario="flights"), Texts("zh")("report.title", scenario="flights")
    ('Compression report: flights', '压缩报告：flights')
    """

    def __init__(self, language: Language) -> None:
        self.language = language
        self._messages = _catalogue(language)
        # Plain text: whoever writes it into a page escapes it there.
        self._environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701
        self._environment.globals["t"] = self
        self._environment.filters |= {name: getattr(formats, name) for name in FILTERS}

    def __call__(self, key: str, /, **values: object) -> str:
        """Return a message with its values filled in.

        Raises:
            KeyError: there is no such message.
            jinja2.UndefinedError: it needs a value that was not given.
        """
        return self._environment.from_string(self._messages[key]).render(**values)

    def get(self, key: str, default: str) -> str:
        """Return a message without values, or the default where there is none."""
        return self._messages.get(key, default)

    @property
    def keys(self) -> frozenset[str]:
        """All messages' names."""
        return frozenset(self._messages)


@cache
def _catalogue(language: Language) -> dict[str, str]:
    """Read every ``<topic>.<language>.yaml``; nested keys are joined by dots."""
    messages: dict[str, str] = {}
    for file in sorted(files("distillery.report.texts").iterdir(), key=lambda f: f.name):
        if file.name.endswith(f".{language}.yaml"):
            messages |= _flat(yaml.safe_load(file.read_text(encoding="utf-8")))
    return messages


def _flat(tree: dict[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: str(value).strip()}
    return flat
