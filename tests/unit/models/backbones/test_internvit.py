"""Names and settings of a published InternViT become those of transformers; test_earthmind.py has the network."""

import json

import pytest
import torch
from transformers import InternVLVisionConfig

from terrasweep.models.backbones.internvit import native_config, native_tensors, patch_pixels, published_config
from terrasweep.results.errors import InvalidConfig

pytestmark = pytest.mark.usefixtures("products_in_32_bits")


def test_a_fused_projection_is_queries_then_keys_then_values():
    fused = torch.randn(12, 4)
    parts = native_tensors("encoder.layers.3.attn.qkv.weight", fused)
    assert list(parts) == [f"encoder.layer.3.attention.{part}_proj.weight" for part in "qkv"]
    assert torch.equal(torch.cat(list(parts.values())), fused)


@pytest.mark.parametrize(
    ("published", "native"),
    [
        ("embeddings.class_embedding", "embeddings.cls_token"),
        ("embeddings.patch_embedding.bias", "embeddings.patch_embeddings.projection.bias"),
        ("encoder.layers.0.attn.proj.weight", "encoder.layer.0.attention.projection_layer.weight"),
        ("encoder.layers.11.norm2.weight", "encoder.layer.11.layernorm_after.weight"),
        ("encoder.layers.0.ls1", "encoder.layer.0.lambda_1"),
        ("encoder.layers.0.mlp.fc1.weight", "encoder.layer.0.mlp.fc1.weight"),
    ],
)
def test_every_part_of_a_name_has_its_own(published, native):
    tensor = torch.ones(1)
    assert native_tensors(published, tensor) == {native: tensor}


def test_what_is_left_out_has_the_published_default_and_what_is_given_its_native_name():
    config = native_config({"hidden_size": 32, "num_attention_heads": 4, "qkv_bias": True})
    assert (config.hidden_size, config.attention_bias) == (32, True)
    assert (config.norm_type, config.use_qk_norm, config.num_hidden_layers) == ("rms_norm", True, 48)
    assert InternVLVisionConfig().norm_type != "rms_norm", "the library's own default is another one"


def test_a_patch_is_as_large_whether_one_number_or_two_say_so():
    assert patch_pixels(native_config({"patch_size": 14})) == 14
    assert patch_pixels(InternVLVisionConfig(patch_size=[16, 16])) == 16


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "config.json is not JSON"),
        ("[1]", "describes no vision encoder"),
        ('{"vision_config": {"hidden_size": 3}}', "describes no vision encoder"),
    ],
)
def test_a_release_without_an_encoder_is_refused(tmp_path, text, told):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InvalidConfig, match=told) as refused:
        published_config(str(tmp_path))
    assert "\n" not in str(refused.value)


def test_an_encoder_s_own_configuration_may_stand_alone(tmp_path):
    alone = {"hidden_size": 3, "patch_size": 2}
    for written in (alone, {"vision_config": alone, "llm_config": {"hidden_size": 9}}):
        (tmp_path / "config.json").write_text(json.dumps(written))
        assert published_config(str(tmp_path)) == alone
