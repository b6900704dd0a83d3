"""One start of a study: adopt what a killed sweep left, then ask, launch, tell and track until the total is reached."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import secrets
import sys
import traceback
from collections.abc import Sequence
from typing import Any, Protocol

from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from omegaconf import DictConfig
from optuna.trial import Trial

from terrasweep.config.bad_input import EXIT_NOTHING_COMPLETED
from terrasweep.config.compose import public_dict
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.files import write_atomically
from terrasweep.results.errors import Crashed, Interrupted, InvalidConfig, TerrasweepError, first_line
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.background_tracking import BackgroundTracker
from terrasweep.study.folder import StudyFolder
from terrasweep.study.optuna_study import STORAGE_ERRORS, StoredStudy, storage_reason
from terrasweep.study.same_failures import SameFailures
from terrasweep.study.search_space import SearchSpace
from terrasweep.study.terminal import SweepProgress, front_table
from terrasweep.trial.run import unfinished

MOST_TAUGHT, MOST_FORBIDDEN = 10, 100
"""Proposals in a row that the rules may forbid: until others are drawn at random, and until one is run all the same."""


class _NotLaunched(Exception):
    """A launcher failed by itself; says why, and what to do."""


class Launcher(Protocol):
    """What a run needs of the sweep that it belongs to."""

    n_jobs: int

    @property
    def space(self) -> SearchSpace:
        """The searched keys."""

    def launch(self, trials: Sequence[Trial], values: Sequence[dict[str, Any]], attempt: str) -> list[JobReturn]:
        """Run a batch of trials through Hydra's launcher, all in one attempt."""

    def find_violations(self, values: dict[str, Any]) -> list[str]:
        """What the rules say against a combination of searched values, a line each."""


class StudyRun:
    """One start of a study, from what is there to its total."""

    def __init__(
        self,
        sweep: Launcher,
        config: TrialConfig,
        base: DictConfig,
        folder: StudyFolder,
        stored: StoredStudy,
    ) -> None:
        """Args: ``folder`` is opened, and ``stored`` has its sampler; both know the same trials."""
        self._sweep, self._config, self._base = sweep, config, base
        self._folder, self._stored = folder, stored
        self._attempt = secrets.token_hex(8)
        self._tracker = BackgroundTracker(folder.known, config.tracking.uri)
        self._limit = config.study.stop_after_same_failures
        self._failures = SameFailures(self._limit)

    def to_the_end(self) -> None:
        """Run what is missing to the study's total, and write its report.

        Raises:
            KeyboardInterrupt: The user stopped it; what ran is recorded.
            SystemExit: Nothing completed, the launcher started no trial, or the storage failed for longer than it is
                waited for.
        """
        record, total = self._folder.known, self._config.study.n_trials
        interrupted, not_launched = False, ""
        with SweepProgress(record.name, self._stored.reachable(total), record.objectives) as progress:
            try:
                self._run_missing(progress, total)
            except KeyboardInterrupt:
                interrupted = True
            except _NotLaunched as error:
                not_launched = str(error)
            except STORAGE_ERRORS as error:
                reason = f"study.storage: {storage_reason(error)}"
                progress.say(f"{reason}; what ran is kept, and the same command goes on from here")
                raise SystemExit(EXIT_NOTHING_COMPLETED) from error
        self._release_failures(alike := self._failures.too_many)
        self._close(progress)
        if interrupted:
            raise KeyboardInterrupt
        if stopped := not_launched or (_stopped(alike) if alike else ""):
            print(stopped, file=sys.stderr)
            raise SystemExit(EXIT_NOTHING_COMPLETED)
        if not any(r.state is State.COMPLETE for r in self._folder.results()):
            print("nothing completed; see failures in the report", file=sys.stderr)
            raise SystemExit(EXIT_NOTHING_COMPLETED)

    def _run_missing(self, progress: SweepProgress, total: int) -> None:
        self._adopt_orphans(progress)
        self._release_failures(self._failures_of_before())
        progress.finished(self._folder.results(), len(self._folder.front()))
        while not self._failures.too_many and (trials := self._stored.ask(self._sweep.n_jobs, total)):
            self._run_batch(trials, progress)

    def _adopt_orphans(self, progress: SweepProgress) -> None:
        """What ran when the sweep was killed: its answer where it came to one, else it runs again."""
        for trial in self._stored.orphans(takeover=self._config.study.takeover):
            result = self._folder.take_over(trial.number, self._attempt)
            lost = Interrupted("the sweep was killed while this trial ran; it runs again under another number")
            searched = dict(trial.params) or (result.searched if result else {})
            self._write_result(trial, result or self._unfinished_result(trial, lost), searched)
        for number, host in self._stored.out_of_sight().items():
            progress.say(
                f"trial {number} runs on {host}, which can't be seen from here; if it was killed, start with "
                "study.takeover=true"
            )

    def _hand_out(self, trial: Trial) -> bool:
        """Give a new trial's folder to this attempt; where a result stands in it, it is another trial's and stays."""
        if self._folder.hand_out(trial.number, self._attempt):
            return True
        self._stored.give_up(trial)
        return False

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
            if result.number is not None:
                self._folder.take_over(result.number, self._attempt)
            self._folder.add(dataclasses.replace(result, reason=Reason.INTERRUPTED, message=message), self._attempt)
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
            results = [self._result(t, r) for t, r in zip(trials, self._launch(trials, values), strict=True)]
        except (KeyboardInterrupt, Exception) as error:
            results = [self._answer(t) or self._unanswered(t, error) for t in trials]
            begun = any(self._folder.has_begun(trial.number) for trial in trials)
            if isinstance(error, KeyboardInterrupt) or (isinstance(error, _NotLaunched) and not begun):
                raise
        finally:
            for trial, chosen, result in zip(trials, [*values, *[{}] * len(trials)], results, strict=False):
                last = self._write_result(trial, result, chosen)
                if last is not None:
                    self._failures.add(last)
                    if result.state is not last.state and not self._folder.front():
                        self._failures.give_up()  # An objective that this study never measures.
                progress.expect(self._stored.reachable(self._config.study.n_trials))
                progress.finished(self._folder.results(), len(self._folder.front()), last)
            if trouble := self._tracker.trouble():
                progress.say(trouble)

    def _launch(self, trials: list[Trial], values: list[dict[str, Any]]) -> list[JobReturn]:
        """Run a batch.

        Raises:
            _NotLaunched: The launcher itself failed.
        """
        try:
            return self._sweep.launch(trials, values, self._attempt)
        except Exception as error:
            if not isinstance(known := _as_terrasweep_error(error), Crashed):
                raise
            log = self._folder.path / "launch-error.log"
            write_atomically(log, "".join(traceback.format_exception(error)))
            launcher = self._base.hydra.runtime.choices.get("hydra/launcher", "")
            way_out = "mend it, and start the same command again"
            raise _NotLaunched(f"hydra/launcher={launcher}: {known}; see {log}, {way_out}") from error

    def _answer(self, trial: Trial) -> TrialResult | None:
        """What a trial wrote down by itself before its launcher failed."""
        with contextlib.suppress(InvalidConfig):
            return self._folder.result(trial.number)
        return None

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
                given_back = 0
                if self._hand_out(trial):
                    values.append(chosen)
                else:
                    del trials[len(values)]
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
        return returned if isinstance(returned, TrialResult) else self._unanswered(trial, returned)

    def _unanswered(self, trial: Trial, error: BaseException) -> TrialResult:
        """The result of a trial that gave none; one that a launcher never began is no trial, and runs again."""
        known = _as_terrasweep_error(error)
        if isinstance(error, _NotLaunched) and not self._folder.has_begun(trial.number):
            known = Interrupted("the launcher did not start this trial; it runs again under another number")
        return self._unfinished_result(trial, known)

    def _write_result(self, trial: Trial, result: TrialResult, searched: dict[str, Any]) -> TrialResult | None:
        """Write a result down: on disk first, then to Optuna, then to MLflow; each can be made up for after a kill.

        Returns:
            What was written; None where another process has ended the trial meanwhile, so that this comes late.
        """
        result = _with_all_objectives(result, self._folder.known.objectives)
        result = dataclasses.replace(result, number=trial.number, searched=searched)
        if not self._folder.add(result, self._attempt):
            return None
        self._stored.tell(trial, result)
        self._tracker.log(result)
        return result

    def _close(self, progress: SweepProgress) -> None:
        from terrasweep.report import write_report

        folder = self._folder
        write_report(folder.path, folder.known, folder.results())
        if untracked := self._tracker.finish(folder.path, folder.results(), folder.summary()):
            progress.say(untracked)
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
    if isinstance(error, (KeyboardInterrupt, *STORAGE_ERRORS)):
        return Interrupted("the sweep was interrupted while this trial ran; it runs again under another number")
    if isinstance(error, _NotLaunched):
        return Crashed(first_line(error))
    if isinstance(error, HydraException):
        return InvalidConfig(first_line(error))
    return Crashed(f"{type(error).__name__}: {first_line(error)}")
