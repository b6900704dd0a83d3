"""Killing a process that asks for a trial ends the trial, all it has started, and the forkserver between them."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from types import SimpleNamespace

import psutil
import pytest

from terrasweep.machine.startup import START_METHOD
from terrasweep.process import lifeline
from tests.composing import ROOT

ASKER = textwrap.dedent("""
    import sys
    from pathlib import Path

    from terrasweep import process

    if __name__ == "__main__":
        process.warm_up()
        print("warm", flush=True)
        sys.path.insert(0, sys.argv[2])
        process.run("tests.unit.process.faults:hang_with_others", {}, Path(sys.argv[1]), process.Limits())
""")
IDLE = 2
"""Processes that the task starts."""


@pytest.fixture
def ask(tmp_path):
    """Start a program that runs the task, by a start method."""
    (tmp_path / "asker.py").write_text(ASKER)
    started = []

    def start(start_method):
        asker = subprocess.Popen(
            [sys.executable, str(tmp_path / "asker.py"), str(tmp_path / "log.txt"), str(ROOT)],
            env={**os.environ, START_METHOD: start_method, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(asker)
        return asker

    yield start
    for asker in started:
        for left in below(asker.pid):
            left.kill()
        asker.kill()
        asker.wait()


def below(pid):
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def wait_for(condition, asker):
    """The processes below the asker, once they are such."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        with contextlib.suppress(psutil.Error):
            family = below(asker.pid)
            if condition(family):
                return family
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def hangs(family):
    return sum("time.sleep(600)" in " ".join(process.cmdline()) for process in family) == IDLE


def imports(family):
    return any(process.num_threads() > 1 for process in family)


def all_gone(processes):
    _, left = psutil.wait_procs(processes, timeout=10)
    left = [p for p in left if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    for process in left:
        process.kill()
    return not left


@pytest.mark.parametrize("start_method", ["spawn", pytest.param("forkserver", marks=pytest.mark.slow)])
def test_a_killed_asker_leaves_no_process(ask, start_method):
    asker = ask(start_method)
    family = wait_for(hangs, asker)
    assert len(family) >= IDLE + 1
    asker.send_signal(signal.SIGKILL)
    assert all_gone(family)


def test_a_forkserver_that_still_imports_ends_with_its_asker(ask):
    asker = ask("forkserver")
    assert asker.stdout.readline() == "warm\n"
    family = wait_for(imports, asker)
    asker.send_signal(signal.SIGKILL)
    assert all_gone(family)


@pytest.fixture
def killed(monkeypatch):
    """What would be killed, in its order, where this process leads its group or not."""
    order, children = [], []

    class Below:
        def __init__(self, pid, error=None):
            self._pid, self._error = pid, error

        def kill(self):
            if self._error:
                raise self._error
            order.append(self._pid)

    def end(*, leads, gone=None):
        order.clear()
        children[:] = [Below(7, psutil.NoSuchProcess(7)), Below(8)]
        monkeypatch.setattr(os, "getpgrp", lambda: os.getpid() if leads else 1)
        found = SimpleNamespace(children=lambda recursive: gone() if gone else children)
        monkeypatch.setattr(psutil, "Process", lambda: found)
        lifeline.end_all()
        return list(order)

    monkeypatch.setattr(os, "kill", lambda pid, number: order.append((pid, number)))
    monkeypatch.setattr(os, "killpg", lambda group, number: order.append(("group", group, number)))
    return end


def test_an_end_takes_all_below_then_the_group_that_is_led_then_itself(killed):
    itself = (os.getpid(), signal.SIGKILL)
    assert killed(leads=True) == [8, ("group", 0, signal.SIGKILL), itself]
    assert killed(leads=False) == [8, itself], "the group is another's, as that of a shell"

    def unreadable():
        raise psutil.AccessDenied

    assert killed(leads=False, gone=unreadable) == [itself]


@pytest.fixture
def ends(monkeypatch):
    """Set when this process would be ended; and its parent, which a test may change."""
    ended, above = threading.Event(), SimpleNamespace(pid=7)
    monkeypatch.setattr(lifeline, "end_all", ended.set)
    monkeypatch.setattr(os, "getppid", lambda: above.pid)
    monkeypatch.setattr(lifeline, "_LOOK_S", 0.01)
    return ended, above


def test_a_process_ends_when_another_one_is_its_parent_and_not_before(ends):
    ended, above = ends
    with lifeline.ending_with_parent():
        assert not ended.wait(0.05)
        above.pid = 1
        assert ended.wait(60)


def test_a_parent_that_ends_after_the_block_ends_nothing(ends):
    ended, above = ends
    before = threading.active_count()
    with lifeline.ending_with_parent():
        pass
    above.pid = 1
    assert threading.active_count() == before
    assert not ended.is_set()


def test_a_worker_ends_when_another_process_is_its_parent(ends):
    ended, above = ends
    lifeline.end_with_parent()
    above.pid = 1
    assert ended.wait(60)
