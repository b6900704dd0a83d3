"""The trial's side of an early end: after each validation the sweep is told, and may end the training."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from terrasweep.config.schema import TrialConfig
from terrasweep.measure.known_early import KNOWN_EARLY
from terrasweep.measure.meter import Reading
from terrasweep.results.errors import Pruned
from terrasweep.trial.validations import Progress, Validation, forget, read_answer, write_progress

ANSWER_WITHIN_S = 5.0
"""Seconds that a training waits for the sweep, in a pause that is not timed; a later answer counts at the next
validation. A network file system may take so long to show a file, and the sweep may be gone."""
_POLL_S = 0.02


class JudgedTraining:
    """One training, whose validations the sweep hears of."""

    def __init__(
        self,
        folder: Path,
        cost_key: str,
        costs: Callable[[], Reading],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Args: ``folder`` and ``cost_key`` are the trial's; ``costs`` reads what is measured by now."""
        self._folder, self._cost_key, self._costs, self._clock, self._sleep = folder, cost_key, costs, clock, sleep
        self._validations: list[Validation] = []
        self._waits = True
        forget(folder)

    def judge(self, steps: int, length: int, values: Mapping[str, float]) -> None:
        """Tell the sweep of a validation, and wait for its answer unless the training is over with it.

        Args:
            steps: Behind the validation.
            length: Of the whole training, in steps.
            values: What it found of each objective that is a validation metric.

        Raises:
            Pruned: The sweep ends the training.
        """
        found = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self._validations.append(Validation(steps=steps, values=found))
        costs = {name: cost for name, cost in self._costs().items() if name in KNOWN_EARLY and cost is not None}
        write_progress(
            self._folder,
            Progress(length=length, validations=self._validations, costs=costs, cost_key=self._cost_key),
        )
        if steps < length and (reason := self._answer()):
            raise Pruned(reason)

    def _answer(self) -> str:
        """Why the training ends; empty where it goes on, or nobody answers in time."""
        deadline = self._clock() + (ANSWER_WITHIN_S if self._waits else 0.0)
        while True:
            answer = read_answer(self._folder)
            if answer is not None and (answer.ends or answer.validations >= len(self._validations)):
                self._waits = True
                return answer.ends
            if self._clock() >= deadline:
                self._waits = False
                return ""
            self._sleep(_POLL_S)


def judge_of(
    config: TrialConfig, folder: Path, cost_key: str, costs: Callable[[], Reading]
) -> Callable[[int, int, Mapping[str, float]], None] | None:
    """What is told of each validation of a trial, as :meth:`JudgedTraining.judge`; None where the sweep has no say."""
    return JudgedTraining(folder, cost_key, costs).judge if config.trial.judged else None
