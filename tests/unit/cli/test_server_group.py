"""A server's whole family ends with its command: what it started, what left its group, and what won't hear."""

import contextlib
import os
import signal
import subprocess
import sys

import psutil
import pytest

from tests.composing import ROOT

SERVE = "import sys; from pathlib import Path; from terrasweep.cli.server_group import serve; "
SERVE += "sys.exit(serve(sys.argv[1:], Path('/')))"
WAIT = "import os, time; os.write(1, b'up '); os.write(2, b'.'); time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAIT}"
FAMILY = f"""
import subprocess, sys
for apart in (False, True):
    subprocess.Popen([sys.executable, "-c", {WAIT!r}], start_new_session=apart)
{WAIT}
"""
ORPHANING = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {WAIT!r}], start_new_session=True, stderr=subprocess.PIPE)
child.stderr.read(1)
sys.exit(7)
"""


@pytest.fixture
def serve():
    """Starts a server and waits for so many processes of it; the end of their output is the end of them all."""
    started = []

    def run(code, processes=1):
        server = [sys.executable, "-c", code]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        command = subprocess.Popen([sys.executable, "-c", SERVE, *server], stdout=subprocess.PIPE, env=environment)
        started.append(command)
        assert command.stdout.read(3 * processes) == b"up " * processes
        return command

    yield run
    for command in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(command.pid).children(recursive=True):
                process.kill()
        command.kill()
        command.communicate()


@pytest.mark.parametrize(
    ("wanted", "status"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGKILL, -9)],
)
def test_all_processes_end_also_those_in_a_session_of_their_own(serve, wanted, status):
    command = serve(FAMILY, processes=3)
    command.send_signal(wanted)
    assert command.stdout.read() == b""  # Comes when the last one that could write has ended.
    assert command.wait() == status


@pytest.mark.slow
def test_what_does_not_hear_is_killed(serve):
    command = serve(DEAF)
    command.terminate()
    assert command.stdout.read() == b""
    assert command.wait() == 143


def test_a_server_that_ends_gives_its_status_and_takes_along_what_it_left(serve):
    command = serve(ORPHANING)
    assert command.stdout.read() == b""
    assert command.wait() == 7


def test_what_was_to_be_ignored_stays_ignored():
    """As under nohup."""
    code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); " + SERVE
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    server = [sys.executable, "-c", code, sys.executable, "-c", WAIT]
    with subprocess.Popen(server, stdout=subprocess.PIPE, env=environment) as command:
        assert command.stdout.read(3) == b"up "
        command.send_signal(signal.SIGHUP)
        command.send_signal(signal.SIGTERM)
        assert command.stdout.read() == b""
    assert command.returncode == 143
