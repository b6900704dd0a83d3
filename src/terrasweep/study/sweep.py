"""The sweep: check the input, open the study, and hand it to a run."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from optuna.samplers import BaseSampler
from optuna.trial import Trial

from terrasweep import process
from terrasweep.config.bad_input import BAD_INPUT
from terrasweep.config.compose import composed_trial, fixed_settings
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.paths import results_folder
from terrasweep.machine.versions import describe
from terrasweep.results.errors import InvalidConfig, SweepStopped, first_line
from terrasweep.results.secrets import masked
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.study import distinct_models, mlflow_store, reconcile
from terrasweep.study.folder import StudyFolder
from terrasweep.study.launcher_recipes import trials_at_once
from terrasweep.study.loop import StudyRun
from terrasweep.study.optuna_study import STORAGE_ERRORS, StoredStudy, storage_reason, usable
from terrasweep.study.preflight import check_launcher, check_space, check_writable
from terrasweep.study.samplers import GridSize, build_sampler, check_sampler
from terrasweep.study.search_space import SearchSpace, parse_space
from terrasweep.trial import prepare, rules
from terrasweep.trial.check_models import check_models

MOST_LOOKS = 64
"""How many combinations of models and knobs are composed and looked at before the first trial."""


class StudySweep:
    """A sweep with a loop of its own, beside hydra-optuna-sweeper's: a study is a thing on disk, not a process."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        hydra_context: HydraContext,
        task_function: TaskFunction,
        config: DictConfig,
    ) -> None:
        """Args: ``settings`` are ``hydra.sweeper.*``: ``sampler``, ``n_jobs`` and ``params``; the rest is Hydra's."""
        self._sampler_settings, self._params = settings["sampler"], settings["params"]
        self._batch: int | None = settings["n_jobs"]
        self.n_jobs = self._batch or 1
        self._config, self._loader = config, hydra_context.config_loader
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        self._space = SearchSpace((), ())

    def sweep(self, arguments: list[str]) -> None:
        """Run what is missing to the study's total.

        Raises:
            InvalidConfig: Something is wrong with the input; nothing was trained or written.
            SweepStopped: The disk is full, for example; the same command goes on.
            SystemExit: Nothing completed.
        """
        self._space = parse_space(self._params or {}, arguments)
        base = self._compose([])
        self.n_jobs = self._batch or trials_at_once(base.hydra.launcher)
        config = composed_trial(base)
        folder = StudyFolder(results_folder(config.study.name))
        check_launcher(base.hydra.launcher, config)
        check_trial_folders(base, folder.path)
        check_space(self._space, self._compose)
        for_a_look, _ = build_sampler(self._sampler_settings, config.study, self._space, base, 0)
        check_sampler(for_a_look, config.study, self._space, base)
        mlflow_store.check_reachable(config.tracking.uri)
        check_writable(folder.path)
        prepare.check_backbone(config)
        record = self._with_data(self._record(config, folder), config)
        url = mlflow_store.absolute_uri(config.study.storage or f"sqlite:///{folder.path / 'optuna.db'}")
        with folder.removed_on_bad_input(), usable(url):
            stored = StoredStudy(record.name, url, record.objectives, folder.path)
            self._take_up(folder, stored, record, base, config)
        with _stopped_by_the_machine(folder):
            StudyRun(self, config, base, folder, stored).to_the_end()

    def _check_models(self, base: DictConfig) -> None:
        """Look at the models of the space before the first trial.

        Raises:
            InvalidConfig: With one line per thing that does not go together.
        """
        found = list(itertools.islice(distinct_models.combinations(self._space, base), MOST_LOOKS + 1))
        if len(found) > MOST_LOOKS:
            print(f"note: {MOST_LOOKS} of the space's models are looked at beforehand, not all", file=sys.stderr)
        check_models(
            (composed_trial(self._compose(self._space.overrides(values))), knobs)
            for values, knobs in found[:MOST_LOOKS]
        )

    def _take_up(
        self, folder: StudyFolder, stored: StoredStudy, record: StudyRecord, base: DictConfig, config: TrialConfig
    ) -> None:
        """Settle which study this is, make folder and storage know the same, and give the sampler the rest."""

        def build() -> tuple[BaseSampler, GridSize]:
            return build_sampler(self._sampler_settings, config.study, self._space, base, stored.trials_before())

        with folder.starting():
            existing = reconcile.stored_record(folder, stored, takeover=config.study.takeover)
            if existing is not None:
                record = dataclasses.replace(self._continued(existing, config, folder), data=record.data)
            self._check_distributions(stored)
            stored.use(*build())
            if stored.remaining(config.study.n_trials):
                process.warm_up()  # It imports for some seconds, beside what comes next.
                self._check_models(base)
            mlflow_store.prepare(config.tracking.uri)
            folder.open(record)  # What was refused until here left nothing behind.
            reconcile.remember(folder, stored)
            folder.remove_drafts()
            for line in reconcile.reconcile(folder, stored):
                print(f"warning: {line}", file=sys.stderr)
            self._check_distributions(stored)
            stored.use(*build())

    def launch(self, trials: Sequence[Trial], values: Sequence[dict[str, Any]], attempt: str) -> list[JobReturn]:
        """Run a batch through Hydra's launcher; a trial's number is Optuna's and travels as an override."""
        overrides = [
            [
                f"trial.number={trial.number}",
                f"trial.attempt='{attempt}'",
                *self._space.overrides(chosen),
                *self._space.fixed,
            ]
            for trial, chosen in zip(trials, values, strict=True)
        ]
        return list(self._launcher.launch(overrides, initial_job_idx=trials[0].number))

    def find_violations(self, values: dict[str, Any]) -> list[str]:
        """What the rules say against a combination of searched values, a line each."""
        try:
            config = composed_trial(self._compose(self._space.overrides(values)))
        except BAD_INPUT:
            return []  # The launch will say it.
        return list(rules.find_violations(config))

    @property
    def space(self) -> SearchSpace:
        """The searched keys."""
        return self._space

    def _compose(self, searched: list[str]) -> DictConfig:
        overrides = ["trial.number=0", *self._space.fixed, *searched]
        composed: DictConfig = self._loader.load_sweep_config(self._config, overrides)
        return composed

    def _record(self, config: TrialConfig, folder: StudyFolder) -> StudyRecord:
        if existing := folder.record():
            if any(result.state is not State.FAILED for result in folder.results()):
                _warn_of_changes(existing, config)
            return self._continued(existing, config, folder)
        return StudyRecord(
            name=config.study.name,
            n_trials=config.study.n_trials,
            objectives=_objectives(config),
            space={key.name: masked(key.text) for key in self._space.keys},
            overrides=[masked(override) for override in self._space.fixed],
            sampler=str(self._sampler_settings.get("_target_", "")).rsplit(".", 1)[-1],
            seed=config.study.seed,
            storage=masked(config.study.storage or "optuna.db"),
            tracking_uri=masked(config.tracking.uri),
            settings=fixed_settings(config),
            environment=describe(),
            started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )

    def _continued(self, existing: StudyRecord, config: TrialConfig, folder: StudyFolder) -> StudyRecord:
        """The record of a study that goes on; one in which nothing came to an answer takes what was mended."""
        if existing.objectives != _objectives(config):
            had = ", ".join(f"{o.direction} {o.name}" for o in existing.objectives)
            raise InvalidConfig(
                f"study.name={config.study.name}: the study exists with other objectives ({had}); "
                "use another study.name, or the objectives it was started with"
            )
        if all(result.state is State.FAILED for result in folder.results()):
            existing = dataclasses.replace(existing, settings=fixed_settings(config), overrides=list(self._space.fixed))
        # An earlier version stored overrides in clear.
        overrides = [masked(override) for override in existing.overrides]
        return dataclasses.replace(existing, n_trials=config.study.n_trials, overrides=overrides)

    def _with_data(self, record: StudyRecord, config: TrialConfig) -> StudyRecord:
        """The record with what is known of the data; says so where they are others than at the study's start."""
        found, before = prepare.check_data(config), record.data.get("state")
        if before is not None and before != found.get("state"):
            print(
                f"warning: the data of {record.name} have changed since it was started: its trials are not comparable; "
                "use another study.name",
                file=sys.stderr,
            )
        return dataclasses.replace(record, data=found)

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


def _objectives(config: TrialConfig) -> list[Objective]:
    return [Objective(name=o.name, direction=o.direction) for o in config.study.objectives]


def check_trial_folders(base: DictConfig, folder: Path) -> None:
    """See that each trial has the folder that its results are looked for in.

    Raises:
        InvalidConfig: Hydra was told to use another one.
    """
    try:
        given = Path(base.hydra.sweep.dir).resolve() / base.hydra.sweep.subdir
    except OmegaConfBaseException as error:  # It asks for what only a job knows.
        given = Path(first_line(error))
    if given != folder.resolve() / "trials" / "0":
        raise InvalidConfig(
            f"hydra.sweep: trials would run in {given}, and a study looks for them in {folder / 'trials'}; leave "
            "hydra.sweep.dir and hydra.sweep.subdir as they are, and set TERRASWEEP_HOME or study.name"
        )


@contextlib.contextmanager
def _stopped_by_the_machine(folder: StudyFolder) -> Iterator[None]:
    """What fails outside of trials once they run, like a full disk, ends the sweep in a line; a trial runs again."""
    try:
        yield
    except (OSError, *STORAGE_ERRORS) as error:
        place = (error.filename or folder.path) if isinstance(error, OSError) else "study.storage"
        reason = (isinstance(error, OSError) and error.strerror) or storage_reason(error)
        raise SweepStopped(
            f"{place}: {reason}: the sweep stopped; what was measured is kept, and the same command goes on from here"
        ) from error


def _warn_of_changes(existing: StudyRecord, config: TrialConfig) -> None:
    """Trials of one study are compared with each other; say so where they no longer can be."""
    now = fixed_settings(config)
    for key in sorted(existing.settings.keys() & now.keys() - existing.space.keys()):
        if existing.settings[key] != now[key] and key.split(".")[0] not in existing.space:
            print(
                f"warning: {key}={now[key]}, but the study {existing.name} was started with {existing.settings[key]}: "
                "its trials are not comparable; use another study.name",
                file=sys.stderr,
            )
