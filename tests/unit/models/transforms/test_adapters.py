"""Presets name the right layers of every family of backbones, and splitting a fused projection changes nothing."""

from typing import Any

import pytest
import torch
from terratorch.registry import BACKBONE_REGISTRY
from torch import nn
from transformers import (
    Dinov2Config,
    Dinov2Model,
    DINOv3ViTConfig,
    DINOv3ViTModel,
    InternVLVisionConfig,
    InternVLVisionModel,
    SiglipVisionConfig,
    SiglipVisionModel,
    ViTConfig,
    ViTModel,
)

from terrasweep.config.knobs.quantization import QuantizationConfig
from terrasweep.models.assemble import build_model, build_plain
from terrasweep.models.transforms.adapters import fuse, split_fused, target_layers
from terrasweep.models.transforms.checkpointing import apply_checkpointing, transformer_blocks
from terrasweep.models.transforms.quantize import quantizable
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial

pytestmark = pytest.mark.usefixtures("products_in_32_bits")

TERRATORCH = ["prithvi_eo_tiny", "prithvi_eo_v2_tiny_tl", "terramind_v1_tiny", "timm_vit_tiny_patch16_224"]
SMALL: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
IMAGE: dict[str, Any] = {"image_size": 32, "patch_size": 16}
HF = {
    "vit": lambda: ViTModel(ViTConfig(**SMALL, **IMAGE)),
    "dinov2": lambda: Dinov2Model(Dinov2Config(**SMALL, **IMAGE)),
    "dinov2_gated": lambda: Dinov2Model(Dinov2Config(**SMALL, **IMAGE, use_swiglu_ffn=True)),
    "dinov3": lambda: DINOv3ViTModel(DINOv3ViTConfig(**SMALL, **IMAGE)),
    "siglip": lambda: SiglipVisionModel(SiglipVisionConfig(**SMALL, **IMAGE)),
    "internvl": lambda: InternVLVisionModel(
        InternVLVisionConfig(**SMALL, image_size=[32, 32], patch_size=[16, 16]),
    ),
}
MLP = {"dinov2_gated": 3}


@pytest.fixture(scope="module")
def clay():
    return BACKBONE_REGISTRY.build("clay_v1_base", pretrained=False, bands=["RED", "GREEN", "BLUE"], img_size=32)


def encoder_of(backbone):
    torch.manual_seed(0)
    return build_plain(compose_trial(f"backbone={backbone}", "decoder=linear"), 3).encoder


def ending(names):
    return {name.rsplit(".", 1)[-1] for name in names}


@pytest.mark.parametrize("name", HF)
def test_presets_reach_the_blocks_of_transformers_vision_models_and_nothing_else(name):
    model = HF[name]()
    assert ending(target_layers(model, "qv")) == {"q_proj", "v_proj"}
    counts = {preset: len(target_layers(model, preset)) for preset in ("qv", "attention", "mlp", "attention_mlp")}
    mlp = 2 * MLP.get(name, 2)
    assert counts == {"qv": 4, "attention": 8, "mlp": mlp, "attention_mlp": 8 + mlp}
    assert not any("head" in layer or "pooler" in layer for layer in target_layers(model, "attention_mlp"))


def test_presets_reach_clay_s_transformer_and_not_its_patch_embedding(clay):
    assert len(target_layers(clay, "attention")) == 24
    assert len(target_layers(clay, "mlp")) == 24
    assert all(".transformer.layers." in name for name in target_layers(clay, "attention_mlp"))


@pytest.mark.parametrize("backbone", TERRATORCH)
def test_qv_splits_the_fused_projection_and_leaves_the_output_as_it_was(backbone):
    config = compose_trial(f"backbone={backbone}", "decoder=linear")
    torch.manual_seed(0)
    model = build_plain(config, 3).eval()
    images = torch.randn(2, 6, 64, 64)
    before = model(images).output
    split = split_fused(model.encoder, "qv")
    assert len(split) == len(transformer_blocks(model.encoder))
    assert torch.allclose(model(images).output, before, atol=1e-6, rtol=0)
    assert ending(target_layers(model.encoder, "qv")) == {"q_linear", "v_linear"}
    for name in split:
        model.encoder.set_submodule(name, fuse(model.encoder.get_submodule(name)))
    assert torch.equal(model(images).output, before)


@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_qv_adapts_queries_and_values_alone(quantization):
    config = compose_trial("tuning.targets=qv", f"quantization={quantization}")
    built = build_model(config, 3, torch.device("cpu"))
    assert len(built.touched["split"]) == 4
    assert ending(built.touched["adapted"]) == {"q_linear", "v_linear"}
    learning = [n for n, p in built.module.encoder.named_parameters() if p.requires_grad]
    assert len(learning) == 4 * 2 * 2


def test_a_split_layer_can_be_named_and_a_backbone_without_fused_ones_is_left_alone():
    config = compose_trial("tuning.targets=[k_linear]")
    assert ending(build_model(config, 3, torch.device("cpu")).touched["adapted"]) == {"k_linear"}
    assert split_fused(HF["vit"](), "qv") == []


def test_a_fused_layer_of_unequal_parts_is_refused():
    odd = nn.Sequential()
    odd.attn = nn.Module()
    odd.attn.qkv = nn.Linear(8, 20)
    with pytest.raises(InvalidConfig, match=r"attn\.qkv can't be split"):
        split_fused(odd, "qv")


@pytest.mark.parametrize(("every", "wrapped"), [(1, 12), (2, 6), (3, 4), (5, 3), (12, 1), (40, 1)])
def test_every_nth_block_is_checkpointed_from_the_first(every, wrapped):
    encoder = encoder_of("terramind_v1_tiny")
    names = apply_checkpointing(encoder, every)
    assert len(names) == wrapped
    assert [int(name.rsplit(".", 1)[-1]) for name in names] == list(range(0, 12, every))


def test_clay_s_blocks_are_lists_whose_parts_are_checkpointed(clay):
    assert len(transformer_blocks(clay)) == 12
    images = torch.randn(1, 3, 32, 32)
    clay.eval()
    before = clay(images)[-1]
    names = apply_checkpointing(clay, 2)
    assert len(names) == 6 * 2
    assert torch.equal(clay(images)[-1], before)


def test_layers_whose_weights_torch_reads_itself_are_not_quantized(clay):
    names = quantizable(clay, QuantizationConfig(name="nf4"))
    assert not any("weight_generator.encoder" in name for name in names)
    assert sum(".transformer.layers." in name for name in names) == 48
