"""Bars on a terminal that is looked at, and silence elsewhere."""

from __future__ import annotations

import io
import logging
import re
import sys
import time

import pytest

from distillery.progress import AboveBars, bar, shown
from tests.terminal import error_terminal, screen


def count(total, title, *, unit="thing", pause=0.12, **more):
    """Count up to some number, slowly enough to be drawn."""
    with bar(total, title, unit=unit, **more) as advance:
        for _ in range((total or 3) - more.get("done", 0)):
            time.sleep(pause)
            advance(1)


def drawn(text):
    """What was drawn in between, without the cursor's ways."""
    return [part.strip() for part in re.split(r"[\r\n]|\x1b\[A", text) if part.strip()]


def test_a_bar_says_what_how_much_and_how_long_and_goes_away():
    """Title, share, count, time left and rate; nothing of it stays on the screen."""
    with error_terminal() as terminal:
        assert shown()
        count(4, "folding", unit="fold")
    text = terminal.close()
    last = drawn(text)[-1]
    assert re.fullmatch(r"folding: +(75|100)%\|.*\| [34]/4 \[00:0\d<00:0\d, .* fold/s\]", last), last
    assert len(last) <= 100
    assert screen(text) == [""]


@pytest.mark.parametrize("stream", [io.StringIO(), None])
def test_nothing_is_written_where_there_is_no_terminal(stream, monkeypatch):
    """Into a file, a pipe, or in a process without a console."""
    monkeypatch.setattr(sys, "stderr", stream)
    assert not shown()
    count(3, "folding", pause=0)
    assert stream is None or stream.getvalue() == ""


def test_bars_inside_bars_stand_below_each_other():
    """While the inner one moves the outer one stays where it is; both go away."""
    with error_terminal() as terminal, bar(2, "outer", unit="fold") as advance:
        count(3, "inner")
        middle = len(terminal.so_far())
        advance(1)
        count(3, "inner")
        late = terminal.so_far()
    before, after = screen(late[:middle]), screen(late)
    assert [line.split(":")[0] for line in before if line] == ["outer"]
    assert [line.split(":")[0] for line in after if line] == ["outer"]
    together = [screen(late[:i]) for i in range(0, len(late), 40)]
    assert ["outer", "inner"] in [[line.split(":")[0] for line in lines if line] for lines in together]
    assert all(line.startswith(("outer", "inner", "")) for lines in together for line in lines)
    assert set(screen(terminal.close())) == {""}


def test_lines_of_a_log_stand_above_the_bars():
    """Each whole and on a line of its own, though bars are shown meanwhile."""
    with error_terminal() as terminal:
        handler = logging.StreamHandler(AboveBars(terminal.stream))
        with bar(2, "outer", unit="fold") as advance:
            for i in range(2):
                with bar(2, "inner", unit="round") as inner:
                    for j in range(2):
                        time.sleep(0.12)
                        inner(1)
                        handler.emit(logging.makeLogRecord({"msg": f"line {i} {j}"}))
                advance(1)
                handler.emit(logging.makeLogRecord({"msg": f"fold {i}"}))
    lines = [line for line in screen(terminal.close()) if line]
    assert lines == ["line 0 0", "line 0 1", "fold 0", "line 1 0", "line 1 1", "fold 1"]


def test_whoever_wraps_the_streams_write_sees_no_bars():
    """ZenML keeps what is written in a step's log, and puts the step's name in front of every redrawing."""
    kept = []
    with error_terminal() as terminal:
        terminal.stream.write = kept.append
        count(3, "folding")
    assert kept == []
    assert "folding" in terminal.close()


def test_an_error_takes_the_bars_away():
    """Its message has the screen for itself."""
    with error_terminal() as terminal:
        with pytest.raises(KeyError), bar(3, "outer", unit="fold"), bar(3, "inner", unit="fold"):
            raise KeyError
        terminal.stream.write("the message\n")
    assert [line for line in screen(terminal.close()) if line] == ["the message"]


def test_what_an_earlier_run_did_is_counted_but_not_timed():
    """Of ten, eight were done: two are left."""
    with error_terminal() as terminal:
        count(10, "search", done=8)
    assert drawn(terminal.close())[0].startswith("search:  80%")


def test_an_unknown_total_is_counted_all_the_same():
    """Without a share or a time left."""
    with error_terminal() as terminal:
        count(None, "scoring", unit="row")
    assert any(re.match(r"scoring: 2.* row \[", part) for part in drawn(terminal.close()))
