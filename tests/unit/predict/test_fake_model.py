"""A model on fake tensors takes, to the byte, what a built one does."""

import bitsandbytes as bnb
import pytest
import torch

from terrasweep.models.assemble import build_on_paper
from terrasweep.models.transforms.quantize import logical_parameters, stored_bytes
from terrasweep.predict.count_states import count_planned
from terrasweep.predict.fake_model import own_code_tables, place_on_fakes
from terrasweep.predict.fake_tensors import fake_tensors, is_fake
from terrasweep.predict.storage_watch import StorageWatch
from terrasweep.predict.trace import Phase
from tests.composing import compose_trial


@pytest.mark.parametrize("to_gpu", [False, True])
@pytest.mark.parametrize(
    "knobs",
    [
        "tuning=full",
        "quantization=int8",
        "quantization=nf4 tuning.targets=qv",
        "quantization=nf4_double tuning.frozen_dtype=bf16 checkpointing=blocks",
        "tuning=frozen tuning.frozen_dtype=bf16 offload=activations",
    ],
)
def test_it_stores_what_a_plan_counts(knobs, to_gpu):
    config = compose_trial(*knobs.split())
    model = build_on_paper(config).module
    watch = StorageWatch({}, for_gpu=to_gpu)
    with fake_tensors(), own_code_tables(), watch:
        watch.begin(Phase.BUILD)
        place_on_fakes(model, watch, to_gpu=to_gpu)
        watch.begin(Phase.STEADY_STEP)
        stored, parameters = stored_bytes(model), logical_parameters(model)
    planned, _ = count_planned(config)
    assert (stored, parameters) == (planned.weight_bytes, planned.total_parameters)
    tensors = [*model.parameters(), *model.buffers()]
    assert all(map(is_fake, tensors))
    held = {place: watch.trace().peaks(on_host=place) for place in (False, True)}
    assert sum(held[not to_gpu][Phase.STEADY_STEP].values()) == planned.weight_bytes
    # The host has seen everything in 32 bits.
    assert sum(held[True][Phase.BUILD].values()) >= 4 * planned.total_parameters
    assert sum(held[to_gpu][Phase.STEADY_STEP].values()) == 0


def test_code_tables_of_real_tensors_stay():
    table = bnb.functional.create_dynamic_map()
    bnb.functional.name2qmap["dynamic"] = table
    with fake_tensors(), own_code_tables():
        bnb.functional.quantize_4bit(torch.ones(256, 64), compress_statistics=True)
    assert bnb.functional.name2qmap == {"dynamic": table}
