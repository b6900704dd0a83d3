"""How much time a study has for traces: a share of what its trials took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

SHARE = 0.05
"""Of the time that trials took."""
FIRST_TRACE_S = 5.0
"""What a trace is taken to need before one was made; the libraries' import apart, which a trial has paid for."""
MOST_AT_ONCE = 8
"""Traces between two batches of trials."""
_PATIENCE = 4.0
"""Times the usual seconds after which traces are given up."""
_GIVEN_UP_AFTER = 2
"""Rounds without any answer after which nothing more is traced."""


class TraceAllowance:
    """Keeps account of one start of a study."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._trials_s, self._traces_s = 0.0, 0.0
        self._traces, self._in_vain = 0, 0

    @contextlib.contextmanager
    def while_trials_run(self) -> Iterator[None]:
        """What passes is the trials' time."""
        started = self._clock()
        try:
            yield
        finally:
            self._trials_s += self._clock() - started

    @contextlib.contextmanager
    def while_tracing(self, count: int) -> Iterator[None]:
        """What passes is that of so many traces."""
        started = self._clock()
        try:
            yield
        finally:
            self._traces_s += self._clock() - started
            self._traces += count

    def note_answers(self, count: int) -> None:
        """So many of the last traces had an answer."""
        self._in_vain = 0 if count else self._in_vain + 1

    @property
    def affordable(self) -> int:
        """How many traces there is time for now."""
        if self._in_vain >= _GIVEN_UP_AFTER:
            return 0
        left = SHARE * self._trials_s - self._traces_s
        return max(0, min(MOST_AT_ONCE, int(left / self._seconds_each)))

    def patience_s(self, count: int) -> float:
        """After how many seconds so many traces are given up."""
        return _PATIENCE * max(FIRST_TRACE_S, self._seconds_each) * count

    @property
    def _seconds_each(self) -> float:
        return max(self._traces_s / self._traces, 0.1) if self._traces else FIRST_TRACE_S
