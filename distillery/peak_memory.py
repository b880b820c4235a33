"""The most memory that the process has had resident, as Linux counts it; see proc(5)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

RESET_SLACK_KB = 4096  # what the process may grow by between resetting the peak and reading it


@final
@dataclass(eq=False)
class PeakMemory:
    """What one measurement has seen.

    Attributes:
        start_bytes: resident when it began; None where it cannot be known.
        most_bytes: resident at most, complete at its end; None where it cannot be known.
    """

    start_bytes: int | None
    most_bytes: int | None

    @property
    def rise_bytes(self) -> int | None:
        """The most above the start."""
        if self.start_bytes is None or self.most_bytes is None:
            return None
        return self.most_bytes - self.start_bytes


_open: list[PeakMemory] = []


@contextmanager
def peak_memory() -> Iterator[PeakMemory]:
    """Measure the process while something runs; measurements may lie inside each other.

    The system keeps one peak, which each begin resets: those around it look at it before.
    """
    for around in _open:
        _look(around)
    resident = _reset_peak()
    start = None if resident is None else resident * 1024
    found = PeakMemory(start, start)
    _open.append(found)
    try:
        yield found
    finally:
        _open.remove(found)
        _look(found)


def _look(found: PeakMemory) -> None:
    """Take in the peak since the last reset."""
    peak = _status_kb("VmHWM")
    if found.most_bytes is not None and peak is not None:
        found.most_bytes = max(found.most_bytes, peak * 1024)


def _reset_peak() -> int | None:
    """Set the peak of resident memory to what is resident now, and return that in kB."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return None
    peak, resident = _status_kb("VmHWM"), _status_kb("VmRSS")
    if peak is None or resident is None or peak - resident > RESET_SLACK_KB:
        return None  # some sandboxes take the request and ignore it
    return resident


def _status_kb(field: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), None)
