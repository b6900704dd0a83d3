"""When a study's search is over: its trials are there, its time is used up, or there is nothing left to gain."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

from terrasweep.config.schema import StudyConfig
from terrasweep.results.extra_trainings import Role, read_extra_results
from terrasweep.results.wording import counted, duration, percent, rounded
from terrasweep.study.convergence import CONVERGED, has_converged
from terrasweep.study.folder import StudyFolder
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.search_time import SearchTime, searched_seconds

_S_PER_HOUR = 3600.0


class SearchEnd:
    """Says, by what lies in a study's folder alone, how many trials its search has; so a restart says the same."""

    def __init__(self, study: StudyConfig, folder: StudyFolder, stored: StoredStudy) -> None:
        """Args: ``study``: what it may use; ``folder``, ``stored``: where it is."""
        self._study, self._folder, self._stored = study, folder, stored
        self._time: SearchTime | None = None

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the time within it as searched."""
        with SearchTime(self._folder.path) as self._time:
            try:
                yield
            finally:
                self._time = None

    def searched_seconds(self) -> float:
        """How long the study has searched until now, over all starts."""
        if self._time is not None:
            with contextlib.suppress(OSError):  # What can't be written now was so some seconds ago.
                self._time.write_down()
        baselines = read_extra_results(self._folder.path, Role.BASELINE).values()
        return searched_seconds(self._folder.path, [*self._folder.trials.results(), *baselines])

    def total(self) -> int:
        """How many trials the study has in all; 0, thus none beside those that there are, where it ends before."""
        return 0 if self._why_early() else self._study.n_trials

    def is_over(self) -> bool:
        """Whether no trial is missing, and no process is at work on one any more."""
        return self._stored.is_over(self.total())

    def why_early(self) -> str:
        """Why the search ends before it has its trials, in one line; empty where it has them, or goes on."""
        if not self._stored.remaining(self._study.n_trials):
            return ""
        return self._why_early()

    def _why_early(self) -> str:
        study = self._study
        hours = study.budget_hours
        if hours is not None and (searched := self.searched_seconds()) >= hours * _S_PER_HOUR:
            return (
                f"study.budget_hours={rounded(hours)} is used up after {duration(searched)}: the search ends with "
                f"{self._missing()}; more hours go on from here"
            )
        if study.stop_when == CONVERGED and has_converged(
            self._folder.trials.results(), study.stop_share, study.stop_proposals
        ):
            return (
                f"study.stop_when=converged: in {counted(study.stop_proposals, 'proposal')} no candidate promised more "
                f"than {percent(study.stop_share)} of the hypervolume beyond the errors: the search ends with "
                f"{self._missing()}; a smaller study.stop_share goes on from here"
            )
        return ""

    def _missing(self) -> str:
        missing = self._stored.remaining(self._study.n_trials)
        return f"{counted(missing, 'trial')} of study.n_trials={self._study.n_trials} missing"
