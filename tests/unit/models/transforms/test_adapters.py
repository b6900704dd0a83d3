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
from terrasweep.models.assemble import build_model, build_untransformed
from terrasweep.models.transforms import adapters
from terrasweep.models.transforms.adapters import fuse, split_fused, target_layers
from terrasweep.models.transforms.checkpointing import apply_checkpointing, transformer_blocks
from terrasweep.models.transforms.quantize import quantizable
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial
from tests.unit.models.built import BACKBONES, BLOCKS, CLASSES, CPU, built, images

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
    model = build_untransformed(config, 3).eval()
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


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize(("preset", "per_block"), [("attention", 2), ("mlp", 2), ("attention_mlp", 4)])
def test_presets_adapt_the_layers_they_name_and_nothing_else_learns(backbone, preset, per_block):
    model = built(f"backbone={backbone}", "decoder=linear", "tuning.rank=2", f"tuning.targets={preset}")
    adapted = model.touched["adapted"]
    assert len(adapted) == per_block * BLOCKS[backbone]
    assert all(("attn" in name and "attention" in preset) or ("mlp" in name and "mlp" in preset) for name in adapted)
    learning = [n for n, p in model.module.named_parameters() if p.requires_grad and n.startswith("encoder.")]
    assert learning
    assert all("lora_" in name for name in learning)


@pytest.mark.parametrize("flags", [[], ["tuning.use_rslora=true"]])
@pytest.mark.parametrize("quantization", ["none", "int8", "fp4", "nf4", "nf4_double"])
def test_lora_at_its_start_leaves_the_features_as_they_were(quantization, flags):
    """Bit by bit: the second matrix of an adapter starts at zero."""
    common = ["decoder=linear", f"quantization={quantization}"]
    plain, adapted = built("tuning=frozen", *common), built("tuning.rank=4", *common, *flags)
    before, after = (model.module.encoder.eval()(images()) for model in (plain, adapted))
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_dora_at_its_start_leaves_the_features_but_for_rounding(quantization):
    common = ["decoder=linear", f"quantization={quantization}"]
    plain, adapted = built("tuning=frozen", *common), built("tuning.use_dora=true", *common)
    before, after = (model.module.encoder.eval()(images())[-1].detach() for model in (plain, adapted))
    assert float((after - before).norm() / before.norm()) < 1e-5


@pytest.mark.parametrize("quantization", ["none", "int8", "nf4"])
@pytest.mark.parametrize("more", [[], ["tuning.use_dora=true"], ["tuning.frozen_dtype=bf16"]])
def test_adapters_learn_in_32_bits_whatever_is_computed_in(quantization, more):
    model = built("precision=bf16", f"quantization={quantization}", *more).module
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}


@pytest.mark.parametrize("start", ["pissa", "eva"])
def test_a_start_with_more_components_than_a_layer_has_is_refused(start):
    line = rf"^tuning.rank=257 with tuning.initialisation={start}: the layer blocks.0.* has 256 components; use tuning"
    with pytest.raises(InvalidConfig, match=line):
        build_model(compose_trial("tuning.rank=257", f"tuning.initialisation={start}"), CLASSES, CPU, images())


def test_a_bare_name_does_not_reach_the_patch_embedding():
    encoder = build_untransformed(compose_trial(), CLASSES).encoder
    assert all("blocks." in name for name in target_layers(encoder, ["proj"]))


def test_layers_that_peft_passes_over_are_refused(monkeypatch):
    monkeypatch.setattr(adapters, "inject_adapter_in_model", lambda settings, encoder: encoder)
    with pytest.raises(InvalidConfig, match=r"^tuning\.targets=qv: PEFT adapted 0 of 4 layers"):
        adapters.apply_tuning(HF["vit"](), compose_trial("tuning.targets=qv").tuning)
