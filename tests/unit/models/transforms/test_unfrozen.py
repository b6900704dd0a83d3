"""The last blocks learn as a whole: no adapters in them, no low bits, and nothing else of the backbone."""

import pytest
import torch

from terrasweep.models.transforms.unfrozen import unfrozen_blocks
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial
from tests.unit.models.built import BACKBONES, BLOCKS, built, loss_and_gradients


def of_last_blocks(name, backbone, count):
    """Whether a parameter lies in one of the last blocks, written down once more."""
    stack = {"terramind_v1_tiny": "encoder.encoder.", BACKBONES[-1]: "encoder.model.blocks."}.get(
        backbone, "encoder.blocks."
    )
    first = BLOCKS[backbone] - count
    return name.startswith(stack) and int(name.removeprefix(stack).split(".")[0]) >= first


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("count", [1, 3])
def test_frozen_but_for_the_last_blocks(backbone, count):
    model = built(f"backbone={backbone}", "tuning=frozen", f"tuning.unfreeze_last={count}")
    found = {n for n, p in model.module.named_parameters() if p.requires_grad and n.startswith("encoder.")}
    everything = built(f"backbone={backbone}", "tuning=full").module.named_parameters()
    assert found == {n for n, p in everything if p.requires_grad and of_last_blocks(n, backbone, count)}
    assert len(model.touched["unfrozen"]) == count


@pytest.mark.parametrize("quantization", ["none", "int8", "nf4"])
@pytest.mark.parametrize("targets", ["qv", "attention_mlp", "[blocks.0.attn.proj,mlp.fc1]"])
def test_adapters_and_low_bits_lie_elsewhere(quantization, targets):
    model = built(f"tuning.targets={targets}", "tuning.unfreeze_last=2", f"quantization={quantization}")
    assert model.touched["unfrozen"] == ["blocks.2", "blocks.3"]
    for what in ("adapted", "quantized"):
        assert not any(name.startswith(("blocks.2.", "blocks.3.")) for name in model.touched.get(what, []))
    for name, parameter in model.module.encoder.named_parameters():
        assert parameter.requires_grad == (name.startswith(("blocks.2.", "blocks.3.")) or "lora_" in name), name
        assert not name.startswith("blocks.2.") or parameter.dtype is torch.float32
    assert all(float(g.abs().sum()) >= 0 for g in loss_and_gradients(model)[1])


def test_all_blocks_can_learn_beside_frozen_embeddings():
    model = built("tuning=frozen", "tuning.unfreeze_last=4").module.encoder
    learning = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    frozen = {name.split(".")[0] for name, p in model.named_parameters() if not p.requires_grad}
    assert learning == {"blocks"}
    assert frozen
    assert "blocks" not in frozen


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            ["tuning=frozen", "tuning.unfreeze_last=5"],
            "tuning.unfreeze_last=5: the backbone has 4 transformer blocks; use",
        ),
        (["tuning.unfreeze_last=4"], "tuning.targets=attention with tuning.unfreeze_last=4: all of its layers lie in"),
        (
            ["tuning.targets=[blocks.3.mlp.fc1]", "tuning.unfreeze_last=1"],
            "tuning.targets=blocks.3.mlp.fc1 with tuning.unfreeze_last=1: all of its layers lie in blocks that learn",
        ),
        (
            ["tuning=frozen", "quantization=nf4", "tuning.unfreeze_last=4"],
            "quantization=nf4: the backbone has no linear layer outside of the blocks that learn to quantize; use",
        ),
    ],
)
def test_what_leaves_nothing_to_do_is_one_line(overrides, told):
    with pytest.raises(InvalidConfig) as refused:
        built(*overrides)
    assert str(refused.value).startswith(told)
    assert "\n" not in str(refused.value)
    assert "; " in str(refused.value)


def test_a_backbone_without_blocks_has_none_to_unfreeze():
    with pytest.raises(InvalidConfig, match="the backbone has 0 transformer blocks; use 0"):
        unfrozen_blocks(torch.nn.Conv2d(3, 3, 1), compose_trial("tuning=frozen", "tuning.unfreeze_last=1").tuning)
    assert unfrozen_blocks(torch.nn.Conv2d(3, 3, 1), compose_trial("tuning=frozen").tuning) == {}
