"""A division gives each sample to one split, keeps blocks together, spreads classes alike, and repeats itself."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.config.data import SplitConfig
from terrasweep.data.find.sample_list import WHOLE, find_samples
from terrasweep.data.find.splits import divide, share_out
from terrasweep.results.errors import DataError, HostOutOfMemory
from tests.composing import compose_trial
from tests.unit.data.rasters import noise, write_raster

GROUPS = st.dictionaries(st.integers(), st.integers(1, 5), min_size=1, max_size=60)


@given(GROUPS, st.integers(0, 5))
def test_groups_stay_whole_and_nothing_is_lost(sizes, seed):
    groups = {key: [f"{key}:{number}" for number in range(size)] for key, size in sizes.items()}
    parts = share_out(groups, SplitConfig(seed=seed))
    everything = [name for names in parts.values() for name in names]
    assert sorted(everything) == sorted(name for names in groups.values() for name in names)
    for names in groups.values():
        assert sum(set(names) <= set(part) for part in parts.values()) == 1
    assert parts == share_out(groups, SplitConfig(seed=seed))
    biggest = max(sizes.values())
    for name, share in zip(("train", "val", "test"), (0.7, 0.15, 0.15), strict=True):
        assert abs(len(parts[name]) - share * len(everything)) <= 2 * biggest


@pytest.fixture
def mosaic(tmp_path):
    """8 x 8 neighbouring tiles; class 2 is in few of them."""
    for row in range(8):
        for column in range(8):
            mask = np.full((1, 8, 8), (row + column) % 2, np.uint8)
            mask[0, 0, :4] = 2 if (row * 8 + column) % 8 == 3 else mask[0, 0, 0]
            write_raster(
                tmp_path / "images" / f"t{row}{column}.tif", noise(row * 8 + column, px=8), place=(row, column)
            )
            write_raster(tmp_path / "masks" / f"t{row}{column}.png", mask)
    return tmp_path


def config(root, *overrides, **split):
    composed = compose_trial("data=segmentation_folder", f"data.root={root}", *overrides)
    changed = dataclasses.replace(composed.data.split, **split)
    return dataclasses.replace(composed, data=dataclasses.replace(composed.data, split=changed))


def divided(settings, root):
    return divide(find_samples(settings, root), settings)


def test_blocks_of_neighbours_are_in_one_split(mosaic):
    listing = divided(config(mosaic, by="blocks"), mosaic)
    where = {name: split for split, names in listing.names.items() for name in names}
    assert len(where) == 64
    for row in range(0, 8, 2):
        for column in range(0, 8, 2):
            block = {where[f"t{row + r}{column + c}"] for r in (0, 1) for c in (0, 1)}
            assert len(block) == 1
    counts = Counter(where.values())
    assert abs(counts["train"] - 45) <= 4
    assert set(counts) == {"train", "val", "test"}


def test_a_rare_class_is_in_every_split_by_fraction(mosaic):
    listing = divided(config(mosaic, by="fraction", fractions=[0.5, 0.25, 0.25]), mosaic)
    rare = {f"t{n // 8}{n % 8}" for n in range(64) if n % 8 == 3}
    found = {split: len(rare & set(names)) for split, names in listing.names.items()}
    assert found == {"train": 4, "val": 2, "test": 2}


def test_tiles_without_a_place_have_no_blocks(tmp_path):
    for name in "ab":
        write_raster(tmp_path / "images" / f"{name}.tif", noise(1), place=None)
        write_raster(tmp_path / "masks" / f"{name}.tif", np.zeros((1, 32, 32), np.uint8), place=None)
    with pytest.raises(DataError, match="has no place on the ground"):
        divided(config(tmp_path, by="blocks"), tmp_path)


def test_lists_decide(mosaic):
    (mosaic / "train.txt").write_text("t00\nt01.tif\n\nimages/t02.tif\n")
    (mosaic / "val.txt").write_text("t10\n")
    listing = divided(config(mosaic, by="lists", train="train.txt", val="val.txt"), mosaic)
    assert listing.names == {"train": ["t00", "t01", "t02"], "val": ["t10"]}


WRONG_LISTS = [("t00\nt99\n", "1 of 2 names are no samples .first t99"), ("t10\n", "lists of")]


@pytest.mark.parametrize(("text", "told"), WRONG_LISTS)
def test_a_wrong_list_is_refused(mosaic, text, told):
    (mosaic / "train.txt").write_text(text)
    (mosaic / "val.txt").write_text("t10\n")
    with pytest.raises(DataError, match=told):
        divided(config(mosaic, by="lists", train="train.txt", val="val.txt"), mosaic)


def test_a_name_in_a_list_that_may_be_two_samples_is_refused(tmp_path):
    for name in ("north/a", "south/a", "south/b"):
        write_raster(tmp_path / "images" / f"{name}.tif", noise(1, px=8))
        write_raster(tmp_path / "masks" / f"{name}.tif", np.zeros((1, 8, 8), np.uint8))
    (tmp_path / "val.txt").write_text("b\n")
    settings = config(tmp_path, by="lists", train="train.txt", val="val.txt")
    (tmp_path / "train.txt").write_text("a\n")
    with pytest.raises(DataError, match=r"data\.split\.train=train\.txt: a may be north/a, south/a; write its folder"):
        divided(settings, tmp_path)
    (tmp_path / "train.txt").write_text("north/a\n")
    assert divided(settings, tmp_path).names == {"train": ["north/a"], "val": ["south/b"]}


def test_a_list_that_is_no_text_or_not_there_is_named(mosaic):
    (mosaic / "train.txt").write_bytes("t00\nGrünau\n".encode("latin-1"))
    settings = config(mosaic, by="lists", train="train.txt", val="val.txt")
    with pytest.raises(DataError, match=r"train\.txt: it is no text in UTF-8: .*; save it as such, with a name per"):
        divided(settings, mosaic)
    (mosaic / "train.txt").write_text("t00\n")
    with pytest.raises(DataError, match=r"there is no list val\.txt, neither below data\.root nor as a path"):
        divided(settings, mosaic)


def test_a_mask_that_can_not_be_read_is_named_and_exhausted_memory_is_no_fault_of_it(mosaic, monkeypatch):
    settings = config(mosaic, by="fraction")
    (mosaic / "masks" / "t35.png").write_text("no image")
    with pytest.raises(DataError, match=r"masks/t35\.png: it can't be read: .*not recognized.*; mend it, or take it"):
        divided(settings, mosaic)

    def exhausted(file):
        raise rasterio.errors.RasterioIOError("Read failed") from MemoryError()

    monkeypatch.setattr("terrasweep.data.find.splits.rasterio.open", exhausted)
    with pytest.raises(HostOutOfMemory):
        divided(settings, mosaic)


def test_an_empty_split_is_refused(mosaic):
    with pytest.raises(DataError, match="no sample would be in val"):
        divided(config(mosaic, by="fraction", fractions=[1.0, 0.0, 0.0]), mosaic)


def class_folders(root, *overrides):
    by_fraction = ("data=classification_folder", "data.split.by=fraction", f"data.root={root}")
    return compose_trial("task=classification", "decoder=identity", *by_fraction, *overrides)


def test_classes_are_spread_alike(tmp_path):
    for number in range(60):
        folder = "forest" if number < 40 else "water"
        write_raster(tmp_path / folder / f"{number}.jpg", np.full((3, 8, 8), number, np.uint8))
    settings = class_folders(tmp_path, "data.split.fractions=[0.5,0.25,0.25]")
    whole = find_samples(settings, tmp_path)
    assert whole.names[WHOLE][:1] == ["forest/0.jpg"]
    listing = divide(whole, settings)
    forest = {split: sum(name.startswith("forest") for name in names) for split, names in listing.names.items()}
    assert forest == {"train": 20, "val": 10, "test": 10}
    assert {split: len(names) for split, names in listing.names.items()} == {"train": 30, "val": 15, "test": 15}
    for split, names in listing.names.items():
        assert listing.labels[split] == {name: [int(name.startswith("water"))] for name in names}


def test_many_small_classes_leave_no_split_without_its_share(tmp_path):
    """Each class rounded by itself would give validation nothing: 15 % of 2 samples is none."""
    for number in range(20):
        write_raster(tmp_path / f"class{number // 2}" / f"{number}.jpg", np.full((3, 8, 8), number, np.uint8))
    settings = class_folders(tmp_path)
    listing = divide(find_samples(settings, tmp_path), settings)
    assert {split: len(names) for split, names in listing.names.items()} == {"train": 14, "val": 3, "test": 3}


def test_targets_are_spread_by_what_counts_in_them(tmp_path):
    """Holes in half of the masks say nothing about their targets."""
    for number in range(16):
        target = np.full((1, 8, 8), float(number), np.float32)
        target[0, :6] = -9999 if number % 2 else number
        write_raster(tmp_path / "images" / f"{number:02d}.tif", noise(number, px=8))
        write_raster(tmp_path / "targets" / f"{number:02d}.tif", target)
    settings = compose_trial(
        "data=regression_folder",
        "task=regression",
        f"data.root={tmp_path}",
        "data.split.by=fraction",
        "data.split.fractions=[0.5,0.25,0.25]",
        "task.ignore_index=-9999",
    )
    for names in divide(find_samples(settings, tmp_path), settings).names.values():
        quarters = Counter(int(name) // 4 for name in names)
        assert set(quarters) == {0, 1, 2, 3}
        assert len(set(quarters.values())) == 1
