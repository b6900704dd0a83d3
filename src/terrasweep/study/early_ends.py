"""The sweep's side of an early end: it hears of the validations of its running trials, and says which trainings end.

It does so in a thread beside Hydra's launcher, which returns when a batch is through. Nothing depends on it: a trial
that gets no answer trains on, and what is not told to Optuna is not missed.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner
from optuna.trial import Trial

from terrasweep.config.schema import StudyConfig
from terrasweep.machine.watching import watching
from terrasweep.measure.known_early import KNOWN_EARLY
from terrasweep.measure.learning_curves import curve_of
from terrasweep.results.errors import first_line
from terrasweep.results.optimistic_bound import FinishedTraining, TrainingUnderWay, find_beating
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import rounded
from terrasweep.study.trial_folders import TrialFolders
from terrasweep.trial.validations import Answer, Progress, Validation, read_progress, write_answer

_POLL_S, _SLOWEST_POLL_S = 0.05, 1.0
_OF_QUIET = 0.05
"""A pause between two looks is this part of the time since there was news: so much a training waits for its answer, and
files on a network are not asked for in vain all the time."""


@dataclass
class RunningTrial:
    """A trial whose validations are heard."""

    trial: Trial
    folder: Path
    heard: int = 0
    """Validations that were judged."""
    ends: str = ""
    """Why its training ends."""


EndingRule = Callable[[Trial, Progress, int], str]
"""Says after so many validations of a trial why its training ends; empty where it goes on."""


class EarlyEnds:
    """Ends trainings of a sweep's own trials by a rule."""

    def __init__(self, rule: EndingRule, trials: Path) -> None:
        """Args: ``trials`` is the folder of the trials' folders."""
        self._rule, self._trials = rule, trials
        self._said = ""

    @contextlib.contextmanager
    def watching(self, trials: Sequence[Trial]) -> Iterator[None]:
        """Judge these trials while they run."""
        running = [RunningTrial(trial, self._trials / str(trial.number)) for trial in trials]
        with watching(partial(self._watch, running), "early ends"):
            yield

    def _watch(self, running: Sequence[RunningTrial], over: threading.Event) -> None:
        news = time.monotonic()
        while True:
            last = over.is_set()  # What was written before is looked at once more: other trials are compared with it.
            if sum(self._hear(one) for one in running):
                news = time.monotonic()
            if last:
                return
            over.wait(min(_SLOWEST_POLL_S, max(_POLL_S, _OF_QUIET * (time.monotonic() - news))))

    def _hear(self, one: RunningTrial) -> bool:
        """Judge what is new of a trial; whether there was news. Trials go on whatever a pruner or a database does."""
        try:
            progress = None if one.ends else read_progress(one.folder)
            if progress is None or len(progress.validations) <= one.heard:
                return False
            self._judge(one, progress)
        except UpdateFinishedTrialError:
            one.ends = "another process has ended the trial"  # It has no use for more.
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise it to
            self._say(f"{type(error).__name__}: {first_line(error)}")
            return False
        return True

    def _judge(self, one: RunningTrial, progress: Progress) -> None:
        while one.heard < len(progress.validations) and not one.ends:
            one.ends = self._rule(one.trial, progress, one.heard + 1)
            one.heard += 1
        write_answer(one.folder, Answer(validations=one.heard, ends=one.ends))

    def _say(self, trouble: str) -> None:
        if trouble != self._said:
            self._said = trouble
            print(f"warning: no training is ended early for now: {trouble}", file=sys.stderr)


def early_ends(
    pruner: BasePruner | None, study: StudyConfig, objectives: Sequence[Objective], trials: Path
) -> EarlyEnds | None:
    """What ends the trainings of a study early; None where nothing does."""
    if pruner is not None:
        return EarlyEnds(by_pruner(objectives[0].name), trials)
    if study.stop_dominated:
        return EarlyEnds(by_domination(objectives, TrialFolders(trials).results), trials)
    return None


def by_pruner(objective: str) -> EndingRule:
    """What the study's pruner says of the curve of its one objective; Optuna's step is the validation, from 0 on."""

    def ends(trial: Trial, progress: Progress, count: int) -> str:
        validation = progress.validations[count - 1]
        if (value := validation.values.get(objective)) is None:
            return ""  # It is undefined, and there is nothing to compare.
        trial.report(value, count - 1)
        if not trial.should_prune():
            return ""
        name, place = type(trial.study.pruner).__name__, _place(validation, progress)
        return f"hydra/sweeper/pruner: {name} ended the training {place}: {objective} {rounded(value)}"

    return ends


def by_domination(objectives: Sequence[Objective], results: Callable[[], Sequence[TrialResult]]) -> EndingRule:
    """Whether a complete trial beats a training at its optimistic bounds.

    Args:
        objectives: The study's.
        results: Gives its settled trials.
    """

    def ends(trial: Trial, progress: Progress, count: int) -> str:
        validation = progress.validations[count - 1]
        finished = [known for result in results() if (known := _finished(result, objectives)) is not None]
        beaten = find_beating(_under_way(progress, count), finished, objectives, KNOWN_EARLY)
        if beaten is None:
            return ""
        reach = ", ".join(f"{name} {rounded(bound)}" for name, bound in beaten.bounds.items())
        place = _place(validation, progress)
        return f"study.stop_dominated: ended {place}: trial {beaten.by} beats the best it could reach ({reach})"

    return ends


def _place(validation: Validation, progress: Progress) -> str:
    return f"after step {validation.steps} of {progress.length}"


def _under_way(progress: Progress, count: int) -> TrainingUnderWay:
    found: dict[str, list[float]] = {}
    for validation in progress.validations[:count]:
        for name, value in validation.values.items():
            if value is not None:
                found.setdefault(name, []).append(value)
    part = progress.validations[count - 1].steps / progress.length
    return TrainingUnderWay(part=part, found=found, costs=progress.costs, cost_key=progress.cost_key)


def _finished(result: TrialResult, objectives: Sequence[Objective]) -> FinishedTraining | None:
    """What a complete trial is compared by; a curve that is another trial's counts there alone."""
    if result.state is not State.COMPLETE or result.number is None:
        return None
    values = {objective.name: result.value(objective.name) for objective in objectives}
    known = {name: value for name, value in values.items() if value is not None}
    if len(known) < len(values):
        return None
    return FinishedTraining(
        number=result.number, objective_values=known, curves=_curves(result, known), cost_key=result.cost_key
    )


def _curves(result: TrialResult, objectives: Iterable[str]) -> dict[str, list[tuple[float, float]]]:
    """Objective to its curve over the parts of the training; empty where the trial has none of its own."""
    curves = {}
    for name in () if result.accuracy_from else objectives:
        if points := result.curves.get(curve_of(name) or ""):
            length = points[-1][0]
            curves[name] = [(steps / length, value) for steps, value in points]
    return curves
