"""One start of a study: adopt what a killed sweep left, then ask, launch, tell and track until the total is reached."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import sys
from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from omegaconf import DictConfig
from optuna.trial import Trial

from terrasweep.config.bad_input import EXIT_NOTHING_COMPLETED
from terrasweep.config.compose import public_dict
from terrasweep.config.schema import TrialConfig
from terrasweep.results.errors import Interrupted, InvalidConfig, TerrasweepError
from terrasweep.results.extra_trainings import Role, read_extra_results
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import keep_weights
from terrasweep.study.background_tracking import BackgroundTracker
from terrasweep.study.baselines import Baseline, proposals
from terrasweep.study.confirmation import plan_round
from terrasweep.study.extra_trainings import ExtraTrainings
from terrasweep.study.final_test import run_final_tests
from terrasweep.study.folder import StudyFolder
from terrasweep.study.launch import Launcher, NotLaunched, as_terrasweep_error, launch, outcome_of
from terrasweep.study.launcher_recipes import runs_here
from terrasweep.study.optuna_storage import STORAGE_ERRORS, storage_reason
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.proposals import Proposals
from terrasweep.study.repeats import plan_repeats
from terrasweep.study.resume import failures_before, release_failures, take_over_orphans, unseen_trials
from terrasweep.study.same_failures import SameFailures, why_stopped
from terrasweep.study.search_end import SearchEnd
from terrasweep.study.terminal import SweepProgress, front_table
from terrasweep.trial.run import unfinished


class StudyRun:
    """One start of a study, from what is there to its total."""

    def __init__(
        self,
        sweep: Launcher,
        config: TrialConfig,
        base: DictConfig,
        folder: StudyFolder,
        stored: StoredStudy,
        baselines: Sequence[Baseline] = (),
    ) -> None:
        """Args: ``folder`` is opened, and ``stored`` has its sampler; both know the same trials."""
        self._sweep, self._config, self._base = sweep, config, base
        self._folder, self._stored = folder, stored
        self._baselines = baselines
        self._attempt = secrets.token_hex(8)
        self._tracker = BackgroundTracker(folder.known, config.tracking.uri)
        self._limit = config.study.stop_after_same_failures
        self._failures = SameFailures(self._limit)
        self._proposals = Proposals(sweep, base, folder, stored, self._attempt, config.study.n_trials)
        self._end = SearchEnd(config.study, folder, stored)

    def to_the_end(self) -> None:
        """Run what is missing to the study's total, and write its report.

        Raises:
            KeyboardInterrupt: The user stopped it; what ran is recorded.
            SystemExit: Nothing completed, the launcher started no trial, or the storage failed for longer than it is
                waited for.
        """
        record, study = self._folder.known, self._config.study
        interrupted, not_launched = False, ""
        total = self._stored.reachable(study.n_trials)
        with SweepProgress(record.name, total, record.objectives, hours=study.budget_hours) as progress:
            try:
                self._search(progress)
            except KeyboardInterrupt:
                interrupted = True
            except NotLaunched as error:
                not_launched = str(error)
            except STORAGE_ERRORS as error:
                reason = f"study.storage: {storage_reason(error)}"
                progress.say(f"{reason}; what ran is kept, and the same command goes on from here")
                raise SystemExit(EXIT_NOTHING_COMPLETED) from error
        release_failures(alike := self._failures.too_many, self._folder, self._stored, self._attempt)
        if not (interrupted or not_launched or alike):
            try:
                self._confirm_front(progress)
                self._repeat_front(progress)
                self._complete_weights(progress)
                self._prune_baselines()
                self._ask_test_split(progress)
            except KeyboardInterrupt:
                interrupted = True
            except NotLaunched as error:
                not_launched = str(error)
        self._close(progress)
        if interrupted:
            raise KeyboardInterrupt
        if stopped := not_launched or (why_stopped(alike) if alike else ""):
            print(stopped, file=sys.stderr)
            raise SystemExit(EXIT_NOTHING_COMPLETED)
        if not any(r.state is State.COMPLETE for r in self._folder.results()):
            print("nothing completed; see failures in the report", file=sys.stderr)
            raise SystemExit(EXIT_NOTHING_COMPLETED)

    def _search(self, progress: SweepProgress) -> None:
        """Measure baselines and trials until the search is over, and count the time that it takes."""
        runs = self._baselines or self._stored.remaining(self._end.total())
        progress.searched(self._end.searched_seconds())
        with self._end.counting() if runs else contextlib.nullcontext():
            self._measure_baselines(progress)
            self._run_missing(progress)
        self._folder.end_early(early := self._end.why_early())
        if early:
            progress.say(early)

    def _measure_baselines(self, progress: SweepProgress) -> None:
        """Run the baselines that have no result; those that the space offers are the search's first proposals."""
        trainings = [baseline.training for baseline in self._baselines]
        nothing_completed = not any(r.state is not State.FAILED for r in self._folder.results())
        if trainings:
            alone = self._share_a_machine()
            self._extra_trainings(progress).run(trainings, failed_ones=nothing_completed, one_by_one=alone)
        self._stored.propose_once(proposals(self._baselines, self._folder.path))

    def _confirm_front(self, progress: SweepProgress) -> None:
        """Probe what is near the front of a study that is over again, round by round; each may bring others near it."""
        settings, seed = self._config.confirm, self._config.study.seed
        while settings.rounds and self._end.is_over():
            done = read_extra_results(self._folder.path, Role.CONFIRMATION)
            near = self._folder.comparison().near_front
            probes = plan_round(near, settings, self._sweep.space, done, seed)
            if not probes:
                return
            self._extra_trainings(progress).run(probes, one_by_one=self._share_a_machine())
            if done.keys() == read_extra_results(self._folder.path, Role.CONFIRMATION).keys():
                return  # Another process is at work on them.

    def _repeat_front(self, progress: SweepProgress) -> None:
        """Train the front of a study that is over with other seeds; what they say may bring others to the front."""
        while self._config.repeats.seeds and self._end.is_over():
            done = read_extra_results(self._folder.path, Role.REPEAT)
            trainings = plan_repeats(self._folder.front(), self._config.repeats, self._sweep.space, done)
            self._extra_trainings(progress).run(trainings)
            if done.keys() == read_extra_results(self._folder.path, Role.REPEAT).keys():
                return  # All are done, or another process is at work on them.

    def _complete_weights(self, progress: SweepProgress) -> None:
        """Look, once it is known what a study recommends, whether that has its weights still."""
        from terrasweep.report import recommended

        if not self._end.is_over():
            return
        path, record, results = self._folder.path, self._folder.known, self._folder.results()
        for number in keep_weights.complete(path, results, recommended(record, results, path)):
            progress.say(
                f"note: trial {number} is recommended, and its weights went while it was far from the front: "
                f"terrasweep export {record.name} {number} trains it again, study.keep_weights=all keeps everybody's"
            )

    def _prune_baselines(self) -> None:
        """Once no trial is missing, none will want the baselines' weights."""
        if self._end.is_over():
            keep_weights.prune_baselines(self._folder.path, self._config.study.keep_weights)

    def _share_a_machine(self) -> bool:
        """Whether trials at a time slow each other down, so that what is compared by its speed runs alone."""
        return runs_here(self._base.hydra.launcher)

    def _extra_trainings(self, progress: SweepProgress) -> ExtraTrainings:
        return ExtraTrainings(self._sweep, self._folder, self._tracker, progress, self._attempt)

    def _ask_test_split(self, progress: SweepProgress) -> None:
        """Measure what a study that is over recommends on the test split, where its trials could have run here."""
        if not self._config.study.test or not self._end.is_over():
            return
        if runs_here(self._base.hydra.launcher):
            run_final_tests(self._folder, progress.say, asked_for=False)
        else:
            name = self._folder.known.name
            progress.say(f"trials ran elsewhere: terrasweep test {name} measures the recommended ones on a test split")

    def _run_missing(self, progress: SweepProgress) -> None:
        takeover = self._config.study.takeover
        for orphan in take_over_orphans(self._folder, self._stored, self._attempt, self._config, takeover=takeover):
            self._write_result(*orphan)
        for line in unseen_trials(self._stored):
            progress.say(line)
        before = failures_before(self._folder.results(), self._limit)
        release_failures(before, self._folder, self._stored, self._attempt)
        progress.finished(self._folder.results(), len(self._folder.front()))
        while not self._failures.too_many and (trials := self._stored.ask(self._sweep.n_jobs, self._end.total())):
            self._run_batch(trials, progress)

    def _unfinished_result(self, trial: Trial, error: TerrasweepError) -> TrialResult:
        return unfinished(trial.number, error, self._folder.trials.config(trial.number) or public_dict(self._config))

    def _run_batch(self, trials: list[Trial], progress: SweepProgress) -> None:
        values: list[dict[str, Any]] = []
        results: list[TrialResult] = []
        try:
            self._proposals.fill(trials, values)
            if not trials:
                return
            progress.started(values[0], self._stored.why(trials[0]))
            log = self._folder.path / "launch-error.log"
            jobs = launch(self._sweep, trials, values, self._attempt, log)
            results = [self._result(t, r) for t, r in zip(trials, jobs, strict=True)]
        except (KeyboardInterrupt, Exception) as error:
            results = [self._answer(t) or self._unanswered(t, error) for t in trials]
            begun = any(self._folder.trials.has_begun(trial.number) for trial in trials)
            if isinstance(error, KeyboardInterrupt) or (isinstance(error, NotLaunched) and not begun):
                raise
        finally:
            progress.searched(self._end.searched_seconds())
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

    def _answer(self, trial: Trial) -> TrialResult | None:
        """What a trial wrote down by itself before its launcher failed."""
        with contextlib.suppress(InvalidConfig):
            return self._folder.trials.result(trial.number)
        return None

    def _result(self, trial: Trial, job: JobReturn) -> TrialResult:
        returned = outcome_of(job)
        return returned if isinstance(returned, TrialResult) else self._unanswered(trial, returned)

    def _unanswered(self, trial: Trial, error: BaseException) -> TrialResult:
        """The result of a trial that gave none; one that a launcher never began is no trial, and runs again."""
        known = as_terrasweep_error(error)
        if isinstance(error, NotLaunched) and not self._folder.trials.has_begun(trial.number):
            known = Interrupted("the launcher did not start this trial; it runs again under another number")
        return self._unfinished_result(trial, known)

    def _write_result(self, trial: Trial, result: TrialResult, searched: dict[str, Any]) -> TrialResult | None:
        """Write a result down: on disk first, then to Optuna, then to MLflow; each can be made up for after a kill.

        Returns:
            What was written; None where another process has ended the trial meanwhile, so that this comes late.
        """
        result = _with_all_objectives(result, self._folder.known.objectives)
        why = self._stored.why(trial)
        result = dataclasses.replace(result, number=trial.number, searched=searched, proposed=why)
        if not self._folder.add(result, self._attempt):
            return None
        self._stored.tell(trial, result)
        self._tracker.log(result)
        return result

    def _close(self, progress: SweepProgress) -> None:
        from terrasweep.report import baseline_lines, write_report

        folder = self._folder
        write_report(folder.path, folder.known, folder.results())
        if untracked := self._tracker.finish(folder.path, folder.results(), folder.summary()):
            progress.say(untracked)
        if (comparison := folder.comparison()).front:
            progress.show(front_table(comparison, list(folder.known.space)))
        for line in baseline_lines(folder.path, folder.known, folder.results()):
            progress.say(line)
        progress.say(f"Report: {folder.path / 'report.html'}")


def _with_all_objectives(result: TrialResult, objectives: list[Objective]) -> TrialResult:
    """A trial is complete only with every objective; one that this device can't measure is a mistake in the study."""
    absent = [objective.name for objective in objectives if result.value(objective.name) is None]
    if result.state is not State.COMPLETE or not absent:
        return result
    reason = f"is not measured on {result.device}, or undefined on these data"
    message = f"study.objectives: {', '.join(absent)} {reason}; use another objective"
    return dataclasses.replace(result, state=State.FAILED, reason=Reason.INVALID_CONFIG, message=message)
