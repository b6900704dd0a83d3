"""What is derived about a backbone's features is what its group states, and what can't be derived is said."""

import re
from dataclasses import replace

import pytest
import torch
import yaml
from terratorch.models import EncoderDecoderFactory
from torch import nn

from terrasweep.config.data import ModalityConfig
from terrasweep.models.assemble import assemble, build_untransformed
from terrasweep.models.backbones import prepared
from terrasweep.models.backbones.families import spread
from terrasweep.models.backbones.feature_layout import Layout, find_layout, look
from terrasweep.models.backbones.registry import check_known, complete_arguments, shapes_alone
from terrasweep.models.encoder import build_encoder
from terrasweep.models.factory_arguments import model_arguments, necks
from terrasweep.models.transforms.checkpointing import transformer_blocks
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial
from tests.unit.models.memory_faults import PLAIN, assert_comes_through, exhausted, raising

FROM_THE_HUB = ("any", "hf_vision")
GROUPS = [group for group in prepared.groups() if group.name not in FROM_THE_HUB]
BANDS = ["RED", "GREEN", "BLUE"]


def composed(*overrides):
    return compose_trial("data.tile_px=224", *overrides)


def unknown(config):
    """The same without what the group states."""
    return replace(config, backbone=replace(config.backbone, out_indices=None, cls_token=None))


def on_meta(config):
    with shapes_alone():
        return build_encoder(config)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_what_is_derived_is_what_the_group_states(group):
    config = composed(f"backbone={group.name}")
    encoder, stated = on_meta(config)
    _, derived = on_meta(unknown(config))
    chosen = complete_arguments(unknown(config)).get("out_indices", derived.seen)
    assert list(chosen) == config.backbone.out_indices == spread(int(group.blocks))
    assert config.backbone.cls_token == (derived.cls_token if derived.tokens else None)
    assert derived.strides == stated.strides
    assert not derived.pyramidal
    assert len(transformer_blocks(encoder)) == int(group.blocks)
    assert set(stated.channels) == {int(group.width)}
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    digits = 1 if "." in group.parameters else 0
    assert group.parameters == f"{parameters / 1e6:.{digits}f} M"


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_an_exports_arguments_alone_build_the_same_model(group):
    """They go through YAML, and TerraTorch looks at nothing."""
    config = composed(f"backbone={group.name}", "decoder=unet")
    with shapes_alone():
        encoder, layout = build_encoder(config)
        model = assemble(config, 3, encoder, layout)
        arguments = yaml.safe_load(yaml.safe_dump(model_arguments(config, 3, layout)))
        alone = EncoderDecoderFactory().build_model(task="segmentation", **arguments)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    assert {name: tensor.shape for name, tensor in alone.state_dict().items()} == shapes


PYRAMIDS = {
    "ssl4eos12_resnet50_sentinel2_all_moco": (256, 512, 1024, 2048),
    "timm_resnet18": (64, 128, 256, 512),
    "timm_convnext_pico": (64, 128, 256, 512),
    "resnet18": (64, 128, 256, 512),
    "timm_vgg11": (256, 512, 512, 512),
}
"""Name to the channels of the last four stages."""
LAST = {"satlas_swin_t_sentinel2_si_ms": (96, 192, 384, 768), "timm_prithvi_swin_B": (128, 256, 512, 1024)}
"""The same where channels come last."""


@pytest.mark.parametrize("name", [*PYRAMIDS, *LAST])
def test_a_pyramid_is_seen_and_needs_no_interpolation(name):
    config = composed("backbone=any", f"backbone.name={name}", "decoder=unet")
    _, layout = on_meta(config)
    assert layout.pyramidal
    assert layout.strides == (4, 8, 16, 32)
    assert layout.channels == {**PYRAMIDS, **LAST}[name]
    assert [neck["name"] for neck in necks(config, layout)] == (["PermuteDims"] if name in LAST else [])


def test_a_plain_transformer_of_torchgeo_gives_every_block_and_is_thinned():
    name = "ssl4eos12_vit_small_patch16_224_sentinel2_all_dino"
    config = composed("backbone=any", f"backbone.name={name}", "decoder=unet")
    _, layout = on_meta(config)
    assert layout.indices == (2, 5, 8, 11)
    assert [neck["name"] for neck in necks(config, layout)] == ["SelectIndices", "LearnedInterpolateToPyramidal"]


@pytest.mark.parametrize("name", ["timm_resnet18", "satlas_swin_t_sentinel2_si_ms"])
@pytest.mark.parametrize("decoder", ["unet", "upernet", "fcn", "linear"])
def test_pyramids_reach_the_decoders(name, decoder):
    config = compose_trial("backbone=any", f"backbone.name={name}", f"decoder={decoder}")
    model = build_untransformed(config, 3)
    output = model(torch.randn(2, 6, 64, 64)).output
    assert output.shape == (2, 3, 64, 64)
    assert torch.isfinite(output).all()


class Fake(nn.Module):
    """Features of given shapes, whatever comes in."""

    def __init__(self, shapes, channels, patch=None):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.shapes, self.out_channels = shapes, channels
        if patch:
            self.patch_size = patch
        self.seen = None

    def forward(self, images):
        self.seen = images
        return [torch.zeros(shape) for shape in self.shapes]


def layout_of(*fake, config=None, **arguments):
    config = config or compose_trial("backbone=any", "backbone.name=fake")
    return find_layout(config, Fake(*fake), arguments)


def test_tokens_are_counted_against_the_patches_of_a_tile():
    # 64 pixels in patches of 16: 4 x 4.
    assert layout_of([(1, 17, 8)] * 2, [8, 8], 16) == Layout((8, 8), (16, 16), tokens=True, cls_token=True)
    assert layout_of([(1, 16, 8)], [8], [1, 16, 16]) == Layout((8,), (16,), tokens=True)
    assert layout_of([(1, 65, 8)], [8]) == Layout((8,), (8,), tokens=True, cls_token=True)
    # Patches of 14 pixels: a tile is padded to 84 and has 6 x 6.
    assert layout_of([(1, 37, 8)], [8], (14, 14)) == Layout((8,), (14,), tokens=True, cls_token=True)


@pytest.mark.parametrize("tokens", [20, 21, 25, 15])
def test_registers_and_other_extra_tokens_are_refused_with_a_way_out(tokens):
    """25 tokens are 5 x 5, and here they are 4 x 4 with nine more."""
    with pytest.raises(InvalidConfig, match=rf"{tokens} tokens") as told:
        layout_of([(1, tokens, 8)], [8], 16)
    assert all(key in str(told.value) for key in ("backbone.out_indices", "backbone.cls_token", "neck.modules"))


@pytest.mark.parametrize("shapes", [[(1, 8)], [(1, 17, 9)], [(1, 8, 2, 4, 4)], [(1, 17, 8), (1, 17, 8)]])
def test_what_is_neither_image_nor_tokens_is_refused(shapes):
    with pytest.raises(InvalidConfig, match="neither images nor tokens"):
        layout_of(shapes, [8], 16)


def test_images_are_told_by_their_channels_in_front_or_behind():
    assert layout_of([(1, 8, 4, 4)], [8]) == Layout((8,), (16,), tokens=False)
    behind = layout_of([(1, 16, 16, 8), (1, 8, 8, 16)], [8, 16])
    assert behind == Layout((8, 16), (4, 8), tokens=False, channels_last=True)


def test_what_is_stated_is_believed_without_looking():
    config = compose_trial("backbone=any", "backbone.name=x", "backbone.out_indices=[0]", "backbone.cls_token=false")
    encoder = Fake([(1, 2)], [8], 16)
    assert find_layout(config, encoder, {}) == Layout((8,), (16,), tokens=True, indices=(0,))
    assert encoder.seen is None


def test_given_necks_are_believed_too():
    config = compose_trial("backbone=any", "backbone.name=timm_resnet18", "neck.modules=[]", "decoder=linear")
    layout = find_layout(config, Fake([(1, 2)], [8]), {})
    with pytest.raises(InvalidConfig, match=r"decoder\.arguments\.upsampling_size"):
        model_arguments(config, 3, layout)


def test_features_that_are_not_there_are_refused():
    config = compose_trial("backbone=prithvi_eo_tiny", "backbone.out_indices=[2,5]")
    with pytest.raises(InvalidConfig, match=r"backbone\.out_indices=\[2, 5\].*no feature 5; use 0 to 3"):
        on_meta(config)
    with pytest.raises(InvalidConfig, match="out_channels"):
        layout_of([], None)


def test_a_pyramid_decoder_wants_four_features():
    config = compose_trial("backbone=prithvi_eo_tiny", "backbone.out_indices=[1,3]", "decoder=unet")
    with pytest.raises(InvalidConfig, match=r"decoder=UNetDecoder.*four features, and sees 2"):
        build_untransformed(config, 3)


@pytest.mark.parametrize(("backbone", "stride"), [("clay_v1_base", 8), ("prithvi_eo_v2_600", 14), ("dofa_small", 16)])
def test_the_linear_decoder_follows_the_patch_unless_told(backbone, stride):
    config = composed(f"backbone={backbone}", "decoder=linear")
    _, layout = on_meta(config)
    assert model_arguments(config, 3, layout)["decoder_upsampling_size"] == stride
    told = composed(f"backbone={backbone}", "decoder=linear", "decoder.arguments.upsampling_size=4")
    assert model_arguments(told, 3, layout)["decoder_upsampling_size"] == 4


def test_a_regression_has_one_output():
    config = compose_trial("backbone=prithvi_eo_tiny", "decoder=linear")
    regression = replace(config, task=replace(config.task, name="regression"))
    encoder, layout = build_encoder(regression)
    arguments = model_arguments(regression, 7, layout)
    assert (arguments["num_outputs"], arguments["decoder_num_classes"]) == (1, 1)
    assert "num_classes" not in arguments
    assert assemble(regression, 7, encoder, layout)(torch.randn(2, 6, 64, 64)).output.shape == (2, 64, 64)


def test_looking_leaves_no_trace():
    """Neither random numbers nor training modes change: what is built afterwards is what it was."""
    config = unknown(compose_trial("backbone=prithvi_eo_tiny"))
    encoder, _ = build_encoder(config)
    encoder.blocks[1].eval()
    modes = [module.training for module in encoder.modules()]
    state = torch.get_rng_state()
    features = look(config, encoder)
    assert [module.training for module in encoder.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(feature.requires_grad for feature in features)


@pytest.mark.parametrize("backbone", ["prithvi_eo_tiny", "timm_vit_tiny_patch16_224"])
def test_a_derived_model_is_the_stated_one_bit_by_bit(backbone):
    outputs = []
    for change in (lambda config: config, unknown):
        torch.manual_seed(3)
        model = build_untransformed(change(compose_trial(f"backbone={backbone}", "decoder=unet")), 3).eval()
        outputs.append(model(torch.ones(1, 6, 64, 64)).output)
    assert torch.equal(*outputs)


@pytest.mark.parametrize("backbone", ["timm_vit_small_patch14_dinov2", "clay_v1_base", "dofa_small"])
def test_a_tile_that_is_no_multiple_of_the_patch_is_padded_and_cut_back(backbone):
    config = compose_trial(f"backbone={backbone}", "decoder=linear", "data.tile_px=40")
    output = build_untransformed(config, 3).eval()(torch.randn(1, 6, 40, 40)).output
    assert output.shape == (1, 3, 40, 40)


def several(*overrides):
    config = compose_trial("backbone=terramind_v1_tiny", "decoder=linear", *overrides)
    modalities = {
        "S2L2A": ModalityConfig(folder="s2", bands=BANDS),
        "S1GRD": ModalityConfig(folder="s1", bands=["VV", "VH"]),
    }
    return replace(config, data=replace(config.data, bands=[], modalities=modalities))


@pytest.mark.parametrize(("merge", "width"), [("mean", 192), ("max", 192), ("concat", 384)])
def test_several_modalities_become_one_sequence(merge, width):
    config = several(f"backbone.merge={merge}")
    _, derived = on_meta(unknown(config))
    assert derived.indices == (2, 5, 8, 11)
    assert derived.tokens
    assert not derived.cls_token
    assert set(derived.channels) == {width}
    model = build_untransformed(config, 3)
    images = {"S2L2A": torch.randn(2, 3, 64, 64), "S1GRD": torch.randn(2, 2, 64, 64)}
    assert model(images).output.shape == (2, 3, 64, 64)


def test_an_image_that_a_backbone_can_not_take_is_one_line():
    wrong = compose_trial("backbone=any", "backbone.name=timm_vit_tiny_patch16_224", "backbone.arguments.img_size=96")
    with pytest.raises(InvalidConfig, match=r"data\.tile_px=64.*backbone\.arguments") as told:
        build_encoder(wrong)
    assert "\n" not in str(told.value)


def test_a_misspelt_name_is_refused_with_those_near_it():
    with pytest.raises(InvalidConfig, match=r"backbone\.name=prithvi_eo_v2_301: .*did you mean prithvi_eo_v2_300"):
        check_known("prithvi_eo_v2_301")
    check_known("vit_tiny_patch16_224.augreg_in21k")


def test_a_builder_that_asks_for_more_is_refused_with_a_way_out():
    with pytest.raises(InvalidConfig, match=re.escape("backbone.arguments")):
        build_encoder(compose_trial("backbone=any", "backbone.name=dinov3_vits16"))


class Failing(nn.Module):
    """Fails as it is told to when it sees an image."""

    def __init__(self, fault):
        super().__init__()
        self.layer, self.forward = nn.Linear(1, 1), raising(fault)


@pytest.mark.parametrize("stated", [True, False])
def test_a_tile_too_small_to_be_padded_is_refused_before_anything_sees_it(stated):
    """By the encoder's own patch, where no name tells it, and also where nothing has to be looked at."""

    class Patches(Failing):
        patch_size, out_channels = 16, [8]

    config = compose_trial("data.resize_px=8", "backbone=any", "backbone.name=mystery")
    if stated:
        config = replace(config, backbone=replace(config.backbone, out_indices=[0], cls_token=True))
    with pytest.raises(InvalidConfig, match=r"data.resize_px=8 with backbone=mystery: .* set data.resize_px=32"):
        find_layout(config, Patches(PLAIN), {})


@exhausted
def test_memory_that_is_exhausted_by_a_look_is_no_wrong_model(fault, known):
    assert_comes_through(lambda: look(compose_trial(), Failing(fault)), fault, known)


def test_a_model_that_fails_when_it_is_looked_at_is_refused():
    with pytest.raises(InvalidConfig, match="of another shape"):
        look(compose_trial(), Failing(PLAIN))
