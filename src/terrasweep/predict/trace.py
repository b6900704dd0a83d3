"""What a traced training held in memory, moment by moment, as plain numbers. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from terrasweep.predict.cuda_allocator import Event


class Phase(StrEnum):
    """A part of a trial whose peak is told apart."""

    BUILD = "build"
    FIRST_STEP = "first step"
    """Allocates the optimizer's state after its activations are gone."""
    STEADY_STEP = "steady step"
    """Any later one."""
    EVALUATION = "evaluation"


class Kind(StrEnum):
    """What bytes are for."""

    WEIGHTS = "weights"
    """Parameters and buffers, with the constants of quantized ones."""
    GRADIENTS = "gradients"
    OPTIMIZER = "optimizer states"
    ACTIVATIONS = "activations"
    """What a forward pass makes: inputs, what is kept for the backward pass, what is gone after an operator."""
    WORKSPACES = "workspaces"
    """What else a backward pass or an optimizer needs for a moment."""


@dataclass(frozen=True, slots=True)
class Block:
    """The memory of a tensor, or of several that share it."""

    size: int
    """Bytes."""
    on_host: bool
    kind: Kind


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one optimizer step computes."""

    flops: float = 0.0
    """Of matrix products, convolutions and attention, as torch's FlopCounterMode counts them."""
    moved_bytes: int = 0
    """Read and written by all operators, each of which reads its inputs and writes its outputs once."""
    kernels: int = 0
    """Operators that compute; views of tensors do not."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Allocations and their ends in order, with the places where phases begin."""

    events: list[Event]
    blocks: list[Block]
    """By name: an event's name is a place in this list."""
    begins: list[tuple[Phase, int]]
    """Phases in order, each with the place of its first event; what was allocated before is live."""
    step: Work = field(default_factory=Work)
    """Of the steady step."""

    def peaks(self, *, on_host: bool) -> dict[Phase, dict[Kind, int]]:
        """Bytes by kind at the moment of each phase's peak; of a phase that comes twice the higher one."""
        held, total = dict.fromkeys(Kind, 0), 0
        found: dict[Phase, dict[Kind, int]] = {}
        most = dict[Phase, int]()
        for number, (phase, begin) in enumerate(self.begins):
            end = self.begins[number + 1][1] if number + 1 < len(self.begins) else len(self.events)
            if total > most.get(phase, -1):
                most[phase], found[phase] = total, dict(held)
            for name, size in self.events[begin if number else 0 : end]:
                block = self.blocks[name]
                if block.on_host is not on_host:
                    continue
                change = block.size if size >= 0 else -block.size
                held[block.kind] += change
                total += change
                if total > most[phase]:
                    most[phase], found[phase] = total, dict(held)
        return found

    def events_of(self, *, on_host: bool) -> list[Event]:
        """The events of one place, the device's or the host's."""
        return [event for event in self.events if self.blocks[event[0]].on_host is on_host]
