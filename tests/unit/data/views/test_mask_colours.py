"""Colours of masks are found, and written as the class that each stands for."""

from collections import Counter

import numpy as np
import rasterio

from terrasweep.data.views import mask_colours
from terrasweep.data.views.headers import read_header
from terrasweep.data.views.mask_colours import (
    ColourTable,
    chosen,
    colours_in,
    looks_drawn,
    main_colours,
    values_in,
    write_classes,
)
from tests.unit.data.rasters import write_raster

RED, BLACK, GREEN = (255, 0, 0), (0, 0, 0), (0, 200, 0)


def drawn(path, numbers, **profile):
    pixels = np.array([RED, BLACK, GREEN], np.uint8)[numbers].transpose(2, 0, 1)
    return read_header(write_raster(path, pixels, **profile))


def table(colours=(RED, BLACK), distance=0):
    return ColourTable(
        colours=list(colours), numbers=list(range(len(colours))), distance=distance, ignored=-1, dtype="int16"
    )


def test_classes_are_written_where_the_colours_are_and_others_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("terrasweep.data.views.class_raster._STRIP_PX", 3)
    numbers = np.random.default_rng(0).integers(0, 3, (10, 7))
    header = drawn(tmp_path / "mask.tif", numbers)
    unknown = write_classes(header, table(), tmp_path / "made" / "classes.tif")
    assert unknown == {GREEN: int((numbers == 2).sum())}
    with rasterio.open(tmp_path / "made" / "classes.tif") as made, rasterio.open(header.file) as source:
        assert np.array_equal(made.read(1), np.where(numbers == 2, -1, numbers))
        assert (made.transform, made.crs, made.count) == (source.transform, source.crs, 1)


def test_pixels_that_the_file_marks_are_ignored(tmp_path):
    path = tmp_path / "mask.tif"
    drawn(path, np.zeros((4, 4), int))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as mask:
        mask.write_mask(np.arange(16).reshape(4, 4) >= 5)
    write_classes(read_header(path), table(), tmp_path / "classes.tif")
    with rasterio.open(tmp_path / "classes.tif") as made:
        assert made.read(1).ravel().tolist() == [-1] * 5 + [0] * 11


def test_the_nearest_colour_counts_within_the_distance():
    colours = np.array([[250, 5, 5], [200, 0, 0], [90, 0, 0], [0, 0, 0]])
    numbers, near = table(distance=60).numbers_of(colours)
    assert numbers.tolist() == [0, 0, -1, 1]
    assert near.tolist() == [True, True, False, True]


def test_colours_without_alpha_are_opaque_to_a_table_with_it_and_alpha_is_nothing_to_one_without():
    with_alpha = table(colours=[(*RED, 255), (*RED, 0)])
    assert with_alpha.numbers_of(np.array([RED, BLACK]))[0].tolist() == [0, -1]
    assert table().numbers_of(np.array([(*RED, 255), (*RED, 0)]))[0].tolist() == [0, 0]


def test_few_colours_are_all_meant_and_of_many_those_that_others_lie_around():
    assert main_colours(Counter({RED: 1, BLACK: 99})) == [BLACK, RED]
    random = np.random.default_rng(0)
    spoilt = Counter()
    for colour, pixels in {RED: 5000, BLACK: 4000, GREEN: 900}.items():
        spoilt[colour] += pixels
        for shift in random.integers(-9, 10, (200, 3)):
            spoilt[tuple(map(int, np.clip(colour + shift, 0, 255)))] += 1
    assert main_colours(spoilt) == sorted([RED, BLACK, GREEN])
    assert looks_drawn(spoilt, main_colours(spoilt))
    photo = Counter({tuple(map(int, colour)): 1 for colour in random.integers(0, 256, (5000, 3))})
    assert not looks_drawn(photo, main_colours(photo))


def test_alpha_counts_where_it_varies(tmp_path):
    pixels = np.zeros((4, 2, 2), np.uint8)
    pixels[3] = 255
    header = read_header(write_raster(tmp_path / "a.tif", pixels))
    assert colours_in([header]) == {(0, 0, 0): 4}
    pixels[3, 0, 0] = 0
    header = read_header(write_raster(tmp_path / "b.tif", pixels))
    assert colours_in([header]) == {(0, 0, 0, 0): 1, (0, 0, 0, 255): 3}


def test_large_masks_are_thinned_out_and_damaged_ones_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(mask_colours, "_LOOK_PX", 4)
    header = drawn(tmp_path / "mask.tif", np.zeros((16, 12), int))
    assert colours_in([header]) == {RED: 12}
    broken = drawn(tmp_path / "broken.tif", np.zeros((16, 12), int))
    (tmp_path / "broken.tif").write_bytes(b"")
    assert values_in([broken, header]) == {255: 12}


def test_a_hundred_masks_are_looked_at_first_and_last_among_them():
    assert chosen(list(range(7))) == list(range(7))
    some = chosen(list(range(1000)))
    assert (len(some), some[0], some[-1]) == (100, 0, 999)


def test_no_data_is_no_value(tmp_path):
    values = np.array([[[0.0, 1.0, np.nan, 2.5, 9.0]]], np.float32)
    assert values_in([read_header(write_raster(tmp_path / "v.tif", values, nodata=9))]) == {0: 1, 1: 1}
