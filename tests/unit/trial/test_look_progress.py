"""A long look says how far it is: a bar on a terminal, a line now and then elsewhere, nothing for a short one."""

import io

import pytest
from rich.console import Console

from terrasweep.trial import look_progress
from terrasweep.trial.look_progress import LookProgress


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(look_progress, "time", clock)
    return clock


def shown(clock, times, *, terminal):
    """What is printed where a hundredth of the files is done at each of some times."""
    out = io.StringIO()
    with LookProgress(Console(file=out, force_terminal=terminal, width=100)) as progress:
        progress.hear({"done": True})
        for number, now in enumerate(times, 1):
            clock.now = 100.0 + now
            progress.hear({"progress": {"what": "Reading headers", "done": number * 20, "total": 2000}})
    return out.getvalue()


def test_a_short_look_shows_nothing(clock):
    assert shown(clock, [20, 21, 22], terminal=False) == ""
    assert "Reading" not in shown(clock, [1, 2], terminal=True)


def test_lines_come_every_ten_seconds_with_the_time_left(clock):
    lines = shown(clock, range(1, 32), terminal=False).splitlines()
    assert lines == [
        "Reading headers: 220 of 2,000, about 00:01:29 left",
        "Reading headers: 420 of 2,000, about 00:01:19 left",
        "Reading headers: 620 of 2,000, about 00:01:09 left",
    ]


def test_a_terminal_has_a_bar(clock):
    assert "620/2000" in shown(clock, range(1, 32), terminal=True)
