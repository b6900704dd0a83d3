"""Which backbones take several dates, and what the others get."""

import pytest

from terrasweep.config.data import DataConfig, ModalityConfig
from terrasweep.config.input_bands import input_bands, input_modalities
from terrasweep.config.input_frames import input_coordinates, input_frames, is_averaged, is_stacked, takes_frames
from terrasweep.config.schema import BackboneConfig, TrialConfig


def config(name, *, arguments=None, **data):
    data = {"frames": 3, "bands": ["RED", "NIR"], **data}
    return TrialConfig(backbone=BackboneConfig(name=name, arguments=arguments or {}), data=DataConfig(name="x", **data))


@pytest.mark.parametrize(
    ("name", "arguments", "takes"),
    [
        ("prithvi_eo_v2_300", {}, True),
        ("terratorch_prithvi_eo_tiny", {}, True),
        ("prithvi_swin_B", {}, False),
        ("timm_vit_tiny_patch16_224", {}, False),
        ("timm_vit_tiny_patch16_224", {"use_temporal": True}, True),
        ("some_video_model", {"num_frames": 3}, True),
    ],
)
def test_who_takes_several_dates(name, arguments, takes):
    assert takes_frames(config(name, arguments=arguments)) is takes
    assert input_frames(config(name, arguments=arguments)) == (3 if takes else 1)


def test_only_those_of_one_date_get_them_combined():
    for way, combined in (("mean", is_averaged), ("stack", is_stacked)):
        assert combined(config("dofa_base_patch16_224", frames_for_one_date=way))
        assert not combined(config("prithvi_eo_tiny", frames_for_one_date=way))
        assert not combined(config("dofa_base_patch16_224", frames_for_one_date=way, frames=None))


def test_stacked_bands_come_once_per_date():
    stacked = {"frames_for_one_date": "stack"}
    assert input_bands(config("dofa_base_patch16_224", **stacked)) == ["RED", "NIR"] * 3
    assert input_bands(config("dofa_base_patch16_224", frames_for_one_date="mean")) == ["RED", "NIR"]
    modalities = {
        "S2L2A": ModalityConfig(folder="a", bands=["RED", "NIR"]),
        "DEM": ModalityConfig(folder="b", bands=["ELEVATION"], frames=1),
    }
    found = input_modalities(config("terramind_v1_tiny", modalities=modalities, bands=[], **stacked))
    assert found == {"S2L2A": ["RED", "NIR"] * 3, "DEM": ["ELEVATION"]}


@pytest.mark.parametrize(
    ("name", "arguments", "frames", "told"),
    [
        ("prithvi_eo_v2_tiny_tl", {}, 3, ("time", "location")),
        ("prithvi_eo_v2_tiny_tl", {}, 1, ("time", "location")),
        ("prithvi_eo_v2_tiny_tl", {}, None, ()),
        ("prithvi_eo_v2_tiny_tl", {"coords_encoding": []}, 3, ()),
        ("prithvi_eo_v2_300", {"coords_encoding": ["time"]}, 3, ("time",)),
        ("prithvi_eo_v2_300", {}, 3, ()),
        ("dofa_base_patch16_224", {}, 3, ()),
    ],
)
def test_who_is_told_when_and_where(name, arguments, frames, told):
    assert input_coordinates(config(name, arguments=arguments, frames=frames)) == told
