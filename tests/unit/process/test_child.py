"""Whatever ends a child becomes a reason: by the error itself, or by what a library wrapped it in."""

import sys
from types import SimpleNamespace

import pytest

from terrasweep.process import child
from terrasweep.process.child import CHILD_ERRORS, classify
from terrasweep.results.errors import Crashed, DataError, DeviceOutOfMemory, Diverged, HostOutOfMemory, TerrasweepError
from terrasweep.results.states import Reason


class OutOfMemoryError(RuntimeError):
    """By its name alone what torch raises."""


class RasterioIOError(OSError):
    """As rasterio's."""


RasterioIOError.__module__ = "rasterio.errors"


def wrapped(error):
    """As Lightning and data loaders do: the cause stands behind another error."""
    try:
        try:
            raise error
        except BaseException as inner:
            raise RuntimeError("Caught an error in a worker") from inner
    except RuntimeError as outer:
        return outer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Diverged("the loss is nan"), Diverged),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), DeviceOutOfMemory),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), DeviceOutOfMemory),
        (MemoryError(), HostOutOfMemory),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), HostOutOfMemory),
        (RasterioIOError("not recognized as a file"), DataError),
        (ZeroDivisionError("division by zero"), Crashed),
    ],
)
@pytest.mark.parametrize("wrap", [lambda error: error, wrapped], ids=["itself", "wrapped"])
def test_an_error_has_its_reason(error, kind, wrap):
    if kind is Crashed and wrap is wrapped:
        assert "Caught an error in a worker" in str(classify(wrap(error)))
    assert type(classify(wrap(error))) is kind


def test_an_error_that_is_known_stays_itself_with_its_miss():
    known = HostOutOfMemory("too much", violation=0.25)
    assert classify(wrapped(known)) is known


def test_a_circle_of_causes_ends():
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert str(classify(first)).startswith("RuntimeError: a")


def test_a_crash_says_where():
    try:
        raise LookupError("nothing there")
    except LookupError as error:
        found = str(classify(error))
    assert found.startswith("LookupError: nothing there (test_child.py:")


def test_every_reason_of_an_error_comes_back_as_that_error():
    assert set(CHILD_ERRORS) == {error.reason for error in CHILD_ERRORS.values()}
    assert {Reason.OOM_DEVICE, Reason.OOM_HOST, Reason.DIVERGED, Reason.CRASHED} <= set(CHILD_ERRORS)
    assert all(issubclass(error, TerrasweepError) for error in CHILD_ERRORS.values())
    assert child.CHILD_ERRORS[Reason.DATA_ERROR] is DataError


@pytest.mark.parametrize(("untouched", "said"), [(False, [("report", {"cuda_unusable": True})]), (True, [])])
def test_a_child_that_can_t_use_cuda_says_so_and_leaves_its_task_undone(monkeypatch, untouched, said):
    sent, ran = [], []
    monkeypatch.setattr(child, "_detach", lambda log: None)
    monkeypatch.setattr(child.startup, "start_child", lambda: None)
    monkeypatch.setattr(child.os, "_exit", sent.append)
    monkeypatch.setitem(sys.modules, "terrasweep.trial.preload", SimpleNamespace(CUDA_UNTOUCHED=untouched))
    monkeypatch.setitem(sys.modules, "a_task", SimpleNamespace(run=lambda report, value: ran.append(value)))
    monkeypatch.delitem(sys.modules, "terrasweep.process.preloading", raising=False)
    child.main(SimpleNamespace(send=sent.append, close=lambda: None), "log.txt", "a_task:run", {"value": 7})
    assert sent == [*said, ("done", {}), 0]
    assert ran == ([7] if untouched else [])
