"""Folders are classes."""

import pytest

from terrasweep.config.data import DataConfig
from terrasweep.data.find.class_folders import class_folders, find_class_folders
from terrasweep.results.errors import DataError

DATA = DataConfig(name="classification_folder", root="photos")


def photos(root, *files):
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_images_have_their_class_before_them(tmp_path):
    root = photos(tmp_path, "forest/a.jpg", "forest/b.JPG", "old town/c.png", ".cache/d.jpg", "notes/e.txt")
    assert find_class_folders(DATA, {"all": root}) == {"all": ["forest/a.jpg", "forest/b.JPG", "old town/c.png"]}
    assert class_folders(DATA, [root]) == ["forest", "old town"]


def test_a_test_split_may_be_empty(tmp_path):
    root = photos(tmp_path, "train/forest/a.jpg", "val/forest/b.jpg", "test/notes.txt")
    bases = {split: root / split for split in ("train", "val", "test")}
    assert list(find_class_folders(DATA, bases)) == ["train", "val"]
    with pytest.raises(DataError, match="the split val has no tiles in class folders"):
        find_class_folders(DATA, bases | {"val": root / "test"})


def test_a_division_that_lies_there_is_named(tmp_path):
    root = photos(tmp_path, "train/forest/a.jpg", "valid/forest/b.jpg")
    with pytest.raises(
        DataError, match=r"2 images lie deeper .*first train/forest/a\.jpg.*; set data\.split\.by=folders"
    ):
        find_class_folders(DATA, {"all": root})


def test_two_images_of_one_name_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"forest/a\.jpg and forest/a\.png have the same name"):
        find_class_folders(DATA, {"all": photos(tmp_path, "forest/a.jpg", "forest/a.png", "town/a.jpg")})
