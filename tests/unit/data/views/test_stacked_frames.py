"""Dates are shown one behind the other where they lie over each other, and are an error where they don't."""

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from terrasweep.data.inspect.survey import IMAGE
from tests.unit.data.rasters import write_raster
from tests.unit.data.series import BANDS, DATES, series, write_places
from tests.unit.data.views.dated import read, understood


def test_bands_of_later_dates_are_put_in_the_order_of_the_first(tmp_path):
    write_places(tmp_path / "data", "files", places=1)
    for date in DATES:
        with rasterio.open(tmp_path / "data" / "images" / f"p0_{date}.tif", "r+") as image:
            image.descriptions = BANDS
    turned = write_raster(tmp_path / "data" / "images" / "p0_20240301.tif", series(0)[1, ::-1])
    with rasterio.open(turned, "r+") as image:
        image.descriptions = BANDS[::-1]
    assert np.array_equal(read(understood(tmp_path / "data"), "p0")[0], series(0).reshape(6, 32, 32))


def test_values_that_stand_for_nothing_stay_so_where_dates_mark_them_differently(tmp_path):
    write_places(tmp_path / "data", "files", places=1)
    first, second = series(0)[0], series(0)[1]
    first[:, 0, 0], second[:, 1, 1] = -9999, -1
    write_raster(tmp_path / "data" / "images" / "p0_20240110.tif", first, nodata=-9999)
    write_raster(tmp_path / "data" / "images" / "p0_20240301.tif", second, nodata=-1)
    with rasterio.open(understood(tmp_path / "data").file("all", "p0", IMAGE)) as image:
        hidden = np.argwhere(image.read(masked=True).mask)
    assert hidden.tolist() == [[0, 0, 0], [1, 0, 0], [2, 1, 1], [3, 1, 1]]


def test_each_date_is_valid_where_its_own_alpha_says_so(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (2, 3, 4, 32, 32), dtype=np.uint8)
    pixels[:, :, 3] = 255
    pixels[0, 0, 3, :4], pixels[0, 1, 3, :, :4], pixels[1, 2, 3, -1] = 0, 0, 0
    for place, dates in enumerate(pixels):
        write_raster(tmp_path / "data" / "masks" / f"p{place}.tif", np.zeros((1, 32, 32), np.uint8), place=(0, place))
        for day, image in zip(DATES, dates, strict=True):
            write_raster(tmp_path / "data" / "images" / f"p{place}_{day}.tif", image, place=(0, place))
    listing = understood(tmp_path / "data")
    assert [(remark["rule"], remark["level"]) for remark in listing.remarks] == [("frames", "note"), ("alpha", "note")]
    for place, dates in enumerate(pixels):
        with rasterio.open(listing.file("all", f"p{place}", IMAGE)) as image:
            read = image.read(masked=True)
            assert (image.dtypes[0], image.nodata) == ("int16", -32768)
        hidden = np.repeat(dates[:, 3:] == 0, 3, axis=1).reshape(9, 32, 32)
        assert np.array_equal(read.mask, hidden)
        assert np.array_equal(read.data[~hidden], dates[:, :3].reshape(9, 32, 32)[~hidden])


def too_small(folder):
    write_raster(folder / "p1_20240301.tif", series(1, px=16)[1])


def elsewhere(folder):
    write_raster(folder / "p1_20240301.tif", series(1)[1], place=(0, 5))


def other_bands(folder):
    write_raster(folder / "p1_20240301.tif", series(1)[1, :1], place=(0, 1))


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (too_small, "have 32 x 32 and 16 x 16 pixels"),
        (elsewhere, "don't lie over each other"),
        (other_bands, "2 and 1"),
    ],
)
def test_dates_that_do_not_fit_are_an_error_with_the_file(tmp_path, spoil, line):
    write_places(tmp_path / "data", "files")
    spoil(tmp_path / "data" / "images")
    said = [remark for remark in understood(tmp_path / "data").remarks if remark["rule"] == "frames"]
    (error,) = [remark for remark in said if remark["level"] == "error"]
    assert error["line"].startswith("p1_20240110.tif: its dates")
    assert line in error["line"]


def test_dates_of_a_place_are_read_by_its_own_names_where_they_are_none_of_the_first_place(tmp_path):
    write_places(tmp_path / "data", "files", places=2)
    own = ("B04", "B08")
    for date, names in zip(DATES, (own, own[::-1], own), strict=True):
        for place, given in (("p0", BANDS), ("p1", names)):
            with rasterio.open(tmp_path / "data" / "images" / f"{place}_{date}.tif", "r+") as image:
                image.descriptions = given
    expected = series(1)
    expected[1] = expected[1, ::-1]
    pixels, _, names = read(understood(tmp_path / "data"), "p1")
    assert np.array_equal(pixels, expected.reshape(6, 32, 32))
    assert names == own * 3


@pytest.mark.parametrize(("placed", "lines"), [((), 0), ((0, 1, 2), 0), ((1,), 1)])
def test_dates_without_a_coordinate_system_lie_where_all_or_none_of_them_say(tmp_path, placed, lines):
    write_raster(tmp_path / "data" / "masks" / "p0.tif", np.zeros((1, 32, 32), np.uint8), place=None)
    for number, date in enumerate(DATES):
        profile = {"transform": from_origin(0, 320, 10, 10)} if number in placed else {}
        file = tmp_path / "data" / "images" / f"p0_{date}.tif"
        write_raster(file, series(0)[number], place=None, **profile)
    listing = understood(tmp_path / "data")
    told = [remark["line"] for remark in listing.remarks if remark["rule"] == "frames" and remark["level"] == "error"]
    assert len(told) == lines
    assert all("its dates don't lie over each other on the ground" in line for line in told)
    if not lines:
        assert np.array_equal(read(listing, "p0")[0], series(0).reshape(6, 32, 32))


def test_complex_dates_with_masks_of_their_own_are_refused(tmp_path):
    """No value marks what is hidden in complex numbers, and one image has one mask."""
    write_places(tmp_path / "data", "files", places=1)
    for number, date in enumerate(DATES):
        pixels = series(0)[number].astype(np.complex64)
        file = write_raster(tmp_path / "data" / "images" / f"p0_{date}.tif", pixels)
        if number == 1:
            with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(file, "r+") as image:
                image.write_mask(np.arange(1024).reshape(32, 32) > 100)
    (line,) = [remark["line"] for remark in understood(tmp_path / "data").remarks if remark["level"] == "error"]
    assert line.startswith("p0_20240110.tif: its dates have masks or alpha bands of their own, and one image has one;")
