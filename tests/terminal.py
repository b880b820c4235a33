"""A terminal that a test can look at."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class Terminal:
    """What was written to it so far is kept as text."""

    def __init__(self) -> None:
        self._inside, outside = os.openpty()
        termios.tcsetwinsize(outside, (24, 100))
        self.stream = os.fdopen(outside, "w", encoding="utf-8", buffering=1)
        self._seen = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # how Linux says that the other side was closed
            while chunk := os.read(self._inside, 65_536):
                self._seen += chunk

    def so_far(self) -> str:
        """Return what was written until now."""
        self.stream.flush()
        time.sleep(0.02)  # for the reader to come after
        return self._seen.decode()

    def close(self) -> str:
        """Return all that was written."""
        if not self.stream.closed:
            self.stream.close()
            self._reader.join()
            os.close(self._inside)
        return self._seen.decode()


@contextmanager
def error_terminal() -> Iterator[Terminal]:
    """Make a terminal of standard error."""
    terminal = Terminal()
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(sys, "stderr", terminal.stream)
            yield terminal
    finally:
        terminal.close()


def screen(text: str, rows: int = 24) -> list[str]:
    """Return the lines that a terminal shows in the end; it knows returns, line feeds and the cursor's way up."""
    lines, row, column = [""], 0, 0
    while text:
        if text.startswith("\x1b[A"):
            row, text = max(row - 1, 0), text[3:]
            continue
        char, text = text[0], text[1:]
        if char == "\r":
            column = 0
        elif char == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        else:
            padded = lines[row].ljust(column)
            lines[row], column = padded[:column] + char + padded[column + 1 :], column + 1
    return [line.rstrip() for line in lines][-rows:]
