"""One exception for every way a trial can end without a result.

Each class names the :class:`~terrasweep.results.states.Reason` it becomes; the state follows from the reason.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import ClassVar

from terrasweep.results.secrets import masked
from terrasweep.results.states import Reason, State


class TerrasweepError(Exception):
    """Base of all errors that end a trial with a known reason. Passwords in URLs are masked in what it says.

    Attributes:
        violation: For an infeasible trial, by how much the limit was missed, relative to the limit; None if unknown.
    """

    reason: ClassVar[Reason] = Reason.CRASHED

    def __init__(self, message: str, *, violation: float | None = None) -> None:
        super().__init__(masked(message))
        self.violation = violation


class SweepStopped(Exception):
    """A sweep can't go on, for a reason outside of it like a full disk; what ran is recorded. Passwords are masked."""

    def __init__(self, message: str) -> None:
        super().__init__(masked(message))


def first_line(error: BaseException) -> str:
    """What an exception says, as a part of one line, passwords masked; its class where it says nothing."""
    return masked((str(error).strip() or type(error).__name__).splitlines()[0])


class DeviceOutOfMemory(TerrasweepError):
    """The accelerator's allocator could not serve a request."""

    reason = Reason.OOM_DEVICE


class HostOutOfMemory(TerrasweepError):
    """The host's memory, or the share of it that a trial may use, was exhausted."""

    reason = Reason.OOM_HOST


class OverBudget(TerrasweepError):
    """The trial ran to its end, but its peak memory is above ``budget.memory_gib``."""

    reason = Reason.OVER_BUDGET


class PredictedOutOfMemory(TerrasweepError):
    """By its predicted peak the trial can't fit its budget, so that it was not started."""

    reason = Reason.PREDICTED_OOM


class TimedOut(TerrasweepError):
    """The trial passed ``budget.timeout_s``."""

    reason = Reason.TIMEOUT


class Diverged(TerrasweepError):
    """The training loss is not finite."""

    reason = Reason.DIVERGED


class Pruned(TerrasweepError):
    """The study ended the training early: it would have led nowhere."""

    reason = Reason.PRUNER


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


_NO_HOST_MEMORY = (
    *("can't allocate memory", "cannot allocate memory", "not enough memory", "std::bad_alloc", "unable to allocate"),
    "insufficient memory",  # OpenCV's.
)
_NO_DEVICE_MEMORY = ("cuda out of memory", "cuda error: out of memory", "cuda_error_out_of_memory", "_alloc_failed")
"""The last one is cuBLAS's and cuDNN's."""


def out_of_memory(error: BaseException) -> DeviceOutOfMemory | HostOutOfMemory | None:
    """What one exception says about exhausted memory; None where it has another reason."""
    if isinstance(error, DeviceOutOfMemory | HostOutOfMemory):
        return error
    kind, text = type(error).__name__, str(error).lower()
    if any(phrase in text for phrase in _NO_DEVICE_MEMORY) or kind == "OutOfMemoryError":
        return DeviceOutOfMemory(f"the device ran out of memory: {first_line(error)}")
    exhausted = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    # GDAL has a class of its own, and what a data-loader worker caught is text.
    if exhausted or "OutOfMemory" in kind or any(phrase in text for phrase in _NO_HOST_MEMORY):
        return HostOutOfMemory(f"the host ran out of memory: {first_line(error)}")
    return None


def raise_out_of_memory(error: BaseException) -> None:
    """Let exhausted memory through where any other exception is about to be turned into something else.

    A trial that needs too much memory is knowledge for the sampler, whatever part of it asked for the memory. Causes
    and contexts are searched, since libraries wrap what they catch.

    Raises:
        DeviceOutOfMemory, HostOutOfMemory: It is behind the exception.
    """
    for link in chain(error):
        if found := out_of_memory(link):
            raise type(found)(str(found), violation=found.violation) from error


def reworded(error: TerrasweepError, message: str, otherwise: type[TerrasweepError]) -> TerrasweepError:
    """An error of a child's with more around it: what needs too much memory stays that, any other is ``otherwise``."""
    kind = type(error) if error.reason.state is State.INFEASIBLE else otherwise
    return kind(message, violation=error.violation)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and then what it was raised from or while handling, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
