"""The Optuna side of a study: its storage, what each outcome tells the sampler, and resuming."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import optuna
import sqlalchemy
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from terrasweep.machine import startup
from terrasweep.machine.locks import locked
from terrasweep.machine.process_identity import is_alive, this_process
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.samplers import GridSize, ignores_pruned

FORBIDDEN = "forbidden"
"""Reason of a proposal that the rules forbid: Optuna keeps it, and it never became a trial."""
_RUNS_AGAIN = "runs_again"
"""Attribute of a study: numbers of failed trials that do not count, since they run again."""
UNKNOWN_MISS = 1.0
"""Constraint violation of an infeasible trial whose miss is not known."""


class StoredStudy:
    """An Optuna study that outlives the processes that work on it."""

    def __init__(self, name: str, url: str, objectives: list[Objective], folder: Path) -> None:
        """Open the study, or make it.

        Raises:
            InvalidConfig: The storage can't be opened, or holds the study with other objectives.
        """
        self._objectives = objectives
        self._lock = folder / ".ask.lock"
        self._storage = open_storage(url)
        self._grid = GridSize()
        startup.quiet_optuna()
        directions: list[Literal["minimize", "maximize"]] = [
            "maximize" if objective.maximize else "minimize" for objective in objectives
        ]
        with locked(self._lock):  # Two processes that start at once would both make the tables.
            self.study = optuna.create_study(
                study_name=name, storage=self._storage, directions=directions, load_if_exists=True
            )
        named = [objective.name for objective in objectives]
        if self.study.directions != [_direction(d) for d in directions] or (
            self.study.metric_names not in (None, named)
        ):
            raise InvalidConfig(
                f"study.name={name}: the study exists with other objectives ({_describe(self.study)}); "
                "use another study.name, or the objectives it was started with"
            )
        if self.study.metric_names is None:
            self.study.set_metric_names(named)

    def use(self, sampler: BaseSampler, grid: GridSize) -> None:
        """Take the trials of this process from a sampler."""
        self.study.sampler, self._grid = sampler, grid

    def trials_before(self) -> int:
        """How many trials there are, of any state."""
        return len(self.study.get_trials(deepcopy=False))

    def remaining(self, total: int) -> int:
        """How many trials are missing to the total; interrupted ones don't count, running ones do."""
        again = self._run_again()
        counted = [t for t in self.study.get_trials(deepcopy=False) if _counts(t) and t.number not in again]
        return max(0, self.reachable(total) - len(counted))

    def reachable(self, total: int) -> int:
        """The total, or the size of the grid, without what the rules forbid, where that is less."""
        if self._grid.combinations is None:
            return total
        forbidden = sum(_is_forbidden(t) for t in self.study.get_trials(deepcopy=False))
        return min(total, self._grid.combinations - forbidden)

    def give_back(self, trial: Trial) -> None:
        """Tell the sampler that the rules forbid a proposal, as of one that does not fit; it does not count, or run."""
        trial.set_user_attr("reason", FORBIDDEN)
        trial.set_constraint("miss", UNKNOWN_MISS)
        self._tell_infeasible(trial)

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
        with locked(self._lock):
            trials = self.study.get_trials(deepcopy=False)
            proposed = {t.user_attrs.get("retry_of") for t in trials}
            for number in sorted(set(numbers) - self._run_again()):
                if number < len(trials) and _counts(trials[number]) and trials[number].state.is_finished():
                    if number not in proposed:
                        self.study.enqueue_trial(trials[number].params, user_attrs={"retry_of": number})
                    self.study.set_user_attr(_RUNS_AGAIN, sorted({*self._run_again(), number}))

    def _run_again(self) -> set[int]:
        return set(self.study.user_attrs.get(_RUNS_AGAIN, []))

    def ask(self, wanted: int, total: int) -> list[Trial]:
        """Take up to ``wanted`` new trials, never more than the total leaves, also beside other processes."""
        with locked(self._lock):
            trials = [self.study.ask() for _ in range(min(wanted, self.remaining(total)))]
            for trial in trials:
                trial.set_user_attr("owner", this_process())
        return trials

    def tell(self, trial: Trial, result: TrialResult) -> None:
        """Tell the sampler how a trial ended (DESIGN's table of states)."""
        trial.set_user_attr("state", str(result.state))
        trial.set_user_attr("reason", str(result.reason or ""))
        names = [objective.name for objective in self._objectives]
        values = result.objective_values(names)
        if values is not None:
            trial.set_constraint("miss", 0.0)
            self._tell(trial, values)
        elif result.state is State.INFEASIBLE:
            trial.set_constraint("miss", UNKNOWN_MISS if result.violation is None else max(result.violation, 1e-9))
            self._tell_infeasible(trial)
        elif result.state is State.PRUNED:
            self._tell(trial, state=TrialState.PRUNED)
        else:
            self._tell(trial, state=TrialState.FAIL)
            if result.reason is Reason.INTERRUPTED:
                self.study.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})

    def _tell_infeasible(self, trial: Trial) -> None:
        worst = self._worst_values()
        if ignores_pruned(self.study.sampler) and worst is not None:
            self._tell(trial, worst)
        else:
            self._tell(trial, state=TrialState.PRUNED)

    def _tell(self, trial: Trial, values: list[float] | None = None, state: TrialState | None = None) -> None:
        try:
            self.study.tell(trial, values, state=state)
        except RuntimeError as error:
            # A grid sampler asks the study to stop at its end; our own loop ends there too.
            if "Study.stop" not in str(error):
                raise

    def _worst_values(self) -> list[float] | None:
        complete = [t.values for t in self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))]
        if not complete:
            return None
        pairs = zip(self._objectives, zip(*complete, strict=True), strict=True)
        return [min(column) if objective.maximize else max(column) for objective, column in pairs]

    def orphans(self) -> list[Trial]:
        """Trials that count as running although the process that ran them is gone."""
        with locked(self._lock):  # Under it, a trial that has no owner yet is one whose process died in between.
            running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            lost = [t for t in running if not is_alive(t.user_attrs.get("owner", ""))]
            study_id = self._storage.get_study_id_from_name(self.study.study_name)
            ids = [self._storage.get_trial_id_from_study_id_trial_number(study_id, t.number) for t in lost]
            for trial_id in ids:
                self._storage.set_trial_user_attr(trial_id, "owner", this_process())
        return [Trial(self.study, trial_id) for trial_id in ids]


def open_storage(url: str) -> RDBStorage:
    """Open Optuna's storage; SQLite with a write-ahead log, which a killed process can't corrupt.

    Raises:
        InvalidConfig: The URL can't be read, or its database can't be opened.
    """
    settings = {"connect_args": {"timeout": 30, "factory": _LoggedConnection}} if url.startswith("sqlite") else None
    try:
        return RDBStorage(url, engine_kwargs=settings)
    except (sqlalchemy.exc.SQLAlchemyError, ImportError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidConfig(f"study.storage={url}: {reason}; give a database URL that SQLAlchemy opens") from error


class _LoggedConnection(sqlite3.Connection):
    """SQLite with a write-ahead log: a commit costs no wait for the disk, and a killed process corrupts nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=NORMAL")


def _direction(name: str) -> optuna.study.StudyDirection:
    return optuna.study.StudyDirection[name.upper()]


def _describe(study: optuna.Study) -> str:
    names = study.metric_names or ["?"] * len(study.directions)
    pairs = zip(study.directions, names, strict=True)
    return ", ".join(f"{direction.name.lower()} {name}" for direction, name in pairs)


def _counts(trial: FrozenTrial) -> bool:
    is_none = (Reason.INTERRUPTED, FORBIDDEN)
    return trial.state is not TrialState.WAITING and trial.user_attrs.get("reason") not in is_none


def _is_forbidden(trial: FrozenTrial) -> bool:
    return bool(trial.user_attrs.get("reason") == FORBIDDEN)
