"""Killing a process that asks for a trial ends the trial, all it has started, and the forkserver between them."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from terrasweep.machine.startup import START_METHOD
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
