"""What is reserved phase by phase, of traces that are written by hand."""

import pytest

from terrasweep.predict.cuda_allocator import AllocationFailed
from terrasweep.predict.reserved_memory import reserved_bytes
from terrasweep.predict.trace import Block, Kind, Phase, Trace

MIB = 2**20


def traced(sizes, events, begins, on_host=()):
    blocks = [Block(size * MIB, name in on_host, Kind.ACTIVATIONS) for name, size in enumerate(sizes)]
    listed = [(name, -1 if ends else blocks[name].size) for name, ends in events]
    return Trace(events=listed, blocks=blocks, begins=begins)


def test_what_a_build_has_cached_is_not_the_training_s_need():
    """A weight of 30 MiB comes by way of 100 MiB; a step takes 50 more."""
    trace = traced(
        [100, 30, 50],
        [(0, False), (1, False), (0, True), (2, False)],
        [(Phase.BUILD, 0), (Phase.FIRST_STEP, 3)],
    )
    reserved = {phase: size / MIB for phase, size in reserved_bytes(trace).items()}
    assert reserved == {Phase.BUILD: 130, Phase.FIRST_STEP: 80}


def test_a_second_step_finds_what_the_first_one_has_cached():
    trace = traced(
        [40, 60, 30],
        [(0, False), (1, False), (1, True), (2, False)],
        [(Phase.BUILD, 0), (Phase.FIRST_STEP, 1), (Phase.STEADY_STEP, 3)],
    )
    reserved = {phase: size / MIB for phase, size in reserved_bytes(trace).items()}
    assert reserved == {Phase.BUILD: 40, Phase.FIRST_STEP: 100, Phase.STEADY_STEP: 100}


def test_what_is_on_the_host_reserves_nothing():
    trace = traced([40, 60], [(0, False), (1, False)], [(Phase.BUILD, 0)], on_host={1})
    assert reserved_bytes(trace) == {Phase.BUILD: 40 * MIB}


def test_a_limit_below_the_need_is_told():
    trace = traced([40, 60], [(0, False), (1, False)], [(Phase.BUILD, 0)])
    assert reserved_bytes(trace, limit=100 * MIB) == {Phase.BUILD: 100 * MIB}
    with pytest.raises(AllocationFailed):
        reserved_bytes(trace, limit=98 * MIB)
