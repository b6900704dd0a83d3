"""The sample that a finding names is found, whatever it is called, and nothing where none is named."""

import pytest

from terrasweep.data.find.sample_list import Listing
from terrasweep.data.inspect.checks import Finding
from terrasweep.data.inspect.checks.case import Case
from terrasweep.data.inspect.pictures.shown_by import Examples
from terrasweep.data.views.headers import Header
from tests.unit.data.surveys import config, image, labels, survey

NAMES = {"train": ["1", "a b (2)", "scene.v1", "deep/x"], "val": ["1", "other"]}
LISTING = Listing(
    names=NAMES,
    image_roots={split: {"image": "/tiles"} for split in NAMES},
    suffixes={"image": ".tif", "mask": "_mask.png"},
    mask_roots=dict.fromkeys(NAMES, "/masks"),
    labels={},
)


def header(px, dtype="uint8"):
    plain = {"no_data": (None,), "names": ("",), "scales": (1.0,), "offsets": (0.0,), "colours": ("gray",)}
    return Header(file="", driver="GTiff", height=px, width=px, dtypes=(dtype,), **plain)


def shown(line, rule="any", seen=None):
    headers = {("train", "1"): header(8), ("train", "deep/x"): header(8, "int16"), ("val", "other"): header(9)}
    finding = Finding(rule=rule, level="error", line=line)
    return Examples(LISTING, Case(seen or survey(), config()), headers).of(finding)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("labels outside 0 to 1: 9 (first in train/a b (2)); mend", [("train", "a b (2)")]),
        ("2 samples of train can't be read, first scene.v1: no image; mend", [("train", "scene.v1")]),
        ("the same pixels (train/deep/x = val/other)", [("train", "deep/x"), ("val", "other")]),
        ("pixels of val are NaN (B1 2 %; first in 1); fill them", [("train", "1")]),
        ("first in val/1); raise", [("val", "1")]),
        ("a b (2)_mask.png and others", []),
        ("x.tif is turned by EXIF", [("train", "deep/x")]),
        ("data.num_classes=1: 1 of 1 is 1; lower it", []),
        ("the first of all; mend it", []),
        ("the first of all, then others (first in val/other); mend", [("val", "other")]),
    ],
)  # fmt: skip
def test_names_in_a_line_are_found(line, found):
    assert shown(line) == found


def test_the_odd_file_shows_differing_shapes_and_types():
    assert shown("images have 2 shapes", "shapes") == [("val", "other")]
    assert shown("images have 2 number types", "number-types") == [("train", "deep/x")]


def test_a_rare_class_is_shown_by_the_first_sample_that_has_it():
    rare = labels("segmentation", 40, counts={0: 900, 1: 5, 2: 95}, first_with={0: "1", 1: "deep/x", 2: "1"})
    assert shown("rare classes in train", "class-rare", survey(train={"labels": rare})) == [("train", "deep/x")]


def test_a_class_that_train_lacks_is_shown_by_the_samples_of_val_that_have_it():
    of_val = labels("segmentation", 20, counts={0: 90, 2: 5, 1: 5}, first_with={0: "1", 1: "other", 2: "1"})
    seen = survey(train={"labels": labels("segmentation", 40, counts={0: 100})}, val={"labels": of_val})
    assert shown("classes of val that train lacks", "class-not-in-train", seen) == [("val", "other"), ("val", "1")]


def test_missing_pixels_are_shown_by_the_first_image_that_has_some():
    seen = survey(train={"images": {"image": image(40, first_not_finite="deep/x")}})
    assert shown("most pixels are no data", "mostly-no-data", seen) == [("train", "deep/x")]
    assert shown("most pixels are no data", "mostly-no-data") == []
