"""Features of transformers' vision models through hf_vision are those of the models themselves."""

import json
from typing import Any

import pytest
import torch
import transformers as hf
from terratorch.models import EncoderDecoderFactory
from terratorch.registry import BACKBONE_REGISTRY

from terrasweep.models.backbones.hf_vision import hf_vision
from terrasweep.models.pretrained.checkpoint import load_checkpoint
from terrasweep.models.pretrained.input_layers import resize_positions
from terrasweep.models.transforms.adapters import target_layers
from terrasweep.models.transforms.checkpointing import apply_checkpointing, transformer_blocks
from terrasweep.results.errors import InvalidConfig

pytestmark = pytest.mark.usefixtures("products_in_32_bits")

DEPTH, WIDTH, PATCH, SIDE = 3, 32, 8, 32
SMALL: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": DEPTH,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": SIDE,
    "patch_size": PATCH,
}
TEXT: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "vocab_size": 50,
}


def internvl():
    text = hf.Qwen2Config(**TEXT, num_key_value_heads=2)
    vision = hf.InternVLVisionConfig(**SMALL)
    return hf.InternVLModel(hf.InternVLConfig(vision_config=vision, text_config=text))


def dinov2_config(kind):
    fields = {name: value for name, value in SMALL.items() if name != "intermediate_size"}
    return kind(**fields, mlp_ratio=2)


PLAIN = {
    "vit": (lambda: hf.ViTModel(hf.ViTConfig(**SMALL)), 1),
    "dinov2": (lambda: hf.Dinov2Model(dinov2_config(hf.Dinov2Config)), 1),
    "dinov2_registers": (
        lambda: hf.Dinov2WithRegistersModel(dinov2_config(hf.Dinov2WithRegistersConfig)),
        5,
    ),
    "dinov3": (lambda: hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**SMALL, num_register_tokens=4)), 5),
    "siglip": (lambda: hf.SiglipVisionModel(hf.SiglipVisionConfig(**SMALL)), 0),
    "clip": (lambda: hf.CLIPVisionModel(hf.CLIPVisionConfig(**SMALL)), 1),
    "internvl": (lambda: hf.InternVLVisionModel(hf.InternVLVisionConfig(**SMALL)), 1),
}
"""Tiny models, and their number of tokens before the patches'."""

WHOLE = {
    "siglip": (lambda: hf.SiglipModel(hf.SiglipConfig(text_config=TEXT, vision_config=SMALL)), "vision_model"),
    "clip": (lambda: hf.CLIPModel(hf.CLIPConfig(text_config=TEXT, vision_config=SMALL)), "vision_model"),
    "internvl": (internvl, "vision_tower"),
}
"""Models of images and text, and where their vision tower is."""


def spread(model, seed=0):
    """Random values everywhere: many fresh parameters are zero."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.2)
    return model.eval()


def saved(folder, make):
    model = spread(make())
    model.save_pretrained(folder)
    return model


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def by_hand(model, prefix, image):
    """Feature maps straight from the model: token y * columns + x is the patch in row y and column x."""
    flags = {} if type(model).__name__[:4] in ("Dino", "DINO", "Inte") else {"interpolate_pos_encoding": True}
    states = model(pixel_values=image, output_hidden_states=True, **flags).hidden_states[1:]
    rows, columns = image.shape[-2] // PATCH, image.shape[-1] // PATCH
    maps = []
    for state in states:
        assert state.shape[1] == prefix + rows * columns
        feature = torch.empty(len(image), WIDTH, rows, columns)
        for y in range(rows):
            for x in range(columns):
                feature[:, :, y, x] = state[:, prefix + y * columns + x]
        maps.append(feature)
    return maps


def assert_close(ours, theirs):
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("size", [(32, 32), (48, 48), (16, 40)])
def test_features_are_the_model_s_own(tmp_path, name, size):
    make, prefix = PLAIN[name]
    model = saved(tmp_path, make)
    backbone = hf_vision(str(tmp_path), pretrained=True, img_size=48).eval()
    image = images(2, 3, *size)
    with torch.no_grad():
        assert_close(backbone(image), by_hand(model, prefix, image))
    assert backbone.out_channels == [WIDTH] * DEPTH
    assert backbone.patch_size == PATCH


@pytest.mark.parametrize("name", WHOLE)
def test_of_a_model_of_images_and_text_it_is_the_vision_tower(tmp_path, name):
    make, tower = WHOLE[name]
    model = saved(tmp_path, make)
    backbone = hf_vision(str(tmp_path), pretrained=True).eval()
    image = images(2, 3, SIDE, SIDE)
    with torch.no_grad():
        assert_close(backbone(image), by_hand(getattr(model, tower), PLAIN[name][1], image))
    assert not any("text" in part or "language" in part for part, _ in backbone.named_parameters())


@pytest.mark.parametrize("name", PLAIN)
def test_pretrained_channels_go_to_the_bands_of_their_name(tmp_path, name):
    make, _ = PLAIN[name]
    saved(tmp_path, make)
    plain = hf_vision(str(tmp_path), pretrained=True).eval()
    bands = ["BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"]
    six = hf_vision(str(tmp_path), pretrained=True, bands=bands).eval()
    image = images(2, 6, SIDE, SIDE)
    with torch.no_grad():
        # The three others are seen by the mean weights of red, green and blue: as if they were spread over these.
        raised = image[:, [2, 1, 0]] + image[:, 3:].sum(dim=1, keepdim=True) / 3
        assert_close(six(image), plain(raised))


def test_bands_that_are_no_colours_repeat_the_pretrained_channels(tmp_path):
    saved(tmp_path, PLAIN["vit"][0])
    plain = hf_vision(str(tmp_path), pretrained=True).eval()
    six = hf_vision(str(tmp_path), pretrained=True, bands=["VV", "VH", "DEM", "A", "B", "C"]).eval()
    image = images(2, 3, SIDE, SIDE)
    with torch.no_grad():
        assert_close(six(image.repeat(1, 2, 1, 1)), plain(image))


@pytest.mark.parametrize("name", PLAIN)
def test_six_bands_from_scratch_train_and_checkpointing_changes_no_gradient(tmp_path, name):
    make, _ = PLAIN[name]
    make().config.save_pretrained(tmp_path)
    image = images(2, 6, SIDE, SIDE)

    def gradients(wrap):
        torch.manual_seed(0)
        backbone = BACKBONE_REGISTRY.build("hf_vision", source=str(tmp_path), bands=list("abcdef")).train()
        if wrap:
            assert len(apply_checkpointing(backbone)) == DEPTH
        torch.manual_seed(1)
        sum(feature.square().mean() for feature in backbone(image)).backward()
        return {part: parameter.grad for part, parameter in backbone.named_parameters() if parameter.requires_grad}

    plain, wrapped = gradients(False), gradients(True)
    assert [part for part, gradient in plain.items() if gradient is None] == []
    assert all(torch.equal(a, b) for a, b in zip(plain.values(), wrapped.values(), strict=True))


@pytest.mark.parametrize("name", PLAIN)
def test_presets_and_blocks_are_found_and_it_builds_on_meta(tmp_path, name):
    make, _ = PLAIN[name]
    make().config.save_pretrained(tmp_path)
    with torch.device("meta"):
        backbone = hf_vision(str(tmp_path), bands=["RED", "VV"])
    assert {parameter.device.type for parameter in backbone.parameters()} == {"meta"}
    assert len(transformer_blocks(backbone)) == DEPTH
    counts = [len(target_layers(backbone, preset)) for preset in ("qv", "attention", "mlp")]
    assert counts == [2 * DEPTH, 4 * DEPTH, 2 * DEPTH]


@pytest.mark.parametrize("name", ["vit", "siglip"])
def test_chosen_layers_are_those_of_all_layers(tmp_path, name):
    saved(tmp_path, PLAIN[name][0])
    image = images(1, 3, SIDE, SIDE)
    every = hf_vision(str(tmp_path), pretrained=True).eval()(image)
    chosen = hf_vision(str(tmp_path), pretrained=True, out_indices=[0, -1]).eval()
    assert_close(chosen(image), [every[0], every[-1]])
    assert chosen.out_channels == [WIDTH] * 2
    with pytest.raises(InvalidConfig, match=r"backbone\.out_indices=\[3\]: the model has the layers 0 to 2"):
        hf_vision(str(tmp_path), out_indices=[3])


@pytest.mark.parametrize("pretrained", [False, True])
def test_a_model_saved_in_half_precision_is_built_in_full(tmp_path, pretrained):
    spread(PLAIN["dinov2"][0]()).to(torch.bfloat16).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"
    backbone = hf_vision(str(tmp_path), pretrained=pretrained)
    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.float32}
    assert backbone(images(1, 3, SIDE, SIDE))[0].dtype == torch.float32


@pytest.mark.parametrize("name", ["vit", "siglip", "internvl"])
def test_a_checkpoint_of_another_image_size_is_resized(tmp_path, name):
    make, prefix = PLAIN[name]
    saved(tmp_path, make)
    trained = hf_vision(str(tmp_path), pretrained=True)
    torch.save({"state_dict": trained.state_dict()}, tmp_path / "trained.ckpt")
    larger = hf_vision(str(tmp_path), image_size=(48, 48) if name == "internvl" else 48)
    found = load_checkpoint(larger, tmp_path / "trained.ckpt", bands=["RED", "GREEN", "BLUE"], checkpoint_bands=None)
    (positions,) = found["resized"]
    own, old = larger.state_dict()[positions], trained.state_dict()[positions]
    assert own.shape[-2] == prefix + 36
    assert torch.equal(own.view(1, -1, WIDTH), resize_positions(old.view(1, -1, WIDTH), prefix + 36))
    assert found["missing"] == found["misshapen"] == found["unexpected"] == []


def test_terratorch_builds_it_by_name_and_pads(tmp_path):
    saved(tmp_path, PLAIN["dinov2"][0])
    model = EncoderDecoderFactory().build_model(
        task="segmentation",
        backbone="hf_vision",
        backbone_source=str(tmp_path),
        backbone_pretrained=True,
        backbone_out_indices=[0, 2],
        decoder="FCNDecoder",
        decoder_channels=8,
        num_classes=3,
    )
    assert model.patch_size == PATCH
    assert model(images(2, 3, 30, 30)).output.shape == (2, 3, 30, 30)


def test_fields_of_the_config_can_be_replaced(tmp_path):
    make, _ = PLAIN["vit"]
    make().config.save_pretrained(tmp_path)
    assert hf_vision(str(tmp_path), num_hidden_layers=1).out_channels == [WIDTH]
    with pytest.raises(InvalidConfig, match=r"backbone\.arguments\.wings: ViTConfig has no such field"):
        hf_vision(str(tmp_path), wings=2)
    with pytest.raises(InvalidConfig, match=r"backbone\.arguments\.num_hidden_layers=many: .* expected int"):
        hf_vision(str(tmp_path), num_hidden_layers="many")


@pytest.mark.parametrize(
    "config",
    [hf.BertConfig(**TEXT), hf.SwinConfig(), hf.ConvNextConfig(), hf.ResNetConfig()],
    ids=lambda config: config.model_type,
)
def test_what_is_no_plain_vision_transformer_is_refused(tmp_path, config):
    config.save_pretrained(tmp_path)
    with pytest.raises(InvalidConfig, match=rf"source=.*: {type(config).__name__} is no plain vision transformer"):
        hf_vision(str(tmp_path))


def one_line(told, **arguments):
    with pytest.raises(InvalidConfig, match=told) as refusal:
        hf_vision(**arguments)
    assert "\n" not in str(refusal.value)


def test_what_cannot_be_opened_gives_one_line(tmp_path):
    one_line("needs a model's id on the Hub, or a local folder", source=None)
    one_line("the folder has no config.json", source=str(tmp_path))
    one_line("it is no folder here, and the Hub doesn't give it", source=str(tmp_path / "nowhere"))
    (tmp_path / "config.json").write_text("{")
    one_line(r"source=", source=str(tmp_path))
    PLAIN["vit"][0]().config.save_pretrained(tmp_path)
    one_line("its weights can't be loaded", source=str(tmp_path), pretrained=True)
    one_line("img_size=4: smaller than a patch of 8 pixels", source=str(tmp_path), img_size=4)


def test_weights_of_another_model_are_refused(tmp_path):
    saved(tmp_path, PLAIN["clip"][0])
    PLAIN["vit"][0]().config.save_pretrained(tmp_path)
    one_line(
        r"\d+ tensors of ViTModel are not in its weights \(first .*\); they are of",
        source=str(tmp_path),
        pretrained=True,
    )


def test_code_that_comes_with_a_model_is_never_run(tmp_path):
    sentinel = tmp_path / "it-ran"
    (tmp_path / "own.py").write_text(f"open({str(sentinel)!r}, 'w').close()")
    config = {"model_type": "own_vit", "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    one_line("code from outside is never run", source=str(tmp_path))
    one_line("code from outside is never run", source=str(tmp_path), pretrained=True)
    assert not sentinel.exists()
