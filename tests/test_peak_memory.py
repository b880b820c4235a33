"""The peak of resident memory, measured inside measurements."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import pytest

from distillery import peak_memory as module
from distillery.peak_memory import peak_memory

MB = 1_000_000


def touch(megabytes: int) -> None:
    """Take pages of its own, write to each, give them back; the heap may hold resident pages that it would reuse."""
    with mmap.mmap(-1, megabytes * MB) as fresh:
        for start in range(0, len(fresh), mmap.PAGESIZE):
            fresh[start] = 1


def test_what_was_touched_and_freed_is_seen() -> None:
    """To within a few megabytes; afterwards the measurement stands still."""
    with peak_memory() as found:
        touch(64)
    if found.rise_bytes is None:
        pytest.skip("this system does not tell the peak of resident memory")
    assert 55 * MB < found.rise_bytes < 90 * MB
    before = found.most_bytes
    touch(160)
    assert found.most_bytes == before


def test_measurements_inside_do_not_lower_the_one_around() -> None:
    """What it saw before, during and between their resets counts; they do not see what was before them."""
    for order in ((160, 32, 1), (1, 160, 32), (32, 1, 160)):
        with peak_memory() as around:
            touch(order[0])
            with peak_memory() as inside:
                touch(order[1])
            with peak_memory():
                pass
            touch(order[2])
        if around.rise_bytes is None or inside.rise_bytes is None:
            pytest.skip("this system does not tell the peak of resident memory")
        assert 140 * MB < around.rise_bytes < 200 * MB
        assert abs(inside.rise_bytes - order[1] * MB) < 20 * MB


def test_a_failure_ends_the_measurement() -> None:
    """The next one resets the peak for itself alone."""
    with pytest.raises(KeyError), peak_memory():
        raise KeyError
    assert module._open == []


def test_without_proc_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere than on Linux there is nothing to read."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(Path, "write_text", refuse)
    monkeypatch.setattr(Path, "read_text", refuse)
    with peak_memory() as found:
        pass
    assert (found.start_bytes, found.most_bytes, found.rise_bytes) == (None, None, None)


@pytest.mark.parametrize("statuses", [{"VmHWM": 90_000, "VmRSS": 10_000}, {"VmHWM": None, "VmRSS": 1}])
def test_a_reset_that_was_ignored_is_noticed(statuses: dict[str, int | None], monkeypatch: pytest.MonkeyPatch) -> None:
    """If the peak stays far above what is resident, an older peak would be reported: None instead."""
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: 1)
    monkeypatch.setattr(module, "_status_kb", statuses.__getitem__)
    with peak_memory() as found:
        pass
    assert found.most_bytes is None


@pytest.mark.skipif(sys.platform != "linux", reason="the file is Linux's")
def test_resident_memory_is_read_in_kilobytes() -> None:
    """A process with numpy loaded has more than 10 MB resident; an unknown field is None."""
    resident = module._status_kb("VmRSS")
    assert resident is not None
    assert resident > 10_000
    assert module._status_kb("VmNothing") is None
