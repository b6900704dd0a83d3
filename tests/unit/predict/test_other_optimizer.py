"""Another optimizer changes the state that lies beside a step's peak, to the byte of its own trace."""

from dataclasses import replace

import pytest

from terrasweep.predict.other_optimizer import with_other_optimizer
from terrasweep.predict.peak_memory import predicted
from terrasweep.predict.prediction import Prediction
from terrasweep.predict.trace import Kind, Phase
from terrasweep.predict.trace_training import trace_training
from tests.composing import compose_trial


def traced(device, *knobs):
    config = compose_trial("data.tile_px=64", "augment=none", "tuning.rank=16", *knobs)
    return predicted(trace_training(config, device), config, device)


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_what_follows_is_what_would_be_traced(device):
    eight_bit = ("optimizer=adamw8bit", "optimizer.min_8bit_size=1024")
    usual = traced(device, "train.batch_size=32")
    reference = traced(device, "train.batch_size=2", "checkpointing=blocks", *eight_bit)
    found, direct = with_other_optimizer(usual, reference), traced(device, "train.batch_size=32", *eight_bit)
    assert found is not None
    for phase, kinds in (direct.on_device or direct.on_host).items():
        assert (found.on_device or found.on_host)[phase] == pytest.approx(kinds, abs=0.01)
    assert found.peak_memory_mib == pytest.approx(direct.peak_memory_mib, abs=4.0), "what the allocator rounds to"
    assert usual.peak_allocated_mib - found.peak_allocated_mib > 1.0, "the optimizers differ"


def prediction(activations=100.0, state=2.0, first=0.0):
    step = {Kind.WEIGHTS: 10.0, Kind.ACTIVATIONS: activations}
    memory = {
        Phase.BUILD: {Kind.WEIGHTS: 10.0},
        Phase.FIRST_STEP: {**step, Kind.OPTIMIZER: first},
        Phase.STEADY_STEP: {**step, Kind.OPTIMIZER: state},
        Phase.EVALUATION: {Kind.ACTIVATIONS: 5.0, Kind.OPTIMIZER: state},
    }
    return Prediction(device="cuda", on_device=memory, reserved={phase: sum(k.values()) for phase, k in memory.items()})


def test_the_state_takes_the_place_of_the_other_and_the_notes_are_its_own():
    reference = replace(prediction(activations=7.0, state=0.5), notes=["a note"])
    found = with_other_optimizer(prediction(), reference)
    assert found is not None
    assert (
        found.on_device[Phase.STEADY_STEP][Kind.OPTIMIZER] == found.on_device[Phase.EVALUATION][Kind.OPTIMIZER] == 0.5
    )
    assert list(found.reserved.values()) == [10.0, 110.0, 110.5, 5.5]
    assert found.notes == ["a note"]


@pytest.mark.parametrize("usual", [prediction(activations=4.0), prediction(state=0.0), prediction(first=2.0)])
def test_where_the_peak_may_lie_in_the_update_nothing_follows(usual):
    assert with_other_optimizer(usual, prediction()) is None
