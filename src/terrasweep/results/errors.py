"""One exception for every way a trial can end without a result.

Each class names the :class:`~terrasweep.results.states.Reason` it becomes; the state follows from the reason.
"""

from __future__ import annotations

from typing import ClassVar

from terrasweep.results.states import Reason


class TerrasweepError(Exception):
    """Base of all errors that end a trial with a known reason.

    Attributes:
        violation: For an infeasible trial, by how much the limit was missed, relative to the limit; None if unknown.
    """

    reason: ClassVar[Reason] = Reason.CRASHED

    def __init__(self, message: str, *, violation: float | None = None) -> None:
        super().__init__(message)
        self.violation = violation


def first_line(error: BaseException) -> str:
    """What an exception says, as a part of one line; its class where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class DeviceOutOfMemory(TerrasweepError):
    """The accelerator's allocator could not serve a request."""

    reason = Reason.OOM_DEVICE


class HostOutOfMemory(TerrasweepError):
    """The host's memory, or the share of it that a trial may use, was exhausted."""

    reason = Reason.OOM_HOST


class OverBudget(TerrasweepError):
    """The trial ran to its end, but its peak memory is above ``budget.memory_gib``."""

    reason = Reason.OVER_BUDGET


class TimedOut(TerrasweepError):
    """The trial passed ``budget.timeout_s``."""

    reason = Reason.TIMEOUT


class Diverged(TerrasweepError):
    """The training loss is not finite."""

    reason = Reason.DIVERGED


class Crashed(TerrasweepError):
    """A defect: an unexpected exception, a signal, or a process that left without an answer."""

    reason = Reason.CRASHED


class DataError(TerrasweepError):
    """The data could not be opened or read."""

    reason = Reason.DATA_ERROR


class InvalidConfig(TerrasweepError):
    """The configuration contradicts itself; the message has one line per violation."""

    reason = Reason.INVALID_CONFIG


class Interrupted(TerrasweepError):
    """The sweep was stopped while the trial ran; it runs again on the next start."""

    reason = Reason.INTERRUPTED
