"""Scenes of a list become samples of its splits."""

import pytest

from terrasweep.data.find.scene_samples import list_scenes
from tests.composing import compose_trial


@pytest.fixture
def table(tmp_path):
    for name in "abcd":
        (tmp_path / f"{name}.tif").touch()
        (tmp_path / f"{name}_gt.tif").touch()
    file = tmp_path / "scenes.csv"
    rows = ["c.tif,,test", "a.tif,a_gt.tif,train", "b.tif,b_gt.tif,val", "d.tif,d_gt.tif,train"]
    file.write_text("image,mask,split\n" + "\n".join(rows))
    return file


def listed(file, by):
    return list_scenes(compose_trial("data=segmentation_folder", f"data.root={file}", f"data.split.by={by}"), file)


def test_the_list_divides_and_a_test_split_without_masks_waits(table):
    listing = listed(table, "folders")
    assert listing.names == {"train": ["a", "d"], "val": ["b"]}
    assert len(listing.remarks) == 1
    table.write_text(table.read_text().replace("c.tif,,", "c.tif,c_gt.tif,"))
    assert listed(table, "folders").names["test"] == ["c"]


def test_another_division_takes_what_has_a_mask_and_says_that_there_was_one(table):
    listing = listed(table, "fraction")
    assert listing.names == {"all": ["a", "b", "d"]}
    assert listing.remarks[1]["line"].endswith("its column split is not used; data.split.by=folders takes it")
