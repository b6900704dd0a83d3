"""What earlier starts of a study left: trials of a sweep that was killed, and failures that run again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from optuna.trial import Trial

from terrasweep.config.compose import public_dict
from terrasweep.config.schema import TrialConfig
from terrasweep.results.errors import Interrupted
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.folder import StudyFolder
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.orphans import out_of_sight, take_orphans
from terrasweep.study.same_failures import SameFailures
from terrasweep.trial.run import unfinished


def take_over_orphans(
    folder: StudyFolder, stored: StoredStudy, attempt: str, config: TrialConfig, *, takeover: bool
) -> Iterator[tuple[Trial, TrialResult, dict[str, Any]]]:
    """What ran when a sweep was killed: its answer where it came to one, else it runs again.

    Args:
        folder: The study's.
        stored: The study in Optuna's storage.
        attempt: Whom the trials are given to.
        config: Of a trial that had not written its own.
        takeover: Whether trials of processes that can't be seen from here are taken, too.

    Yields:
        A trial, its result and its searched values.
    """
    for trial in take_orphans(stored, takeover=takeover):
        result = folder.trials.take_over(trial.number, attempt)
        searched = dict(trial.params) or (result.searched if result else {})
        if result is None:
            lost = Interrupted("the sweep was killed while this trial ran; it runs again under another number")
            result = unfinished(trial.number, lost, folder.trials.config(trial.number) or public_dict(config))
        yield trial, result, searched


def unseen_trials(stored: StoredStudy) -> Iterator[str]:
    """One line per running trial of a process that can't be seen from here."""
    for number, host in out_of_sight(stored).items():
        yield (
            f"trial {number} runs on {host}, which can't be seen from here; if it was killed, start with "
            "study.takeover=true"
        )


def failures_before(results: Sequence[TrialResult], limit: int | None) -> list[TrialResult]:
    """Of the starts before: all where nothing came to an answer, and those that would have stopped the last one."""
    settled = [result for result in results if result.reason is not Reason.INTERRUPTED]
    if all(result.state is State.FAILED for result in settled):
        return settled
    return SameFailures(limit, settled).too_many


def release_failures(failures: Iterable[TrialResult], folder: StudyFolder, stored: StoredStudy, attempt: str) -> None:
    """Failures that stop a study run again; the folder says so first, and Optuna follows it on every start."""
    for result in failures:
        message = f"it runs again under another number; it ended as {result.reason}: {result.message}"
        if result.number is not None:
            folder.trials.take_over(result.number, attempt)
        folder.add(dataclasses.replace(result, reason=Reason.INTERRUPTED, message=message), attempt)
    interrupted = [result.number for result in folder.results() if result.reason is Reason.INTERRUPTED]
    stored.run_again([number for number in interrupted if number is not None])
