"""What is wrong about the data's settings is told in one line each, before a file is opened."""

from dataclasses import replace

import pytest

from terrasweep.config.data import ModalityConfig
from terrasweep.data import rules
from terrasweep.data.rules import find_bad_values, find_conflicts
from tests.composing import compose_trial

LISTS = ("data.split.by=lists", "data.split.train=a.txt")
WRONG = {
    "no fewer than no workers": (["data.workers=-1"], "data.workers=-1: "),
    "no tile to check": (["data.check_tiles=0"], "data.check_tiles=0: "),
    "a block without a tile": (["data.split.block_tiles=0"], "data.split.block_tiles=0: "),
    "a division that is unknown": (["data.split.by=blockz"], "data.split.by=blockz: unknown; did you mean blocks?"),
    "two shares": (["data.split.fractions=[0.5,0.5]"], "shares of train, val and test are needed"),
    "shares beyond one": (["data.split.fractions=[0.7,0.3,0.3]"], "which sum up to 1"),
    "a negative share": (["data.split.fractions=[1.2,-0.1,-0.1]"], "which sum up to 1"),
    "no list of validation samples": (LISTS, "data.split.train and data.split.val are needed"),
    "a way to cut that is unknown": (
        ["data.cut=later", "data.tile_px=32"],
        "data.cut=later: unknown; use true, false or lazily",
    ),
    "cut into tiles of no size": (["data.cut=true", "data.tile_px=null"], "set data.tile_px"),
    "scenes cut apart from their label": (
        ["task=classification", "data=classification_folder", "data.root=/", "data.cut=true", "data.tile_px=32"],
        "a tile has no label of its own",
    ),
    "too few synthetic tiles": (["data=synthetic", "data.synthetic.val=3"], "data.synthetic.val=3: "),
    "synthetic tiles too small": (["data=synthetic", "data.tile_px=8"], "data.tile_px=8: "),
    "a synthetic domain that is unknown": (["data=synthetic", "data.synthetic.domain=mars"], "data.synthetic.domain="),
    "other bands than those drawn": (["data=synthetic", "data.bands=[RED]"], "six bands of their own"),
    "synthetic pixels that are none": (["data=synthetic", "data.no_data=-9999"], "data.no_data=-9999 with data=synth"),
    "synthetic pixels of a size": (["data=synthetic", "data.pixel_size=10"], "data.pixel_size=10 with data=synthetic"),
    "a pixel of no size": (["data.pixel_size=0"], "data.pixel_size=0: it must be above 0; use metres, as 10"),
    "a pixel of a size in words": (["data.pixel_size=10m"], "data.pixel_size=10m: unknown; use metres, as 10, or as_"),
    "a pixel size that is on": (["data.pixel_size=true"], "data.pixel_size=True: unknown; use metres"),
    "no such folder": (["data.root=/nowhere"], "data.root=/nowhere: there is no such folder"),
    "a file that is no list": (
        ["data.root=/etc/hostname"],
        "a file of this type lists no scenes; give a folder, or a list",
    ),
    "no folder": (["data.root=null"], "data.root=null: no folder is given"),
    "a public set that is not there": (
        ["data=burn_scars", "data.root=/nowhere"],
        "get the set from https://huggingface.co/datasets/ibm-nasa-geospatial/hls_burn_scars",
    ),
}
CONTRADICTING = {
    "a decoder of another task": (
        ["task=classification", "data=classification_folder", "decoder=unet"],
        "decoder=UNetDecoder with task=classification",
    ),
    "data of another task": (["task=regression"], "data=segmentation_folder with task=regression"),
    "other numbers of bands": (
        ["data.bands=[RED]", "backbone.bands=[RED,NIR_NARROW]"],
        "the input layer differs from the data",
    ),
    "means without deviations": (["data.means=[1.0,2.0]"], "one is given, the other null"),
    "a band without a mean": (
        ["data.bands=[RED,NIR]", "data.means=[1.0]", "data.stds=[1.0,2.0]"],
        "data.means has 1 values for 2 bands",
    ),
    "one image that is pooled to one cell": (
        ["decoder=upernet", "train.batch_size=1"],
        "train.batch_size=1 with decoder=UperNetDecoder: ",
    ),
    "a deviation of 0": (["data.means=[1.0]", "data.stds=[0.0]"], "must be above 0"),
    "a deviation that is no number": (["data.means=[1.0]", "data.stds=[nan]"], "must be above 0"),
}
THEIRS = {
    "means": ["data.means=[1.0]", "data.stds=[1.0]", "data.bands=[RED]"],
    "cut": ["data.cut=true", "data.tile_px=32"],
    "resize_px": ["data.resize_px=32"],
    "pixel_size": ["data.pixel_size=10"],
    "no_data": ["data.no_data=0"],
    "labels.keep_no_data": ["data.labels.keep_no_data=true"],
}


def folder(*overrides):
    return compose_trial("data=segmentation_folder", "data.root=/", *overrides)


def with_modality(config, modality):
    return replace(config, data=replace(config.data, modalities={"S1": modality}))


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_one_line_with_a_way_out(name):
    overrides, told = WRONG[name]
    (line,) = find_bad_values(folder(*overrides))
    assert told in line
    assert "\n" not in line
    assert ";" in line or "must be" in line


@pytest.mark.parametrize("name", CONTRADICTING)
def test_a_contradiction_is_one_line_with_a_way_out(name):
    overrides, told = CONTRADICTING[name]
    (line,) = find_conflicts(folder(*overrides))
    assert told in line
    assert ";" in line or "must be above 0" in line


@pytest.mark.parametrize("key", [*THEIRS, "modalities"])
def test_what_a_datamodule_does_itself_is_not_asked_of_terrasweep(key):
    given = compose_trial("data=datamodule", "data.datamodule=own.Data", "data.root=/", *THEIRS.get(key, []))
    if key == "modalities":
        given = with_modality(given, ModalityConfig(folder="s1"))
    assert [line.partition(" ")[0] for line in find_conflicts(given)] == [f"data.{key}"]


def test_each_modality_is_judged_by_its_own_bands():
    radar = ModalityConfig(folder="s1", bands=["VV", "VH"], means=[1.0])
    (line, other) = find_conflicts(with_modality(folder(), radar))
    assert line.startswith("data.modalities.S1.means has 1 values for 2 bands")
    assert other.startswith("data.modalities.S1.means and data.modalities.S1.stds: one is given")


def test_what_fits_is_not_refused():
    for config in (compose_trial(), folder(), folder("data.split.by=blocks", "data.cut=true", "data.tile_px=32")):
        assert [*find_bad_values(config), *find_conflicts(config)] == []


def test_folders_can_be_left_aside():
    assert list(find_bad_values(folder("data.root=/nowhere"), files=False)) == []


NO_PATHS = ["Foo", "own.", ".Foo", "own..Foo", "own/data.Foo", "own data.Foo", "3d.Foo"]


@pytest.mark.parametrize("path", NO_PATHS)
def test_a_datamodule_that_is_no_import_path_is_one_line(path):
    config = compose_trial("data=datamodule", f"data.datamodule='{path}'", "data.bands=[RED]")
    (line,) = rules.find_bad_values(config)
    assert line.startswith(f"data.datamodule={path}: it ")
    assert "give an import path like my_package.data.MyDataModule" in line


@pytest.mark.parametrize("path", ["own.Foo", "a_package.of_mine.Foo3", "übung.Bäume"])
def test_an_import_path_is_looked_up_later(path):
    config = compose_trial("data=datamodule", f"data.datamodule='{path}'", "data.bands=[RED]")
    assert list(rules.find_bad_values(config)) == []


@pytest.mark.parametrize("data", ["segmentation_folder", "eurosat"])
def test_a_root_that_is_longer_than_a_name_may_be_is_not_there(data):
    config = compose_trial(f"data={data}", f"data.root={300 * 'x'}")
    (line,) = rules.find_bad_values(config)
    assert "there is no " in line
