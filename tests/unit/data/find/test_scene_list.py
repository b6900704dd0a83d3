"""A root is a list of scenes where it is a file, or a catalogue that has no folders of images."""

import json

import pytest

from terrasweep.data.find.scene_list import is_scene_list, listed_files
from tests.composing import compose_trial

ITEM = {
    "type": "Feature",
    "stac_version": "1.0.0",
    "id": "a",
    "assets": {"image": {"href": "a.tif", "roles": ["data"]}},
}


def config(root, *overrides):
    return compose_trial("data=segmentation_folder", f"data.root={root}", *overrides)


def test_a_file_is_a_list_and_a_folder_of_images_is_none(tmp_path):
    file = tmp_path / "scenes.csv"
    file.write_text("image,mask\na.tif,b.tif\n")
    assert is_scene_list(config(file), file)
    assert not is_scene_list(config(tmp_path), tmp_path)
    assert not is_scene_list(compose_trial(), file)


@pytest.mark.parametrize("folder", ["images", "masks", "train"])
def test_a_catalogue_beside_folders_of_images_changes_nothing(tmp_path, folder):
    (tmp_path / "item.json").write_text(json.dumps(ITEM))
    assert is_scene_list(config(tmp_path), tmp_path)
    (tmp_path / folder).mkdir()
    assert not is_scene_list(config(tmp_path), tmp_path)


def test_folders_that_are_classes_are_no_catalogue(tmp_path):
    (tmp_path / "item.json").write_text(json.dumps(ITEM))
    photos = ("data=classification_folder", "task=classification", "decoder=identity")
    assert not is_scene_list(config(tmp_path, *photos), tmp_path)
    assert is_scene_list(config(tmp_path, *photos, "data.labels=t.csv"), tmp_path)


def test_the_files_of_each_kind_of_list(tmp_path):
    for name in ("a.tif", "b.tif"):
        (tmp_path / name).touch()
    (tmp_path / "s.csv").write_text("image,mask\na.tif,b.tif\n")
    (tmp_path / "item.json").write_text(json.dumps(ITEM))
    files = {
        root: {path.name for path in listed_files(tmp_path / root)} for root in ("s.csv", "item.json", ".", "a.tif")
    }
    assert files == {
        "s.csv": {"a.tif", "b.tif"},
        "item.json": {"item.json", "a.tif"},
        ".": {"item.json", "a.tif"},
        "a.tif": set(),
    }
