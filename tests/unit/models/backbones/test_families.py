"""What a backbone's builder is called with follows from its name and the data."""

import json

import pytest

from terrasweep.config.data import DataConfig, ModalityConfig
from terrasweep.models.backbones.families import (
    builder_arguments,
    dates_per_input,
    family_of,
    padded_px,
    spread,
)
from terrasweep.results.errors import InvalidConfig
from tests.unit.models.backbones.samples import MODALITIES, RGB, config, of_dates, several


@pytest.fixture(autouse=True)
def no_list(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))


EXPECTED = {
    "prithvi_eo_v2_300": {"bands": RGB, "num_frames": 1, "img_size": 64},
    # Patches of 14 pixels: TerraTorch pads to multiples of two of them.
    "prithvi_eo_v2_600_tl": {"bands": RGB, "num_frames": 1, "img_size": 84},
    "terratorch_prithvi_eo_tiny": {"bands": RGB, "num_frames": 1, "img_size": 64},
    "terramind_v1_base": {"modalities": ["S2L2A"], "bands": {"S2L2A": RGB}, "merge_method": "mean"},
    "terramind_v1_base_tim": {"modalities": ["S2L2A"], "merge_method": "mean"},
    "dofa_large_patch16_224": {"model_bands": RGB, "img_size": 64, "out_indices": [5, 11, 17, 23]},
    "clay_v1_base": {"bands": RGB, "img_size": 64},
    "timm_clay_v1_base": {"bands": RGB, "img_size": 64},
    "timm_prithvi_swin_B": {"bands": RGB, "out_indices": [0, 1, 2, 3]},
    "timm_vit_small_patch14_dinov2": {"in_chans": 3, "img_size": 84},
    "ssl4eos12_resnet50_sentinel2_all_moco": {"model_bands": RGB, "out_indices": [1, 2, 3, 4]},
    "satlas_swin_b_sentinel2_si_ms": {"model_bands": RGB, "out_indices": [1, 3, 5, 7]},
    "ssl4eol_vit_small_patch16_224_landsat_oli_sr_moco": {"model_bands": RGB, "img_size": 64},
    "earthmind_v1": {
        "source": "here",
        "bands": RGB,
        "modalities": None,
        "img_size": 84,
        "merge_method": "mean",
    },
    "hf_vision": {"source": "here", "bands": RGB, "img_size": 64},
    "something_of_the_users": {},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_builders_arguments_follow_from_name_and_data(name):
    assert builder_arguments(config(name, source="here")) == EXPECTED[name]
    json.dumps(EXPECTED[name])  # An export writes them.


def test_given_arguments_win_and_the_backbones_own_band_names_are_used():
    given = config("prithvi_eo_tiny", bands=["A", "B", "C"], arguments={"img_size": 32, "depth": 2})
    assert builder_arguments(given) == {"bands": ["A", "B", "C"], "num_frames": 1, "img_size": 32, "depth": 2}
    patched = config("timm_vit_tiny_patch16_224", arguments={"patch_size": 8}, data=DataConfig(bands=RGB, tile_px=40))
    assert builder_arguments(patched)["img_size"] == 48
    assert builder_arguments(config("timm_resnet18", out_indices=[3, 4]))["out_indices"] == [3, 4]


def test_several_modalities_reach_the_backbones_that_take_them():
    bands = {"S2L2A": RGB, "S1GRD": ["VV", "VH"]}
    arguments = builder_arguments(several(name="terramind_v1_tiny", merge="concat"))
    assert arguments == {"modalities": ["S2L2A", "S1GRD"], "bands": bands, "merge_method": "concat"}
    arguments = builder_arguments(several(name="earthmind_v1"))
    assert (arguments["modalities"], arguments["bands"]) == (bands, None)
    single = config("terramind_v1_tiny", modality="S2L1C")
    assert builder_arguments(single)["bands"] == {"S2L1C": RGB}


def test_an_image_without_known_bands_is_refused_with_the_field():
    with pytest.raises(InvalidConfig, match=r"data\.bands=\[\] with backbone=prithvi_eo_tiny"):
        builder_arguments(config("prithvi_eo_tiny", data=DataConfig(tile_px=64)))


@pytest.mark.parametrize(
    ("count", "expected"),
    [(12, [2, 5, 8, 11]), (4, [0, 1, 2, 3]), (24, [5, 11, 17, 23]), (32, [7, 15, 23, 31]), (3, [0, 1, 2]), (1, [0])],
)
def test_four_features_are_spread_evenly(count, expected):
    assert spread(count) == expected


@pytest.mark.parametrize("count", range(5, 80))
def test_spread_features_end_with_the_last_and_keep_their_distance(count):
    chosen = spread(count)
    steps = [b - a for a, b in zip([-1, *chosen], chosen, strict=False)]
    assert len(chosen) == 4
    assert chosen[-1] == count - 1
    assert max(steps) - min(steps) <= 1


def test_a_tile_is_padded_to_two_patches_and_resampling_counts_first():
    assert padded_px(config("x"), 16) == 64
    assert padded_px(config("x"), 14) == 84
    assert padded_px(config("x"), None) == 64
    assert padded_px(config("x", data=DataConfig(tile_px=512, resize_px=224)), 14) == 224


def test_families_are_told_by_names_of_the_registry():
    assert [family_of(name) for name in ("prithvi_eo_v2_300", "timm_vit_x", "resnet18", "fmow_resnet50_x")] == [
        *("prithvi", "timm", None, "torchgeo")
    ]


def test_prithvi_is_built_for_the_dates_of_the_data():
    assert builder_arguments(of_dates("prithvi_eo_v2_300"))["num_frames"] == 3
    wrapped = of_dates("prithvi_eo_v2_300", arguments={"use_temporal": True})
    assert builder_arguments(wrapped)["num_frames"] == 1


def test_dates_of_each_input_layer():
    modalities = MODALITIES | {"S1GRD": ModalityConfig(folder="s1", bands=["VV", "VH"], frames=1)}
    data = DataConfig(name="x", modalities=modalities, tile_px=64, frames=3, frames_for_one_date="stack")
    assert dates_per_input(config("terramind_v1_base", data)) == [3, 1]
    assert dates_per_input(config("earthmind_v1", data)) == []
    assert builder_arguments(config("earthmind_v1", data))["frames"] == {"S2L2A": 3, "S1GRD": 1}
    assert dates_per_input(of_dates("timm_vit_tiny_patch16_224", frames_for_one_date="stack")) == [3]
    assert dates_per_input(of_dates("timm_vit_tiny_patch16_224", frames_for_one_date="mean")) == []
