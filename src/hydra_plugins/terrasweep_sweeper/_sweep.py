"""The sweep: check, resume, then ask, launch, tell and track until the study's total is reached."""

from __future__ import annotations

import dataclasses
import functools
import sys
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import optuna
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.utils import instantiate
from hydra_plugins.hydra_optuna_sweeper._impl import OptunaSweeperImpl
from omegaconf import DictConfig, OmegaConf
from optuna.trial import Trial

from terrasweep import process, tracking
from terrasweep.config import TrialConfig, as_dict
from terrasweep.entry import EXIT_NOTHING_COMPLETED
from terrasweep.environment import describe
from terrasweep.errors import Crashed, Interrupted, InvalidConfig, TerrasweepError
from terrasweep.progress import SweepProgress, front_table
from terrasweep.project import results_folder
from terrasweep.records import Objective, Reason, State, StudyRecord, TrialResult
from terrasweep.results import StudyFolder
from terrasweep.trial import unfinished

from ._checks import check_space, check_writable, typed
from ._space import SearchSpace, as_override, parse_space
from ._study import StoredStudy

_TRUSTED = ("hydra_plugins.*", "optuna.samplers.*")


class StudySweep(OptunaSweeperImpl):
    """hydra-optuna-sweeper's sweeper with a loop of its own: a study is a thing on disk, not a process."""

    def __init__(self, sampler: DictConfig, n_jobs: int, params: DictConfig) -> None:
        super().__init__(
            sampler=None,
            direction=[],
            storage=None,
            study_name=None,
            n_trials=0,
            n_jobs=n_jobs,
            max_failure_rate=1.0,
            custom_search_space=None,
            params=params,
        )
        self._sampler_settings = sampler
        self._space = SearchSpace((), ())

    def sweep(self, arguments: list[str]) -> None:
        """Run what is missing to the study's total.

        Raises:
            InvalidConfig: Something is wrong with the input; nothing was trained or written.
            SystemExit: Nothing completed.
        """
        self._space = parse_space(self.params or {}, arguments)
        base = self._compose([])
        config = typed(base)
        folder = StudyFolder(results_folder(config.study.name))
        check_space(self._space, self._compose)
        tracking.check_reachable(config.tracking.uri)
        check_writable(folder.path)
        record = self._record(config, folder)
        with folder.removed_on_bad_input():
            stored = StoredStudy(record.name, record.storage, record.objectives, folder.path)
            self._check_distributions(stored)
            stored.study.sampler = self._build_sampler(config, base, stored)
        if stored.remaining(config.study.n_trials):
            process.warm_up()  # It imports for some seconds, beside what comes next.
        _Run(self, config, base, record, folder, stored).to_the_end()

    def launch(self, trials: Sequence[Trial], values: Sequence[dict[str, Any]]) -> list[JobReturn]:
        """Run a batch through Hydra's launcher; a trial's number is Optuna's and travels as an override."""
        overrides = [
            [f"trial.number={trial.number}", *map(as_override, chosen, chosen.values()), *self._space.fixed]
            for trial, chosen in zip(trials, values, strict=True)
        ]
        return list(self.launcher.launch(overrides, initial_job_idx=trials[0].number))

    @property
    def space(self) -> SearchSpace:
        """The searched keys."""
        return self._space

    def _compose(self, searched: list[str]) -> DictConfig:
        loader = self.hydra_context.config_loader
        overrides = ["trial.number=0", *self._space.fixed, *searched]
        composed: DictConfig = loader.load_sweep_config(self.config, overrides)
        return composed

    def _record(self, config: TrialConfig, folder: StudyFolder) -> StudyRecord:
        objectives = [Objective(name=o.name, direction=o.direction) for o in config.study.objectives]
        if existing := folder.record():
            if existing.objectives != objectives:
                had = ", ".join(f"{o.direction} {o.name}" for o in existing.objectives)
                raise InvalidConfig(
                    f"study.name={config.study.name}: the study exists with other objectives ({had}); "
                    "use another study.name, or the objectives it was started with"
                )
            return dataclasses.replace(existing, n_trials=config.study.n_trials)
        return StudyRecord(
            name=config.study.name,
            n_trials=config.study.n_trials,
            objectives=objectives,
            space={key.name: key.text for key in self._space.keys},
            overrides=list(self._space.fixed),
            sampler=str(self._sampler_settings.get("_target_", "")).rsplit(".", 1)[-1],
            seed=config.study.seed,
            storage=config.study.storage or f"sqlite:///{folder.path / 'optuna.db'}",
            tracking_uri=config.tracking.uri,
            environment=describe(),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _check_distributions(self, stored: StoredStudy) -> None:
        """Optuna can't change the choices of a key within a study."""
        known = {name: d for t in stored.study.get_trials(deepcopy=False) for name, d in t.distributions.items()}
        for key in self._space.keys:
            if key.name not in known:
                continue
            try:
                optuna.distributions.check_distribution_compatibility(known[key.name], key.distribution)
            except ValueError as error:
                raise InvalidConfig(
                    f"search space: {key.name}: {key.text}: the study {stored.study.study_name} was started with other "
                    "values; use another study.name, or the values it was started with"
                ) from error

    def _build_sampler(
        self, config: TrialConfig, base: DictConfig, stored: StoredStudy
    ) -> optuna.samplers.BaseSampler:
        settings = OmegaConf.to_container(self._sampler_settings, resolve=True)
        assert isinstance(settings, dict)
        if "seed" in settings and settings["seed"] is None:
            # A restart must not draw again what the start drew.
            settings["seed"] = config.study.seed + len(stored.study.get_trials(deepcopy=False))
        if "n_startup_trials" in settings and settings["n_startup_trials"] is None:
            settings["n_startup_trials"] = max(4, config.study.n_trials // 4)
        settings = {key: value for key, value in settings.items() if value is not None}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sampler = instantiate(settings, _execution_whitelist_=_TRUSTED)
        if isinstance(sampler, functools.partial):
            return self._grid(sampler, base)
        assert isinstance(sampler, optuna.samplers.BaseSampler)
        return sampler

    def _grid(self, sampler: functools.partial[Any], base: DictConfig) -> optuna.samplers.BaseSampler:
        names = {key.name for key in self._space.keys}
        for key in self._space.keys:
            if on := [condition.key for condition in key.conditions if condition.key in names]:
                raise InvalidConfig(
                    f"hydra/sweeper/sampler=grid: {key.name} depends on {on[0]}, which is searched too, and a grid has "
                    "no conditions; fix one of them, or use another sampler"
                )
        active = [key for key in self._space.keys if key.active({}, base)]
        try:
            grid = {key.name: self._to_grid_sampler_choices(key.distribution) for key in active}
        except ValueError as error:
            raise InvalidConfig(f"hydra/sweeper/sampler=grid: {error} Use choice(...) or range(...)") from error
        built: optuna.samplers.BaseSampler = sampler(grid)
        return built


class _Run:
    """One start of a study, from what is there to its total."""

    def __init__(
        self,
        sweep: StudySweep,
        config: TrialConfig,
        base: DictConfig,
        record: StudyRecord,
        folder: StudyFolder,
        stored: StoredStudy,
    ) -> None:
        self._sweep, self._config, self._base = sweep, config, base
        self._folder, self._stored = folder, stored
        folder.open(record)
        self._tracker = tracking.StudyTracker(record)
        self._untracked = ""

    def to_the_end(self) -> None:
        record, total = self._folder.known, self._config.study.n_trials
        interrupted = False
        with SweepProgress(record.name, self._stored.reachable(total), record.objectives) as progress:
            self._adopt_orphans()
            progress.finished(self._folder.results(), len(self._folder.front()))
            try:
                while trials := self._stored.ask(self._sweep.n_jobs, total):
                    self._run_batch(trials, progress)
            except KeyboardInterrupt:
                interrupted = True
        self._close(progress)
        if interrupted:
            raise KeyboardInterrupt
        if not any(r.state is State.COMPLETE for r in self._folder.results()):
            print("nothing completed; see failures in the report", file=sys.stderr)
            raise SystemExit(EXIT_NOTHING_COMPLETED)

    def _adopt_orphans(self) -> None:
        """What ran when the sweep was killed: its answer where it came to one, else it runs again."""
        for trial in self._stored.orphans():
            result = self._folder.result(trial.number)
            lost = Interrupted("the sweep was killed while this trial ran; it runs again under another number")
            self._settle(trial, result or unfinished(trial.number, lost, as_dict(self._config)), dict(trial.params))

    def _run_batch(self, trials: list[Trial], progress: SweepProgress) -> None:
        values: list[dict[str, Any]] = []
        results: list[TrialResult] = []
        try:
            values.extend(self._sweep.space.suggest(trial, self._base) for trial in trials)
            progress.started(values[0])
            results = [self._result(t, r) for t, r in zip(trials, self._sweep.launch(trials, values), strict=True)]
        except (KeyboardInterrupt, Exception) as error:
            known = _known(error)
            results = [
                self._folder.result(t.number) or unfinished(t.number, known, as_dict(self._config)) for t in trials
            ]
            if isinstance(error, KeyboardInterrupt):
                raise
        finally:
            for trial, chosen, result in zip(trials, [*values, *[{}] * len(trials)], results, strict=False):
                last = self._settle(trial, result, chosen)
                progress.finished(self._folder.results(), len(self._folder.front()), last)

    def _result(self, trial: Trial, job: JobReturn) -> TrialResult:
        if job.status is JobStatus.COMPLETED and isinstance(job.return_value, TrialResult):
            return job.return_value
        return unfinished(trial.number, _known(job._return_value), as_dict(self._config))

    def _settle(self, trial: Trial, result: TrialResult, searched: dict[str, Any]) -> TrialResult:
        """Write a result down: on disk first, then to Optuna, then to MLflow; each can be made up for after a kill."""
        result = _with_all_objectives(result, self._folder.known.objectives)
        result = dataclasses.replace(result, number=trial.number, searched=searched)
        self._folder.add(result)
        self._stored.tell(trial, result)
        try:
            self._tracker.log(result)
        except Exception as error:
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
        except Exception as error:
            self._untracked = f"MLflow: {type(error).__name__}: {error}".splitlines()[0]
        if self._untracked:
            progress.say(f"{self._untracked}; start the same command again to log what is missing")
        front = folder.front()
        if front:
            progress.show(front_table(front, folder.known.objectives, list(folder.known.space)))
        progress.say(f"Report: {folder.path / 'report.html'}")


def _with_all_objectives(result: TrialResult, objectives: list[Objective]) -> TrialResult:
    """A trial is complete only with every objective; one that this device can't measure is a mistake in the study."""
    absent = [objective.name for objective in objectives if result.value(objective.name) is None]
    if result.state is not State.COMPLETE or not absent:
        return result
    message = f"study.objectives: {', '.join(absent)} is not measured on {result.device}; use another objective"
    return dataclasses.replace(result, state=State.FAILED, reason=Reason.INVALID_CONFIG, message=message)


def _known(error: BaseException) -> TerrasweepError:
    if isinstance(error, TerrasweepError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("the sweep was interrupted while this trial ran; it runs again under another number")
    text = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, HydraException):
        return InvalidConfig(text)
    return Crashed(f"{type(error).__name__}: {text}")
