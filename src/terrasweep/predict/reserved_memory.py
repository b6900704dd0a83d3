"""What torch's allocator reserves on a GPU for a traced trial, phase by phase. Imports no torch."""

from __future__ import annotations

from terrasweep.predict.cuda_allocator import CachingAllocator
from terrasweep.predict.trace import Phase, Trace

_FRESH = (Phase.FIRST_STEP, Phase.EVALUATION)
"""Phases before which a trial gives back what is cached, so that each is measured by itself (measure/device_memory)."""


def reserved_bytes(trace: Trace, limit: int | None = None) -> dict[Phase, int]:
    """The most that is reserved in each phase.

    Args:
        trace: With what is on the device.
        limit: Bytes that may be reserved; None: as many as are asked for.

    Raises:
        AllocationFailed: The limit is too small.
    """
    allocator, peaks = CachingAllocator(limit), dict[Phase, int]()
    ends = [place for _, place in trace.begins[1:]] + [len(trace.events)]
    for (phase, begin), end in zip(trace.begins, ends, strict=True):
        if phase in _FRESH and phase not in peaks:
            allocator.give_back()
        allocator.peak_reserved = allocator.reserved
        for name, size in trace.events[begin:end]:
            if not trace.blocks[name].on_host:
                allocator.apply((name, size))
        peaks[phase] = max(peaks.get(phase, 0), allocator.peak_reserved)
    return peaks
