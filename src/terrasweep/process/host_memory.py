"""How much host memory a trial's processes have taken since they started, and how much of it they share."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import psutil

KIB = 2**10
_SHARE_OF_TIME = 0.1
"""Of the watching process: reading proportional sets walks the page tables of all members, tens of ms."""


class HostMemoryGrowth:
    """Growth of a process and all below it (Linux, proc(5)): what they have written, and memory that they share.

    Data-loader workers inherit their parent's pages and copy those that they write to. The resident sets count an
    inherited page once per worker: they bound what workers add, at next to no cost. The proportional sets count it
    once, and are read where the bound is too high to be of use. Pages of files don't count: the system can drop them.
    """

    def __init__(self, pid: int) -> None:
        """Args: ``pid`` is that of the topmost process, as it is before it has work to do."""
        self._pid = pid
        self._start_bound, self._start_exact = self._resident(), self._proportional()
        self._exact, self._not_before = 0, 0.0

    def bytes(self, *, allowed: int) -> int:
        """The growth; an upper bound where even that is allowed, and a recent value where reading took long."""
        bound = self._resident() - self._start_bound
        if bound <= allowed:
            return bound
        if time.monotonic() >= self._not_before:
            self._exact = self.exact()
        return min(bound, self._exact)

    def exact(self) -> int:
        """The growth, each page counted once."""
        started = time.monotonic()
        grown = self._proportional() - self._start_exact
        now = time.monotonic()
        self._not_before = now + (now - started) / _SHARE_OF_TIME
        return grown

    def _resident(self) -> int:
        return sum(_kib(pid, "status", ("RssAnon", "RssShmem")) * KIB for pid in self._members())

    def _proportional(self) -> int:
        """With the forkserver's, among the members: what they inherit from it then counts once whoever maps it."""
        members = self._members()
        with contextlib.suppress(psutil.Error):
            above = psutil.Process(self._pid).ppid()
            if above != os.getpid():
                members.append(above)
        try:
            return sum(_kib(pid, "smaps_rollup", ("Pss_Anon", "Pss_Shmem")) * KIB for pid in members)
        except (PermissionError, KeyError):  # Some containers and kernels before 5.4 don't tell.
            return self._resident()

    def _members(self) -> list[int]:
        with contextlib.suppress(psutil.Error):
            return [self._pid, *(child.pid for child in psutil.Process(self._pid).children(recursive=True))]
        return []


def _kib(pid: int, file: str, fields: tuple[str, ...]) -> int:
    """The sum of some fields of a process's file; 0 once it has ended.

    Raises:
        PermissionError: The file may not be read.
        KeyError: The kernel has no such fields.
    """
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    values = {name: value for name, _, value in (line.partition(":") for line in lines)}
    if "State" in values and "RssAnon" not in values:
        return 0  # A zombie has no memory.
    return sum(int(values[name].split()[0]) for name in fields)
