"""The quickstart's knobs change its peak memory by clearly more than one trial's peak differs from its twin's."""

import pytest

from terrasweep.config.compose import compose
from terrasweep.results.states import State
from terrasweep.trial.run import run_trial

pytestmark = pytest.mark.slow

FEW = (
    "backbone.checkpoint=null",
    "data.synthetic.train=64",
    "data.synthetic.val=36",
    "data.synthetic.test=0",
    "train.max_steps=1",
    "train.count_flops=false",
    "train.save_weights=false",
    "train.device=cpu",
)
"""The quickstart's model, tiles and batch, and the steps in which a CPU's peak is taken."""
TRIALS = {
    "plain": (),
    "twin": (),
    "int8": ("quantization=int8",),
    "nf4": ("quantization=nf4",),
    "blocks": ("checkpointing=blocks",),
    "accumulate": ("train.accumulate=4",),
}
TIMES = 4
"""How many times the noise is clearly more."""


@pytest.fixture(scope="module")
def peaks(tmp_path_factory):
    home = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERRASWEEP_HOME", str(home))
        results = {name: run_trial(compose([*FEW, *knobs]), home / name) for name, knobs in TRIALS.items()}
    assert {name: result.message for name, result in results.items() if result.state is not State.COMPLETE} == {}
    return {name: result.value("peak_memory_mib") for name, result in results.items()}


@pytest.mark.parametrize(
    ("less", "more"),
    [("int8", "plain"), ("nf4", "int8"), ("blocks", "plain"), ("accumulate", "plain")],
)
def test_each_way_to_save_memory_saves_more_than_the_noise(peaks, less, more):
    noise = max(abs(peaks["plain"] - peaks["twin"]), 0.5)  # MiB; 0.5 where twins happen to agree.
    assert peaks[more] - peaks[less] > TIMES * noise, peaks
