"""A contradiction between backbone and data is one line, and what goes together is none."""

import re
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from terratorch.models.utils import pad_images

from terrasweep.config.data import DataConfig, ModalityConfig
from terrasweep.models.backbones import prepared
from terrasweep.models.backbones.conflicts import find_conflicts, find_small_tile
from terrasweep.models.backbones.families import builder_arguments
from tests.unit.models.backbones.samples import MODALITIES, RGB, config, of_dates, several


@pytest.fixture(autouse=True)
def no_list(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))


CONFLICTS = [
    (several(name="prithvi_eo_tiny"), r"data\.modalities=\['S2L2A', 'S1GRD'\] with backbone=prithvi_eo_tiny"),
    (several(name="timm_resnet18"), "takes a single image"),
    (several(name="terramind_v1_tiny", modality="S2L2A"), r"backbone\.modality=S2L2A"),
    (config("prithvi_eo_tiny", modality="S2L2A"), "an image has no name there"),
    (config("terramind_v1_tiny", modality="S3"), r"backbone\.modality: S3 is no image.*S2L2A"),
    (config("terramind_v1_tiny", merge="sum"), r"backbone\.merge=sum.*mean, max, concat"),
    (config("dofa_base_patch16_224", bands=["B2", "RED", "B8"]), r"backbone\.bands: B2, B8 with.*wavelength"),
    (config("clay_v1_base", bands=["B2", "RED", "NIR"]), r"backbone\.bands: B2, NIR"),
    (config("timm_resnet18", out_indices=[]), r"backbone\.out_indices=\[\]"),
    (config("prithvi_eo_tiny", arguments={"out_indices": [1]}), r"use backbone\.out_indices"),
    (config("prithvi_eo_tiny", pretrained=True), "no weights are published; set backbone.pretrained=false"),
]


@pytest.mark.parametrize(("wrong", "told"), CONFLICTS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_contradiction_is_one_line(wrong, told):
    (line,) = find_conflicts(wrong)
    assert "\n" not in line
    assert re.search(told, line)
    assert ";" in line  # It names a way out.


@pytest.mark.parametrize(
    "right",
    [
        several(name="terramind_v1_large"),
        several(name="earthmind_v1", merge="concat"),
        config("terramind_v1_tiny", modality="S1GRD"),
        config("clay_v1_base", bands=["red", "GREEN", "vv"]),
        config("clay_v1_base", data=DataConfig(bands=["4", "3"])),
        config("dofa_base_patch16_224", arguments={"model_bands": RGB}, bands=["1", "2", "3"]),
        config("anything_of_the_users"),
    ],
)
def test_what_goes_together_is_not_refused(right):
    assert list(find_conflicts(right)) == []


def test_a_modality_that_terramind_does_not_know_is_refused_unless_it_is_brought_along():
    strange = replace(several(name="terramind_v1_tiny").data, modalities={"LIDAR": ModalityConfig(folder="l")})
    (line,) = find_conflicts(config("terramind_v1_tiny", data=strange))
    assert "data.modalities: LIDAR" in line
    brought = config("terramind_v1_tiny", data=strange, arguments={"modalities": [{"LIDAR": 2}]})
    assert list(find_conflicts(brought)) == []


def test_an_unknown_name_is_refused_as_soon_as_the_names_were_listed(tmp_path, monkeypatch):
    assert list(find_conflicts(config("prithvi_eo_v2_3000"))) == []
    monkeypatch.setattr(prepared, "cached_names", lambda: ["prithvi_eo_v2_300", "timm_resnet18"])
    (line,) = find_conflicts(config("prithvi_eo_v2_3000"))
    assert line.startswith("backbone.name=prithvi_eo_v2_3000")
    assert "prithvi_eo_v2_300?" in line
    assert list(find_conflicts(config("resnet18"))) == []


SMALL = [
    ("timm_vit_tiny_patch16_224", 8, {}, 32),
    ("timm_vit_tiny_patch16_224", 10, {}, 32),
    ("timm_vit_tiny_patch16_224", 11, {}, 32),
    ("timm_vit_tiny_patch16_224", 12, {}, None),
    ("prithvi_eo_v2_600", 10, {}, None),
    ("prithvi_eo_v2_600", 9, {}, 28),
    ("terramind_v1_base", 8, {}, 32),
    ("clay_v1_base", 5, {}, 16),
    ("timm_vit_tiny_patch16_224", 8, {"padding": "constant"}, None),
    ("timm_vit_tiny_patch16_224", 8, {"patch_size": 4}, None),
    ("timm_resnet18", 8, {}, None),
]


@pytest.mark.parametrize(("name", "px", "arguments", "padded"), SMALL)
def test_a_tile_that_torch_can_not_pad_is_one_line_with_the_size_that_goes(name, px, arguments, padded):
    small = config(name, DataConfig(name="x", bands=RGB, tile_px=px), arguments=arguments)
    lines = list(find_conflicts(small))
    patch = 16 if padded == 32 else (padded or 0) // 2
    assert [line.partition(":")[0] for line in lines] == ([f"data.tile_px={px} with backbone={name}"] if padded else [])
    if padded:
        assert (
            f"two patches of {patch} px, here to {padded} px, and has too few; set data.resize_px={padded}" in lines[0]
        )
        larger = replace(small, data=replace(small.data, resize_px=padded))
        assert list(find_conflicts(larger)) == []


@given(st.integers(1, 80), st.sampled_from([4, 8, 14, 16]), st.sampled_from(["reflect", "circular", "replicate"]))
def test_the_line_comes_where_torch_refuses_and_nowhere_else(px, patch, padding):
    small = config("any", DataConfig(name="x", tile_px=px), arguments={"padding": padding})
    try:
        pad_images(torch.zeros(1, 1, px, px), patch, padding)
        fits = True
    except RuntimeError:
        fits = False
    assert (list(find_small_tile(small, patch)) == []) is fits


def test_a_backbone_of_one_date_says_both_ways_out():
    name = "ssl4eos12_vit_small_patch16_224_sentinel2_all_moco"
    (line,) = find_conflicts(of_dates(name))
    assert line.startswith(f"data.frames=3 with backbone={name}: it takes images of one date; ")
    assert "data.frames_for_one_date=mean" in line
    assert "stack" in line
    for way in ("mean", "stack"):
        stated = of_dates(name, frames_for_one_date=way)
        assert list(find_conflicts(stated)) == []
        bands = builder_arguments(stated)["model_bands"]
        assert bands == (RGB if way == "mean" else RGB * 3)


@pytest.mark.parametrize("name", ["dofa_base_patch16_224", "clay_v1_base"])
def test_weights_made_of_wavelengths_can_not_tell_stacked_dates_apart(name):
    (line,) = find_conflicts(of_dates(name))
    assert "data.frames_for_one_date=mean" in line
    assert "stack" not in line
    (line,) = find_conflicts(of_dates(name, frames_for_one_date="stack"))
    assert line.startswith(f"data.frames_for_one_date=stack with backbone={name}: it makes a band's weights of its")
    assert list(find_conflicts(of_dates(name, frames_for_one_date="mean"))) == []


@pytest.mark.parametrize(("name", "key"), [("terramind_v1_base", "bands"), ("earthmind_v1", "modalities")])
def test_dicts_of_modalities_are_stacked_each_by_its_dates(name, key):
    modalities = MODALITIES | {"S1GRD": ModalityConfig(folder="s1", bands=["VV", "VH"], frames=1)}
    refused = config(name, DataConfig(name="x", modalities=modalities, tile_px=64, frames=3))
    assert len(list(find_conflicts(refused))) == 1
    stacked = replace(refused, data=replace(refused.data, frames_for_one_date="stack"))
    assert list(find_conflicts(stacked)) == []
    assert builder_arguments(stacked)[key] == {"S2L2A": RGB * 3, "S1GRD": ["VV", "VH"]}


def test_prithvi_takes_several_dates():
    assert list(find_conflicts(of_dates("prithvi_eo_v2_300"))) == []


def test_dates_fill_whole_patches():
    arguments = {"patch_size": [3, 16, 16]}
    assert list(find_conflicts(of_dates("prithvi_eo_tiny", 3, arguments=arguments))) == []
    (line,) = find_conflicts(of_dates("prithvi_eo_tiny", 4, arguments=arguments))
    assert line.startswith("backbone.arguments.patch_size=[3, 16, 16] with data.frames=4")


def test_fixed_input_layers_take_no_stack():
    (line,) = find_conflicts(of_dates("terramind_v1_base_tim", frames_for_one_date="stack"))
    assert line.startswith("data.frames_for_one_date=stack with backbone=terramind_v1_base_tim")


@pytest.mark.parametrize("frames", [None, 1, 2])
def test_frames_that_the_data_do_not_have_are_a_line(frames):
    lines = list(find_conflicts(of_dates("prithvi_eo_tiny", frames, arguments={"num_frames": 3})))
    shown = "null" if frames is None else frames
    assert lines[0].startswith(
        f"backbone.arguments.num_frames=3 with data.frames={shown}: samples have {frames or 1} date"
    )
    assert list(find_conflicts(of_dates("prithvi_eo_tiny", 3, arguments={"num_frames": 3}))) == []
