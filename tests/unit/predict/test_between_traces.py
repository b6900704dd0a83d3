"""What lies between traces is what would be traced there, by hand and by the real model."""

import pytest

from terrasweep.predict.between_traces import Extent, NotBetween, trace_between
from terrasweep.predict.reserved_memory import reserved_bytes
from terrasweep.predict.trace import Block, Kind, Phase, Trace, Work
from terrasweep.predict.trace_training import trace_training
from tests.composing import compose_trial


def extent(step, evaluation=1):
    return Extent(step=step, evaluation=evaluation)


def of_sizes(weight, activation, evaluated, *, kernels=5):
    """A weight that stays, an activation of a step, and one of the evaluation."""
    blocks = [Block(weight, False, Kind.WEIGHTS), *(Block(s, False, Kind.ACTIVATIONS) for s in (activation, evaluated))]
    return Trace(
        events=[(0, weight), (1, activation), (1, -1), (2, evaluated), (2, -1)],
        blocks=blocks,
        begins=[(Phase.BUILD, 0), (Phase.STEADY_STEP, 1), (Phase.EVALUATION, 3)],
        step=Work(flops=10.0 * activation, moved_bytes=activation, kernels=kernels),
    )


def test_a_line_by_what_steps_and_evaluations_see():
    """Steps see 2 and 10 samples, evaluations 2 and 8."""
    low, high = of_sizes(7, 20, 200), of_sizes(7, 100, 800)
    found = trace_between([(extent(2, 2), low), (extent(10, 8), high)], extent(6, 6))
    assert found == of_sizes(7, 60, 600)


def test_evaluations_that_see_as_much_are_as_they_are():
    low, high = of_sizes(7, 20, 200), of_sizes(7, 100, 200)
    assert trace_between([(extent(2), low), (extent(10), high)], extent(3)) == of_sizes(7, 30, 200)


def test_three_give_a_parabola():
    traced = [(extent(n, n), of_sizes(3 + n, n * n, 2 * n * n + n)) for n in (1, 4, 10)]
    assert trace_between(traced, extent(6, 6)) == of_sizes(9, 36, 78)


@pytest.mark.parametrize(
    "other",
    [of_sizes(7, 101, 200), of_sizes(7, 100, 200, kernels=6), Trace(events=[], blocks=[], begins=[])],
    ids=["a part of a byte", "a part of a kernel", "other blocks"],
)
def test_what_does_not_follow_is_told(other):
    with pytest.raises(NotBetween):
        trace_between([(extent(2), of_sizes(7, 20, 200)), (extent(10), other)], extent(3))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("device", "knobs"),
    [
        ("cuda", ("precision=bf16", "checkpointing=blocks")),
        ("cpu", ("quantization=nf4", "decoder=unet", "augment=d4", "train.accumulate=2")),
    ],
)
def test_a_batch_between_two_is_as_traced(device, knobs):
    """Batches to evaluate are a quarter of the larger ones."""

    def traced(batch):
        return trace_training(compose_trial("data.tile_px=64", f"train.batch_size={batch}", *knobs), device)

    low, middle, high = map(traced, (8, 24, 48))
    found = trace_between([(extent(8, 8), low), (extent(48, 12), high)], extent(24, 8))
    assert found == middle
    assert reserved_bytes(found) == reserved_bytes(middle)


@pytest.mark.slow
def test_a_tile_between_three_is_as_traced():
    def traced(side):
        return trace_training(compose_trial("train.batch_size=2", f"data.tile_px={side}"), "cuda")

    known = [(extent(side**2, side**2), traced(side)) for side in (64, 128, 256)]
    assert trace_between(known, extent(192**2, 192**2)) == traced(192)
