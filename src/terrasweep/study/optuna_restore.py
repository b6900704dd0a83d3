"""Optuna's storage made to know what only a study's folder knows: trials under the numbers that they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import TrialState, create_trial

from terrasweep.results.states import Reason
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.optuna_study import StoredStudy, attributes


def restore(stored: StoredStudy, result: TrialResult, distributions: Mapping[str, BaseDistribution]) -> None:
    """Make the storage's next trial from a result that is known, with the values that fit their distribution.

    It does not run again where it was interrupted: whoever had the storage before may have seen to that.
    """
    state, values, miss = stored.outcome(result)
    params = {k: v for k, v in result.searched.items() if k in distributions and _holds(distributions[k], v)}
    stored.study.add_trial(
        create_trial(
            state=state,
            values=values,
            params=params,
            distributions={key: distributions[key] for key in params},
            user_attrs=attributes(result) | {"restored": True},
            intermediate_values=stored.intermediate_values(result),
            constraints=None if miss is None else {"miss": miss},
        )
    )


def restore_lost(stored: StoredStudy, *, ran: bool) -> None:
    """Take up the storage's next number: of a trial that ran and has no result, or of one that nobody knows."""
    if ran:
        stored.storage.create_new_trial(stored.study_id)  # Nobody owns it: it is an orphan.
    else:
        lost = create_trial(state=TrialState.FAIL, user_attrs={"reason": str(Reason.INTERRUPTED)})
        stored.study.add_trial(lost)


def make_orphan(stored: StoredStudy, number: int) -> None:
    """Mark a trial that waits as one that ran, in a process that is gone."""
    stored.storage.set_trial_state_values(stored.trial_id(number), TrialState.RUNNING)


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    try:
        create_trial(state=TrialState.RUNNING, params={"key": value}, distributions={"key": distribution})
    except (ValueError, TypeError):
        return False
    return True
