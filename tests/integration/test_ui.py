"""``terrasweep ui`` with MLflow's real server: whichever way the command ends, nothing of the server stays."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import psutil
import pytest

pytestmark = pytest.mark.slow

MARK = "TERRASWEEP_TEST_OF_UI"
STARTUP_S = 180
"""Bounds of waiting, which a loaded machine needs; nothing is measured."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def marked(mark):
    """Every process with the mark in its environment, which what it starts inherits."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == mark:
                found.append(process)
    return found


def wait_until(holds, what):
    deadline = time.monotonic() + STARTUP_S
    while not holds():
        assert time.monotonic() < deadline, f"{what} within {STARTUP_S} s"
        time.sleep(0.1)


def answers(port):
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as reply:
        return reply.read() == b"OK"
    return False


@pytest.fixture
def start(home):
    started = []

    def run(port, mark):
        command = [sys.executable, "-c", "from terrasweep.cli.app import main; main()", "ui", "--port", str(port)]
        environment = {**os.environ, "TERRASWEEP_HOME": str(home), MARK: mark}
        started.append((subprocess.Popen(command, env=environment, cwd="/", stderr=subprocess.PIPE, text=True), mark))
        return started[-1][0]

    yield run
    for process, mark in started:
        process.kill()
        process.communicate()
        for left in marked(mark):
            left.kill()


@pytest.mark.parametrize(
    ("name", "status"),
    [("SIGTERM", 128 + 15), ("SIGINT", 128 + 2), ("SIGHUP", 128 + 1), ("SIGKILL", -9)],
)
def test_the_server_ends_with_the_command(start, name, status):
    port, mark = free_port(), f"{os.getpid()}-{name}"
    command = start(port, mark)
    wait_until(lambda: command.poll() is not None or answers(port), "an answer")
    assert command.poll() is None, command.stderr.read()
    assert len(marked(mark)) > 1
    command.send_signal(getattr(signal, name))
    assert command.wait(STARTUP_S) == status
    # A killed command can't wait for its server.
    wait_until(lambda: name != "SIGKILL" or not marked(mark), "no process")
    assert marked(mark) == []
    assert not answers(port)


def test_a_server_that_can_not_start_leaves_nothing(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        mark = f"{os.getpid()}-taken"
        command = start(taken.getsockname()[1], mark)
        assert command.wait(STARTUP_S) != 2
    assert marked(mark) == []
