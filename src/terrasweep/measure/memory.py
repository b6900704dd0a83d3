"""Peak memory: torch's allocator on CUDA, the resident set's high-water mark on a CPU."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

import torch

from terrasweep.measure.meter import PassiveMeter, Reading

KIB = 2**10
MIB = 2**20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_RESET_HIGH_WATER_MARK = "5"


class HostMemoryMeter(PassiveMeter):
    """High-water mark of this process's resident set above a baseline (Linux, proc(5)).

    In a forked child the mark starts at its own size; entering resets it. Data-loader workers are other processes and
    don't count. What glibc keeps after a tensor is freed hides what is needed, by 15 % and never twice the same; so
    freed memory goes back to the system at once while the peak is taken. That slows a step by half, and a timed one
    must not be slowed: with ``exact_steps``, the peak is that of so many untimed steps, and the allocator is as usual
    from there on.
    """

    def __init__(self, name: str | None, baseline_mib: float, exact_steps: int | None = None) -> None:
        """Args: ``exact_steps`` is None where nothing in the phase is timed, and 0 to leave the allocator as it is."""
        self._name, self._baseline, self._exact_steps = name, baseline_mib, exact_steps
        self._peak: float | None = None
        self._process_peak = 0.0

    def __enter__(self) -> HostMemoryMeter:
        if self._exact_steps != 0:
            return_freed_memory(at_once=True)
        reset_peak_resident()
        return self

    def on_step_end(self, step: int, samples: int) -> None:
        """Take the peak after the last of the exact steps."""
        if self._exact_steps and step == self._exact_steps - 1:
            self._peak = peak_resident_mib()
            return_freed_memory(at_once=False)

    def __exit__(self, *_: object) -> None:
        self._process_peak = peak_resident_mib()
        if self._peak is None:
            self._peak = self._process_peak
        return_freed_memory(at_once=False)

    def reading(self) -> Reading:
        """The peak above the baseline, where it has a name, and of the process as a whole."""
        growth: Reading = {self._name: max(0.0, (self._peak or 0.0) - self._baseline)} if self._name else {}
        return {**growth, "peak_host_memory_mib": self._process_peak}


class DeviceMemoryMeter(PassiveMeter):
    """What torch's caching allocator reserved on the GPU at its peak, and how often it had to start over."""

    def __init__(self, name: str, device: torch.device) -> None:
        self._name, self._device = name, device
        self._reading: Reading = {}

    def __enter__(self) -> DeviceMemoryMeter:
        gc.collect()
        # What the phase before has cached is not this phase's need.
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self._device)
        return self

    def __exit__(self, *_: object) -> None:
        torch.cuda.synchronize(self._device)
        stats = torch.cuda.memory_stats(self._device)
        self._reading = {
            self._name: torch.cuda.max_memory_reserved(self._device) / MIB,
            "peak_allocated_mib": torch.cuda.max_memory_allocated(self._device) / MIB,
            "allocator_retries": float(stats.get("num_alloc_retries", 0)),
        }

    def reading(self) -> Reading:
        """The peaks of the phase."""
        return dict(self._reading)


def resident_mib() -> float:
    """This process's resident set now."""
    return _status_mib("VmRSS")


def peak_resident_mib() -> float:
    """The high-water mark of this process's resident set since the last reset."""
    return _status_mib("VmHWM")


def reset_peak_resident() -> None:
    """Let the high-water mark start again from the present resident set."""
    Path("/proc/self/clear_refs").write_text(_RESET_HIGH_WATER_MARK)


def settle() -> float:
    """Give freed memory back to the system and return the resident set in MiB: the baseline of a measurement."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    return resident_mib()


def return_freed_memory(*, at_once: bool) -> None:
    """Set from which size on glibc gives each block its own mapping, which ends with the block (mallopt(3)).

    The usual values are those at which glibc's own adaptation ends on 64-bit systems.
    """
    libc = ctypes.CDLL("libc.so.6")
    mmap_threshold, trim_threshold = (128 * KIB, 128 * KIB) if at_once else (32 * MIB, 64 * MIB)
    libc.mallopt(_M_MMAP_THRESHOLD, mmap_threshold)
    libc.mallopt(_M_TRIM_THRESHOLD, trim_threshold)
    libc.malloc_trim(0)


def exact_steps(warmup_steps: int) -> int:
    """How many of the warm-up steps may measure memory: all but the last, and none of fewer than three.

    The first step allocates the optimizer's state, the second one needs it beside the activations.
    """
    return warmup_steps - 1 if warmup_steps >= 3 else 0


def _status_mib(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"/proc/self/status has no {field}")
