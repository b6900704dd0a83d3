"""Notices that trial after trial fails in the same way, so that a study stops before all have."""

from __future__ import annotations

import re
from collections.abc import Iterable

from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult

_OWN = re.compile(r"(?<=trials/)\d+|0x[0-9a-f]+|(?<=prepare-)\d+")
"""What differs between equal messages: a trial's folder, an address, a process."""


class SameFailures:
    """The failures at the end of a study that are all alike."""

    def __init__(self, limit: int | None, results: Iterable[TrialResult] = ()) -> None:
        """Args: ``limit``: how many stop a study, None: never; ``results``: those that there are, by number."""
        self._limit = limit
        self._row: list[TrialResult] = []
        self._hopeless = False
        for result in results:
            self.add(result)

    def add(self, result: TrialResult) -> None:
        """Take the next result; one that was interrupted says nothing of the others."""
        if result.reason is Reason.INTERRUPTED:
            return
        if result.state is not State.FAILED or (self._row and _kind(self._row[-1]) != _kind(result)):
            self._row = []
        if result.state is State.FAILED:
            self._row.append(result)

    def give_up(self) -> None:
        """Take the failures so far for too many: all others will end like them."""
        self._hopeless = True

    @property
    def too_many(self) -> list[TrialResult]:
        """The failures in a row, where they are as many as stop a study; else none."""
        enough = self._limit is not None and (self._hopeless or len(self._row) >= self._limit)
        return list(self._row) if enough else []


def why_stopped(failures: list[TrialResult]) -> str:
    """Why a study stopped, in one line, with the failure's own way out."""
    last = failures[-1]
    how = f"{len(failures)} trials in a row ended" if len(failures) > 1 else "every trial would end"
    return (
        f"stopped: {how} alike ({last.reason}: {last.message.splitlines()[0]}); "
        "they do not count, and run again on the next start; study.stop_after_same_failures=null goes on whatever fails"
    )


def _kind(result: TrialResult) -> tuple[str, str]:
    return str(result.reason), _OWN.sub("", result.message)
