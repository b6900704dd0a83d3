"""One process per trial: started from a preloaded forkserver, watched, and ended whatever it does."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from terrasweep.machine import startup
from terrasweep.machine.control_groups import out_of_memory_kills
from terrasweep.machine.hardware import available_host_memory_bytes, host_memory_limit_bytes
from terrasweep.machine.temporary_folder import own_temporary_folder
from terrasweep.process.child import CHILD_ERRORS, Message, main
from terrasweep.process.host_memory import HostMemoryGrowth
from terrasweep.process.relief import Relief
from terrasweep.results.errors import Crashed, HostOutOfMemory, TerrasweepError, TimedOut
from terrasweep.results.wording import with_decimals

POLL_S = 0.05
LEAVE_S = 10
"""Seconds for a child that has said its last word to leave by itself. It does in milliseconds; where the coverage of a
test is measured, it writes that first."""
RESERVE_BYTES = 512 * 2**20
"""Host memory that must stay available; below it, the trial is ended before the kernel ends something else."""
SMALLER = "use a smaller batch, fewer data.workers or a smaller model"


@dataclass
class Outcome:
    """What came back from a child: everything it reported, and how it failed, if it did."""

    reported: dict[str, Any] = field(default_factory=dict)
    error: TerrasweepError | None = None


@dataclass(frozen=True)
class Limits:
    """When a child is ended by its parent."""

    timeout_s: float | None = None
    host_memory_bytes: int | None = None
    """Growth of what the child and its data-loader workers hold in memory, what they share counted once."""


Hear = Callable[[dict[str, Any]], None]
"""Takes what a child reports."""


def _unheard(content: dict[str, Any]) -> None:
    """Leave a report to the outcome."""


def warm_up() -> None:
    """Start the forkserver; it imports in the background, and the first trial waits for it."""
    if startup.start_method() == "forkserver":
        from multiprocessing import forkserver

        _context()
        forkserver.ensure_running()


def run(
    task: str,
    arguments: dict[str, Any],
    log: Path,
    limits: Limits,
    *,
    start_method: str | None = None,
    hear: Hear = _unheard,
) -> Outcome:
    """Run one task in a child and wait for it.

    Args:
        task: ``module:function``, called with a :data:`terrasweep.process.child.Report`.
        arguments: Its keyword arguments, picklable.
        log: File that takes everything the child prints.
        limits: When to end it.
        start_method: ``spawn`` for a child that needs less than the forkserver imports; None: what trials take.
        hear: Is given each report as soon as it arrives.
    """
    outcome = _run_once(task, arguments, log, limits, start_method, hear)
    if outcome.reported.pop("cuda_unusable", False):
        warnings.warn(
            "CUDA was initialised while the libraries were preloaded; every trial now gets a fresh interpreter, "
            "which costs some seconds each",
            RuntimeWarning,
            stacklevel=2,
        )
        startup.use_fresh_interpreters()
        outcome = _run_once(task, arguments, log, limits, None, hear)
    if reason := outcome.reported.pop("not_preloaded", ""):
        _warn_of_slow_starts(reason)
    return outcome


@functools.cache
def _warn_of_slow_starts(reason: str) -> None:
    print(
        f"warning: the libraries can't be imported ahead, so that each trial imports them by itself, which takes half "
        f"a minute: {reason}; mend the installation",
        file=sys.stderr,
    )


def _context(start_method: str | None = None) -> BaseContext:
    method = start_method or startup.start_method()
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        own_temporary_folder()
        context.set_forkserver_preload(["terrasweep.process.preloading"])
    return context


def _run_once(
    task: str, arguments: dict[str, Any], log: Path, limits: Limits, start_method: str | None, hear: Hear
) -> Outcome:
    context = _context(start_method)
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=main, args=(sender, str(log), task, arguments), daemon=False)  # type: ignore[attr-defined]
    outcome, leaves, kills = Outcome(), False, out_of_memory_kills()
    relief = Relief()
    try:
        child.start()
        sender.close()
        leaves = _Watch(child, limits, relief).listen(receiver, outcome, hear)
    finally:
        _end(child, leaves=leaves)
        relief.give_back()  # Now that the memory is free, the others may look again.
        receiver.close()
    if outcome.error is None and not (outcome.reported.get("done") or outcome.reported.get("measured")):
        outcome.error = _no_answer(child.exitcode, log, by_kernel=out_of_memory_kills() > kills)
    return outcome


def _no_answer(code: int | None, log: Path, *, by_kernel: bool) -> TerrasweepError:
    """Why a child gave no answer; a SIGKILL is the kernel's where that has ended something for want of memory."""
    if code == -signal.SIGKILL and by_kernel:
        return HostOutOfMemory(f"the host ran out of memory, and the kernel ended the trial's process: {SMALLER}")
    return Crashed(f"the trial's process {_how_it_ended(code)}; see {log}")


class _Watch:
    """Listens to a child until it is done, gone, late or too large."""

    def __init__(self, child: BaseProcess, limits: Limits, relief: Relief) -> None:
        self._child, self._limits, self._relief = child, limits, relief
        self._deadline = time.monotonic() + limits.timeout_s if limits.timeout_s is not None else None
        assert child.pid is not None, "it was started"
        self._growth = HostMemoryGrowth(child.pid)
        allowed = host_memory_limit_bytes()
        self._reserve = min(RESERVE_BYTES, allowed // 16)
        self._host_limit = allowed - self._reserve

    def listen(self, receiver: Any, outcome: Outcome, hear: Hear) -> bool:
        """Collect what the child says; returns whether it said its last word, and leaves by itself."""
        while True:
            ready = connection.wait([receiver, self._child.sentinel], timeout=POLL_S)
            if receiver in ready:
                if not _receive(receiver, outcome, hear):
                    return True
            elif ready:
                return True
            violation = self._violation()
            if violation is not None:
                # A task that has said everything that counts is ended all the same, but not blamed.
                outcome.error = None if outcome.reported.get("measured") else violation
                return False

    def _violation(self) -> TerrasweepError | None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            limit = self._limits.timeout_s
            return TimedOut(f"budget.timeout_s={limit}: the trial ran longer; raise it, or train fewer steps")
        return self._memory_violation()

    def _memory_violation(self) -> TerrasweepError | None:
        limit = self._limits.host_memory_bytes
        grown = self._growth.bytes(allowed=self._host_limit if limit is None else min(limit, self._host_limit))
        if limit is not None and grown > limit:
            return HostOutOfMemory(
                f"budget.host_memory_gib={limit / 2**30:g}: {_grown_by(grown)}", violation=grown / limit - 1
            )
        is_short = available_host_memory_bytes() < self._reserve
        if self._relief.is_my_turn(short=is_short) or grown > self._host_limit:
            return HostOutOfMemory(f"the host ran out of memory: {_grown_by(grown)}; {SMALLER}")
        return None


def _grown_by(size: float) -> str:
    return f"the trial's processes grew by {with_decimals(size / 2**30, 2)} GiB"


def _receive(receiver: Any, outcome: Outcome, hear: Hear) -> bool:
    """Take one message; False once there will be no more."""
    try:
        message: Message = receiver.recv()
    except (EOFError, OSError):
        return False
    kind, content = message
    if kind == "report":
        _merge(outcome.reported, content)
        hear(content)
    elif kind == "error":
        error = CHILD_ERRORS[content["reason"]]
        outcome.error = error(content["message"], violation=content["violation"])
        return False
    else:
        outcome.reported["done"] = True
        return False
    return True


def _merge(reported: dict[str, Any], content: dict[str, Any]) -> None:
    for key, value in content.items():
        if isinstance(value, dict) and isinstance(reported.get(key), dict):
            reported[key].update(value)
        else:
            reported[key] = value


def _end(child: BaseProcess, *, leaves: bool) -> None:
    """End a child with everything it started; it leads a process group of its own."""
    if child.pid is None:
        return
    child.join(timeout=LEAVE_S if leaves else 0)
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(child.pid, signal.SIGKILL)
    child.join(timeout=10)


def _how_it_ended(code: int | None) -> str:
    if code is None:
        return "did not end"
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"left with status {code} and no answer"
