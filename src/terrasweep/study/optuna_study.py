"""The Optuna side of a study: which trials it gives out, what counts, and what each outcome tells the sampler."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from terrasweep.machine import startup
from terrasweep.machine.locks import locked
from terrasweep.machine.process_identity import this_process
from terrasweep.measure.learning_curves import curve_of
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.factored.proposal import Proposal
from terrasweep.study.factored.quantities import CHOSEN, MEASURED
from terrasweep.study.factored.sampler import FactoredSampler
from terrasweep.study.factored_search import beside_objectives
from terrasweep.study.optuna_storage import open_storage, usable
from terrasweep.study.samplers import GridSize, ignores_pruned

_REMEMBERED = "terrasweep_study"
"""Attribute of the Optuna study."""
FORBIDDEN = "forbidden"
"""Reason of a proposal that the rules forbid: Optuna keeps it, and it never became a trial."""
_RUNS_AGAIN = "runs_again"
"""Attribute of a study: numbers of failed trials that do not count, since they run again."""
_PROPOSED = "baselines_proposed"
"""Attribute of a study: names of the baselines that were proposed to its search."""
_SEEDS = "seeds_used"
"""Attribute of a study: how many numbers its samplers' seeds were counted up to."""
UNKNOWN_MISS = 1.0
"""Constraint violation of an infeasible trial whose miss is not known."""


class StoredStudy:
    """An Optuna study that outlives the processes that work on it."""

    def __init__(self, name: str, url: str, objectives: list[Objective], folder: Path) -> None:
        """Open the study, or make it.

        Raises:
            InvalidConfig: The storage can't be opened.
        """
        self._name, self._objectives = name, objectives
        self._lock = folder / ".ask.lock"
        self._grid = GridSize()
        startup.quiet_optuna()
        with self.locked(), usable(url):  # Two processes that start at once would both make the tables.
            self.storage = open_storage(url)
            self.study = self._open()

    def _open(self) -> optuna.Study:
        directions: list[Literal["minimize", "maximize"]] = [
            "maximize" if objective.maximize else "minimize" for objective in self._objectives
        ]
        study = optuna.create_study(
            study_name=self._name, storage=self.storage, directions=directions, load_if_exists=True
        )
        if study.metric_names is None and [d.name.lower() for d in study.directions] == directions:
            study.set_metric_names([objective.name for objective in self._objectives])
        return study

    def find_changed_objectives(self) -> list[str]:
        """One line where the storage holds the study with other objectives."""
        wanted = ", ".join(f"{objective.direction} {objective.name}" for objective in self._objectives)
        if (had := _describe(self.study)) == wanted:
            return []
        return [
            f"study.name={self._name}: the study exists with other objectives ({had}); "
            "use another study.name, or the objectives it was started with"
        ]

    def start_over(self) -> None:
        """Forget the trials that the storage holds, and take the objectives of now; the folder knows the numbers."""
        with self.locked():
            optuna.delete_study(study_name=self._name, storage=self.storage)
            self.study = self._open()

    def use(self, sampler: BaseSampler, grid: GridSize, pruner: BasePruner | None = None) -> None:
        """Take the trials of this process from a sampler; a pruner says which of its trainings end early."""
        self.study.sampler, self._grid = sampler, grid
        self.study.pruner = pruner or NopPruner()

    def limit(self, grid: GridSize) -> None:
        """Let the study end where its grid does."""
        self._grid = grid

    def reserve_seed(self, at_least: int) -> int:
        """A number for the seed of this process's sampler, that no other process of the study has.

        Args:
            at_least: How many trials there are: a restart must not draw again what the start drew.
        """
        with self.locked():
            number = max(at_least, int(self.study.user_attrs.get(_SEEDS, 0)))
            self.study.set_user_attr(_SEEDS, number + 1)
        return number

    def trials_before(self) -> int:
        """How many trials there are, of any state."""
        return len(self.study.get_trials(deepcopy=False))

    def remaining(self, total: int) -> int:
        """How many trials are missing to the total; interrupted ones don't count, running ones do."""
        again = self._run_again()
        counted = [t for t in self.study.get_trials(deepcopy=False) if _counts(t) and t.number not in again]
        return max(0, self.reachable(total) - len(counted))

    def is_over(self, total: int) -> bool:
        """Whether the total is reached, and no process is at work on a trial any more."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return not running and self.remaining(total) == 0

    def reachable(self, total: int) -> int:
        """The total, or the size of the grid, without what the rules forbid, where that is less."""
        if self._grid.combinations is None:
            return total
        forbidden = sum(is_forbidden(t) for t in self.study.get_trials(deepcopy=False))
        return min(total, self._grid.combinations - forbidden)

    def give_back(self, trial: Trial) -> None:
        """Tell the sampler that the rules forbid a proposal, as of one that does not fit; it does not count, or run."""
        trial.set_user_attr("reason", FORBIDDEN)
        trial.set_constraint("miss", UNKNOWN_MISS)
        worst = self._worst_values() if ignores_pruned(self.study.sampler) else None
        self._tell(trial, worst, TrialState.PRUNED)

    @contextmanager
    def drawing_at_random(self) -> Iterator[None]:
        """Within it proposals are drawn at random, for a sampler that insists on one; a grid never repeats itself."""
        usual = self.study.sampler
        if self._grid.combinations is None:
            self.study.sampler = RandomSampler(seed=self.trials_before())
        try:
            yield
        finally:
            self.study.sampler = usual

    def run_again(self, numbers: Collection[int]) -> None:
        """Let failed trials no longer count, and propose their values again; done twice, it is done once."""
        with self.locked():
            trials = self.study.get_trials(deepcopy=False)
            proposed = {t.user_attrs.get("retry_of") for t in trials}
            for number in sorted(set(numbers) - self._run_again()):
                if number < len(trials) and _counts(trials[number]) and trials[number].state.is_finished():
                    if number not in proposed:
                        self.study.enqueue_trial(trials[number].params, user_attrs={"retry_of": number})
                    self.study.set_user_attr(_RUNS_AGAIN, sorted({*self._run_again(), number}))

    def propose_once(self, baselines: Mapping[str, Mapping[str, Any]]) -> None:
        """Propose baselines' searched values before anything else, once per study; a grid comes to them by itself.

        Args:
            baselines: Name to searched values.
        """
        if self._grid.combinations is not None:
            return
        with self.locked():
            for name, values in baselines.items():
                proposed: list[str] = self.study.user_attrs.get(_PROPOSED, [])
                if name not in proposed:
                    self.study.enqueue_trial(dict(values), user_attrs={"baseline": name}, skip_if_exists=True)
                    self.study.set_user_attr(_PROPOSED, [*proposed, name])

    def _run_again(self) -> set[int]:
        return set(self.study.user_attrs.get(_RUNS_AGAIN, []))

    def ask(self, wanted: int, total: int) -> list[Trial]:
        """Take up to ``wanted`` new trials, never more than the total leaves, also beside other processes."""
        with self.locked():
            return [self._ask() for _ in range(min(wanted, self.remaining(total)))]

    def _ask(self) -> Trial:
        trial = self.study.ask()
        trial.set_user_attr("owner", this_process())
        if (proposal := self._proposal(trial)) is not None:
            trial.set_user_attr(CHOSEN, dict(proposal.candidate.settings))
        return trial

    def _proposal(self, trial: Trial) -> Proposal | None:
        """What a sampler that chooses whole candidates has chosen."""
        sampler = self.study.sampler
        return sampler.reason(trial.number) if isinstance(sampler, FactoredSampler) else None

    def tell(self, trial: Trial, result: TrialResult) -> bool:
        """Tell the sampler how a trial ended (DESIGN's table of states).

        Returns:
            False where another process has ended it meanwhile; that stays.
        """
        state, values, miss = self.outcome(result)
        try:
            for name, value in attributes(result).items():
                trial.set_user_attr(name, value)
            self._report_reused(trial, result)
            if miss is not None and "miss" not in trial.constraints:
                trial.set_constraint("miss", miss)
            self._tell(trial, values, state)
        except UpdateFinishedTrialError:
            return False
        if result.reason is Reason.INTERRUPTED:
            self.study.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})
        return True

    def _report_reused(self, trial: Trial, result: TrialResult) -> None:
        """Give a trial whose accuracy is another's that one's curve: its own process validated nothing."""
        if result.accuracy_from and not isinstance(self.study.pruner, NopPruner):
            for step, value in self.intermediate_values(result).items():
                trial.report(value, step)

    def _tell(self, trial: Trial, values: list[float] | None, state: TrialState) -> None:
        """End a trial with its values, or without any in a state."""
        try:
            self.study.tell(trial, values, state=None if values else state, skip_if_finished=True)
        except RuntimeError as error:
            # A grid sampler asks the study to stop at its end; our own loop ends there too.
            if "Study.stop" not in str(error):
                raise

    def why(self, trial: Trial) -> dict[str, Any]:
        """Why the sampler proposed a trial that has not ended; nothing where it does not say."""
        proposal = self._proposal(trial)
        return {} if proposal is None else proposal.as_plain()

    def give_up(self, trial: Trial) -> None:
        """End a trial that was not begun; it does not count."""
        trial.set_user_attr("reason", str(Reason.INTERRUPTED))
        self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)

    def outcome(self, result: TrialResult) -> tuple[TrialState, list[float] | None, float | None]:
        """State, values and constraint that a result is told with."""
        values = result.objective_values([objective.name for objective in self._objectives])
        if values is not None:
            return TrialState.COMPLETE, values, 0.0
        if result.state is not State.INFEASIBLE:
            return (TrialState.PRUNED if result.state is State.PRUNED else TrialState.FAIL), None, None
        miss = UNKNOWN_MISS if result.violation is None else max(result.violation, 1e-9)
        worst = self._worst_values() if ignores_pruned(self.study.sampler) else None
        return (TrialState.PRUNED if worst is None else TrialState.COMPLETE), worst, miss

    def intermediate_values(self, result: TrialResult) -> dict[int, float]:
        """What pruners of a study with one objective compare: its curve, validation by validation, from 0 on."""
        curve = curve_of(self._objectives[0].name) if len(self._objectives) == 1 else None
        points = dict(result.curves.get(curve or "", []))  # The end's evaluation may be that of the last step again.
        return dict(enumerate(points.values()))

    def trials(self) -> list[FrozenTrial]:
        """All trials as the storage has them, by number."""
        return self.study.get_trials(deepcopy=False)

    def remembered(self) -> dict[str, Any] | None:
        """What :meth:`remember` stored; None for a study that is new, or of a version before."""
        found: dict[str, Any] | None = self.study.user_attrs.get(_REMEMBERED)
        return found

    def remember(self, **known: Any) -> None:
        """Store what makes up for a lost study.json, and tells one study of a name from another."""
        if self.remembered() != known:
            self.study.set_user_attr(_REMEMBERED, known)

    def _worst_values(self) -> list[float] | None:
        complete = [t.values for t in self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))]
        if not complete:
            return None
        pairs = zip(self._objectives, zip(*complete, strict=True), strict=True)
        return [min(column) if objective.maximize else max(column) for objective, column in pairs]

    def locked(self) -> AbstractContextManager[None]:
        """Hold the lock under which trials are given out and taken over."""
        return locked(self._lock)

    @property
    def study_id(self) -> int:
        """The study's number in its storage."""
        return self.storage.get_study_id_from_name(self.study.study_name)

    def trial_id(self, number: int) -> int:
        """The number in the storage of one of the study's trials."""
        return self.storage.get_trial_id_from_study_id_trial_number(self.study_id, number)


def _describe(study: optuna.Study) -> str:
    names = study.metric_names or ["?"] * len(study.directions)
    pairs = zip(study.directions, names, strict=True)
    return ", ".join(f"{direction.name.lower()} {name}" for direction, name in pairs)


def attributes(result: TrialResult) -> dict[str, Any]:
    """What of a result stands beside its values in the storage."""
    return {"state": str(result.state), "reason": str(result.reason or ""), MEASURED: beside_objectives(result)}


def _counts(trial: FrozenTrial) -> bool:
    is_none = (Reason.INTERRUPTED, FORBIDDEN)
    return trial.state is not TrialState.WAITING and trial.user_attrs.get("reason") not in is_none


def is_forbidden(trial: FrozenTrial) -> bool:
    """Whether it was a proposal that the rules forbid, and never ran."""
    return bool(trial.user_attrs.get("reason") == FORBIDDEN)
