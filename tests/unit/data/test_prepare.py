"""Broken data, each made by a test, is refused before anything is built, in one line that names it."""

import contextlib
import csv
import json
import re
import shutil
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import rasterio

from terrasweep.data import files_state, prepare, stored
from terrasweep.data.find import tiles as find_tiles
from terrasweep.data.find.sample_list import MASK
from terrasweep.data.in_parts import InParts
from terrasweep.data.inspect import scan
from terrasweep.data.inspect.checks import errors, find_problems
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.data.prepare import prepare_data
from terrasweep.data.synthetic import SyntheticScenes
from terrasweep.results.errors import DataError
from terrasweep.trial import made_once
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
    files_state.state_below.cache_clear()
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
        files_state.state_below.cache_clear()
        return stored.located(compose_trial(*overrides)).data.state

    before = state()
    (folder / "train" / ".DS_Store").write_text("x")
    assert state() == before
    prepare_data(stored.located(compose_trial(*overrides)))
    (tmp_path / "val.txt").write_text("4\n5\n")
    assert state() != before


STRANGE = ["a b", "田 [1]", "100%", "x,y;z", "a&b<c>", "é'\"", "GTIFF_DIR:1:a", "vrt#?!", "-n"]
"""Names that a shell, a glob, XML, an address or GDAL would take for something else."""
PLACES = {
    "as they should lie": ("images/{n}.tif", "masks/{n}.png"),
    "called otherwise": ("img/{n}.tif", "ground_truth/{n}.png"),
    "in front": ("images/image_{n}.tif", "masks/mask_{n}.png"),
    "in regions": ("r [1]&/images/{n}.tif", "r [1]&/masks/{n}.png"),
    "deeper": ("images/s %20/{n}.tif", "masks/s %20/{n}.png"),
    "in one folder": ("{n} image.tif", "{n} mask.png"),
}


def written(root, layout):
    """The pixels by the name that their files share."""
    for seed, name in enumerate(STRANGE):
        image, mask = (root / place.format(n=name) for place in PLACES[layout])
        write_raster(image, noise(seed, px=8), place=(0, seed))
        write_raster(mask, classes(seed, px=8))


@pytest.mark.parametrize("layout", PLACES)
def test_any_name_is_read_in_every_layout(tmp_path, monkeypatch, layout):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    root = tmp_path / "set, [2] %25 & 田"
    written(root, layout)
    overrides = ("data.split.by=fraction", "data.split.fractions=[0.5,0.5,0.0]")
    config = compose_trial("data=segmentation_folder", "data.root=null", *overrides)
    config = replace(config, data=replace(config.data, root=str(root)))
    config = stored.located(config)
    prepare_data(config)
    survey = stored.read_survey(config)
    assert sum(split.read for split in survey.splits.values()) == len(STRANGE)
    assert [split.unreadable for split in survey.splits.values()] == [{}, {}]
    listing = stored.read_listing(config)
    seen = {name: split for split, names in listing.names.items() for name in names}
    for seed, strange in enumerate(STRANGE):
        (name,) = [name for name in seen if name.rpartition("/")[2] == strange]
        for kind, pixels in ((IMAGE, noise(seed, px=8)), (MASK, classes(seed, px=8))):
            with rasterio.open(listing.file(seen[name], name, kind)) as file:
                assert np.array_equal(file.read(), pixels)


def test_any_name_is_read_where_folders_are_classes_or_tables_say_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    for seed, name in enumerate(STRANGE):
        for place in (tmp_path / "photos" / f"c {name}" / "a.jpg", tmp_path / "photos" / f"c {name}" / "b.png"):
            write_raster(place, noise(seed, bands=3, px=8).astype(np.uint8))
        write_raster(tmp_path / "tagged" / "images" / f"{name}.png", noise(seed, bands=3, px=8).astype(np.uint8))
    with (tmp_path / "tagged" / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["name", "class"], *([name, str(seed % 2)] for seed, name in enumerate(STRANGE))])
    fixed = ("data=classification_folder", "task=classification", "decoder=identity", "data.split.by=fraction")
    halves = "data.split.fractions=[0.5,0.5,0.0]"
    for own in (["data.root=photos"], ["data.root=tagged", "data.labels=t.csv"]):
        config = stored.located(compose_trial(*fixed, halves, *own))
        prepare_data(config)
        survey = stored.read_survey(config)
        assert [split.unreadable for split in survey.splits.values()] == [{}, {}]
        listing = stored.read_listing(config)
        for split, labels in listing.labels.items():
            for name, (label,) in labels.items():
                folder, _, last = name.partition("/")
                own_class = folder if last else str(STRANGE.index(name) % 2)
                assert listing.class_names[label] == own_class
                assert listing.file(split, name, IMAGE).is_file()


def test_links_lead_to_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    for seed in range(4):
        write_raster(tmp_path / "else" / f"{seed}.tif", noise(seed, px=8), place=(0, seed))
        write_raster(tmp_path / "masks" / f"{seed}.tif", classes(seed, px=8), place=(0, seed))
        (tmp_path / "set" / "images").mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / "images" / f"image_{seed}.tif").symlink_to(tmp_path / "else" / f"{seed}.tif")
    (tmp_path / "set" / "gt").symlink_to(tmp_path / "masks")
    halves = ("data.split.by=fraction", "data.split.fractions=[0.5,0.5,0.0]")
    config = stored.located(compose_trial("data=segmentation_folder", f"data.root={tmp_path}/set", *halves))
    prepare_data(config)
    assert sum(split.read for split in stored.read_survey(config).splits.values()) == 4


def test_what_was_understood_is_told_with_what_was_found(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    for seed in range(6):
        split = "Train" if seed < 4 else "dev"
        write_raster(tmp_path / "set" / split / "img" / f"image_{seed}.tif", noise(seed), place=(0, seed))
        write_raster(tmp_path / "set" / split / "gt" / f"label_{seed}.tif", classes(seed), place=(0, seed))
    config = stored.located(compose_trial("data=segmentation_folder", "data.root=set"))
    prepare_data(config)
    lines = [
        f.line for f in find_problems(stored.read_survey(config), config) if f.level == "note" and f.rule == "layout"
    ]
    assert len(lines) == 3
    for told in ("image in img/, mask in gt/", "image_0.tif and label_0.tif are of one sample, 0", "Train/ as train"):
        assert any(told in line for line in lines), lines
    assert list(stored.read_survey(config).splits) == ["train", "val"]


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


def test_scenes_that_a_broken_off_look_has_cut_are_not_cut_again(folder, monkeypatch):
    """Broken off while they are cut, and then behind that; the last look takes up all tiles."""
    cut, write, divide = [], find_tiles.write_view, prepare.divide
    monkeypatch.setattr(prepare, "processes_here", lambda: 1)

    def broken_off(*given):
        raise KeyboardInterrupt

    def dying(view, target):
        return broken_off() if len(cut) == 10 else recorded(view, target)

    def recorded(view, target):
        cut.append(target)
        return write(view, target)

    given = ("data=segmentation_folder", f"data.root={folder}", "train.batch_size=4")
    config = stored.located(compose_trial(*given, "data.cut=lazily", "data.tile_px=16"))
    for write_view, divided, written in (
        (dying, divide, 10),
        (recorded, broken_off, 2 * 4 * 9),
        (broken_off, divide, 0),
    ):
        cut.clear()
        monkeypatch.setattr(find_tiles, "write_view", write_view)
        monkeypatch.setattr(prepare, "divide", divided)
        with contextlib.nullcontext() if divided is divide and not written else pytest.raises(KeyboardInterrupt):
            prepare_data(config)
        assert len(cut) == written
    taken_up = stored.read_listing(config), stored.read_survey(config)
    shutil.rmtree(stored.data_folder(config))
    monkeypatch.setattr(find_tiles, "write_view", write)
    prepare_data(config)
    assert (stored.read_listing(config), stored.read_survey(config)) == taken_up


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


def test_data_that_an_earlier_version_looked_at_are_looked_at_once_more_and_keep_their_listing(folder):
    """It did not count extremes, and could not choose bands: what it listed stays, and is judged by what is new."""
    for tile in range(6):
        image = noise(tile)
        image[0, 0] = -9999
        write_raster(folder / f"train/images/{tile}.tif", image, place=(0, tile))
    composed = compose_trial("data=segmentation_folder", f"data.root={folder}", "train.batch_size=4")
    config = stored.located(composed)
    prepare_data(config)
    seen, kept = stored.survey_file(config), stored.data_folder(config)
    survey = json.loads(seen.read_text())
    for split in survey["splits"].values():
        del split["images"][IMAGE]["extremes"], split["labels"]["extremes"], split["labels"]["no_data"]
    (kept / "survey-2000.json").write_text(json.dumps(survey))
    (kept / "bands.json").unlink()
    seen.unlink()
    listed = (kept / "listing.json").read_bytes()
    files_state.state_below.cache_clear()
    assert stored.located(composed).data.state == config.data.state
    assert made_once.missing(config) == ["a look at the data"]
    prepare_data(config)
    assert [f.rule for f in find_problems(stored.read_survey(config), config)] == ["undeclared-no-data"]
    assert (kept / "listing.json").read_bytes() == listed
    assert made_once.missing(config) == []
    chosen = stored.located(compose_trial("data=segmentation_folder", f"data.root={folder}", "data.bands=[2]"))
    assert stored.data_folder(chosen).parent == kept


@pytest.mark.parametrize("labels", [range(10, 16), range(15, 9, -1)])
def test_classes_are_counted_in_every_mask_however_few_tiles_are_looked_at(folder, labels):
    """Whichever tile is looked at, in one of the two cases it lacks the largest label."""
    for tile, label in enumerate(labels):
        mask = classes(tile)
        mask[0, 0, :3] = label, 200, 255
        write_raster(folder / f"train/masks/{tile}.tif", mask, place=(0, tile), nodata=200)
    files_state.state_below.cache_clear()
    config = compose_trial("data=segmentation_folder", f"data.root={folder}", "data.check_tiles=1")
    config = replace(config, task=replace(config.task, ignore_index=255))
    prepare_data(config)
    seen = stored.read_survey(config)
    assert (seen.splits["train"].read, seen.num_classes) == (1, 16)


OWN_TILES = """
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader


class Tiles(LightningDataModule):
    def samples(self, values):
        labels = {"mask": torch.arange(16).reshape(4, 4) % 3, "label": torch.tensor([1, 0, 0, 1, 0])}
        return [{"image": torch.full((2, 4, 4), float(value)), **self.of(labels)} for value in values]

    def of(self, labels):
        return {"mask": labels["mask"]}

    def train_dataloader(self):
        return DataLoader(self.samples(range(4)))

    def val_dataloader(self):
        return DataLoader(self.samples(range(4, 6)))


class Labelled(Tiles):
    def of(self, labels):
        return {"label": labels["label"]}
"""


@pytest.mark.parametrize(
    ("name", "task", "number", "counts"),
    [
        ("Tiles", "segmentation", 3, {0: 4 * 6, 1: 4 * 5, 2: 4 * 5}),
        ("Labelled", "multilabel", 5, {0: 4, 3: 4}),
    ],
)
def test_samples_of_an_own_datamodule_are_looked_at(tmp_path, monkeypatch, name, task, number, counts):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_tiles.py").write_text(OWN_TILES)
    config = compose_trial(
        *("data=datamodule", f"data.datamodule=own_tiles.{name}", f"task={task}", "data.bands=[RED,NIR]"),
        *(["decoder=identity"] if task == "multilabel" else []),
    )
    seen = prepare.make_survey(config, InParts())
    assert {split: (of.samples, of.read) for split, of in seen.splits.items()} == {"train": (4, 4), "val": (2, 2)}
    assert seen.splits["train"].images[IMAGE].means == [1.5, 1.5]
    assert {label: count for label, count in seen.splits["train"].labels.counts.items() if count} == counts
    assert (seen.num_classes, seen.class_names, seen.bands) == (number, None, {IMAGE: ["RED", "NIR"]})


def test_synthetic_tiles_are_looked_at_with_the_names_of_their_classes(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    small = ("data.synthetic.train=6", "data.synthetic.val=6", "data.synthetic.test=0", "data.tile_px=32")
    config = compose_trial("data=synthetic", *small)
    prepare_data(config)
    seen = prepare.make_survey(config, InParts())
    assert (seen.class_names, seen.num_classes) == (list(SyntheticScenes.CLASSES), len(SyntheticScenes.CLASSES))
    assert {split: of.read for split, of in seen.splits.items()} == {"train": 6, "val": 6}
    assert seen.tile_px == 32
