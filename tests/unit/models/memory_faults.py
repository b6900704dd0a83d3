"""Exhausted memory as torch and the system raise it: a model that does not fit is no model that is wrong."""

import pytest
import torch

from terrasweep.results.errors import DeviceOutOfMemory, HostOutOfMemory

FAULTS = [
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), DeviceOutOfMemory),
    (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), HostOutOfMemory),
    (MemoryError(), HostOutOfMemory),
    (OSError(12, "Cannot allocate memory"), HostOutOfMemory),
]
"""Each with the error that a trial ends with."""
PLAIN = RuntimeError("the memory of this model is of another shape")
"""Sounds like it, and is a fault of the model."""

exhausted = pytest.mark.parametrize(("fault", "known"), FAULTS, ids=lambda value: type(value).__name__)


def raising(fault):
    """A function that fails whatever it is called with."""

    def fail(*_, **__):
        raise fault

    return fail


def assert_comes_through(place, fault, known):
    """Assert that the place where the fault arises passes it on, as it is or by its reason."""
    with pytest.raises((DeviceOutOfMemory, HostOutOfMemory, RuntimeError, MemoryError)) as told:
        place()
    # One that is not caught at all is classified at the child's end.
    assert told.value is fault or type(told.value) is known
