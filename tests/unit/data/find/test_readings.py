"""What each way to read folders takes for images and masks."""

import pytest

from terrasweep.config.data import DataConfig
from terrasweep.data.find.readings import (
    MASK,
    folders_in_regions,
    named_folders,
    other_folders,
    read_folders,
    words_in_file_names,
)
from terrasweep.data.find.split_folders import Tree
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.results.errors import DataError

DATA = DataConfig(name="segmentation_folder", root="fields")


def tree(root, *files):
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return Tree(root=root, bases={"all": root}, splits=("all",))


def divided(root, *files):
    """The same with a folder per split."""
    splits = ("train", "val", "test")
    tree(root, *files)
    return Tree(root=root, bases={split: root / split for split in splits}, splits=splits)


def found(reading):
    return {kind: list(names) for kind, names in reading.files["all"].items()}


def ways(way, at):
    return [attempt() for attempt in way(DATA, at, named_folders(DATA, masks=True))]


def test_what_is_named_needs_no_word(tmp_path):
    at = tree(tmp_path, "images/a.tif", "masks/a.tif")
    reading = read_folders(DATA, at, named_folders(DATA, masks=True))
    assert found(reading) == {IMAGE: ["a.tif"], MASK: ["a.tif"]}
    assert (reading.note, reading.settings) == ("", "data.image_folder=images data.label_folder=masks")


def test_every_pair_of_folders_that_may_be_meant_is_read(tmp_path):
    at = tree(tmp_path, "img/a.tif", "image/a.tif", "gt/a.tif", "labels/a.tif", "other/a.tif")
    assert {reading.settings for reading in ways(other_folders, at)} == {
        f"data.image_folder={image} data.label_folder={label}"
        for image in ("img", "image")
        for label in ("gt", "labels")
    }


def test_folders_in_regions_give_names_with_regions(tmp_path):
    at = tree(tmp_path, "north/img/a.tif", "north/gt/a.tif", "south/img/a.tif", "south/gt/a.tif", "notes/x.txt")
    (reading,) = ways(folders_in_regions, at)
    assert found(reading) == {kind: ["north/a.tif", "south/a.tif"] for kind in (IMAGE, MASK)}
    assert reading.files["all"][MASK]["south/a.tif"] == tmp_path / "south/gt/a.tif"
    assert reading.note.endswith("in a folder per region; samples are called like north/a")


def test_a_word_is_a_word_and_no_part_of_one(tmp_path):
    at = tree(tmp_path, "damask_1.png", "damask_1_mask.png", "unlabelled.png", "unlabelled-GT2.png")
    (reading,) = ways(words_in_file_names, at)
    assert found(reading) == {
        IMAGE: ["damask_1.png", "unlabelled.png"],
        MASK: ["damask_1_mask.png", "unlabelled-GT2.png"],
    }


@pytest.mark.parametrize(
    ("way", "image", "mask"),
    [(folders_in_regions, "north/img/a.tif", "north/gt/a.tif"), (words_in_file_names, "a.tif", "a_mask.tif")],
)
def test_a_test_split_without_masks_is_left_out_and_another_refused(tmp_path, way, image, mask):
    files = [f"{split}/{name}" for split in ("train", "val") for name in (image, mask)]
    at = divided(tmp_path, *files, f"test/{image}")
    (reading,) = ways(way, at)
    assert {split: {kind: len(of) for kind, of in kinds.items()} for split, kinds in reading.files.items()} == {
        "train": {IMAGE: 1, MASK: 1},
        "val": {IMAGE: 1, MASK: 1},
    }
    (tmp_path / "val" / mask).unlink()
    with pytest.raises(DataError, match="the split val has no masks"):
        ways(way, at)
