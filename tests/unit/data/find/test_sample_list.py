"""Labels of whole images come from folders or from a table, by the names in it, whatever the names look like."""

import errno
from pathlib import Path

import numpy as np
import pytest

from terrasweep.data.find.sample_list import WHOLE, find_samples, read_table
from terrasweep.results.errors import DataError, HostOutOfMemory
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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "row of titles"),
        ("name;class\na;b\n", "separate them by commas"),
        ("name,wet\na,yes\n", "neither 0 nor 1"),
        ("name,wet\na,1\na,0\n", "a is in several rows"),
        ("name,wet\na\n", "a has too few or too many columns"),
    ],
)
def test_a_table_with_a_fault_is_refused(tmp_path, text, told):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=told):
        read_table(tmp_path / "t.csv", "multilabel")


def test_memory_that_is_exhausted_is_no_fault_of_the_table(tmp_path, monkeypatch):
    def exhausted(*_, **__):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(Path, "open", exhausted)
    with pytest.raises(HostOutOfMemory):
        read_table(tmp_path / "labels.csv", "classification")
