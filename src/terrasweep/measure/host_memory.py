"""Memory of the host: the high-water mark of the trial's process."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path
from typing import ClassVar, Self

from terrasweep.measure.host_allocator import FreedAtOnce
from terrasweep.measure.measurement import Measurement
from terrasweep.measure.meter import MeteredTrial, PassiveMeter, Phase, Reading
from terrasweep.measure.peak_memory import PEAK_BUILD, PEAK_MEMORY, peak_of

_RESET_HIGH_WATER_MARK = "5"

PEAK_HOST_MEMORY = Measurement(
    name="peak_host_memory_mib",
    label="peak host memory",
    unit="MiB",
    definition="High-water mark of the whole process's resident set over training and evaluation, libraries included.",
)


class HostMemoryMeter(PassiveMeter):
    """High-water mark of this process's resident set above a baseline (Linux, proc(5)).

    In a forked child the mark starts at its own size; entering resets it. Data-loader workers are other processes and
    don't count. What glibc keeps after a tensor is freed hides what is needed, by 15 % and never twice the same; so
    freed memory goes back to the system at once while the peak is taken. That slows a step by half, and a timed one
    must not be slowed: with ``exact_steps``, the peak is that of so many untimed steps, and the allocator is as usual
    from there on. These steps are computed by one thread: each thread has its own scratch memory, and which of them
    hold some at the same moment is chance.
    """

    measurements: ClassVar[tuple[Measurement, ...]] = (PEAK_MEMORY, PEAK_BUILD, PEAK_HOST_MEMORY)

    def __init__(self, peak: Measurement | None, baseline_mib: float, exact_steps: int | None = None) -> None:
        """Measure the process, and its growth where that is wanted.

        Args:
            peak: What the growth is called; None where the device's memory is the one that has to suffice.
            baseline_mib: The resident set from which growth counts.
            exact_steps: None where nothing in the phase is timed, and 0 to leave the allocator as it is.
        """
        self._growth, self._baseline, self._exact_steps = peak, baseline_mib, exact_steps
        self._peak: float | None = None
        self._process_peak = 0.0
        self._allocator = FreedAtOnce()
        self._threads: int | None = None

    @classmethod
    def for_phase(cls, phase: Phase, trial: MeteredTrial) -> Self | None:
        """The build, the training and the evaluation each."""
        if phase is Phase.TRAINING_AND_EVALUATION:
            return None
        if trial.device.type != "cpu":
            return cls(None, trial.baseline_mib, 0)
        timed = phase is Phase.TRAINING
        return cls(peak_of(phase), trial.baseline_mib, exact_steps(trial.untimed_steps) if timed else None)

    def __enter__(self) -> Self:
        if self._exact_steps:
            self._threads = set_threads(1)
        if self._exact_steps != 0:
            self._allocator.begin()
        reset_peak_resident()
        return self

    def on_step_end(self, step: int, samples: int) -> None:
        """Take the peak after the last of the exact steps."""
        if self._exact_steps and step == self._exact_steps - 1:
            self._peak = peak_resident_mib()
            self._as_usual()

    def on_pause_begin(self) -> None:
        """Keep the peak so far: other meters are about to start theirs anew."""
        self._process_peak = max(self._process_peak, peak_resident_mib())

    def __exit__(self, *_: object) -> None:
        self.on_pause_begin()
        if self._peak is None:
            self._peak = self._process_peak
        self._as_usual()

    def reading(self) -> Reading:
        """The peak above the baseline, where it has a name, and of the process as a whole."""
        above = max(0.0, (self._peak or 0.0) - self._baseline)
        growth: Reading = {} if self._growth is None else {self._growth.name: above}
        return {**growth, PEAK_HOST_MEMORY.name: self._process_peak}

    def _as_usual(self) -> None:
        self._allocator.end()
        if self._threads is not None:
            set_threads(self._threads)
            self._threads = None


def resident_mib() -> float:
    """This process's resident set now."""
    return _status_mib("VmRSS")


def peak_resident_mib() -> float:
    """The high-water mark of this process's resident set since the last reset."""
    return _status_mib("VmHWM")


def reset_peak_resident() -> None:
    """Let the high-water mark start again from the present resident set."""
    Path("/proc/self/clear_refs").write_text(_RESET_HIGH_WATER_MARK)


def trimmed_resident_mib() -> float:
    """The resident set after freed memory was given back to the system: the baseline of a measurement."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    return resident_mib()


def set_threads(threads: int) -> int:
    """Let so many threads compute torch's operations from here on, those of BLAS and oneDNN included.

    Returns:
        How many did so before.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    return before


def exact_steps(untimed_steps: int) -> int:
    """How many of the warm-up steps may measure memory: all but the last, and none of fewer than three.

    The first step allocates the optimizer's state, the second one needs it beside the activations.
    """
    return untimed_steps - 1 if untimed_steps >= 3 else 0


def _status_mib(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"/proc/self/status has no {field}")
