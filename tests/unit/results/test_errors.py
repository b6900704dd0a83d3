"""Every way a trial can end has an error, which says the same in the parent as in the child."""

import errno
import pickle
import traceback

import numpy as np
import pytest
import torch
from numpy._core._exceptions import _ArrayMemoryError
from rasterio._err import CPLE_OutOfMemoryError

from terrasweep.results import errors
from terrasweep.results.errors import (
    DataError,
    DeviceOutOfMemory,
    HostOutOfMemory,
    InvalidConfig,
    TerrasweepError,
    first_line,
    out_of_memory,
    raise_out_of_memory,
)
from terrasweep.results.states import Reason

ERRORS = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, TerrasweepError)]


def test_every_reason_has_an_error_of_its_own():
    """The base stands for what nobody expected."""
    own = [error.reason for error in ERRORS if error is not TerrasweepError]
    assert len(own) == len(set(own))
    assert set(Reason) == set(own)
    assert TerrasweepError.reason is Reason.CRASHED


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_goes_from_a_child_to_its_parent_with_all_it_says(error):
    sent = error("a=1: wrong; use 2", violation=0.25)
    came = pickle.loads(pickle.dumps(sent))
    assert type(came) is error
    assert (str(came), came.violation, came.reason) == ("a=1: wrong; use 2", 0.25, error.reason)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one\ntwo"), "one"),
        (ValueError("\n  one  \ntwo"), "one  "),
        (ValueError(), "ValueError"),
        (KeyError("\n"), "'\\n'"),
        (OSError(2, "No such file"), "[Errno 2] No such file"),
    ],
)
def test_an_exception_is_a_part_of_one_line(error, line):
    assert first_line(error) == line


def of_torch_s_host_allocator():
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60)
    return raised.value


HOST = {
    "Python's": MemoryError(),
    "numpy's": _ArrayMemoryError((2**40,), np.dtype("float64")),
    "torch's": of_torch_s_host_allocator(),
    "C++'s": RuntimeError("std::bad_alloc"),
    "the system's": OSError(errno.ENOMEM, "Cannot allocate memory"),
    "the system's in another language": OSError(errno.ENOMEM, "Nicht genügend Hauptspeicher verfügbar"),
    "GDAL's": CPLE_OutOfMemoryError(2, 2, "cannot allocate"),
    "OpenCV's": ValueError("(-4:Insufficient memory) Failed to allocate 9 bytes in function 'OutOfMemoryError'"),
    "a data-loader worker's": RuntimeError(
        "Caught _ArrayMemoryError in worker 0.\nUnable to allocate 8 TiB for an array"
    ),
}
DEVICE = {
    "torch's": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    "the driver's": RuntimeError("CUDA error: out of memory"),
    "cuBLAS's": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
}
OTHERS = [ValueError("no such band"), OSError(errno.ENOENT, "No such file"), DataError("memory.tif can't be read")]


def wrapped(error):
    """As a library does that drops the cause, inside one that keeps it."""
    try:
        try:
            raise error
        except Exception:
            raise ValueError("a sample can't be read")  # noqa: B904 - as a library raises it
    except ValueError as outer:
        try:
            raise KeyError("image") from outer
        except KeyError as whole:
            return whole


@pytest.mark.parametrize("kind", HOST)
def test_the_host_s_memory_is_known_as_such(kind):
    assert type(out_of_memory(HOST[kind])) is HostOutOfMemory
    with pytest.raises(HostOutOfMemory, match=r"the host ran out of memory: ."):
        raise_out_of_memory(wrapped(HOST[kind]))


@pytest.mark.parametrize("kind", DEVICE)
def test_the_device_s_memory_is_known_as_such(kind):
    assert type(out_of_memory(DEVICE[kind])) is DeviceOutOfMemory
    with pytest.raises(DeviceOutOfMemory, match=r"the device ran out of memory: ."):
        raise_out_of_memory(wrapped(DEVICE[kind]))


@pytest.mark.parametrize("error", OTHERS, ids=str)
def test_any_other_error_is_left_to_who_caught_it(error):
    assert out_of_memory(error) is None
    raise_out_of_memory(wrapped(error))


def test_what_is_known_already_keeps_by_how_much_it_was_missed():
    with pytest.raises(HostOutOfMemory) as raised:
        raise_out_of_memory(wrapped(HostOutOfMemory("grew by 2 GiB", violation=0.5)))
    assert raised.value.violation == 0.5
    assert "grew by 2 GiB" in str(raised.value)
    assert "image" in "".join(traceback.format_exception(raised.value))  # The whole story stays in the log.


def test_a_refusal_that_names_memory_is_none():
    assert out_of_memory(InvalidConfig("budget.memory_gib=-1: it must be above 0")) is None
