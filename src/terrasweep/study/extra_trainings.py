"""Trainings of a study that the search does not propose, each once: through the study's launcher, as a trial is run.

What ends a start at any moment costs the trainings that ran. Each has an attempt, as a trial has, so that a worker that
comes late changes nothing; and a lease, which its process holds while it runs and the kernel gives back when that ends,
so that processes that share a study take different ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from terrasweep.machine.locks import Lease
from terrasweep.results.errors import Interrupted
from terrasweep.results.extra_trainings import Role
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.background_tracking import BackgroundTracker
from terrasweep.study.folder import StudyFolder
from terrasweep.study.launch import Launcher, NotLaunched, as_terrasweep_error, launch_extra, outcome_of
from terrasweep.study.terminal import SweepProgress, training_line
from terrasweep.trial import attempt as attempts
from terrasweep.trial.run import unfinished

_LEASE = ".lease"


@dataclass(frozen=True, kw_only=True)
class ExtraTraining:
    """One training that is no trial."""

    role: Role
    name: str
    """Of its folder."""
    settings: Mapping[str, Any]
    """The keys and values that it is known by, as a trial is by its searched ones."""
    overrides: tuple[str, ...]
    """What it changes of what is fixed in the study."""

    def within(self, study: Path) -> Path:
        """Its folder."""
        return study / self.role.folder / self.name


def changed(fixed: Sequence[str], own: Sequence[str]) -> list[str]:
    """A study's fixed overrides with a training's own.

    What the training sets goes, and so do the study's settings below a group that the training chooses: of
    ``tuning=lora tuning.rank=4`` nothing stays with ``tuning=full``.
    """
    chosen = [_key(override) for override in own]

    def stays(key: str) -> bool:
        return not any(key == mine or (key.startswith(f"{mine}.") and "." not in mine) for mine in chosen)

    return [*(override for override in fixed if stays(_key(override))), *own]


def _key(override: str) -> str:
    return OverridesParser.create().parse_override(override).key_or_group


class ExtraTrainings:
    """Runs them in one start of a study."""

    def __init__(
        self, sweep: Launcher, folder: StudyFolder, tracker: BackgroundTracker, progress: SweepProgress, attempt: str
    ) -> None:
        """Args: ``attempt``: whom they are given to."""
        self._sweep, self._folder = sweep, folder
        self._tracker, self._progress = tracker, progress
        self._attempt = attempt
        self._total = self._done = 0
        self._at_once = sweep.n_jobs

    def run(self, trainings: Sequence[ExtraTraining], *, failed_ones: bool = False, one_by_one: bool = False) -> None:
        """Run what has no result yet; what another process is at work on is left to it.

        Args:
            trainings: In the order in which they are begun.
            failed_ones: Whether those that failed run again.
            one_by_one: Whether each has the machine to itself, however many trials the launcher runs at a time.

        Raises:
            NotLaunched: The launcher failed before it began one.
        """
        waiting = [t for t in trainings if not self._is_settled(t) or (failed_ones and self._has_failed(t))]
        self._total, self._done = len(trainings), len(trainings) - len(waiting)
        leases: list[Lease] = []
        self._at_once = 1 if one_by_one else self._sweep.n_jobs
        while batch := self._take(waiting, leases, failed_ones=failed_ones):
            try:
                self._run_batch(batch)
            finally:
                self._progress.started({})
                while leases:
                    leases.pop().give_back()

    def _take(self, waiting: list[ExtraTraining], leases: list[Lease], *, failed_ones: bool) -> list[ExtraTraining]:
        """As many as run at a time, of those that nobody else has."""
        batch: list[ExtraTraining] = []
        while waiting and len(batch) < self._at_once:
            training = waiting.pop(0)
            own = training.within(self._folder.path)
            own.mkdir(parents=True, exist_ok=True)
            lease = Lease(own / _LEASE)
            if not lease.take():
                continue
            leases.append(lease)
            if not self._is_settled(training) or (failed_ones and self._has_failed(training)):
                batch.append(training)
        return batch

    def _run_batch(self, batch: list[ExtraTraining]) -> None:
        missing = [training for training in batch if not self._adopt(training)]
        if not missing:
            return
        self._progress.started({str(training.role): training.name for training in missing})
        try:
            jobs = launch_extra(self._sweep, missing, self._attempt, self._folder.path / "launch-error.log")
            outcomes = [outcome_of(job) for job in jobs]
        except NotLaunched as error:
            if not any(self._has_begun(training) for training in missing):
                raise
            outcomes = [error] * len(missing)
        for training, outcome in zip(missing, outcomes, strict=True):
            self._conclude(training, outcome)

    def _adopt(self, training: ExtraTraining) -> bool:
        """Take a training over, whoever had it; where that one came to a result, it counts."""
        own = training.within(self._folder.path)
        before = None if self._is_settled(training) else _answer(own)
        attempts.take_over(own, self._attempt)
        if before is not None and before.reason is not Reason.INTERRUPTED:
            self._settle(training, before)
            return True
        (own / "config.yaml").unlink(missing_ok=True)  # It says whether this attempt has begun.
        return False

    def _conclude(self, training: ExtraTraining, outcome: TrialResult | BaseException) -> None:
        """Settle what came to an end; what did not, runs on the next start."""
        result = outcome if isinstance(outcome, TrialResult) else self._unanswered(training, outcome)
        if result.reason is Reason.INTERRUPTED:
            self._progress.say(f"{training.role} {training.name}: {result.message}")
        else:
            self._settle(training, result)

    def _unanswered(self, training: ExtraTraining, error: BaseException) -> TrialResult:
        own = training.within(self._folder.path)
        if isinstance(error, NotLaunched):
            if (answer := _answer(own)) is not None:
                return answer
            if not self._has_begun(training):
                error = Interrupted("the launcher did not start it; it runs on the next start")
        return unfinished(None, as_terrasweep_error(error))

    def _settle(self, training: ExtraTraining, result: TrialResult) -> None:
        """On disk first, then to MLflow, which gets what it lacks at a start's end."""
        own = training.within(self._folder.path)
        result = replace(result, number=None, searched=dict(training.settings))
        if not attempts.write_result(own, result, self._attempt, is_final=True):
            return
        self._done += 1
        if training.role.is_training:
            self._tracker.log_extra(training.role, training.name, result)
        counted = f"[{training.role} {self._done}/{self._total}]"
        self._progress.say(training_line(counted, training.name, result, self._folder.known.objectives))

    def _is_settled(self, training: ExtraTraining) -> bool:
        own = training.within(self._folder.path)
        return (own / attempts.RESULT).exists() and attempts.is_settled(own)

    def _has_failed(self, training: ExtraTraining) -> bool:
        answer = _answer(training.within(self._folder.path))
        return answer is not None and answer.state is State.FAILED

    def _has_begun(self, training: ExtraTraining) -> bool:
        return (training.within(self._folder.path) / "config.yaml").is_file()


def job_overrides(training: ExtraTraining, fixed: Sequence[str], attempt: str) -> list[str]:
    """What Hydra composes a training of: a trial without a number, in a folder of its own."""
    return [
        f"trial.attempt='{attempt}'",
        f"hydra.sweep.subdir='{training.role.folder}/{training.name}'",
        *changed(fixed, training.overrides),
    ]


def _answer(folder: Path) -> TrialResult | None:
    """What a training wrote down; None for nothing, and for what can't be read."""
    try:
        return TrialResult.from_json((folder / attempts.RESULT).read_text())
    except (OSError, ValueError):
        return None
