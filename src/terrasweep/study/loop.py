"""One start of a study: adopt what a killed sweep left, then ask, launch, tell and track until the total is reached."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from omegaconf import DictConfig
from optuna.trial import Trial

from terrasweep.config.bad_input import EXIT_NOTHING_COMPLETED
from terrasweep.config.compose import public_dict
from terrasweep.config.schema import TrialConfig
from terrasweep.results.errors import Crashed, Interrupted, InvalidConfig, TerrasweepError
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import mlflow_runs
from terrasweep.study.folder import StudyFolder
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.same_failures import SameFailures
from terrasweep.study.search_space import SearchSpace
from terrasweep.study.terminal import SweepProgress, front_table
from terrasweep.trial.run import unfinished

MOST_TAUGHT, MOST_FORBIDDEN = 10, 100
"""Proposals in a row that the rules may forbid: until others are drawn at random, and until one is run all the same."""


class Launcher(Protocol):
    """What a run needs of the sweep that it belongs to."""

    n_jobs: int

    @property
    def space(self) -> SearchSpace:
        """The searched keys."""

    def launch(self, trials: Sequence[Trial], values: Sequence[dict[str, Any]]) -> list[JobReturn]:
        """Run a batch of trials through Hydra's launcher."""

    def find_violations(self, values: dict[str, Any]) -> list[str]:
        """What the rules say against a combination of searched values, a line each."""


class StudyRun:
    """One start of a study, from what is there to its total."""

    def __init__(
        self,
        sweep: Launcher,
        config: TrialConfig,
        base: DictConfig,
        record: StudyRecord,
        folder: StudyFolder,
        stored: StoredStudy,
    ) -> None:
        self._sweep, self._config, self._base = sweep, config, base
        self._folder, self._stored = folder, stored
        folder.open(record)
        self._tracker = mlflow_runs.StudyTracker(record, config.tracking.uri)
        self._untracked = ""
        self._limit = config.study.stop_after_same_failures
        self._failures = SameFailures(self._limit)

    def to_the_end(self) -> None:
        """Run what is missing to the study's total, and write its report.

        Raises:
            KeyboardInterrupt: The user stopped it; what ran is recorded.
            SystemExit: Nothing completed.
        """
        record, total = self._folder.known, self._config.study.n_trials
        interrupted = False
        with SweepProgress(record.name, self._stored.reachable(total), record.objectives) as progress:
            self._adopt_orphans()
            self._release_failures(self._failures_of_before())
            progress.finished(self._folder.results(), len(self._folder.front()))
            try:
                while not self._failures.too_many and (trials := self._stored.ask(self._sweep.n_jobs, total)):
                    self._run_batch(trials, progress)
            except KeyboardInterrupt:
                interrupted = True
        self._release_failures(alike := self._failures.too_many)
        self._close(progress)
        if interrupted:
            raise KeyboardInterrupt
        if alike:
            print(_stopped(alike), file=sys.stderr)
            raise SystemExit(EXIT_NOTHING_COMPLETED)
        if not any(r.state is State.COMPLETE for r in self._folder.results()):
            print("nothing completed; see failures in the report", file=sys.stderr)
            raise SystemExit(EXIT_NOTHING_COMPLETED)

    def _adopt_orphans(self) -> None:
        """What ran when the sweep was killed: its answer where it came to one, else it runs again."""
        for trial in self._stored.orphans():
            result = self._folder.result(trial.number)
            lost = Interrupted("the sweep was killed while this trial ran; it runs again under another number")
            self._write_result(trial, result or self._unfinished_result(trial, lost), dict(trial.params))

    def _failures_of_before(self) -> list[TrialResult]:
        """Of the starts before: all where nothing came to an answer, and those that would have stopped the last one."""
        settled = [r for r in self._folder.results() if r.reason is not Reason.INTERRUPTED]
        if all(r.state is State.FAILED for r in settled):
            return settled
        return SameFailures(self._limit, settled).too_many

    def _release_failures(self, failures: list[TrialResult]) -> None:
        """Failures that stop a study run again; the folder says so first, and Optuna follows it on every start."""
        for result in failures:
            message = f"it runs again under another number; it ended as {result.reason}: {result.message}"
            self._folder.add(dataclasses.replace(result, reason=Reason.INTERRUPTED, message=message))
        interrupted = [r.number for r in self._folder.results() if r.reason is Reason.INTERRUPTED]
        self._stored.run_again([number for number in interrupted if number is not None])

    def _unfinished_result(self, trial: Trial, error: TerrasweepError) -> TrialResult:
        return unfinished(trial.number, error, self._folder.config(trial.number) or public_dict(self._config))

    def _run_batch(self, trials: list[Trial], progress: SweepProgress) -> None:
        values: list[dict[str, Any]] = []
        results: list[TrialResult] = []
        try:
            self._suggest(trials, values)
            if not trials:
                return
            progress.started(values[0])
            results = [self._result(t, r) for t, r in zip(trials, self._sweep.launch(trials, values), strict=True)]
        except (KeyboardInterrupt, Exception) as error:
            known = _as_terrasweep_error(error)
            results = [self._folder.result(t.number) or self._unfinished_result(t, known) for t in trials]
            if isinstance(error, KeyboardInterrupt):
                raise
        finally:
            for trial, chosen, result in zip(trials, [*values, *[{}] * len(trials)], results, strict=False):
                last = self._write_result(trial, result, chosen)
                self._failures.add(last)
                if result.state is not last.state and not self._folder.front():
                    self._failures.give_up()  # An objective that this study never measures.
                progress.expect(self._stored.reachable(self._config.study.n_trials))
                progress.finished(self._folder.results(), len(self._folder.front()), last)

    def _suggest(self, trials: list[Trial], values: list[dict[str, Any]]) -> None:
        """Fill in the searched values of each trial; one that the rules forbid gives way to the sampler's next.

        A sampler may insist: after ``MOST_TAUGHT`` in a row it is drawn at random, and after ``MOST_FORBIDDEN`` the
        last one is run, and ends as the rules say.
        """
        given_back = 0
        while len(values) < len(trials):
            trial = trials[len(values)]
            chosen = self._sweep.space.suggest(trial, self._base)
            if given_back == MOST_FORBIDDEN or not self._sweep.find_violations(chosen):
                values.append(chosen)
                given_back = 0
            else:
                del trials[len(values)]
                self._stored.give_back(trial)
                given_back += 1
                insists = given_back >= MOST_TAUGHT
                with self._stored.drawing_at_random() if insists else contextlib.nullcontext():
                    asked = self._stored.ask(1, self._config.study.n_trials)
                    for other in asked:
                        self._sweep.space.suggest(other, self._base)  # Optuna keeps what it has suggested.
                trials[len(values) : len(values)] = asked

    def _result(self, trial: Trial, job: JobReturn) -> TrialResult:
        returned = _returned(job)
        return (
            returned
            if isinstance(returned, TrialResult)
            else self._unfinished_result(trial, _as_terrasweep_error(returned))
        )

    def _write_result(self, trial: Trial, result: TrialResult, searched: dict[str, Any]) -> TrialResult:
        """Write a result down: on disk first, then to Optuna, then to MLflow; each can be made up for after a kill."""
        result = _with_all_objectives(result, self._folder.known.objectives)
        result = dataclasses.replace(result, number=trial.number, searched=searched)
        self._folder.add(result)
        self._stored.tell(trial, result)
        try:
            self._tracker.log(result)
        except Exception as error:  # noqa: BLE001 - tracking may fail in any way, and ends no study
            self._untracked = f"MLflow could not log every trial ({type(error).__name__}: {error})".splitlines()[0]
        return result

    def _close(self, progress: SweepProgress) -> None:
        from terrasweep.report import write_report

        folder = self._folder
        write_report(folder.path, folder.known, folder.results())
        try:
            self._tracker.log_missing(folder.results())
            self._tracker.finish(folder.path, folder.summary())
            self._untracked = ""
        except Exception as error:  # noqa: BLE001
            self._untracked = f"MLflow: {type(error).__name__}: {error}".splitlines()[0]
        if self._untracked:
            progress.say(f"{self._untracked}; start the same command again to log what is missing")
        front = folder.front()
        if front:
            progress.show(front_table(front, folder.known.objectives, list(folder.known.space)))
        progress.say(f"Report: {folder.path / 'report.html'}")


def _stopped(failures: list[TrialResult]) -> str:
    """Why a study stopped, in one line, with the failure's own way out."""
    last = failures[-1]
    how = f"{len(failures)} trials in a row ended" if len(failures) > 1 else "every trial would end"
    return (
        f"stopped: {how} alike ({last.reason}: {last.message.splitlines()[0]}); "
        "they do not count, and run again on the next start; study.stop_after_same_failures=null goes on whatever fails"
    )


def _with_all_objectives(result: TrialResult, objectives: list[Objective]) -> TrialResult:
    """A trial is complete only with every objective; one that this device can't measure is a mistake in the study."""
    absent = [objective.name for objective in objectives if result.value(objective.name) is None]
    if result.state is not State.COMPLETE or not absent:
        return result
    reason = f"is not measured on {result.device}, or undefined on these data"
    message = f"study.objectives: {', '.join(absent)} {reason}; use another objective"
    return dataclasses.replace(result, state=State.FAILED, reason=Reason.INVALID_CONFIG, message=message)


def _returned(job: JobReturn) -> TrialResult | BaseException:
    """What a launched trial came to: its result, or what it raised."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # Hydra would print the overrides of each that failed.
            returned = job.return_value
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - whatever the trial raised
        return error
    return returned if isinstance(returned, TrialResult) else TypeError(f"the trial returned {returned!r}")


def _as_terrasweep_error(error: BaseException) -> TerrasweepError:
    if isinstance(error, TerrasweepError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("the sweep was interrupted while this trial ran; it runs again under another number")
    text = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, HydraException):
        return InvalidConfig(text)
    return Crashed(f"{type(error).__name__}: {text}")
