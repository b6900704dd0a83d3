"""Checkpointing recomputes blocks: the mathematics stays, and activations are not kept."""

import pytest
import torch
from torch import nn

from terrasweep.models.assemble import build_untransformed
from terrasweep.models.transforms.checkpointing import apply_checkpointing, transformer_blocks
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial
from tests.unit.models.built import assert_leaves_loss_and_gradients, built, images

pytestmark = pytest.mark.usefixtures("products_in_32_bits")


def test_checkpointing_wraps_every_block_and_saves_activations():
    model = built("checkpointing=blocks", "backbone=terramind_v1_tiny", "decoder=linear")
    assert len(model.touched["checkpointed"]) == 12
    kept = {}
    for knob in ("none", "blocks"):
        kept[knob] = 0

        def count(tensor, knob=knob):
            kept[knob] += tensor.numel()
            return tensor

        one = built(f"checkpointing={knob}", "backbone=terramind_v1_tiny", "decoder=linear")
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            one.module(images())
    assert kept["blocks"] < 0.5 * kept["none"]


def encoder_of(backbone):
    torch.manual_seed(0)
    return build_untransformed(compose_trial(f"backbone={backbone}", "decoder=linear"), 3).encoder


@pytest.mark.parametrize(("every", "wrapped"), [(1, 12), (2, 6), (3, 4), (5, 3), (12, 1), (40, 1)])
def test_every_nth_block_is_checkpointed_from_the_first(every, wrapped):
    encoder = encoder_of("terramind_v1_tiny")
    names = apply_checkpointing(encoder, every)
    assert len(names) == wrapped
    assert [int(name.rsplit(".", 1)[-1]) for name in names] == list(range(0, 12, every))


@pytest.mark.parametrize("quantization", ["none", "int8", "nf4"])
def test_checkpointing_leaves_loss_and_gradients_as_they_were(quantization):
    assert_leaves_loss_and_gradients(
        "checkpointing=blocks", f"quantization={quantization}", "tuning.rank=2", "decoder=linear"
    )


def blocks(*widths):
    return nn.ModuleList([nn.Sequential(nn.Linear(width, width), nn.GELU()) for width in widths])


def test_blocks_are_the_longest_stack_of_one_class_and_other_stacks_of_it():
    encoder = nn.Module()
    encoder.stem = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    encoder.convolutions = nn.Sequential(*(nn.Conv2d(1, 1, 1) for _ in range(9)))
    encoder.mixed = nn.ModuleList([nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4))])
    assert transformer_blocks(encoder) == {}
    encoder.stages = nn.ModuleList([blocks(4, 4, 4), blocks(8, 8)])
    found = transformer_blocks(encoder)
    assert list(found) == ["stages.0.0", "stages.0.1", "stages.0.2", "stages.1.0", "stages.1.1"]
    assert found["stages.1.1"] is encoder.stages[1][1]


def test_a_backbone_without_blocks_is_refused():
    with pytest.raises(InvalidConfig, match="no stack of transformer blocks; use none"):
        apply_checkpointing(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)))


def test_the_names_of_the_weights_stay_as_they_were():
    encoder = encoder_of("timm_vit_tiny_patch16_224")
    before = list(encoder.state_dict())
    apply_checkpointing(encoder)
    assert list(encoder.state_dict()) == before
