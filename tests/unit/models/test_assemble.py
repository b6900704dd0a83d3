"""What was requested is what was built: names, gradients, outputs, bytes."""

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import save_file

from terrasweep.models.assemble import build_encoder, build_plain, necks
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial
from tests.unit.models.built import BACKBONES, CLASSES, built, images

MODELS = [("segmentation", d) for d in ("unet", "upernet", "fcn", "linear")] + [("classification", "identity")]


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize(("task", "decoder"), MODELS)
def test_every_backbone_fits_every_decoder(backbone, task, decoder):
    model = built(f"backbone={backbone}", f"decoder={decoder}", f"task={task}")
    output = model.module(images()).output
    assert output.shape == ((2, CLASSES, 64, 64) if task == "segmentation" else (2, CLASSES))
    assert output.dtype == torch.float32
    assert torch.isfinite(output).all()


def test_a_transformation_that_touches_nothing_is_an_error():
    with pytest.raises(InvalidConfig, match=r"tuning\.targets=no_such_layer"):
        built("tuning.targets=[no_such_layer]")
    with pytest.raises(InvalidConfig, match="no linear layer to quantize"):
        built("quantization=nf4", "quantization.skip=[blocks]")


def test_unknown_names_are_refused_with_the_field():
    with pytest.raises(InvalidConfig, match=r"backbone\.name=nope"):
        built("backbone.name=nope")


def test_what_becomes_of_a_checkpoint_is_told(tmp_path):
    """What the file lacks is named, and the rest is loaded; how is proven in test_checkpoint.py."""
    source = build_plain(compose_trial("decoder=linear"), CLASSES).encoder
    state = {name: tensor.clone() for name, tensor in source.state_dict().items()}
    del state["norm.weight"]
    save_file(state | {"stranger": torch.ones(1)}, tmp_path / "file.safetensors")
    model = built("decoder=linear", f"backbone.checkpoint={tmp_path}/file.safetensors", seed=1)
    assert model.touched["checkpoint_missing"] == ["norm.weight"]
    assert model.touched["checkpoint_unexpected"] == ["stranger"]
    assert "checkpoint_loaded" not in model.touched
    loaded = {name.replace(".base_layer", ""): tensor for name, tensor in model.module.encoder.state_dict().items()}
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


def test_given_necks_win_over_derived_ones():
    def names(*overrides):
        config = compose_trial(*overrides)
        return [neck["name"] for neck in necks(config, build_encoder(config)[1])]

    derived = ["SelectIndices", "ReshapeTokensToImage", "LearnedInterpolateToPyramidal"]
    assert names("decoder=unet") == derived
    assert names("decoder=fcn") == derived[:2]
    assert names("decoder=unet", "neck.modules=[{name: SelectIndices, indices: [3]}]") == ["SelectIndices"]


def test_weights_that_the_hub_does_not_give_are_one_line(monkeypatch):
    def offline(*_, **__):
        raise LocalEntryNotFoundError("we cannot find the requested files\nin the local cache")

    monkeypatch.setattr("terrasweep.models.assemble.build_backbone", offline)
    with pytest.raises(InvalidConfig, match=r"files can't be had \(we cannot .* backbone\.checkpoint=FILE") as told:
        build_plain(compose_trial("backbone=prithvi_eo_v2_300", "backbone.pretrained=true"), 2)
    assert "\n" not in str(told.value)
    assert str(told.value).endswith("or use random weights (backbone.pretrained=false)")
