"""How far a long look at data is: a bar with the time left on a terminal, else a line now and then."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from terrasweep.results.wording import duration

QUIET_S = 3.0
"""A look that is shorter shows nothing."""
LINE_EVERY_S = 10.0


class LookProgress:
    """Hears what a child reports, and shows its ``progress``: ``what``, ``done`` and ``total``."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._begun: dict[str, tuple[float, int]] = {}
        self._told = 0.0

    def __enter__(self) -> LookProgress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._tasks:
            self._bar.stop()

    def hear(self, content: dict[str, Any]) -> None:
        """Show a report's progress, where it has one."""
        if "progress" not in content:
            return
        what, done, total = (content["progress"][key] for key in ("what", "done", "total"))
        now = time.monotonic()
        if not self._begun:
            self._told = now
        begun, before = self._begun.setdefault(what, (now, done))
        if now - next(iter(self._begun.values()))[0] < QUIET_S:
            return
        if self._console.is_terminal:
            self._show(what, done, total)
        elif now - self._told >= LINE_EVERY_S:
            self._told = now
            pace = (done - before) / (now - begun) if now > begun else 0.0
            left = f", about {duration((total - done) / pace)} left" if pace else ""
            self._console.print(f"{what}: {done:,} of {total:,}{left}", soft_wrap=True)

    def _show(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total)
            self._bar.start()
        self._bar.update(self._tasks[what], completed=done, total=total, visible=done < total)
