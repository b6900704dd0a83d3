"""A name means the sample whose path it is the end of."""

import unicodedata

import pytest

from terrasweep.data.find.sample_names import SampleNames

FILES = {
    ("train", "a"): "train/images/a_S2.tif",
    ("val", "a"): "val/images/a_S2.tif",
    ("train", "north/b"): "train/images/north/b_S2.tif",
    ("train", "south/b"): "train/images/south/b_S2.tif",
    ("train", "08,5"): "train/images/08,5_S2.tif",
    ("train", "dam a"): "train/images/dam a_S2.tif",
    ("train", "é"): "train/images/é_S2.tif",
    ("train", "v1.2"): "train/images/v1.2_S2.tif",
}
NAMES = SampleNames((sample, [sample[1], path]) for sample, path in FILES.items())


@pytest.mark.parametrize(
    ("text", "samples"),
    [
        ("a", [("train", "a"), ("val", "a")]),
        ("a_S2.tif", [("train", "a"), ("val", "a")]),
        ("a_S2", [("train", "a"), ("val", "a")]),
        ("a_S2.jpg", [("train", "a"), ("val", "a")]),
        ("train/a.tif", [("train", "a")]),
        ("/other/val/images/a_S2.tif", [("val", "a")]),
        ("D:\\set\\val\\images\\a_S2.tif", [("val", "a")]),
        ("b", [("train", "north/b"), ("train", "south/b")]),
        ("south/b", [("train", "south/b")]),
        ("images/south/b_S2.tif", [("train", "south/b")]),
        ("08,5", [("train", "08,5")]),
        (" dam a.tif ", [("train", "dam a")]),
        (unicodedata.normalize("NFD", "é"), [("train", "é")]),
        ("v1.2", [("train", "v1.2")]),
        ("v1.2.png", [("train", "v1.2")]),
        ("v1", []),
        ("", []),
        ("S2", []),
    ],
)
def test_a_spelling_means_a_sample(text, samples):
    assert NAMES.find(text) == samples


def test_the_name_itself_comes_before_another_s_file():
    names = SampleNames([(("all", "a"), ["a", "masks/a_mask.tif"]), (("all", "a_mask"), ["a_mask", "masks/x.tif"])])
    assert names.find("a_mask") == [("all", "a_mask")]
