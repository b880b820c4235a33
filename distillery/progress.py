"""Bars with the time left, on a terminal only: elsewhere nothing is written and nothing costs time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TextIO, final

from tqdm import tqdm

LARGE = 10_000  # from here on counts are written as 12.3k
Advance = Callable[[int], object]


class Writable(Protocol):
    """What a logging handler needs of a stream."""

    def write(self, text: str, /) -> object:
        """Take text."""
        ...

    def flush(self) -> object:
        """Let it be seen."""
        ...


@contextmanager
def bar(total: int | None, title: str, *, unit: str, done: int = 0) -> Iterator[Advance]:
    """Show a bar on standard error while something long goes on; bars inside bars stand below each other.

    Args:
        total: how many units there are; None where nobody knows.
        title: what is going on.
        unit: what is counted, in the singular.
        done: units that an earlier run has done.

    Yields:
        What is to be told how many more units are done.

    >>> with bar(3, "folding", unit="fold") as advance:
    ...     for _ in range(3):
    ...         _ = advance(1)
    """
    terminal = _terminal()
    if terminal is None:
        yield _ignore
        return
    large = (total or LARGE) >= LARGE
    look = {"leave": False, "dynamic_ncols": True, "unit": f" {unit}", "unit_scale": large}
    with tqdm(total=total, desc=title, initial=done, file=terminal, **look) as shown:  # type: ignore[call-overload]
        yield shown.update


def shown() -> bool:
    """Say whether bars are shown: standard error is a terminal."""
    return _terminal() is not None


@final
class AboveBars:
    """A stream whose text stands above the bars: they make way for it."""

    def __init__(self, stream: Writable) -> None:
        self._stream = stream

    def write(self, text: str) -> object:
        """Write whole lines."""
        with tqdm.external_write_mode(file=_terminal()):
            return self._stream.write(text)

    def flush(self) -> None:
        """Let it be seen."""
        self._stream.flush()


@final
@dataclass(frozen=True)
class _Terminal:
    """A stream past any ``write`` that was put on it: a log keeps no bars, and no prefix breaks their lines."""

    stream: TextIO

    def write(self, text: str) -> object:
        return type(self.stream).write(self.stream, text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _terminal() -> _Terminal | None:
    stream: TextIO | None = sys.stderr  # None in a process without a console
    return _Terminal(stream) if stream is not None and stream.isatty() else None


def _ignore(_: int) -> None:
    """Count nothing."""
