"""What ZeRO makes of a small trace, worked out by hand."""

import pytest

from terrasweep.predict.trace import Block, Kind, Phase, Trace
from terrasweep.predict.under_zero import learning_bytes, under_zero

FROZEN, LEARNS, BIAS, ACTIVATION = 1000, 400, 40, 5000


def training(*, on_gpu):
    """A frozen weight, two that learn, two steps and an evaluation."""
    sizes = [
        *((size, Kind.WEIGHTS) for size in (FROZEN, LEARNS, BIAS)),
        *((ACTIVATION, Kind.ACTIVATIONS), (LEARNS, Kind.GRADIENTS), (BIAS, Kind.GRADIENTS)),
        (2 * (LEARNS + BIAS), Kind.OPTIMIZER),
        *((ACTIVATION, Kind.ACTIVATIONS), (LEARNS, Kind.GRADIENTS), (BIAS, Kind.GRADIENTS)),
    ]
    blocks = [Block(size, not on_gpu, kind) for size, kind in sizes]
    steps = [[(3, "+"), (4, "+"), (3, "-"), (5, "+"), (6, "+"), (4, "-"), (5, "-")]]
    steps += [[(7, "+"), (8, "+"), (7, "-"), (9, "+"), (8, "-"), (9, "-")]]
    events = [(name, blocks[name].size if sign == "+" else -1) for step in steps for name, sign in step]
    built = [(name, blocks[name].size) for name in range(3)]
    begins = [(Phase.BUILD, 0), (Phase.FIRST_STEP, 3), (Phase.STEADY_STEP, 10), (Phase.EVALUATION, 16)]
    return Trace(events=built + events, blocks=blocks, begins=begins)


def held(trace, phase, *, on_host):
    return {kind: size for kind, size in trace.peaks(on_host=on_host)[phase].items() if size}


def test_what_learns_is_what_all_gradients_take():
    assert learning_bytes(training(on_gpu=False)) == LEARNS + BIAS


def test_stage_2_keeps_states_on_the_host_and_a_bucket_on_the_device():
    trace, learning = under_zero(training(on_gpu=True), stage=2), LEARNS + BIAS
    assert held(trace, Phase.STEADY_STEP, on_host=False) == {
        Kind.WEIGHTS: FROZEN + learning,
        Kind.ACTIVATIONS: ACTIVATION,
        Kind.GRADIENTS: LEARNS + learning,  # The bucket, and a gradient on its way there.
        Kind.WORKSPACES: LEARNS,
    }
    assert held(trace, Phase.STEADY_STEP, on_host=True) == {
        Kind.OPTIMIZER: 4 * learning,
        Kind.GRADIENTS: learning,
        Kind.WORKSPACES: LEARNS,
    }
    assert held(trace, Phase.EVALUATION, on_host=False) == {Kind.WEIGHTS: FROZEN + learning, Kind.WORKSPACES: LEARNS}


def test_stage_3_keeps_parameters_on_the_host_too():
    trace, learning = under_zero(training(on_gpu=True), stage=3), LEARNS + BIAS
    assert held(trace, Phase.STEADY_STEP, on_host=True) == {
        Kind.WEIGHTS: FROZEN + learning,
        Kind.OPTIMIZER: 3 * learning,
        Kind.GRADIENTS: 2 * learning,
    }
    on_device = held(trace, Phase.EVALUATION, on_host=False)
    assert on_device == {Kind.GRADIENTS: learning, Kind.WORKSPACES: 4 * FROZEN}


@pytest.mark.parametrize("stage", [2, 3])
def test_on_a_cpu_all_is_on_the_host_and_every_block_that_ends_has_begun(stage):
    trace = under_zero(training(on_gpu=False), stage=stage)
    assert all(block.on_host for block in trace.blocks)
    live = set()
    for name, size in trace.events:
        (live.add if size >= 0 else live.remove)(name)
    assert [phase for phase, _ in trace.begins] == list(Phase)
    assert trace.peaks(on_host=True)[Phase.BUILD] == training(on_gpu=False).peaks(on_host=True)[Phase.BUILD]


def most_gradients(trace):
    """The most bytes of gradients at a moment of the steady step."""
    held, most, begin = 0, 0, dict(trace.begins)[Phase.STEADY_STEP]
    for place, (name, size) in enumerate(trace.events[: dict(trace.begins)[Phase.EVALUATION]]):
        if trace.blocks[name].kind is Kind.GRADIENTS:
            held += trace.blocks[name].size if size >= 0 else -trace.blocks[name].size
        most = max(most, held) if place >= begin else 0
    return most


@pytest.mark.parametrize(("on_gpu", "stage", "copies"), [(False, 2, 2), (False, 3, 5), (True, 3, 4)])
def test_a_full_bucket_is_beside_the_gradients_and_is_copied_in_stage_3(on_gpu, stage, copies):
    """On the host and the device together: a master gradient and a flat buffer, the bucket, and one or two copies."""
    assert most_gradients(under_zero(training(on_gpu=on_gpu), stage=stage)) == copies * (LEARNS + BIAS)
