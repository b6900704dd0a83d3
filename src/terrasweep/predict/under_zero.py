"""What DeepSpeed's ZeRO makes of a trace without it, on one device, with the optimizer's state on the host.

By DeepSpeed's own code (0.19, ``runtime/zero/stage_1_and_2.py`` and ``stage3.py``) with terrasweep's settings. Of each
element that learns the host keeps, with four bytes each, a master copy, its gradient, Adam's two moments, and

- in stage 2 a buffer in which the master copy goes back (``param_buffer_of_bit16_for_cpu_offload_groups``);
- in stage 3 the parameter itself, as of those that are frozen, and a gradient more (``grad_partitions_flat_buffer``).

The device gathers gradients in one bucket, in stage 2 for as long as a step lasts. In stage 3 it holds of the
parameters those that the next layers need, and one more copy of the bucket when it is full
(``reduce_scatter_coalesced``); on a CPU the group's own reduction holds another. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from terrasweep.models.offload.deepspeed_settings import LARGEST_BUCKET
from terrasweep.predict.cuda_allocator import Event
from terrasweep.predict.trace import Block, Kind, Phase, Trace

_FLOAT = 4
_GATHERED = 4
"""Parameters of the largest one's size that are gathered at once (``stage3_max_live_parameters``)."""


def under_zero(trace: Trace, *, stage: int) -> Trace:
    """The same training under ZeRO.

    Args:
        trace: Without it.
        stage: 2 with the optimizer's state on the host, or 3 with the parameters there, too. What a disk would take
            counts as the host's.
    """
    on_gpu = any(not block.on_host for block in trace.blocks)
    blocks = [replace(b, on_host=True) if stage == 3 and b.kind is Kind.WEIGHTS else b for b in trace.blocks]
    gradients = {name for name, b in enumerate(blocks) if b.kind is Kind.GRADIENTS}
    states = {name for name, b in enumerate(blocks) if b.kind is Kind.OPTIMIZER}
    lasting = _lasting(trace, stage, on_gpu=on_gpu)
    bucket = _bucket(trace, on_host=not on_gpu) if stage == 2 and on_gpu else None
    events: list[Event] = []
    begins: list[tuple[Phase, int]] = []
    for phase, given in _phases(trace):
        begins.append((phase, len(events)))
        if lasting and phase is not Phase.BUILD:
            events += [(len(blocks) + number, block.size) for number, block in enumerate(lasting)]
            blocks, lasting = blocks + lasting, []
        given = [(name, size) for name, size in given if name not in states]
        if phase not in (Phase.FIRST_STEP, Phase.STEADY_STEP):
            events += [event for event in given if event[0] not in gradients]
            continue
        if stage == 3:
            blocks.append(Block((1 if on_gpu else 2) * learning_bytes(trace), not on_gpu, Kind.GRADIENTS))
        full = [(len(blocks) - 1, blocks[-1].size), (len(blocks) - 1, -1)] if stage == 3 else []
        if bucket is not None:
            given = [(len(blocks), bucket.size), *given, (len(blocks), -1)]
            blocks.append(bucket)
        # A step on a CPU fills the pages of stage 2's bucket one by one; a GPU takes it as a whole.
        events += _gathered(given, gradients, full, at_once=on_gpu or stage == 3)
    return replace(trace, events=events, blocks=blocks, begins=begins)


def _lasting(trace: Trace, stage: int, *, on_gpu: bool) -> list[Block]:
    """What DeepSpeed makes before the first step, and keeps."""
    learning, largest = learning_bytes(trace), _largest(trace, Kind.GRADIENTS)

    def on_host(size: int, kind: Kind) -> Block:
        return Block(size, True, kind)

    copies = [on_host(learning, Kind.OPTIMIZER) for _ in ("master copy", "first moment", "second moment")]
    if stage == 2:
        buffers = [on_host(learning, Kind.OPTIMIZER), on_host(learning, Kind.GRADIENTS)]
        one = [Block(largest, place, Kind.WORKSPACES) for place in (True, not on_gpu)]
        return [*copies, *buffers, *one]
    gathered = Block(_GATHERED * _largest(trace, Kind.WEIGHTS), not on_gpu, Kind.WORKSPACES)
    gradients = [on_host(learning, Kind.GRADIENTS) for _ in range(2)]
    return [*copies, *gradients, _bucket(trace, on_host=not on_gpu), gathered]


def learning_bytes(trace: Trace) -> int:
    """Bytes of all gradients when all are there, which are those of the parameters that learn."""
    held = highest = 0
    for name, size in trace.events:
        if trace.blocks[name].kind is Kind.GRADIENTS:
            held += trace.blocks[name].size if size >= 0 else -trace.blocks[name].size
            highest = max(highest, held)
    return highest


def _bucket(trace: Trace, *, on_host: bool) -> Block:
    return Block(min(learning_bytes(trace), _FLOAT * LARGEST_BUCKET), on_host, Kind.GRADIENTS)


def _largest(trace: Trace, kind: Kind) -> int:
    return max((block.size for block in trace.blocks if block.kind is kind), default=0)


def _phases(trace: Trace) -> Iterator[tuple[Phase, list[Event]]]:
    """Each phase with its events; what comes before the first one belongs to it."""
    places = [place for _, place in trace.begins]
    for number, (phase, place) in enumerate(trace.begins):
        end = places[number + 1] if number + 1 < len(places) else len(trace.events)
        yield phase, trace.events[0 if number == 0 else place : end]


def _gathered(given: list[Event], gradients: set[int], full: list[Event], *, at_once: bool) -> Iterator[Event]:
    """A step's events with gradients that go into a bucket, at once or when all of them are there.

    Args:
        given: The step's.
        gradients: Names of theirs.
        full: What happens when the last one is there.
        at_once: Whether a gradient ends as soon as it begins.
    """
    made = [place for place, (name, size) in enumerate(given) if name in gradients and size >= 0]
    for place, (name, size) in enumerate(given):
        if name not in gradients or size >= 0:
            yield name, size
        if place in made and at_once:
            yield name, -1
        if made and place == made[-1]:
            yield from [] if at_once else [(given[other][0], -1) for other in made]
            yield from full
