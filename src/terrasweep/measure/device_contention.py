"""What others took of the GPU while steps were timed, and what it held back itself, as NVML tells."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Self

import pynvml

from terrasweep.measure.board import nvml_handle
from terrasweep.measure.measurement import Measurement
from terrasweep.measure.meter import MeteredTrial, PassiveMeter, Phase, Reading

if TYPE_CHECKING:
    import torch

_SAMPLE_S = 0.2
"""At most so often, at the end of a step: NVML answers within a tenth of a millisecond."""
_MICRO = 10**6
HOLDING_BACK = (
    pynvml.nvmlClocksThrottleReasonHwSlowdown
    | pynvml.nvmlClocksThrottleReasonSwThermalSlowdown
    | pynvml.nvmlClocksThrottleReasonHwThermalSlowdown
    | pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown
)
"""Heat and failing power. The board's own power limit is not among them: a busy GPU is always at it."""

OTHER_GPU_SHARE = Measurement(
    name="other_gpu_share",
    label="others' share of the gpu",
    unit="1",
    definition="Share of the timed steps in which other processes computed on the device; 1 where NVML tells of some "
    "but not what they do (CUDA).",
)
THROTTLED_SHARE = Measurement(
    name="gpu_throttled_share",
    label="throttled share",
    unit="1",
    definition="Share of the looks, five a second over the timed steps, at which heat or failing power held the GPU "
    "back (CUDA).",
)
CLOCK_DROP_SHARE = Measurement(
    name="gpu_clock_drop_share",
    label="clock drop share",
    unit="1",
    definition="How far the GPU's clock fell over the timed steps below its highest of these looks, in [0, 1] (CUDA).",
)


class DeviceContentionMeter(PassiveMeter):
    """Looks at the GPU at the ends of timed steps; no thread of its own takes time from them."""

    measurements: ClassVar[tuple[Measurement, ...]] = (OTHER_GPU_SHARE, THROTTLED_SHARE, CLOCK_DROP_SHARE)

    def __init__(
        self, device: torch.device, untimed_steps: int, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        pynvml.nvmlInit()
        self._handle = nvml_handle(device)
        self._untimed, self._clock = untimed_steps, clock
        self._began_us = 0
        self._last = float("-inf")
        self._throttled: list[bool] = []
        self._clocks: list[int] = []
        self._others: float | None = None

    @classmethod
    def for_phase(cls, phase: Phase, trial: MeteredTrial) -> Self | None:
        """The training alone; nothing on a CPU."""
        if trial.device.type == "cpu" or phase is not Phase.TRAINING:
            return None
        return cls(trial.device, trial.untimed_steps)

    def on_step_begin(self, step: int) -> None:
        """Others count from the first timed step on."""
        if step == self._untimed:
            self._began_us = int(time.time() * _MICRO)

    def on_step_end(self, step: int, samples: int) -> None:
        """Look, where the last look is long enough ago."""
        now = self._clock()
        if step < self._untimed or now - self._last < _SAMPLE_S:
            return
        self._last = now
        reasons = _told(lambda: pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(self._handle))
        clock = _told(lambda: pynvml.nvmlDeviceGetClockInfo(self._handle, pynvml.NVML_CLOCK_SM))
        if reasons is not None:
            self._throttled.append(bool(reasons & HOLDING_BACK))
        if clock:
            self._clocks.append(clock)

    def __exit__(self, *_: object) -> None:
        if self._began_us:
            self._others = others_share(self._handle, self._began_us)

    def reading(self) -> Reading:
        """None where NVML doesn't tell."""
        looks, clocks = self._throttled, self._clocks
        return {
            OTHER_GPU_SHARE.name: self._others,
            THROTTLED_SHARE.name: sum(looks) / len(looks) if looks else None,
            CLOCK_DROP_SHARE.name: 1 - min(clocks) / max(clocks) if clocks else None,
        }


def others_share(handle: object, since_us: int) -> float | None:
    """How much other processes computed on the device since a time; None where NVML doesn't tell.

    Args:
        handle: NVML's, of the device.
        since_us: Microseconds of the wall clock.
    """
    try:
        processes = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except pynvml.NVMLError:
        return None
    pids = {process.pid for process in processes}
    # In a container NVML has the host's numbers, which are not ours: then one of them is this process.
    others = len(pids) - 1 if pids else 0
    if not others:
        return 0.0
    try:
        samples = pynvml.nvmlDeviceGetProcessUtilization(handle, since_us)
    except pynvml.NVMLError:
        return 1.0
    return min(1.0, _mean_of_others(samples, os.getpid()) / 100) if os.getpid() in pids else 1.0


def _mean_of_others(samples: list[pynvml.c_nvmlProcessUtilizationSample_t], own: int) -> float:
    """The sum over the other processes of the mean per cent of time in which each computed."""
    by_process: dict[int, list[int]] = {}
    for sample in samples:
        if sample.pid != own:
            by_process.setdefault(sample.pid, []).append(sample.smUtil)
    return sum(sum(shares) / len(shares) for shares in by_process.values())


def _told(ask: Callable[[], int]) -> int | None:
    try:
        return int(ask())
    except pynvml.NVMLError:
        return None
