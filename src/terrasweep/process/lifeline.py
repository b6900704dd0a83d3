"""A process that ends with the one it works for, whatever ends that, and takes all that it has started with it.

That the forkserver ends is no sign: it lives as long as any of its children does. So each process watches the one that
waits for its answer.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator

import psutil

from terrasweep.machine.watching import watching

_LOOK_S = 0.5


def end_with_asker() -> None:
    """In a child of :mod:`multiprocessing`: end when the process that asked for it does, whatever the forkserver does.

    The asker alone holds the write end of a pipe whose end is waited for.
    """
    asker = multiprocessing.parent_process()
    assert asker is not None, "it was started through multiprocessing"
    _watch(asker.join)


def end_with_parent() -> None:
    """In a worker that another library has started: end when the process above it does."""
    above = os.getppid()
    _watch(lambda: _wait_for_parent(above, threading.Event()))


@contextlib.contextmanager
def ending_with_parent() -> Iterator[None]:
    """Within the block this process ends when the one above it does; no thread is left after it, as a fork wants it."""
    above = os.getppid()

    def watch(over: threading.Event) -> None:
        if _wait_for_parent(above, over):
            end_all()

    with watching(watch, "lifeline"):
        yield


def end_all() -> None:
    """End this process now, with everything below it and with its group where it leads one."""
    with contextlib.suppress(psutil.Error):
        for below in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                below.kill()
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _watch(wait: Callable[[], object]) -> None:
    def end() -> None:
        wait()
        end_all()

    threading.Thread(target=end, name="lifeline", daemon=True).start()


def _wait_for_parent(above: int, over: threading.Event) -> bool:
    """Wait until another process is the parent, as it is after the parent's end; False where it was over before."""
    while os.getppid() == above:
        if over.wait(_LOOK_S):
            return False
    return True
