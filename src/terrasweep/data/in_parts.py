"""Work over many files: by several processes at once, its results kept in parts, so that a killed look goes on.

Imports no torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import pickle
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from terrasweep import __version__
from terrasweep.machine.files import write_atomically

Thing = TypeVar("Thing")
Result = TypeVar("Result")
Tell = Callable[[str, int, int], None]
"""Is told what is done, and how many of how many things are."""
MOST_PROCESSES = 16
_AHEAD = 2
"""Parts per process that are handed out before the first is back."""


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, kw_only=True)
class InParts:
    """How long work over many files is done."""

    folder: Path | None = None
    """Folder for the results of parts that are done; None: a killed work begins anew."""
    tell: Tell = silent
    processes: int = 1
    start: Callable[[], None] = nothing
    """What each further process does first."""

    def over(
        self, what: str, things: Sequence[Thing], work: Callable[[Sequence[Thing]], Result], *, size: int
    ) -> list[Result]:
        """The results of all parts, in the order of the things, whichever process made them.

        Args:
            what: What is done, as a person is told it: ``Reading headers``.
            things: Files, names or numbers; their texts say which results are theirs.
            work: Takes a part of them; what it returns can be pickled, and does not depend on other parts.
            size: Of a part.
        """
        parts = [things[first : first + size] for first in range(0, len(things), size)]
        files = [self._file(what, part) for part in parts]
        found: dict[int, Result] = {}
        for place, file in enumerate(files):
            with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError, AttributeError):
                if file is not None:
                    found[place] = pickle.loads(file.read_bytes())  # noqa: S301 - written below
        missing = [place for place in range(len(parts)) if place not in found]
        done = sum(len(parts[place]) for place in found)
        for place, result in self._done(work, parts, missing):
            found[place] = result
            if (file := files[place]) is not None:
                write_atomically(file, pickle.dumps(result))
            done += len(parts[place])
            self.tell(what, done, len(things))
        return [found[place] for place in range(len(parts))]

    def forget(self) -> None:
        """Remove the results that were kept."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # Another look's parts may lie beside.
                self.folder.parent.rmdir()

    def _file(self, what: str, part: Sequence[Any]) -> Path | None:
        if self.folder is None:
            return None
        digest = hashlib.sha256(repr((__version__, what, list(map(str, part)))).encode()).hexdigest()[:24]
        return self.folder / f"{digest}.part"

    def _done(
        self, work: Callable[[Sequence[Thing]], Result], parts: list[Sequence[Thing]], missing: list[int]
    ) -> Iterator[tuple[int, Result]]:
        left = list(missing)
        if self.processes > 1 and len(left) > 1:
            # Where a process is killed, as for want of memory, the rest is done by this one alone.
            with contextlib.suppress(BrokenProcessPool):
                for place, result in self._by_processes(work, parts, missing):
                    left.remove(place)
                    yield place, result
        for place in left:
            yield place, work(parts[place])

    def _by_processes(
        self, work: Callable[[Sequence[Thing]], Result], parts: list[Sequence[Thing]], missing: list[int]
    ) -> Iterator[tuple[int, Result]]:
        """Forked, so that they have what ``work`` is about without any pickling."""
        token = len(_WORKS)
        _WORKS.append((work, parts))
        context, running = multiprocessing.get_context("fork"), min(self.processes, len(missing))
        waiting: dict[int, Future[Any]] = {}
        try:
            with ProcessPoolExecutor(running, context, self.start) as pool:
                places = iter(missing)
                for place in places:
                    waiting[place] = pool.submit(_work_on, token, place)
                    if len(waiting) >= _AHEAD * running:
                        first = next(iter(waiting))
                        yield first, waiting.pop(first).result()
                while waiting:
                    first = next(iter(waiting))
                    yield first, waiting.pop(first).result()
        finally:
            _WORKS[token] = None


_WORKS: list[tuple[Callable[[Sequence[Any]], Any], list[Sequence[Any]]] | None] = []
"""What the forked processes find in their memory."""


def _work_on(token: int, place: int) -> Any:
    known = _WORKS[token]
    assert known is not None, "it is set before the processes are forked"
    work, parts = known
    return work(parts[place])


def processes_here() -> int:
    """As many as there are cores for this process, up to :data:`MOST_PROCESSES`."""
    return min(MOST_PROCESSES, len(os.sched_getaffinity(0)))
