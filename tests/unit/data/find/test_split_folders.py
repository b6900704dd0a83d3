"""Splits by the names of their folders."""

import pytest

from terrasweep.data.find.split_folders import Tree, are_splits, find_splits, find_tree, folders_in, split_of
from terrasweep.results.errors import DataError


def folders(root, *names):
    for name in names:
        (root / name).mkdir(parents=True)
    return root


@pytest.mark.parametrize(
    ("name", "split"),
    [("Train", "train"), (" dev ", "val"), ("VALIDATION", "val"), ("testing", "test"), ("trains", None)],
)
def test_names_of_splits(name, split):
    assert split_of(name) == split


def test_hidden_folders_and_files_are_no_folders(tmp_path):
    folders(tmp_path, "b", "a", ".git")
    (tmp_path / "c.txt").touch()
    assert [path.name for path in folders_in(tmp_path)] == ["a", "b"]
    assert folders_in(tmp_path / "nowhere") == []


def test_a_division_has_both_and_nothing_else():
    assert are_splits(["Train", "dev", "testing"])
    assert not are_splits(["train", "test"])
    assert not are_splits(["train", "val", "forest"])


def test_the_split_s_own_name_comes_first(tmp_path):
    folders(tmp_path, "train", "Train", "valid")
    assert {split: path.name for split, path in find_splits(tmp_path).items()} == {"train": "train", "val": "valid"}
    folders(tmp_path, "dev")
    with pytest.raises(DataError, match="dev/ and valid/ may each be the split val"):
        find_splits(tmp_path)


def test_kind_folders_in_splits_or_the_other_way_round(tmp_path):
    outside = find_tree(
        folders(tmp_path / "a", "Train/images", "Train/masks", "dev/images", "dev/masks", "test/images")
    )
    assert (outside.splits, outside.needed) == (("train", "val", "test"), ["train", "val"])
    assert outside.children() == ["images", "masks"]
    inside = find_tree(folders(tmp_path / "b", "images/train", "images/valid", "masks/train", "masks/valid", "other"))
    assert (inside.splits, inside.bases, inside.children()) == (("train", "val"), {}, ["images", "masks"])
    for tree, val in ((outside, tmp_path / "a/dev/masks"), (inside, tmp_path / "b/masks/valid")):
        assert tree.folder("val", "masks") == val
        assert tree.has("masks")
        assert not tree.has("labels")


def test_a_division_without_validation_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"there is no folder val/ in it; make train/ and val/"):
        find_tree(folders(tmp_path, "train", "test"))


def test_what_lies_deeper_is_known_by_name(tmp_path):
    tree = Tree(
        root=tmp_path, bases={"all": folders(tmp_path, "north/images", "south/images", "south/gt")}, splits=("all",)
    )
    assert tree.grandchildren() == ["gt", "images"]
