"""A batch of trials in the hands of Hydra's launcher, and what came of each: a result, or why there is none."""

from __future__ import annotations

import contextlib
import io
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from optuna.trial import Trial

from terrasweep.machine.files import write_atomically
from terrasweep.results.errors import Crashed, Interrupted, InvalidConfig, TerrasweepError, first_line
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.optuna_storage import STORAGE_ERRORS
from terrasweep.study.search_space import SearchSpace

if TYPE_CHECKING:
    from terrasweep.study.extra_trainings import ExtraTraining


class NotLaunched(Exception):
    """A launcher failed by itself; says why, and what to do."""


class Launcher(Protocol):
    """What a run needs of the sweep that it belongs to."""

    n_jobs: int
    launcher_name: str
    """The option of ``hydra/launcher``."""

    @property
    def space(self) -> SearchSpace:
        """The searched keys."""

    def launch(self, trials: Sequence[Trial], values: Sequence[dict[str, Any]], attempt: str) -> list[JobReturn]:
        """Run a batch of trials through Hydra's launcher, all in one attempt."""

    def launch_extra(self, trainings: Sequence[ExtraTraining], attempt: str) -> list[JobReturn]:
        """Run a batch of trainings that are no trials, all in one attempt."""

    def find_violations(self, values: dict[str, Any]) -> list[str]:
        """What the rules say against a combination of searched values, a line each."""


def launch(
    sweep: Launcher, trials: Sequence[Trial], values: Sequence[dict[str, Any]], attempt: str, log: Path
) -> list[JobReturn]:
    """Run a batch.

    Args:
        sweep: The sweep that the trials belong to.
        trials: Optuna's.
        values: Of their searched keys.
        attempt: What they are given to.
        log: Takes the traceback of a launcher that fails.

    Raises:
        NotLaunched: The launcher itself failed, or lost every job.
    """
    return _launched(lambda: sweep.launch(trials, values, attempt), sweep.launcher_name, log)


def launch_extra(sweep: Launcher, trainings: Sequence[ExtraTraining], attempt: str, log: Path) -> list[JobReturn]:
    """Run a batch of trainings that are no trials.

    Args:
        sweep: The sweep that they belong to.
        trainings: What to run.
        attempt: What they are given to.
        log: Takes the traceback of a launcher that fails.

    Raises:
        NotLaunched: As for :func:`launch`.
    """
    return _launched(lambda: sweep.launch_extra(trainings, attempt), sweep.launcher_name, log)


def _launched(run: Callable[[], list[JobReturn]], launcher: str, log: Path) -> list[JobReturn]:
    try:
        jobs = run()
        lost = [error for job in jobs if isinstance(error := outcome_of(job), NotLaunched)]
        if lost and len(lost) == len(jobs):
            raise lost[0]
    except Exception as error:
        if not isinstance(known := as_terrasweep_error(error), Crashed):
            raise
        write_atomically(log, "".join(traceback.format_exception(error)))
        way_out = "mend it, and start the same command again"
        raise NotLaunched(f"hydra/launcher={launcher}: {known}; see {log}, {way_out}") from error
    return jobs


def outcome_of(job: JobReturn) -> TrialResult | BaseException:
    """What a launched trial came to: its result, or what it raised."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # Hydra would print the overrides of each that failed.
            returned = job.return_value
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - whatever the trial raised
        return error
    return returned if isinstance(returned, TrialResult) else TypeError(f"the trial returned {returned!r}")


def as_terrasweep_error(error: BaseException) -> TerrasweepError:
    """What ended a trial without a result, as one of the ways that a trial can end."""
    if isinstance(error, TerrasweepError):
        return error
    if isinstance(error, (KeyboardInterrupt, *STORAGE_ERRORS)):
        return Interrupted("the sweep was interrupted while this trial ran; it runs again under another number")
    if isinstance(error, NotLaunched):
        return Crashed(first_line(error))
    if isinstance(error, HydraException):
        return InvalidConfig(first_line(error))
    return Crashed(f"{type(error).__name__}: {first_line(error)}")
