"""The Optuna side of a study: its storage, what each outcome tells the sampler, and resuming."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from terrasweep.machine import startup
from terrasweep.machine.locks import locked
from terrasweep.machine.process_identity import host_of, liveness, this_process
from terrasweep.results.errors import InvalidConfig, first_line
from terrasweep.results.secrets import masked
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.database_engine import server_settings, wait_for_server
from terrasweep.study.samplers import GridSize, ignores_pruned

_REMEMBERED = "terrasweep_study"
"""Attribute of the Optuna study."""
STORAGE_ERRORS = (StorageInternalError, sqlalchemy.exc.SQLAlchemyError)
"""What a database's failure is raised as."""
LOCKED_S = 300
"""How long a write waits for another process that has locked an SQLite database; Optuna tries some of them again."""
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
        self._grid = GridSize()
        startup.quiet_optuna()
        directions: list[Literal["minimize", "maximize"]] = [
            "maximize" if objective.maximize else "minimize" for objective in objectives
        ]
        with locked(self._lock), usable(url):  # Two processes that start at once would both make the tables.
            self._storage = open_storage(url)
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

    def tell(self, trial: Trial, result: TrialResult) -> bool:
        """Tell the sampler how a trial ended (DESIGN's table of states).

        Returns:
            False where another process has ended it meanwhile; that stays.
        """
        state, values, miss = self._outcome(result)
        try:
            for name, value in _attributes(result).items():
                trial.set_user_attr(name, value)
            if miss is not None and "miss" not in trial.constraints:
                trial.set_constraint("miss", miss)
            self._tell(trial, values, state)
        except UpdateFinishedTrialError:
            return False
        if result.reason is Reason.INTERRUPTED:
            self.study.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})
        return True

    def _tell(self, trial: Trial, values: list[float] | None, state: TrialState) -> None:
        """End a trial with its values, or without any in a state."""
        try:
            self.study.tell(trial, values, state=None if values else state, skip_if_finished=True)
        except RuntimeError as error:
            # A grid sampler asks the study to stop at its end; our own loop ends there too.
            if "Study.stop" not in str(error):
                raise

    def give_up(self, trial: Trial) -> None:
        """End a trial that was not begun; it does not count."""
        trial.set_user_attr("reason", str(Reason.INTERRUPTED))
        self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)

    def _outcome(self, result: TrialResult) -> tuple[TrialState, list[float] | None, float | None]:
        """State, values and constraint that a result is told with."""
        values = result.objective_values([objective.name for objective in self._objectives])
        if values is not None:
            return TrialState.COMPLETE, values, 0.0
        if result.state is not State.INFEASIBLE:
            return (TrialState.PRUNED if result.state is State.PRUNED else TrialState.FAIL), None, None
        miss = UNKNOWN_MISS if result.violation is None else max(result.violation, 1e-9)
        worst = self._worst_values() if ignores_pruned(self.study.sampler) else None
        return (TrialState.PRUNED if worst is None else TrialState.COMPLETE), worst, miss

    def told(self) -> list[FrozenTrial]:
        """All trials as the storage has them, by number."""
        return self.study.get_trials(deepcopy=False)

    def restore(self, result: TrialResult, distributions: Mapping[str, BaseDistribution]) -> None:
        """Make the storage's next trial from a result that is known, with the values that fit their distribution.

        It does not run again where it was interrupted: whoever had the storage before may have seen to that.
        """
        state, values, miss = self._outcome(result)
        params = {k: v for k, v in result.searched.items() if k in distributions and _holds(distributions[k], v)}
        self.study.add_trial(
            create_trial(
                state=state,
                values=values,
                params=params,
                distributions={key: distributions[key] for key in params},
                user_attrs=_attributes(result) | {"restored": True},
                constraints=None if miss is None else {"miss": miss},
            )
        )

    def restore_lost(self, *, ran: bool) -> None:
        """Take up the storage's next number: of a trial that ran and has no result, or of one that nobody knows."""
        if ran:
            self._storage.create_new_trial(self._study_id)  # Nobody owns it: it is an orphan.
        else:
            self.study.add_trial(create_trial(state=TrialState.FAIL, user_attrs={"reason": str(Reason.INTERRUPTED)}))

    def make_orphan(self, number: int) -> None:
        """Mark a trial that waits as one that ran, in a process that is gone."""
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        self._storage.set_trial_state_values(trial_id, TrialState.RUNNING)

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

    def orphans(self, *, takeover: bool = False) -> list[Trial]:
        """Trials that count as running although the process that ran them is gone; they are this process's now.

        Args:
            takeover: Whether those of processes that can't be seen from here count as gone, too.
        """
        with locked(self._lock):  # Under it, a trial that has no owner yet is one whose process died in between.
            lost = [t for t in self._running() if _is_gone(t, takeover=takeover)]
            ids = [self._storage.get_trial_id_from_study_id_trial_number(self._study_id, t.number) for t in lost]
            for trial_id in ids:
                self._storage.set_trial_user_attr(trial_id, "owner", this_process())
        return [Trial(self.study, trial_id) for trial_id in ids]

    def out_of_sight(self) -> dict[int, str]:
        """Running trials of processes that can't be seen from here, and where those are."""
        owners = {t.number: t.user_attrs.get("owner", "") for t in self._running()}
        return {number: host_of(owner) for number, owner in owners.items() if liveness(owner) is None}

    def _running(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    @property
    def _study_id(self) -> int:
        return self._storage.get_study_id_from_name(self.study.study_name)


def open_storage(url: str) -> RDBStorage:
    """Open Optuna's storage; SQLite with a write-ahead log, which a killed process can't corrupt.

    Raises:
        InvalidConfig: The URL can't be read, or its database can't be opened or is of another version.
    """
    local = url.startswith("sqlite")
    settings = {"connect_args": {"timeout": LOCKED_S, "factory": _LoggedConnection}} if local else server_settings()
    try:
        storage = RDBStorage(url, engine_kwargs=settings)
    except RuntimeError as error:  # All that Optuna raises for a schema that is not its own.
        raise InvalidConfig(
            f"study.storage={url}: its tables are of another version of Optuna; "
            f"run optuna storage upgrade --storage '{masked(url)}', or use another database"
        ) from error
    except (sqlalchemy.exc.SQLAlchemyError, ImportError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidConfig(f"study.storage={url}: {reason}; {_way_out(url)}") from error
    if not local:
        wait_for_server(storage.engine)
    return storage


@contextlib.contextmanager
def usable(url: str) -> Iterator[None]:
    """Before a study starts, a storage that can't be used is bad input.

    Raises:
        InvalidConfig: It can't; nothing of it was changed.
    """
    try:
        yield
    except STORAGE_ERRORS as error:
        raise InvalidConfig(f"study.storage={masked(url)}: {storage_reason(error)}; {_way_out(url)}") from error


def _way_out(url: str) -> str:
    if url.startswith("sqlite"):
        return "if the file is damaged, move it away: a new one is told what the study's folder holds"
    return "give a database URL that SQLAlchemy opens"


def storage_reason(error: Exception) -> str:
    """What the database said, without what Optuna and SQLAlchemy make of it."""
    return first_line(error.__cause__ if isinstance(error.__cause__, sqlalchemy.exc.SQLAlchemyError) else error)


class _LoggedConnection(sqlite3.Connection):
    """SQLite with a write-ahead log: a commit is one write, and neither a kill nor a power cut takes it back."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=FULL")


def _direction(name: str) -> optuna.study.StudyDirection:
    return optuna.study.StudyDirection[name.upper()]


def _describe(study: optuna.Study) -> str:
    names = study.metric_names or ["?"] * len(study.directions)
    pairs = zip(study.directions, names, strict=True)
    return ", ".join(f"{direction.name.lower()} {name}" for direction, name in pairs)


def _attributes(result: TrialResult) -> dict[str, str]:
    return {"state": str(result.state), "reason": str(result.reason or "")}


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    try:
        create_trial(state=TrialState.RUNNING, params={"key": value}, distributions={"key": distribution})
    except (ValueError, TypeError):
        return False
    return True


def _is_gone(trial: FrozenTrial, *, takeover: bool) -> bool:
    alive = liveness(trial.user_attrs.get("owner", ""))
    return alive is False or (alive is None and takeover)


def _counts(trial: FrozenTrial) -> bool:
    is_none = (Reason.INTERRUPTED, FORBIDDEN)
    return trial.state is not TrialState.WAITING and trial.user_attrs.get("reason") not in is_none


def _is_forbidden(trial: FrozenTrial) -> bool:
    return bool(trial.user_attrs.get("reason") == FORBIDDEN)
