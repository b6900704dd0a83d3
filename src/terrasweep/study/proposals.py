"""What is tried next: the sampler's proposals, without those that the rules forbid."""

from __future__ import annotations

import contextlib
from typing import Any

from omegaconf import DictConfig
from optuna.trial import Trial

from terrasweep.study.folder import StudyFolder
from terrasweep.study.launch import Launcher
from terrasweep.study.optuna_study import StoredStudy

MOST_TAUGHT, MOST_FORBIDDEN = 10, 100
"""Proposals in a row that the rules may forbid: until others are drawn at random, and until one is run all the same."""


class Proposals:
    """Searched values for the trials of one start of a study."""

    def __init__(
        self, sweep: Launcher, base: DictConfig, folder: StudyFolder, stored: StoredStudy, attempt: str, total: int
    ) -> None:
        """Args: ``attempt``: whom trials are given to; ``total``: of the study."""
        self._sweep, self._base = sweep, base
        self._folder, self._stored = folder, stored
        self._attempt, self._total = attempt, total

    def fill(self, trials: list[Trial], values: list[dict[str, Any]]) -> None:
        """Add the searched values of each trial; one that the rules forbid gives way to the sampler's next.

        A sampler may insist: after ``MOST_TAUGHT`` in a row it is drawn at random, and after ``MOST_FORBIDDEN`` the
        last one is run, and ends as the rules say.

        Args:
            trials: Of Optuna; what is not run is taken out, what comes instead is put in. Right at every moment.
            values: Of the first trials, as many as have them.
        """
        given_back = 0
        while len(values) < len(trials):
            trial = trials[len(values)]
            chosen = self._suggest(trial)
            if given_back == MOST_FORBIDDEN or not self._sweep.find_violations(chosen):
                given_back = 0
                if self._hand_out(trial):
                    values.append(chosen)
                else:
                    del trials[len(values)]
            else:
                del trials[len(values)]
                self._stored.give_back(trial)
                given_back += 1
                trials[len(values) : len(values)] = self._other(at_random=given_back >= MOST_TAUGHT)

    def _suggest(self, trial: Trial) -> dict[str, Any]:
        return self._sweep.space.suggest(trial, self._base)

    def _other(self, *, at_random: bool) -> list[Trial]:
        with self._stored.drawing_at_random() if at_random else contextlib.nullcontext():
            asked = self._stored.ask(1, self._total)
            for trial in asked:
                self._suggest(trial)  # Optuna keeps what it has suggested.
        return asked

    def _hand_out(self, trial: Trial) -> bool:
        """Give a new trial's folder to this attempt; where a result stands in it, it is another trial's and stays."""
        if self._folder.trials.hand_out(trial.number, self._attempt):
            return True
        self._stored.give_up(trial)
        return False
