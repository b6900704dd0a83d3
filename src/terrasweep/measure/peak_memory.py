"""The peak that has to fit the memory: a meter of the device takes it on CUDA, one of the host on a CPU."""

from __future__ import annotations

from terrasweep.measure.measurement import Measurement
from terrasweep.measure.meter import Phase

MIB = 2**20

PEAK_MEMORY = Measurement(
    name="peak_memory_mib",
    label="peak memory",
    unit="MiB",
    definition="Peak over training and evaluation. On CUDA what torch's allocator reserved; on a CPU the resident "
    "set's high-water mark above the resident set before the build; data-loader workers apart.",
    within_budget=True,
)
PEAK_BUILD = Measurement(
    name="peak_build_mib",
    label="peak build",
    unit="MiB",
    definition="The same peak over the build alone (built, quantized and moved to the device), which passes through "
    "the full-precision weights. It has to fit the budget as well.",
    of_build=True,
    within_budget=True,
)


def peak_of(phase: Phase) -> Measurement:
    """Which measurement a phase's peak is."""
    return PEAK_BUILD if phase is Phase.BUILD else PEAK_MEMORY
