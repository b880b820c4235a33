"""The errors a user can mend: one sentence saying what was wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """What the user gave (a config, a table, a stack) cannot be used as it is."""


class ConfigError(InputError):
    """The run config is wrong; raised before the first step."""


class DataError(InputError):
    """The table is wrong; raised before anything is trained on it."""


class ArtifactError(InputError):
    """A saved artifact is incomplete or was changed after it was written."""


class TrainingError(InputError):
    """Training went wrong in a way the config can mend."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known word, or ``""``.

    >>> did_you_mean("temprature", ["alpha", "temperature"])
    "; did you mean 'temperature'?"
    """
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def shortlist(values: Iterable[object], limit: int = 5) -> str:
    """Return up to ``limit`` values as text, with a count of the rest.

    >>> shortlist([1, 2, 3], limit=2)
    '1, 2 (+1 more)'
    """
    items = [str(value) for value in values]
    rest = f" (+{len(items) - limit} more)" if len(items) > limit else ""
    return ", ".join(items[:limit]) + rest


def one_line(value: object, limit: int = 300) -> str:
    r"""Return a value, such as a foreign error, as one line of at most so many characters.

    >>> one_line("first\n  second", limit=8)
    'first se'
    """
    return " ".join(str(value).split())[:limit]
