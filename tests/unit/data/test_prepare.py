"""Broken data, each made by a test, is refused before anything is built, in one line that names it."""

import re
import shutil
from functools import partial

import numpy as np
import pytest

from terrasweep.data import prepare, stored
from terrasweep.data.inspect import scan
from terrasweep.data.inspect.checks import errors, find_problems
from terrasweep.data.prepare import prepare_data
from terrasweep.results.errors import DataError
from tests.composing import compose_trial
from tests.unit.data.rasters import classes, noise, write_raster


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two bands, three classes, six training and three validation tiles of 32 px."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    for split, tiles in (("train", range(6)), ("val", range(6, 9))):
        for tile in tiles:
            write_raster(tmp_path / "data" / split / "images" / f"{tile}.tif", noise(tile), place=(0, tile))
            write_raster(tmp_path / "data" / split / "masks" / f"{tile}.tif", classes(tile), place=(0, tile))
    return tmp_path / "data"


def refusal(folder, *overrides):
    """The lines of what is wrong."""
    stored._state.cache_clear()
    config = compose_trial("data=segmentation_folder", f"data.root={folder}", "train.batch_size=4", *overrides)
    try:
        prepare_data(config)
    except DataError as error:
        return [str(error)]
    return errors(find_problems(stored.read_survey(config), config))


def empty(folder, split):
    for kind in ("images", "masks"):
        shutil.rmtree(folder / split / kind)
        (folder / split / kind).mkdir()


def extra_class(folder):
    mask = classes(1)
    mask[0, 0, 0] = 3
    write_raster(folder / "train/masks/1.tif", mask)


def nan_pixels(folder):
    image = noise(1)
    image[0, :4] = np.nan
    write_raster(folder / "train/images/1.tif", image)


def infinite(folder):
    image = noise(1)
    image[0, 0, 0] = -np.inf
    write_raster(folder / "train/images/1.tif", image)


def truncate(folder):
    file = folder / "val/images/7.tif"
    file.write_bytes(file.read_bytes()[:300])


def put(folder, path, text):
    (folder / path).write_bytes(text)


def leak(folder):
    shutil.copy(folder / "train/images/2.tif", folder / "val/images/2.tif")
    shutil.copy(folder / "train/masks/2.tif", folder / "val/masks/2.tif")


BROKEN = {
    "a split without samples": (partial(empty, split="val"), [], "split val has no images"),
    "a class too many": (extra_class, ["data.num_classes=3"], r"labels outside 0 to 2: 3 \(first in train/1\)"),
    "NaN pixels": (nan_pixels, [], "NaN, infinite or no data"),
    "a band missing": (lambda f: write_raster(f / "train/images/1.tif", noise(1, bands=1)), [], "2 shapes"),
    "a band too few": (lambda f: None, ["data.bands=[RED,NIR,SWIR]"], "names 3 bands, the files have 2"),
    "a truncated TIFF": (truncate, [], "1 sample of val can't be read, first 7"),
    "two files of one name": (lambda f: put(f, "train/images/1.png", b""), [], "1.png and 1.tif have the same name"),
    "a file that is no image": (
        lambda f: put(f, "train/images/1.tif", b"hi"),
        [],
        "1 sample of train can't be read",
    ),
    "the first is no image": (lambda f: put(f, "train/images/0.tif", b"hi"), [], "0.tif: it can't be read"),
    "leaking splits": (leak, [], "same pixels"),
    "a mask missing": (lambda f: (f / "train/masks/3.tif").unlink(), [], "no file of mask .*first 3.tif"),
    "no mask at all": (lambda f: shutil.rmtree(f / "val/masks"), [], "no folder .*masks"),
    "a mask in colours": (lambda f: write_raster(f / "train/masks/1.tif", noise(1, bands=3)), [], "mask has 3 bands"),
    "infinite pixels": (infinite, ["data.no_data_replace=0"], "infinite .*write finite values"),
    "no validation folder": (lambda f: shutil.rmtree(f / "val"), [], "no folder val/"),
    "other tile sizes": (lambda f: write_raster(f / "train/images/1.tif", noise(1, px=16)), [], "2 shapes"),
    "another tile size": (lambda f: None, ["data.tile_px=64"], "data.tile_px=64: images have 32 x 32"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_data_are_refused_in_a_line(folder, fault):
    break_it, overrides, told = BROKEN[fault]
    break_it(folder)
    lines = refusal(folder, *overrides)
    assert any(re.search(told, line) for line in lines), lines
    assert all("\n" not in line and ";" in line for line in lines)


def test_sound_data_are_not_refused(folder):
    assert refusal(folder) == []
    assert refusal(folder, "data.num_classes=3", "data.bands=[RED,NIR]", "data.tile_px=32") == []


def test_every_fault_is_told_at_once(folder):
    nan_pixels(folder)
    extra_class(folder)
    leak(folder)
    truncate(folder)
    lines = "\n".join(refusal(folder, "data.num_classes=3", "data.tile_px=64"))
    for told in ("NaN", "same pixels", "can't be read", "data.tile_px=64", "data.num_classes=3"):
        assert told in lines


def test_what_was_declared_before_is_not_seen_in_the_files(folder):
    wrong = refusal(
        folder, "data.tile_px=64", "data.bands=[RED]", "data.num_classes=7", "data.class_names=[a,b,c,d,e,f,g]"
    )
    assert len(wrong) >= 2
    assert refusal(folder) == []
    config = stored.located(compose_trial("data=segmentation_folder", f"data.root={folder}"))
    data = stored.complete(config).data
    assert (data.tile_px, data.bands, data.num_classes, data.class_names) == (32, ["B1", "B2"], 3, None)
    assert stored.data_folder(stored.complete(config)) == stored.data_folder(config)
    named = compose_trial("data=segmentation_folder", f"data.root={folder}", "data.class_names=[a,b,c,d]")
    assert stored.complete(stored.located(named)).data.num_classes == 4  # The last class is not in the masks.


def test_a_test_split_may_have_no_masks_yet(folder):
    write_raster(folder / "test/images/9.tif", noise(9))
    assert refusal(folder) == []


def test_a_list_elsewhere_and_a_hidden_file(folder, tmp_path):
    names = {"train": "0\n1\n2\n3\n4\n", "val": "\ufeff5\r\n"}
    for name, text in names.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    lists = [f"data.split.{name}={tmp_path / name}.txt" for name in names]
    overrides = ["data=segmentation_folder", f"data.root={folder / 'train'}", "data.split.by=lists", *lists]

    def state():
        stored._state.cache_clear()
        return stored.located(compose_trial(*overrides)).data.state

    before = state()
    (folder / "train" / ".DS_Store").write_text("x")
    assert state() == before
    prepare_data(stored.located(compose_trial(*overrides)))
    (tmp_path / "val.txt").write_text("4\n5\n")
    assert state() != before


def test_a_look_that_was_broken_off_goes_on_and_sees_the_same(folder, monkeypatch):
    read, plain = [], prepare._read
    monkeypatch.setattr(scan, "_PART", 2)
    monkeypatch.setattr(prepare, "processes_here", lambda: 1)
    monkeypatch.setattr(prepare, "_read", lambda *given: read.append(given[-1]) or plain(*given))

    def break_off(what, done, total):
        if (what, done) == ("Reading samples", 4):
            raise KeyboardInterrupt

    config = stored.located(compose_trial("data=segmentation_folder", f"data.root={folder}", "train.batch_size=4"))
    with pytest.raises(KeyboardInterrupt):
        prepare_data(config, break_off)
    assert read == [0, 1, 2, 3]
    prepare_data(config)
    assert read == [0, 1, 2, 3, 4, 5, 0, 1, 2]
    assert not (stored.data_folder(config) / "parts").exists()
    taken_up = stored.read_survey(config)
    stored.survey_file(config).unlink()
    prepare_data(config)
    assert stored.read_survey(config) == taken_up


def test_a_look_by_several_processes_sees_what_one_sees(folder, monkeypatch):
    monkeypatch.setattr(scan, "_PART", 1)
    config = stored.located(compose_trial("data=segmentation_folder", f"data.root={folder}", "train.batch_size=4"))
    looks = []
    for processes in (1, 3):
        monkeypatch.setattr(prepare, "processes_here", lambda count=processes: count)
        prepare_data(config)
        looks.append(stored.read_survey(config))
        stored.survey_file(config).unlink()
    assert looks[0] == looks[1]
