"""Alpha bands are validity, unless they hold something else or are asked for."""

import numpy as np
import pytest
import rasterio
from PIL import Image

from tests.unit.data.rasters import classes, write_raster
from tests.unit.data.views.reading_rules.looking import look_at, places


def colours(seed, bands=4, px=32):
    return np.random.default_rng(seed).integers(1, 255, (bands, px, px), dtype=np.uint8)


def orthophotos(root, ending=".tif", fourth=None):
    """Red, green, blue and a fourth band that the files mark as alpha: opaque but for the first rows."""
    pixels = {}
    for number, (name, path) in enumerate(places(root, ending=ending).items()):
        image = colours(number)
        image[3] = 255
        image[3, :4] = 0
        if fourth is not None:
            image[3] = fourth(number)
        pixels[name] = image
        path.parent.mkdir(parents=True, exist_ok=True)
        if ending == ".png":
            Image.fromarray(np.moveaxis(image, 0, 2)).save(path)
        else:
            write_raster(path, image, place=(0, number))
    masks(root)
    return pixels


def masks(root):
    for number, path in enumerate(places(root, "masks").values()):
        write_raster(path, classes(number), place=(0, number))


@pytest.mark.parametrize(("ending", "bands"), [(".tif", ["B1", "B2", "B3"]), (".png", ["RED", "GREEN", "BLUE"])])
def test_alpha_is_validity(root, ending, bands):
    pixels = orthophotos(root, ending)
    seen = look_at(root, "data.no_data_replace=0")
    assert "alpha band of 6 files says which pixels are valid" in seen.lines("alpha")[0]
    assert seen.config.data.bands == bands
    assert len(seen.config.data.means) == 3
    image = seen.pixels("a")
    assert np.array_equal(image.data[:, 4:], pixels["a"][:3, 4:])
    assert np.array_equal(image.mask, np.broadcast_to(pixels["a"][3] == 0, (3, 32, 32)))
    assert seen.config.data.means[0] == pytest.approx(np.mean([pixels[name][0, 4:] for name in "abcd"]), abs=0.1), (
        "transparent pixels are left out"
    )


def test_transparent_pixels_are_no_data_that_a_person_has_to_fill(root):
    orthophotos(root)
    assert look_at(root).rules == {"alpha", "not-finite"}


def test_names_for_the_three_colours_are_names_of_what_is_read(root):
    orthophotos(root)
    seen = look_at(root, "data.no_data_replace=0", "data.bands=[R,G,B]")
    assert "band-count" not in seen.rules
    assert seen.config.data.bands == ["R", "G", "B"]
    assert seen.pixels("a").shape[0] == 3


def test_alpha_is_a_band_where_all_four_are_named(root):
    pixels = orthophotos(root)
    assert look_at(root, "data.no_data_replace=0").pixels("a").shape[0] == 3
    seen = look_at(root, "data.no_data_replace=0", "data.bands=[R,G,B,A]")
    assert np.array_equal(seen.pixels("a").data, pixels["a"])
    assert len(seen.config.data.means) == 4
    assert "all 4 bands are read" in seen.lines("band-choice")[0]


def test_near_infrared_that_is_marked_as_alpha_is_a_band(root):
    """GDAL marks the fourth band of red, green and blue so; its pixels of 0 are dark, not absent."""

    def infrared(number):
        band = colours(100 + number, bands=1)[0]
        band[0] = 0
        return band

    pixels = orthophotos(root, fourth=infrared)
    seen = look_at(root)
    assert seen.rules == {"alpha"}
    assert "it is read as a band" in seen.lines("alpha")[0]
    assert seen.config.data.bands == ["B1", "B2", "B3", "B4"]
    assert not np.ma.is_masked(seen.pixels("a"))
    assert np.array_equal(seen.pixels("a").data, pixels["a"])
    again = look_at(root, "data.bands=[RED,GREEN,BLUE,NIR]")
    assert again.pixels("a").shape[0] == 4


def test_files_with_and_without_alpha_have_the_same_bands(root):
    pixels = orthophotos(root, ".png")
    Image.fromarray(np.moveaxis(pixels["b"][:3], 0, 2)).save(places(root, ending=".png")["b"])
    seen = look_at(root, "data.no_data_replace=0")
    assert seen.rules == {"alpha"}
    assert np.array_equal(seen.pixels("b").data, pixels["b"][:3])


@pytest.mark.parametrize("cut", ["true", "lazily"])
def test_tiles_keep_what_is_valid(root, cut):
    pixels = orthophotos(root)
    seen = look_at(root, "data.no_data_replace=0", f"data.cut={cut}", "data.tile_px=16")
    with rasterio.open(seen.listing.file("train", "a_r000_c001", "image")) as tile:
        image = tile.read(masked=True)
    assert np.array_equal(image.mask, np.broadcast_to(pixels["a"][3, :16, 16:] == 0, (3, 16, 16)))
    assert np.array_equal(image.data[:, 4:], pixels["a"][:3, 4:16, 16:])


def test_grey_with_alpha_is_one_band(root):
    for number, path in enumerate(places(root, ending=".png").values()):
        path.parent.mkdir(parents=True, exist_ok=True)
        grey = colours(number, bands=2)
        grey[1] = 255
        Image.fromarray(np.moveaxis(grey, 0, 2), mode="LA").save(path)
    masks(root)
    seen = look_at(root)
    assert seen.config.data.bands == ["B1"]
    assert "name both bands" in seen.lines("alpha")[0]


@pytest.mark.parametrize(("fourth", "bands"), [(None, 3), (lambda number: colours(100 + number, bands=1)[0], 4)])
def test_alpha_that_the_first_file_lacks_is_judged_by_the_others(root, fourth, bands):
    pixels = orthophotos(root, fourth=fourth)
    write_raster(places(root)["a"], pixels["a"][:3])
    listing = look_at(root, "data.no_data_replace=0")
    told = {3: "alpha band of 5 files says which pixels are valid", 4: "it is read as a band"}[bands]
    assert told in listing.lines("alpha")[0]
    read = listing.pixels("b")
    assert np.array_equal(read.data[:3, 4:], pixels["b"][:3, 4:])
    if bands == 3:
        assert np.array_equal(read.mask, np.broadcast_to(pixels["b"][3] == 0, (3, 32, 32)))
    else:
        assert not np.ma.is_masked(read)
