"""Labels of whole images come from folders or from a table, by the names in it, whatever the names look like."""

from dataclasses import replace

import numpy as np
import pytest

from terrasweep.config.data import ModalityConfig
from terrasweep.data.find.sample_list import WHOLE, find_samples
from terrasweep.results.errors import DataError
from tests.composing import compose_trial
from tests.unit.data.rasters import write_raster

PIXEL = np.zeros((3, 8, 8), np.uint8)


def listed(root, *overrides):
    fixed = ["data=classification_folder", "decoder=identity", f"data.root={root}", "data.split.by=fraction"]
    return find_samples(compose_trial(*fixed, *overrides), root)


def test_hidden_folders_are_no_classes_and_names_may_have_spaces(tmp_path):
    for name in ("old town/a b.jpg", "river/c.jpg", ".ipynb_checkpoints/d.jpg"):
        write_raster(tmp_path / name, PIXEL)
    listing = listed(tmp_path, "task=classification")
    assert listing.class_names == ["old town", "river"]
    assert listing.labels[WHOLE] == {"old town/a b.jpg": [0], "river/c.jpg": [1]}


def test_images_that_lie_deeper_are_not_lost(tmp_path):
    for name in ("river/c.jpg", "river/2020/d.jpg"):
        write_raster(tmp_path / name, PIXEL)
    with pytest.raises(DataError, match="1 images lie deeper"):
        listed(tmp_path, "task=classification")


def test_a_table_is_matched_by_name(tmp_path):
    for name in ("007", "08,5", "x"):
        write_raster(tmp_path / "images" / f"{name}.png", PIXEL)
    (tmp_path / "t.csv").write_text('\ufeffname,kind\r\n007,river\r\n"08,5.png", town\r\nx.png,river\r\n')
    listing = listed(tmp_path, "task=classification", "data.labels=t.csv")
    assert listing.class_names == ["river", "town"]
    assert listing.labels[WHOLE] == {"007": [0], "08,5": [1], "x": [0]}


def test_an_image_that_the_table_lacks_is_named(tmp_path):
    for name in ("a", "b"):
        write_raster(tmp_path / "images" / f"{name}.png", PIXEL)
    (tmp_path / "t.csv").write_text("name,wet,dry\na.png,1,0\n")
    with pytest.raises(DataError, match=r"1 of 2 images of all are not in it \(first b.png\)"):
        listed(tmp_path, "task=multilabel", "data.labels=t.csv")


def test_a_table_whose_names_are_no_images_shows_both(tmp_path):
    """What one sees is how the names differ, not that all images lack."""
    for name in ("007_S2", "008_S2"):
        write_raster(tmp_path / "images" / f"{name}.png", PIXEL)
    (tmp_path / "t.csv").write_text("name,class\n7,river\n8,town\n")
    told = (
        r"t\.csv: none of its 2 names is that of an image: line 2 has 7, the files are called like 007_S2\.png; write "
    )
    with pytest.raises(DataError, match=told):
        listed(tmp_path, "task=classification", "data.labels=t.csv")


SPELLINGS = {
    "without ending": ("a", "b"),
    "with ending": ("a.png", "b.png"),
    "with another ending": ("a.tif", "b.jpg"),
    "by folder": ("images/a.png", "./images/b.png"),
    "by path on this machine": ("{root}/images/a.png", "{root}/images/b"),
    "by path on another machine": ("/data/them/images/a.png", "C:\\data\\images\\b.png"),
}


@pytest.mark.parametrize("kind", SPELLINGS)
def test_a_table_may_spell_names_in_any_way_that_is_clear(tmp_path, kind):
    for name in "ab":
        write_raster(tmp_path / "images" / f"{name}.png", PIXEL)
    first, second = (text.format(root=tmp_path) for text in SPELLINGS[kind])
    (tmp_path / "t.csv").write_text(f"name,class\n{first},river\n{second},town\n")
    listing = listed(tmp_path, "task=classification", "data.labels=t.csv")
    assert listing.labels[WHOLE] == {"a": [0], "b": [1]}


def test_a_name_that_may_be_two_images_is_refused(tmp_path):
    for name in ("north/a", "south/a", "south/b"):
        write_raster(tmp_path / "images" / f"{name}.png", PIXEL)
    (tmp_path / "t.csv").write_text("name,class\nnorth/a,river\na,town\nb,town\n")
    with pytest.raises(DataError, match=r"line 3: a may be north/a, south/a; write the folder too"):
        listed(tmp_path, "task=classification", "data.labels=t.csv")
    (tmp_path / "t.csv").write_text("name,class\nnorth/a,river\nsouth/a.png,town\nb,town\n")
    assert listed(tmp_path, "task=classification", "data.labels=t.csv").labels[WHOLE] == {
        "north/a": [0],
        "south/a": [1],
        "south/b": [1],
    }


def test_one_table_serves_splits_that_share_names(tmp_path):
    for name in ("train/images/a", "val/images/a"):
        write_raster(tmp_path / f"{name}.png", PIXEL)
    (tmp_path / "t.csv").write_text("name,class\ntrain/a.png,river\nval/a.png,town\n")
    overrides = ("task=classification", "data.labels=t.csv", "data.split.by=folders")
    assert listed(tmp_path, *overrides).labels == {"train": {"a": [0]}, "val": {"a": [1]}}


def test_classes_that_are_numbers_count_up(tmp_path):
    for number in range(1, 12):
        write_raster(tmp_path / str(number) / "a.jpg", PIXEL)
    listing = listed(tmp_path, "task=classification")
    assert listing.class_names == [str(number) for number in range(1, 12)]
    assert listing.labels[WHOLE]["10/a.jpg"] == [9]
    (note,) = listing.remarks
    assert note["level"] == "note"
    assert "classes are numbered as their names count: 1, 2, 3" in note["line"]
    as_text = sorted(listing.class_names)
    old = listed(tmp_path, "task=classification", f"data.class_names=[{','.join(repr(c) for c in as_text)}]")
    assert old.class_names == as_text
    assert old.labels[WHOLE]["10/a.jpg"] == [1]


def test_images_of_several_types_in_class_folders_are_all_read(tmp_path):
    for name in ("forest/a.jpg", "forest/b.JPG", "river/c.png"):
        write_raster(tmp_path / name.replace(".JPG", ".jpg"), PIXEL)
    (tmp_path / "forest/b.jpg").rename(tmp_path / "forest/b.JPG")
    assert listed(tmp_path, "task=classification").names[WHOLE] == ["forest/a.jpg", "forest/b.JPG", "river/c.png"]


def test_blanks_at_the_ends_of_names_are_no_part_of_them(tmp_path):
    """TerraTorch strips the names that it reads from a list."""
    for name in ("a ", " b"):
        write_raster(tmp_path / "images" / f"{name}.png", PIXEL)
    (tmp_path / "t.csv").write_text("name,class\na ,river\nb,town\n")
    listing = listed(tmp_path, "task=classification", "data.labels=t.csv")
    assert listing.names[WHOLE] == ["a", "b"]
    assert [listing.file(WHOLE, name, "image").name for name in "ab"] == ["a .png", " b.png"]
    assert listing.labels[WHOLE] == {"a": [0], "b": [1]}


@pytest.mark.parametrize(("task", "modalities"), [("multilabel", ()), ("classification", ("S1", "S2"))])
def test_labels_that_no_folder_can_tell_come_from_a_table(tmp_path, task, modalities):
    for name in ("forest/a.png", "river/b.png"):
        write_raster(tmp_path / name, PIXEL)
    fixed = ("data=classification_folder", "decoder=identity", "data.split.by=fraction")
    config = compose_trial(*fixed, f"task={task}", f"data.root={tmp_path}")
    own = {name: ModalityConfig(folder=name, bands=["B1"]) for name in modalities}
    with pytest.raises(DataError, match=rf"task={task} .*labels come from a table; set data\.labels to a CSV file"):
        find_samples(replace(config, data=replace(config.data, modalities=own)), tmp_path)
