"""Headers that disagree about what is no data, and marks of what no pixel can be."""

import numpy as np
import pytest

from terrasweep.data.find.sample_list import MASK
from terrasweep.data.inspect.survey import IMAGE
from tests.unit.data.rasters import classes, noise, write_declaring
from tests.unit.data.views.reading_rules.files import pixels_of, remarks_of, understood, write_set


def every_second(value):
    return lambda seed: {"nodata": value} if seed % 2 else {}


def photo(seed):
    return np.random.default_rng(seed).integers(0, 256, (3, 32, 32)).astype(np.uint8)


def test_what_some_mark_and_others_hold_far_from_the_rest_is_no_data_in_all(tmp_path):
    def image(seed):
        pixels = noise(seed)
        pixels[:, :4] = -9999
        return pixels

    listing = understood(write_set(tmp_path / "tiles", image, images=every_second(-9999)))
    for name in ("0", "1"):
        assert np.array_equal(pixels_of(listing, "train", name).mask, image(int(name)) == -9999)
    root = tmp_path / "tiles"
    assert remarks_of(listing) == [
        (
            "note",
            f"data.root={root}: 3 of 6 images mark -9999 as no data, and others hold it unmarked (first 0.tif, 12.5 % "
            "of its pixels): far from all other values, it is read as no data in all of them",
        )
    ]


def test_what_others_do_not_hold_is_no_matter(tmp_path):
    listing = understood(write_set(tmp_path / "tiles", images=every_second(-9999)))
    assert listing.remarks == []
    assert listing.file("train", "0", IMAGE) == tmp_path / "tiles/train/images/0.tif"


def test_what_lies_among_other_values_is_left_to_a_person(tmp_path):
    root = write_set(tmp_path / "tiles", photo, images=every_second(0))
    ((level, line),) = remarks_of(understood(root))
    assert level == "warning"
    assert "3 of 6 images mark 0 as no data, and others hold it unmarked (first 0.tif, " in line
    assert line.endswith("; set data.no_data=0, and where it was measured, take the marks out")
    declared = understood(root, "data.no_data=0")
    assert declared.remarks == []
    for name in ("0", "1"):
        assert np.array_equal(pixels_of(declared, "train", name).mask, photo(int(name)) == 0)


def test_a_label_that_some_masks_mark_is_an_error_with_the_key_that_keeps_it(tmp_path):
    root = write_set(tmp_path / "tiles", masks=every_second(0))
    ((level, line),) = remarks_of(understood(root))
    assert level == "error"
    assert "3 of 6 masks mark 0 as no data, and others hold it unmarked (first 0.tif, 33.4 % of its pixels)" in line
    assert "set data.labels.keep_no_data=true where it is a class" in line
    assert [level for level, _ in remarks_of(understood(root, "data.labels.keep_no_data=true"))] == ["note"]


def test_a_label_far_from_the_classes_is_no_data_in_all_masks(tmp_path):
    def mask(seed):
        labels = classes(seed)
        labels[0, :2] = 255
        return labels

    listing = understood(write_set(tmp_path / "tiles", mask=mask, masks=every_second(255)))
    assert [level for level, _ in remarks_of(listing)] == ["note"]
    assert np.array_equal(pixels_of(listing, "train", "0", MASK).mask, mask(0) == 255)


@pytest.mark.parametrize(("declared", "nearest"), [("300", "255"), ("-9999", "0")])
def test_a_mark_that_no_pixel_can_be_is_seen(tmp_path, declared, nearest):
    root = write_set(tmp_path / "tiles", photo)
    for file in root.glob("*/images/*.tif"):
        write_declaring(file, photo(0)[0], declared)
    ((level, line),) = remarks_of(understood(root))
    assert level == "warning"
    assert f"images mark {declared} as no data (first 0.tif), which uint8 can't hold" in line
    assert line.endswith(f"by data.no_data={nearest}")
    assert understood(root, f"data.no_data={nearest}").remarks == []


def test_one_in_masks_leads_to_the_ignored_label(tmp_path):
    root = write_set(tmp_path / "tiles")
    for file in root.glob("*/masks/*.tif"):
        write_declaring(file, classes(0)[0], "300")
    ((_, line),) = remarks_of(understood(root))
    assert line.endswith("by task.ignore_index=255")


def test_marks_that_pixels_can_be_raise_nothing(tmp_path):
    root = write_set(tmp_path / "tiles", photo, images=lambda _: {"nodata": 255}, masks=lambda _: {"nodata": 255})
    assert understood(root).remarks == []


def test_damaged_files_are_passed_over_where_others_hold_what_is_marked(tmp_path):
    def image(seed):
        pixels = noise(seed)
        pixels[:, :4] = -9999
        return pixels

    root = write_set(tmp_path / "tiles", image, images=every_second(-9999))
    damaged = root / "train/images/0.tif"
    damaged.write_bytes(damaged.read_bytes()[:4000])  # Its header is whole.
    listing = understood(root)
    ((level, line),) = remarks_of(listing)
    assert level == "note"
    assert (
        "3 of 6 images mark -9999 as no data, and others hold it unmarked (first 2.tif, 12.5 % of its pixels)" in line
    )
    assert np.array_equal(pixels_of(listing, "train", "2").mask, image(2) == -9999)


def test_complex_numbers_do_not_hold_a_mark_by_their_real_part(tmp_path):
    def image(seed):
        pixels = noise(seed) + 1j * noise(seed + 100)
        pixels[:, :4] = -9999 + 5j
        return pixels.astype(np.complex64)

    assert remarks_of(understood(write_set(tmp_path / "tiles", image, images=every_second(-9999)))) == []
