"""What became of trials by their predicted peak, and how often the prediction was wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult


class Gate(StrEnum):
    """What became of a trial by its predicted peak."""

    STARTED = "started"
    """It fits, or may fit."""
    SKIPPED = "skipped"
    """It can't fit, and was not started."""
    VERIFIED = "verified"
    """It can't fit, and was run all the same to see whether that is so."""


_FITS_NOT = (Reason.OVER_BUDGET, Reason.OOM_DEVICE, Reason.OOM_HOST)


@dataclass(frozen=True, kw_only=True)
class GateCount:
    """Of a study's trials."""

    judged: int
    """How many had a prediction and a memory budget."""
    skipped: int
    verified: int
    """How many of those that would have been skipped came to a verdict."""
    fitted: tuple[int | None, ...]
    """The numbers of those that fitted all the same: false skips."""


def count_judged(trials: Iterable[TrialResult]) -> GateCount:
    """Count what became of trials; one that was to be verified and failed for another reason says nothing."""
    judged = [trial for trial in trials if trial.gate]
    verified = [trial for trial in judged if trial.gate == Gate.VERIFIED]
    fitted = [trial.number for trial in verified if trial.state in (State.COMPLETE, State.PRUNED)]
    return GateCount(
        judged=len(judged),
        skipped=sum(trial.gate == Gate.SKIPPED for trial in judged),
        verified=len(fitted) + sum(trial.reason in _FITS_NOT for trial in verified),
        fitted=tuple(fitted),
    )
