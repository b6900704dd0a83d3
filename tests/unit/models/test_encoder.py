"""A backbone has the weights that were asked for, also where each date of a stack takes its share."""

from dataclasses import replace

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import save_file
from terratorch.registry import BACKBONE_REGISTRY
from torch import nn

from terrasweep.models.assemble import build_untransformed
from terrasweep.models.backbones.registry import build_backbone
from terrasweep.models.encoder import build_encoder
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial
from tests.unit.models.built import CLASSES, built

pytestmark = pytest.mark.usefixtures("products_in_32_bits")


def test_what_becomes_of_a_checkpoint_is_told(tmp_path):
    """What the file lacks is named, and the rest is loaded; how is proven in test_checkpoint.py."""
    source = build_untransformed(compose_trial("decoder=linear"), CLASSES).encoder
    state = {name: tensor.clone() for name, tensor in source.state_dict().items()}
    del state["norm.weight"]
    save_file(state | {"stranger": torch.ones(1)}, tmp_path / "file.safetensors")
    model = built("decoder=linear", f"backbone.checkpoint={tmp_path}/file.safetensors", seed=1)
    assert model.touched["checkpoint_missing"] == ["norm.weight"]
    assert model.touched["checkpoint_unexpected"] == ["stranger"]
    assert "checkpoint_loaded" not in model.touched
    loaded = {name.replace(".base_layer", ""): tensor for name, tensor in model.module.encoder.state_dict().items()}
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


STACKS = {
    "timm_vit_tiny_patch16_224": ["backbone=timm_vit_tiny_patch16_224"],
    "terramind_v1_tiny": ["backbone=terramind_v1_tiny"],
    "prithvi_swin": ["backbone=any", "backbone.name=prithvi_swin_B"],
}


@pytest.mark.slow
@pytest.mark.parametrize("backbone", STACKS)
def test_of_equal_dates_pretrained_weights_make_what_they_make_of_one(monkeypatch, backbone):
    """Weights from the Hub stand for whatever a builder loads: here random ones, the same for each build."""

    def build(name, pretrained, arguments):
        torch.manual_seed(int(not pretrained))
        return build_backbone(name, False, arguments)

    monkeypatch.setattr("terrasweep.models.encoder.build_backbone", build)

    def encoder(*overrides):
        config = compose_trial(*STACKS[backbone], "backbone.pretrained=true", "data.tile_px=64", *overrides)
        config = replace(config, data=replace(config.data, bands=["GREEN", "VV"], name="folder"))
        return build_encoder(config)[0].eval()

    def features(model, image):
        return model({"S2L2A": image} if backbone == "terramind_v1_tiny" else image)

    image = torch.randn(1, 2, 64, 64)
    with torch.no_grad():
        one = features(encoder(), image)
        stacked = features(encoder("data.frames=3", "data.frames_for_one_date=stack"), image.repeat(1, 3, 1, 1))
        mean = features(encoder("data.frames=3", "data.frames_for_one_date=mean"), image)
    for expected, ours, averaged in zip(one, stacked, mean, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)
        assert torch.equal(averaged, expected)


def test_weights_that_can_not_be_given_to_each_date_are_one_line(monkeypatch):
    """As those of a backbone whose input layer stays as wide as it was, however many bands it is built for."""

    def fixed(name, pretrained, arguments):
        return nn.Sequential(nn.Conv2d(6, 8, 16))

    monkeypatch.setattr("terrasweep.models.encoder.build_backbone", fixed)
    stack = ("backbone=timm_vit_tiny_patch16_224", "data.frames=3", "data.frames_for_one_date=stack")
    config = compose_trial(*stack, "backbone.pretrained=true")
    told = r"stack with backbone=timm_vit_tiny_patch16_224: no input layer with a weight per band .* use .*=mean"
    with pytest.raises(InvalidConfig, match=told):
        build_encoder(config)


@pytest.mark.slow
def test_a_file_that_a_builder_loads_is_shared_out_to_the_dates(tmp_path):
    """TerraTorch's own way to weights, which gives a band that comes three times its whole weight three times."""
    torch.manual_seed(0)
    released = BACKBONE_REGISTRY.build("terramind_v1_tiny", modalities=["S2L2A"])
    torch.save(released.state_dict(), tmp_path / "TerraMind.pt")
    given = ("backbone=terramind_v1_tiny", f"+backbone.arguments.ckpt_path={tmp_path}/TerraMind.pt", "data.tile_px=64")
    config = compose_trial(*given)
    config = replace(config, data=replace(config.data, bands=["RED", "NIR_BROAD"], name="folder"))
    stack = replace(config, data=replace(config.data, frames=3, frames_for_one_date="stack"))
    image = torch.randn(1, 2, 64, 64)
    with torch.no_grad():
        one = build_encoder(config)[0].eval()({"S2L2A": image})
        stacked = build_encoder(stack)[0].eval()({"S2L2A": image.repeat(1, 3, 1, 1)})
    for expected, ours in zip(one, stacked, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)


def test_weights_that_the_hub_does_not_give_are_one_line(monkeypatch):
    def offline(*_, **__):
        raise LocalEntryNotFoundError("we cannot find the requested files\nin the local cache")

    monkeypatch.setattr("terrasweep.models.encoder.build_backbone", offline)
    with pytest.raises(InvalidConfig, match=r"files can't be had \(we cannot .* backbone\.checkpoint=FILE") as told:
        build_untransformed(compose_trial("backbone=prithvi_eo_v2_300", "backbone.pretrained=true"), 2)
    assert "\n" not in str(told.value)
    assert str(told.value).endswith("or use random weights (backbone.pretrained=false)")
