"""How a trial ended, and why."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """How a trial ended."""

    COMPLETE = "complete"
    INFEASIBLE = "infeasible"
    PRUNED = "pruned"
    FAILED = "failed"


class Reason(StrEnum):
    """Why a trial did not complete."""

    PREDICTED_OOM = "predicted_oom"
    OOM_DEVICE = "oom_device"
    OOM_HOST = "oom_host"
    OVER_BUDGET = "over_budget"
    TIMEOUT = "timeout"
    DIVERGED = "diverged"
    PRUNER = "pruner"
    CRASHED = "crashed"
    DATA_ERROR = "data_error"
    INVALID_CONFIG = "invalid_config"
    INTERRUPTED = "interrupted"

    @property
    def state(self) -> State:
        """The state that this reason leads to."""
        if self is Reason.PRUNER:
            return State.PRUNED
        failed = {Reason.CRASHED, Reason.DATA_ERROR, Reason.INVALID_CONFIG, Reason.INTERRUPTED}
        return State.FAILED if self in failed else State.INFEASIBLE
