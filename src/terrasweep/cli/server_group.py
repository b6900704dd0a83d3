"""A server whose processes all end with the command that started it, however that command ends.

The server runs below a guard of its own, in a session apart. The guard reads a pipe that the command alone holds open:
its end is seen when the command is ready, and also when it was killed and could do nothing any more.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ENDED_BY = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_GRACE_S = 10.0
"""How long a server has to end by itself once it was asked to."""
_PR_SET_CHILD_SUBREAPER = 36


def serve(server: list[str], cwd: Path) -> int:
    """Run a server until it ends, or this process does.

    Args:
        server: Its command line.
        cwd: Its working directory.

    Returns:
        Its exit status; 128 and the signal's number where a signal ended this process, as shells count.
    """
    asked: list[int] = []
    guard = [sys.executable, "-m", "terrasweep.cli.server_group", *server]
    started = subprocess.Popen(guard, cwd=cwd, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603 - no shell
    with started as process, _listening(asked):
        assert process.stdin is not None
        while process.poll() is None and not asked:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        process.stdin.close()
        status = process.wait()
    return 128 + asked[0] if asked else status


@contextlib.contextmanager
def _listening(asked: list[int]) -> Iterator[None]:
    """Note the signals that ask this process to end, in the order of their arrival."""
    heard = [name for name in ENDED_BY if signal.getsignal(name) is not signal.SIG_IGN]  # As nohup has it.
    before = {name: signal.signal(name, lambda number, _: asked.append(number)) for name in heard}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def guard(server: list[str]) -> int:
    """Start a server, and end it and all that it started when it ends or the standard input does.

    Returns:
        The server's exit status; 0 where it was ended here.
    """
    for name in ENDED_BY:
        signal.signal(name, signal.default_int_handler)
    # What the server starts and leaves comes back here, in whatever session it is.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    process = subprocess.Popen(server, stdin=subprocess.DEVNULL)  # noqa: S603 - as above
    ready = select.poll()
    for descriptor in (sys.stdin.fileno(), os.pidfd_open(process.pid)):
        ready.register(descriptor, select.POLLIN | select.POLLHUP)
    with contextlib.suppress(KeyboardInterrupt):
        ready.poll()
    status = process.poll()
    _end_all()
    return 0 if status is None else status


def _end_all() -> None:
    """Ask every process below this one to end, and kill what has not ended in time."""
    deadline = time.monotonic() + _GRACE_S
    for request in (signal.SIGTERM, signal.SIGKILL):
        asked: set[int] = set()
        while (alive := _below(os.getpid())) and (request is signal.SIGKILL or time.monotonic() < deadline):
            for pid in alive - asked:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, request)
            asked |= alive
            _reap()
            time.sleep(0.02)


def _below(pid: int) -> set[int]:
    """The processes that a process has started, and those that they have."""
    parents: dict[int, int] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # It has just ended.
            # The name stands in parentheses, and may hold any character.
            parents[int(file.parent.name)] = int(file.read_text(errors="replace").rpartition(")")[2].split()[1])
    found: set[int] = set()
    while new := {child for child, parent in parents.items() if parent in {pid, *found}} - found:
        found |= new
    return found


def _reap() -> None:
    """Take note of those that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1:]))
