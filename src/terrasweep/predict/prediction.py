"""What a trial will need in memory and computes in a step, as plain numbers. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from terrasweep.predict.trace import Kind, Phase, Work

MIB = 2**20
Memory = dict[Phase, dict[Kind, float]]
"""MiB at the moment of each phase's peak, by what they are for."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The memory of a trial on one device, from its build to its evaluation."""

    device: str
    """``cpu`` or ``cuda``."""
    on_device: Memory = field(default_factory=dict)
    """Empty on a CPU, whose memory is the host's."""
    on_host: Memory = field(default_factory=dict)
    """Tensors alone; libraries, data-loader workers and a CUDA context are not counted."""
    reserved: dict[Phase, float] = field(default_factory=dict)
    """MiB that torch's caching allocator takes for what is on the device; empty on a CPU."""
    step: Work = field(default_factory=Work)
    """Of the steady step, all its parts together."""
    notes: list[str] = field(default_factory=list)
    """What had to be assumed, a sentence each."""

    @property
    def peak_memory_mib(self) -> float:
        """The number that ``peak_memory_mib`` measures: over training and evaluation, reserved where there is CUDA."""
        return max(size for phase, size in self._limiting().items() if phase is not Phase.BUILD)

    @property
    def peak_build_mib(self) -> float:
        """The number that ``peak_build_mib`` measures."""
        return self._limiting().get(Phase.BUILD, 0.0)

    @property
    def peak_allocated_mib(self) -> float:
        """Over training and evaluation, what tensors occupy on the device, or on the host of a CPU's trial."""
        memory = self.on_device or self.on_host
        return max(sum(kinds.values()) for phase, kinds in memory.items() if phase is not Phase.BUILD)

    @property
    def peak_host_mib(self) -> float:
        """Over the whole trial, what tensors occupy on the host."""
        return max(sum(kinds.values()) for kinds in self.on_host.values())

    def _limiting(self) -> dict[Phase, float]:
        return self.reserved or {phase: sum(kinds.values()) for phase, kinds in self.on_host.items()}


def as_json(prediction: Prediction) -> dict[str, Any]:
    """Plain values, from which :func:`from_json` makes the prediction again."""
    return {
        "device": prediction.device,
        "on_device": prediction.on_device,
        "on_host": prediction.on_host,
        "reserved": prediction.reserved,
        "step": {
            "flops": prediction.step.flops,
            "moved_bytes": prediction.step.moved_bytes,
            "kernels": prediction.step.kernels,
        },
        "notes": prediction.notes,
    }


def from_json(values: dict[str, Any]) -> Prediction:
    """A stored prediction.

    Raises:
        KeyError, TypeError, ValueError: It is none, or one of another version.
    """

    def memory(stored: dict[str, dict[str, float]]) -> Memory:
        return {Phase(phase): {Kind(kind): size for kind, size in kinds.items()} for phase, kinds in stored.items()}

    return Prediction(
        device=values["device"],
        on_device=memory(values["on_device"]),
        on_host=memory(values["on_host"]),
        reserved={Phase(phase): size for phase, size in values["reserved"].items()},
        step=Work(**values["step"]),
        notes=values["notes"],
    )
