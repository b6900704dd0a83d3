"""What a trial's step would take at the rates of its device, from what was counted of it. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from terrasweep.config.schema import TrialConfig
from terrasweep.machine.hardware import compute_threads, cpu_name, gpu_names
from terrasweep.predict.device_rates import known_rates
from terrasweep.predict.trace import Work
from terrasweep.results.speed_calibration import StepWork

_GIGA = 1e9
_CPU_FLOPS_PER_S, _CPU_BYTES_PER_S = 40 * _GIGA, 8 * _GIGA
"""Of a thread, as torch's operators come to them: what a CPU does at most depends on its instructions and its clock."""
_GPU_FLOPS_PER_S = {"fp32": 20e12, "bf16": 80e12, "fp16": 80e12}
_GPU_BYTES_PER_S = 600 * _GIGA
"""Of a GPU that is not in the table: between a card for games and one for a data center."""
_LAUNCH_S = {"cpu": 10e-6, "cuda": 8e-6}
"""To start an operator from Python: its dispatch, autograd and autocast, and on a GPU its kernel's launch."""
_DEFAULTS = {"precision": "fp32", "quantization": "none", "offload": "none"}
"""Groups whose other options change kernels, with the option that changes none."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What a device is taken to do in a second."""

    flops: float
    bytes: float
    launch_s: float
    """For one operator."""


def step_work(step: Work, config: TrialConfig, device: str) -> StepWork | None:
    """What a training step would take, part by part.

    Args:
        step: Counted on a trace.
        config: The trial that it is of.
        device: ``cpu`` or ``cuda``: that of this machine.

    Returns:
        None where nothing was counted.
    """
    if not (step.kernels and step.moved_bytes):
        return None
    rates = device_rates(config, device)
    return StepWork(
        compute_s=step.flops / rates.flops,
        memory_s=step.moved_bytes / rates.bytes,
        launch_s=step.kernels * rates.launch_s,
        traits=tuple(_traits(config)),
    )


def device_kind(device: str) -> str:
    """What tells devices of another speed apart: a GPU's name, or the processor's with the threads that compute."""
    return next(iter(gpu_names()), device) if device == "cuda" else f"{cpu_name()}, {compute_threads()} threads"


def device_rates(config: TrialConfig, device: str) -> Rates:
    """What this machine's device is taken to do in a trial's arithmetic."""
    if device == "cpu":
        threads = compute_threads()
        return Rates(flops=threads * _CPU_FLOPS_PER_S, bytes=threads * _CPU_BYTES_PER_S, launch_s=_LAUNCH_S["cpu"])
    known = known_rates(device_kind(device))
    peak = known.peak_flops_per_s(config.precision) if known else None
    return Rates(
        flops=peak or _GPU_FLOPS_PER_S[config.precision.name],
        bytes=known.memory_gb_per_s * _GIGA if known else _GPU_BYTES_PER_S,
        launch_s=_LAUNCH_S["cuda"],
    )


def _traits(config: TrialConfig) -> Iterator[str]:
    for group, usual in _DEFAULTS.items():
        if (name := getattr(config, group).name) != usual:
            yield f"{group}={name}"
