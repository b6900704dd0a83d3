"""Memory of the GPU, as torch's caching allocator counts it."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, ClassVar, Self

from terrasweep.measure.measurement import Measurement
from terrasweep.measure.meter import MeteredTrial, PassiveMeter, Phase, Reading
from terrasweep.measure.peak_memory import MIB, PEAK_BUILD, PEAK_MEMORY, peak_of

if TYPE_CHECKING:
    import torch

PEAK_ALLOCATED = Measurement(
    name="peak_allocated_mib",
    label="peak allocated",
    unit="MiB",
    definition="Peak that torch's tensors occupied over training and evaluation (CUDA).",
)
ALLOCATOR_RETRIES = Measurement(
    name="allocator_retries",
    label="allocator retries",
    unit="count",
    definition="How often torch's allocator had to free its cache and try again (CUDA).",
)


class DeviceMemoryMeter(PassiveMeter):
    """What torch's caching allocator reserved on the GPU at its peak, and how often it had to start over."""

    measurements: ClassVar[tuple[Measurement, ...]] = (PEAK_MEMORY, PEAK_BUILD, PEAK_ALLOCATED, ALLOCATOR_RETRIES)

    def __init__(self, peak: Measurement, device: torch.device) -> None:
        """Args: ``peak`` is what the reserved memory is called."""
        self._reserved, self._device = peak, device
        self._reading: Reading = {}

    @classmethod
    def for_phase(cls, phase: Phase, trial: MeteredTrial) -> Self | None:
        """The build, the training and the evaluation each; nothing on a CPU."""
        if trial.device.type == "cpu" or phase is Phase.TRAINING_AND_EVALUATION:
            return None
        return cls(peak_of(phase), trial.device)

    def __enter__(self) -> Self:
        import torch

        gc.collect()
        # What the phase before has cached is not this phase's need.
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self._device)
        return self

    def on_pause_begin(self) -> None:
        """Keep the peaks so far: other meters are about to start theirs anew."""
        import torch

        torch.cuda.synchronize(self._device)
        stats = torch.cuda.memory_stats(self._device)
        seen: Reading = {
            self._reserved.name: torch.cuda.max_memory_reserved(self._device) / MIB,
            PEAK_ALLOCATED.name: torch.cuda.max_memory_allocated(self._device) / MIB,
            ALLOCATOR_RETRIES.name: float(stats.get("num_alloc_retries", 0)),
        }
        self._reading = {name: max(value or 0.0, self._reading.get(name) or 0.0) for name, value in seen.items()}

    def __exit__(self, *_: object) -> None:
        self.on_pause_begin()

    def reading(self) -> Reading:
        """The peaks of the phase."""
        return dict(self._reading)
