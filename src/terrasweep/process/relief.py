"""Which of several watched trials is ended where the host runs short of memory: the youngest, and one at a time.

Each watching process is a sweep's, or a worker of one, so that they agree by way of files: every trial has one whose
name says when it started, locked for as long as it is watched.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

from terrasweep.machine.locks import Lease, is_held

FOLDER = Path(tempfile.gettempdir()) / f".terrasweep-relief-{os.getuid()}"
PATIENCE_S = 5.0
"""How long the older ones leave it to the youngest, whose process may stand still."""
_STALE_NS = 60 * 10**9
_TRIES = 100
"""Others look whether a place is held by locking it for a moment."""


class Relief:
    """A trial's place among those that are watched on this machine; it holds it until it is given back."""

    def __init__(self, folder: Path = FOLDER, started_ns: int | None = None) -> None:
        """Args: ``folder`` is shared by all of a user's; ``started_ns`` counts from the machine's start."""
        self._folder = folder
        self._short_since: float | None = None
        started = time.monotonic_ns() if started_ns is None else started_ns
        self._name = f"{started:020d}-{os.getpid()}-{id(self)}"
        self._place, self._turn = Lease(folder / self._name), Lease(folder / "turn")
        # Where the folder can't be had, nobody knows of the others, and each looks after itself.
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            any(self._place.take() for _ in range(_TRIES))

    def is_my_turn(self, *, short: bool) -> bool:
        """Whether this trial is the one to end now.

        Args:
            short: Whether the host is short of memory.
        """
        if not short:
            self._short_since = None
            return False
        now = time.monotonic()
        self._short_since = now if self._short_since is None else self._short_since
        if now - self._short_since < PATIENCE_S and self._has_younger():
            return False
        try:
            return self._turn.take()
        except OSError:
            return True

    def give_back(self) -> None:
        """Leave: the trial has ended, and its memory is free."""
        with contextlib.suppress(OSError):
            (self._folder / self._name).unlink()
        self._place.give_back()
        self._turn.give_back()

    def _has_younger(self) -> bool:
        now, younger = time.monotonic_ns(), False
        for file in self._folder.glob("*-*-*"):
            if is_held(file):
                younger = younger or file.name > self._name
            elif not 0 <= now - int(file.name.partition("-")[0]) < _STALE_NS:
                # Of a process that was killed, perhaps before the machine was started again.
                with contextlib.suppress(OSError):
                    file.unlink()
        return younger
