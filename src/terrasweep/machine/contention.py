"""What others take from this process: time of processors, by the kernel's own counters (Linux, proc(5), PSI).

Counters only grow; two readings and the time between them give shares. What a kernel doesn't tell is None: gVisor has
no schedstat, kernels before 4.20 and some distributions' no pressure-stall information.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from terrasweep.machine import control_groups

RESOURCES = ("cpu", "memory", "io")
"""Of which the kernel tells pressure."""
_BUSY = ("user", "nice", "system", "irq", "softirq")
_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""Of the first line of ``/proc/stat``."""


@dataclass(frozen=True, kw_only=True)
class Counters:
    """The state of the kernel's counters at one moment."""

    seconds: float
    """Of a clock."""
    own_seconds: float
    """Processors' time of this process and of all below it, such as data-loader workers."""
    busy_seconds: float | None
    """Processors' time of all processes."""
    stolen_seconds: float | None
    """Processors' time that the hypervisor gave to other machines while this one had work for it."""
    threads: dict[int, tuple[int, int]]
    """Thread of this process to the nanoseconds that it ran, and that it was ready to run and waited."""
    pressure_seconds: dict[str, float]
    """Resource to the time in which some task waited for it: of this process's control group, or of the machine."""


@dataclass(frozen=True, kw_only=True)
class Contention:
    """What others took between two readings; None where the kernel doesn't tell."""

    waited_share: float | None
    """Of the time in which this process's threads wanted a processor, what they waited for one, in [0, 1]."""
    own_processors: float | None
    """Processors that this process and those below it kept busy."""
    other_processors: float | None
    """Processors that all others kept busy."""
    steal_share: float | None
    """Of the time in which this machine had work for processors, what the hypervisor took, in [0, 1]."""
    pressure: dict[str, float]
    """Resource to the share of the time in which some task waited for it."""


def read_counters(root: Path = control_groups.ROOT) -> Counters:
    """Read them now.

    Args:
        root: Of the file system with ``proc`` and ``sys``.
    """
    ticks = _processor_ticks(root)
    known = {name: value / os.sysconf("SC_CLK_TCK") for name, value in ticks.items()}
    pressure = {name: control_groups.pressure_seconds(name, root) for name in RESOURCES}
    return Counters(
        seconds=time.monotonic(),
        own_seconds=_own_seconds(),
        busy_seconds=sum(known[name] for name in _BUSY) if known else None,
        stolen_seconds=known.get("steal"),
        threads=_threads(root),
        pressure_seconds={name: seconds for name, seconds in pressure.items() if seconds is not None},
    )


def contention(before: Counters, after: Counters) -> Contention:
    """What others took between two readings."""
    seconds = after.seconds - before.seconds
    own = after.own_seconds - before.own_seconds
    busy, stolen = (
        _difference(getattr(before, name), getattr(after, name)) for name in ("busy_seconds", "stolen_seconds")
    )
    return Contention(
        waited_share=_waited_share(before, after),
        own_processors=own / seconds if seconds else None,
        other_processors=max(0.0, busy - own) / seconds if seconds and busy is not None else None,
        steal_share=None if busy is None or stolen is None or not busy + stolen else stolen / (busy + stolen),
        pressure={
            name: min(1.0, (after.pressure_seconds[name] - earlier) / seconds)
            for name, earlier in before.pressure_seconds.items()
            if seconds and name in after.pressure_seconds
        },
    )


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _waited_share(before: Counters, after: Counters) -> float | None:
    """A thread that is new counts from its start; one that has ended is not known any more."""
    ran = waited = 0
    for thread, (runs, waits) in after.threads.items():
        earlier_runs, earlier_waits = before.threads.get(thread, (0, 0))
        ran, waited = ran + runs - earlier_runs, waited + waits - earlier_waits
    return waited / (ran + waited) if ran + waited else None


def _threads(root: Path) -> dict[int, tuple[int, int]]:
    found = {}
    for file in (root / "proc/self/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, ValueError):  # It may end meanwhile.
            ran, waited, *_ = map(int, file.read_text().split())
            found[int(file.parent.name)] = (ran, waited)
    return found


def _processor_ticks(root: Path) -> dict[str, int]:
    with contextlib.suppress(OSError, ValueError):
        name, *values = (root / "proc/stat").read_text().partition("\n")[0].split()
        if name == "cpu":
            return dict(zip(_FIELDS, map(int, values), strict=False))
    return {}


def _own_seconds() -> float:
    """Those that ended count through the process that waited for them."""
    here = psutil.Process()
    total = 0.0
    for process in (here, *here.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total
