"""Whose the trials in the storage are: those that count as running although the process that ran them is gone."""

from __future__ import annotations

from optuna.trial import FrozenTrial, Trial, TrialState

from terrasweep.machine.process_identity import host_of, liveness, this_process
from terrasweep.study.optuna_study import StoredStudy, is_forbidden


def take_orphans(stored: StoredStudy, *, takeover: bool = False) -> list[Trial]:
    """The orphans of a study; they are this process's now.

    Args:
        stored: The study.
        takeover: Whether the trials of processes that can't be seen from here count as orphans, too.
    """
    with stored.locked():  # Under it, a trial that has no owner yet is one whose process died in between.
        ids = [stored.trial_id(t.number) for t in _running(stored) if _is_gone(t, takeover=takeover)]
        for trial_id in ids:
            stored.storage.set_trial_user_attr(trial_id, "owner", this_process())
    return [Trial(stored.study, trial_id) for trial_id in ids]


def out_of_sight(stored: StoredStudy) -> dict[int, str]:
    """Running trials of processes that can't be seen from here, and where those are."""
    owners = {t.number: t.user_attrs.get("owner", "") for t in _running(stored)}
    return {number: host_of(owner) for number, owner in owners.items() if liveness(owner) is None}


def holds_nothing(stored: StoredStudy, *, takeover: bool = False) -> bool:
    """Whether no trial came to an answer, and no process is left that could bring one.

    Args:
        stored: The study.
        takeover: Whether processes that can't be seen from here count as gone.
    """
    without = (TrialState.FAIL, TrialState.WAITING)
    return all((t.state in without or is_forbidden(t)) and _is_gone(t, takeover=takeover) for t in stored.trials())


def _running(stored: StoredStudy) -> list[FrozenTrial]:
    return stored.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def _is_gone(trial: FrozenTrial, *, takeover: bool) -> bool:
    alive = liveness(trial.user_attrs.get("owner", ""))
    return alive is False or (alive is None and takeover)
