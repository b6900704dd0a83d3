"""Features of several dates: where the tokens of a date are, and what becomes of them before the decoder."""

from dataclasses import replace

import pytest
import torch

from terrasweep.config.data import DataConfig, ModalityConfig
from terrasweep.models.assemble import build_untransformed
from terrasweep.models.encoder import build_encoder
from terrasweep.models.factory_arguments import necks
from tests.composing import compose_trial

WAYS = ("mean", "stack")
PRITHVI = ("backbone=prithvi_eo_tiny", "decoder=linear", "data.tile_px=32", "data.frames=3")


def with_bands(config, *bands, **data):
    return replace(config, data=replace(config.data, bands=list(bands), name="folder", **data))


def composed(*overrides):
    return with_bands(compose_trial(*overrides), "RED", "NIR_NARROW")


@pytest.mark.parametrize("arguments", [(), ("backbone.cls_token=null",)])
def test_prithvi_has_the_channels_of_all_dates_side_by_side(arguments):
    config = composed(*PRITHVI, *arguments)
    encoder, layout = build_encoder(config)
    assert (encoder.num_frames, layout.steps, layout.cls_token) == (3, 3, True)
    assert set(layout.channels) == {3 * 256}
    reshape = next(neck for neck in necks(config, layout) if neck["name"] == "ReshapeTokensToImage")
    assert reshape == {"name": "ReshapeTokensToImage", "remove_cls_token": True, "effective_time_dim": 3}


def test_one_date_is_built_as_before():
    config = composed("backbone=prithvi_eo_tiny", "decoder=linear", "data.tile_px=32")
    encoder, layout = build_encoder(config)
    assert (encoder.num_frames, layout.steps) == (1, 1)
    assert {"name": "ReshapeTokensToImage", "remove_cls_token": True} in necks(config, layout)
    assert build_encoder(composed(*PRITHVI[:3], "data.frames=1"))[1] == layout


def test_a_deep_patch_has_fewer_steps():
    config = composed(*PRITHVI[:3], "data.frames=4", "backbone.arguments.patch_size=[2,16,16]")
    assert build_encoder(config)[1].steps == 2


@pytest.mark.parametrize("decoder", ["linear", "fcn", "unet", "upernet"])
@pytest.mark.parametrize("side", [32, 40])
def test_the_output_depends_on_the_order_of_the_dates(decoder, side):
    config = composed(*PRITHVI[:1], "data.frames=3", f"decoder={decoder}", f"data.tile_px={side}")
    torch.manual_seed(0)
    model = build_untransformed(config, 4).eval()
    images = torch.randn(2, 2, 3, side, side)
    with torch.no_grad():
        forward, backward = model(images).output, model(images.flip(2)).output
    assert forward.shape == (2, 4, side, side)
    assert not torch.allclose(forward, backward, atol=1e-3)


def test_prithvi_tl_knows_when_and_where():
    config = composed("backbone=prithvi_eo_v2_tiny_tl", "data.frames=3", "decoder=linear", "data.tile_px=32")
    torch.manual_seed(0)
    model = build_untransformed(config, 4).eval()
    images, times = torch.randn(1, 2, 3, 32, 32), torch.tensor([[[2024.0, 9], [2024, 60], [2024, 365]]])
    with torch.no_grad():
        plain = model(images).output
        when = model(images, temporal_coords=times).output
        where = model(images, location_coords=torch.tensor([[46.0, 15.0]])).output
    for told in (when, where):
        assert not torch.allclose(plain, told, atol=1e-4)


@pytest.mark.parametrize(
    ("backbone", "way"),
    [
        *((name, way) for name in ("timm_vit_tiny_patch16_224", "terramind_v1_tiny", "prithvi_swin") for way in WAYS),
        *(("dofa_small", "mean"), ("clay_v1_base", "mean")),
    ],
)
def test_backbones_of_one_date_are_built_for_the_mean_or_the_stack(backbone, way):
    named = ["backbone=any", "backbone.name=prithvi_swin_B"] if backbone == "prithvi_swin" else [f"backbone={backbone}"]
    config = compose_trial(
        *named, "decoder=linear", "data.tile_px=64", "data.frames=3", f"data.frames_for_one_date={way}"
    )
    config = with_bands(config, "RED", "GREEN")
    model = build_untransformed(config, 2).eval()
    bands = 2 if way == "mean" else 6
    images = torch.randn(1, bands, 64, 64)
    with torch.no_grad():
        if backbone == "terramind_v1_tiny":
            images = {"S2L2A": images}
        assert model(images).output.shape == (1, 2, 64, 64)


def test_modalities_are_stacked_each_by_its_dates():
    config = compose_trial(
        "backbone=terramind_v1_tiny", "decoder=linear", "data.tile_px=64", "data.frames_for_one_date=stack"
    )
    modalities = {
        "S2L2A": ModalityConfig(folder="a", bands=["RED", "GREEN"]),
        "S1GRD": ModalityConfig(folder="b", bands=["VV"], frames=1),
    }
    config = replace(config, data=replace(config.data, name="f", bands=[], frames=2, modalities=modalities))
    model = build_untransformed(config, 2).eval()
    images = {"S2L2A": torch.randn(1, 4, 64, 64), "S1GRD": torch.randn(1, 1, 64, 64)}
    with torch.no_grad():
        assert model(images).output.shape == (1, 2, 64, 64)


def test_each_date_by_itself_through_terratorchs_wrapper():
    config = composed(
        *("backbone=timm_vit_tiny_patch16_224", "decoder=linear", "data.tile_px=64", "data.frames=3"),
        *("backbone.arguments.use_temporal=true", "backbone.arguments.temporal_pooling=mean"),
    )
    model = build_untransformed(config, 2).eval()
    with torch.no_grad():
        assert model(torch.randn(1, 2, 3, 64, 64)).output.shape == (1, 2, 64, 64)


def test_data_of_one_date_have_one_frame():
    assert DataConfig(name="x").frames_of("image") == 1
