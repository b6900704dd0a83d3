"""EVA's adapters look where a layer's inputs vary most, and change nothing yet."""

import numpy as np
import pytest
import torch

from terrasweep.models.assemble import build_model
from terrasweep.models.transforms import principal_inputs
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial
from tests.unit.models.built import CLASSES, CPU, built, images

pytestmark = pytest.mark.usefixtures("products_in_32_bits")

LORA = ("decoder=linear", "tuning.rank=4")


def started(*overrides, batch=4):
    torch.manual_seed(0)
    config = compose_trial(*LORA, "tuning.initialisation=eva", *overrides)
    return build_model(config, CLASSES, CPU, images(batch))


@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_eva_at_its_start_leaves_the_features_as_they_were(quantization):
    common = (f"quantization={quantization}", "tuning.targets=qv")
    before, after = (
        model.module.encoder.eval()(images())[-1].detach() for model in (built(*LORA, *common), started(*common))
    )
    assert torch.equal(before, after)


def test_directions_explain_what_the_best_ones_would():
    """The oracle is the whole decomposition of what came in, by numpy."""
    model = started("tuning.targets=qv")
    encoder, inputs = model.module.encoder.eval(), {}
    for name in model.touched["adapted"]:

        def keep(_, given, name=name):
            inputs[name] = given[0].detach().reshape(-1, given[0].shape[-1])

        encoder.get_submodule(name).register_forward_pre_hook(keep)
    model.module(images(4))
    for name, rows in inputs.items():
        centred = (rows - rows.mean(0)).numpy()
        best = np.square(np.linalg.svd(centred, compute_uv=False)[:4]).sum()
        down = encoder.get_submodule(name).lora_A["default"].weight.detach().numpy()
        assert np.allclose(down @ down.T, np.eye(4), atol=1e-4)
        assert np.square(centred @ down.T).sum() > 0.97 * best


def test_every_layer_keeps_its_rank():
    model = started("tuning.targets=attention_mlp")
    ranks = {p.shape[0] for n, p in model.module.encoder.named_parameters() if "lora_A" in n}
    assert ranks == {4}


def test_a_start_is_the_same_again_and_leaves_what_is_drawn_beside_it():
    built(*LORA)
    drawn = torch.rand(1)
    one = started().module.state_dict()
    assert torch.equal(torch.rand(1), drawn), "the order of the training data depends on it"
    other = started().module.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_batch_with_fewer_vectors_than_the_rank_asks_for_is_refused():
    with pytest.raises(
        InvalidConfig, match=r"^tuning.initialisation=eva with tuning.rank=32: .* 17 vectors for the layer"
    ):
        started("tuning.rank=32", batch=1)


def test_components_that_never_stand_still_end_the_search(monkeypatch):
    monkeypatch.setattr(principal_inputs, "MOST_PASSES", 1)
    with pytest.raises(
        InvalidConfig, match=r"^tuning.initialisation=eva with tuning.rank=4: .* noise in some directions"
    ):
        started()
