"""What only NVML sees of a GPU: the process's whole VRAM, context included, and the board's energy."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, ClassVar, Self

import pynvml

from terrasweep.measure.measurement import Measurement
from terrasweep.measure.meter import MeteredTrial, PassiveMeter, Phase, Reading
from terrasweep.measure.peak_memory import MIB

if TYPE_CHECKING:
    import torch

SAMPLE_S = 0.1

PEAK_PROCESS_VRAM = Measurement(
    name="peak_process_vram_mib",
    label="peak process vram",
    unit="MiB",
    definition="Peak of the process's video memory over training and evaluation as NVML sees it, CUDA context "
    "included, sampled ten times a second (CUDA).",
    within_budget=True,
)
ENERGY = Measurement(
    name="energy_joules",
    label="energy",
    unit="J",
    definition="Energy of the board over training and evaluation, where NVML gives it (CUDA).",
    of_whole_training=True,
)


class BoardMeter(PassiveMeter):
    """Samples the process's VRAM ten times a second, and reads the energy counter at both ends."""

    measurements: ClassVar[tuple[Measurement, ...]] = (PEAK_PROCESS_VRAM, ENERGY)

    def __init__(self, device: torch.device) -> None:
        pynvml.nvmlInit()
        self._handle = nvml_handle(device)
        self._peak: float | None = None
        self._joules: float | None = None
        self._stop = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    @classmethod
    def for_phase(cls, phase: Phase, trial: MeteredTrial) -> Self | None:
        """The build, and training and evaluation as one; nothing on a CPU."""
        if trial.device.type == "cpu" or phase not in (Phase.BUILD, Phase.TRAINING_AND_EVALUATION):
            return None
        return cls(trial.device)

    def __enter__(self) -> Self:
        self._start_energy = self._energy_joules()
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._sampler.join()
        end = self._energy_joules()
        if end is not None and self._start_energy is not None:
            self._joules = end - self._start_energy

    def reading(self) -> Reading:
        """None where NVML doesn't tell."""
        return {PEAK_PROCESS_VRAM.name: self._peak, ENERGY.name: self._joules}

    def _sample(self) -> None:
        while True:
            used = process_vram_mib(self._handle)
            if used is not None:
                self._peak = max(used, self._peak or 0.0)
            if self._stop.wait(SAMPLE_S):
                return

    def _energy_joules(self) -> float | None:
        try:
            return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1000
        except pynvml.NVMLError:
            return None


def nvml_handle(device: torch.device) -> object:
    """NVML's handle of a torch device; they count differently under CUDA_VISIBLE_DEVICES, so by UUID."""
    import torch

    uuid = torch.cuda.get_device_properties(device).uuid
    return pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}".encode())


def process_vram_mib(handle: object) -> float | None:
    """VRAM of this process as NVML sees it; None where NVML doesn't tell (for example in some containers)."""
    try:
        for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle):
            if process.pid == os.getpid() and process.usedGpuMemory is not None:
                return float(process.usedGpuMemory) / MIB
    except pynvml.NVMLError:
        return None
    return None


def context_mib(device: torch.device) -> float:
    """VRAM of the CUDA context, which no allocator of torch's counts: NVML's figure less what torch reserved."""
    import torch

    torch.cuda.init()
    torch.empty(1, device=device)
    pynvml.nvmlInit()
    used = process_vram_mib(nvml_handle(device))
    return 0.0 if used is None else max(0.0, used - torch.cuda.memory_reserved(device) / MIB)
