"""The sweep: check the input, open the study, and hand it to a run."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig
from optuna.pruners import BasePruner
from optuna.trial import Trial

from terrasweep import process
from terrasweep.config.bad_input import BAD_INPUT
from terrasweep.config.baselines import is_default
from terrasweep.config.compose import composed_trial
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.hardware import effective_device
from terrasweep.machine.paths import cache_folder, results_folder
from terrasweep.results.errors import InvalidConfig, SweepStopped
from terrasweep.results.study_record import StudyRecord
from terrasweep.study import distinct_models, mlflow_parent, mlflow_store, reconcile
from terrasweep.study.baselines import FoundBaselines, find_baselines
from terrasweep.study.candidate_configs import CandidateConfigs
from terrasweep.study.composer import Composer
from terrasweep.study.convergence import check_has_models
from terrasweep.study.data_page import write_data_page
from terrasweep.study.early_end_rules import check_early_ends
from terrasweep.study.early_ends import EarlyEnds, early_ends
from terrasweep.study.extra_trainings import ExtraTraining, changed, job_overrides
from terrasweep.study.factored.sampler import FactoredSampler
from terrasweep.study.factored_search import draw_space, space_keys
from terrasweep.study.folder import StudyFolder
from terrasweep.study.launcher_recipes import runs_here, runs_in_this_process, trials_at_once
from terrasweep.study.learnt_trials import PriorReader, read_prior
from terrasweep.study.loop import StudyRun
from terrasweep.study.optuna_storage import STORAGE_ERRORS, storage_reason, usable
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.orphans import holds_nothing
from terrasweep.study.predicted_costs import PredictedCosts
from terrasweep.study.preflight import (
    check_launcher,
    check_learn_from,
    check_reuse,
    check_space,
    check_trial_folders,
    check_writable,
)
from terrasweep.study.pruners import build_pruner
from terrasweep.study.record import continued, find_changed_ranges, find_record, with_data
from terrasweep.study.samplers import GridSize, build_sampler, check_sampler
from terrasweep.study.search_end import SearchEnd
from terrasweep.study.search_space import SearchSpace, parse_space
from terrasweep.study.submitit_jobs import each_job_by_itself
from terrasweep.study.trace_allowance import TraceAllowance
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
        """Args: ``settings`` are ``hydra.sweeper.*``: ``sampler``, ``pruner``, ``n_jobs`` and ``params``."""
        self._sampler_settings, self._params = settings["sampler"], settings["params"]
        self._pruner_settings = settings["pruner"]
        self._pruner: BasePruner | None = None
        self._early_ends: EarlyEnds | None = None
        self._batch: int | None = settings["n_jobs"]
        self.n_jobs = self._batch or 1
        self._config, self._loader = config, hydra_context.config_loader
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        self._space = SearchSpace((), ())
        self._composer = Composer(self._loader, config, ())
        self.launcher_name = ""
        self._baselines = FoundBaselines()
        self._looked_at: dict[str, list[str]] = {}
        self._costs: PredictedCosts | None = None

    def sweep(self, arguments: list[str]) -> None:
        """Run what is missing to the study's total.

        Raises:
            InvalidConfig: Something is wrong with the input; nothing was trained or written.
            SweepStopped: The disk is full, for example; the same command goes on.
            SystemExit: Nothing completed.
        """
        self._space = space = parse_space(self._params or {}, arguments)
        self._composer = Composer(self._loader, self._config, space.fixed)
        base = self._composer.base
        self.n_jobs = self._batch or trials_at_once(base.hydra.launcher)
        self.launcher_name = base.hydra.runtime.choices.get("hydra/launcher", "")
        config = composed_trial(base)
        folder = StudyFolder(results_folder(config.study.name))
        check_launcher(base.hydra.launcher, config)
        check_trial_folders(base, folder.path)
        check_reuse(config)
        check_learn_from(config)
        check_space(space, self._composer.compose)
        for_a_look, grid = build_sampler(self._sampler_settings, config.study, space, base, 0)
        check_has_models(for_a_look, config.study, base.hydra.runtime.choices.get("hydra/sweeper/sampler", ""))
        check_sampler(for_a_look, config.study, space, base)
        self._costs = self._predict_costs(config) if isinstance(for_a_look, FactoredSampler) else None
        self._pruner = build_pruner(self._pruner_settings)
        check_early_ends(self._pruner, config, {key.name for key in space.keys})
        mlflow_store.check_reachable(config.tracking.uri)
        check_writable(folder.path)
        prepare.check_backbone(config)
        record = find_record(config, space, str(self._sampler_settings.get("_target_", "")), folder)
        record = with_data(record, config)
        url = mlflow_store.absolute_uri(config.study.storage or f"sqlite:///{folder.path / 'optuna.db'}")
        with folder.taken_up(), usable(url):
            stored = StoredStudy(record.name, url, record.objectives, folder.path)
            self._early_ends = early_ends(self._pruner, config.study, record.objectives, folder.path / "trials")
            self._take_up(folder, stored, record, grid, config)
        with _stopped_by_the_machine(folder):
            StudyRun(self, config, base, folder, stored, self._baselines.measured).to_the_end()

    def _take_up(
        self, folder: StudyFolder, stored: StoredStudy, record: StudyRecord, grid: GridSize, config: TrialConfig
    ) -> None:
        """Settle which study this is, make folder and storage know the same, and give the sampler the rest."""
        existing = reconcile.stored_record(folder, stored, takeover=config.study.takeover)
        if existing is not None:
            record = dataclasses.replace(continued(existing, config, self._space, folder.results()), data=record.data)
        self._take_changes(stored, existing, takeover=config.study.takeover)
        stored.limit(grid)
        if missing := stored.remaining(SearchEnd(config.study, folder, stored).total()):
            if runs_in_this_process(self._composer.base.hydra.launcher):
                process.warm_up()  # It imports for some seconds, beside what comes next.
            self._check_models()
        if missing or not is_default(config.study.baselines):  # A study that has its trials runs nothing unasked.
            self._find_baselines(config.study.baselines, folder)
            record = dataclasses.replace(record, left_out=dict(self._baselines.left_out))
        record = self._with_learnt(record, config)
        mlflow_store.prepare(config.tracking.uri)
        if existing is None and folder.trials.numbers():
            record = mlflow_parent.with_known_start(record, config.tracking.uri)
        folder.open(record)  # What was refused until here left nothing behind.
        reconcile.remember(folder, stored)
        folder.remove_drafts()
        write_data_page(folder.path, config, record, existing)
        drawn = max([stored.trials_before(), *(number + 1 for number in folder.trials.numbers())])
        drawn = stored.reserve_seed(drawn) if missing else drawn  # Of processes that start together, each has its own.
        sampler, _ = build_sampler(
            *(self._sampler_settings, config.study, self._space, self._composer.base, drawn),
            allowed=lambda values: not self.find_violations(values),
            predict=self._costs,
            prior=read_prior(folder.known.learnt, config.study.learn_from),
        )
        stored.use(sampler, grid, self._pruner)
        for line in reconcile.reconcile(folder, stored):
            print(f"warning: {line}", file=sys.stderr)
        if changes := find_changed_ranges(self._space, stored):  # To those of trials that the storage had lost.
            raise InvalidConfig("\n".join(changes))

    def _take_changes(self, stored: StoredStudy, existing: StudyRecord | None, *, takeover: bool) -> None:
        """Let a study in which nothing came to an answer have other objectives and ranges.

        Raises:
            InvalidConfig: There are answers to those that it has.
        """
        changes = [*stored.find_changed_objectives(), *find_changed_ranges(self._space, stored)]
        if not changes:
            return
        if existing is None or not holds_nothing(stored, takeover=takeover):
            raise InvalidConfig("\n".join(changes))
        print(
            f"note: every trial of {existing.name} failed: it takes other objectives or values of its search space",
            file=sys.stderr,
        )
        stored.start_over()

    def _with_learnt(self, record: StudyRecord, config: TrialConfig) -> StudyRecord:
        """The record with what other studies teach; each is read once, when it is first named, and kept."""
        if not (new := [name for name in config.study.learn_from if name not in record.learnt]):
            return record
        reader = PriorReader(self._space, self._composer, record.objectives)
        learnt = dict(record.learnt)
        for name in new:
            prior, said = reader.learn_from(name)
            learnt[name] = [trial.as_plain() for trial in prior]
            print(said, file=sys.stderr)
        return dataclasses.replace(record, learnt=learnt)

    def _check_models(self) -> None:
        """Look at the models of the space before the first trial.

        Raises:
            InvalidConfig: With one line per thing that does not go together.
        """
        found = list(itertools.islice(distinct_models.combinations(self._space, self._composer.base), MOST_LOOKS + 1))
        if len(found) > MOST_LOOKS:
            print(f"note: {MOST_LOOKS} of the space's models are looked at beforehand, not all", file=sys.stderr)
        check_models((self._composed_trial(values), knobs) for values, knobs in found[:MOST_LOOKS])

    def launch(self, trials: Sequence[Trial], values: Sequence[dict[str, Any]], attempt: str) -> list[JobReturn]:
        """Run a batch through Hydra's launcher; a trial's number is Optuna's and travels as an override."""
        overrides = [
            [
                f"trial.number={trial.number}",
                f"trial.attempt='{attempt}'",
                *(["trial.judged=true"] if self._early_ends else []),
                *self._space.overrides(chosen),
                *self._space.fixed,
            ]
            for trial, chosen in zip(trials, values, strict=True)
        ]
        judging = self._early_ends.watching(trials) if self._early_ends else contextlib.nullcontext()
        if self._costs:
            self._costs.look_ahead(values)
        with each_job_by_itself(self._composer.base.hydra.launcher), judging, self._counted():
            return list(self._launcher.launch(overrides, initial_job_idx=trials[0].number))

    def launch_extra(self, trainings: Sequence[ExtraTraining], attempt: str) -> list[JobReturn]:
        """Run a batch of trainings that are no trials through Hydra's launcher."""
        overrides = [job_overrides(training, self._space.fixed, attempt) for training in trainings]
        with each_job_by_itself(self._composer.base.hydra.launcher), self._counted():
            return list(self._launcher.launch(overrides, initial_job_idx=0))

    def _counted(self) -> contextlib.AbstractContextManager[None]:
        """What passes is the trials' time, of which traces may take a share."""
        return self._costs.allowance.while_trials_run() if self._costs else contextlib.nullcontext()

    def find_violations(self, values: dict[str, Any]) -> list[str]:
        """What the rules say against a combination of searched values, a line each; each one is looked at once."""
        key = repr(sorted(values.items()))
        if key not in self._looked_at:
            self._looked_at[key] = self._look_at(values)
        return self._looked_at[key]

    def _look_at(self, values: dict[str, Any]) -> list[str]:
        try:
            config = self._composed_trial(values)
        except BAD_INPUT:
            return []  # The launch will say it.
        return list(rules.find_violations(config))

    def _predict_costs(self, config: TrialConfig) -> PredictedCosts | None:
        """What the factored sampler is told beforehand; nothing where trials run on machines that aren't this one."""
        space, base = self._space, self._composer.base
        if not runs_here(base.hydra.launcher):
            return None
        return PredictedCosts(
            {key.name: key.distribution for key in space.keys},
            base,
            keys=space_keys(space, base),
            draw=draw_space(space, base),
            compose=CandidateConfigs(space, self._composer, self.find_violations),
            device=effective_device(config.train.device),
            log=cache_folder() / "predicted_costs.log",
            allowance=TraceAllowance(),
        )

    @property
    def space(self) -> SearchSpace:
        """The searched keys."""
        return self._space

    def _find_baselines(self, given: Any, folder: StudyFolder) -> None:
        def compose_changed(own: Sequence[str]) -> DictConfig:
            return Composer(self._loader, self._config, changed(self._space.fixed, own)).base

        self._baselines = find_baselines(given, self._space, compose_changed, self._composer.compose, folder.path)

    def _composed_trial(self, values: dict[str, Any]) -> TrialConfig:
        return composed_trial(self._composer.compose(self._space.overrides(values)))


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
