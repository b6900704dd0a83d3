"""Images in other pixels against means and interpolations by numpy."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio

from terrasweep.data.views.ground_pixels import ground_pixels
from terrasweep.data.views.headers import read_header
from terrasweep.data.views.pixel_grid import grid_at
from terrasweep.data.views.resampled_view import resampled
from terrasweep.data.views.view import whole_file, write_view
from tests.unit.data.rasters import NORTH_WEST, classes, noise, write_raster

PX = 48


def read_at(file, metres, how, change=lambda view: view):
    """What is read of a file of 10 m in other pixels, and the profile."""
    header = read_header(file)
    (pixel,) = ground_pixels([header])
    view = resampled(
        change(whole_file(header)), header, grid_at(header, pixel, metres), how, file.parent / "new" / "a.vrt"
    )
    with rasterio.open(write_view(view, file.parent / "listed.vrt")) as image:
        return image.read(masked=True), image.profile


def weights(count, covered, size=PX):
    """(new pixels, old pixels): the share that each old pixel has of a new one's area."""
    edges = np.arange(count + 1) * covered
    left, right = edges[:-1, None], edges[1:, None]
    old = np.arange(size)
    return np.clip(np.minimum(right, old + 1) - np.maximum(left, old), 0, None) / covered


def lines(count, covered, size=PX):
    """(new pixels, old pixels): weights of the two nearest centres, the outermost beyond the edge."""
    centres = (np.arange(count) + 0.5) * covered - 0.5
    found = np.zeros((count, size))
    for row, centre in enumerate(centres):
        left = int(np.floor(centre))
        for place, weight in ((left, left + 1 - centre), (left + 1, centre - left)):
            found[row, min(max(place, 0), size - 1)] += weight
    return found


@pytest.mark.parametrize(("metres", "count"), [(20, 24), (25, 19), (32, 15), (70, 6)])
def test_larger_pixels_are_means_by_area(tmp_path, metres, count):
    pixels = noise(0, px=PX)
    seen, profile = read_at(write_raster(tmp_path / "ä b[1] 100%.tif", pixels), metres, "average")
    by = weights(count, metres / 10)
    assert seen.filled(np.nan) == pytest.approx(by @ pixels @ by.T, rel=1e-5)
    assert tuple(profile["transform"])[:6] == (metres, 0, NORTH_WEST[0], 0, -metres, NORTH_WEST[1])
    assert profile["crs"].to_epsg() == 32633


@pytest.mark.parametrize(("metres", "count"), [(5, 96), (7, 68)])
def test_smaller_pixels_are_interpolated(tmp_path, metres, count):
    pixels = noise(1, px=PX)
    seen, _ = read_at(write_raster(tmp_path / "a.tif", pixels), metres, "bilinear")
    by = lines(count, metres / 10)
    assert seen.filled(np.nan) == pytest.approx(by @ pixels @ by.T, rel=1e-5)


def with_hole(pixels, value):
    """A rectangle of one value, by whole and by half new pixels of 20 m."""
    holed, valid = pixels.copy(), np.ones(pixels.shape[1:], bool)
    valid[10:20, 10:21] = False
    holed[:, ~valid] = value
    return holed, valid


def masked_by(file, valid):
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(file, "r+") as image:
        image.write_mask(valid)


@pytest.mark.parametrize("mark", [-9999.0, np.nan, "mask", "alpha"])
def test_no_data_counts_in_no_mean_however_it_is_marked(tmp_path, mark):
    pixels, valid = with_hole(noise(2, px=PX), 5000.0 if isinstance(mark, str) else mark)
    if mark == "alpha":
        stack = np.concatenate([pixels[:1].repeat(3, 0).clip(0, 255), valid[None] * 255.0]).astype(np.uint8)
        pixels = stack[:3].astype(np.float32)
        file = write_raster(tmp_path / "a.tif", stack, photometric="RGB", alpha="YES")
    else:
        file = write_raster(tmp_path / "a.tif", pixels, **({} if mark == "mask" else {"nodata": mark}))
    if mark == "mask":
        masked_by(file, valid)
    seen, profile = read_at(file, 20, "average")
    halves = valid.reshape(24, 2, 24, 2).swapaxes(1, 2).reshape(24, 24, 4)
    assert np.array_equal(np.ma.getmaskarray(seen)[0], ~halves.any(2))
    values = pixels.reshape(-1, 24, 2, 24, 2).swapaxes(2, 3).reshape(-1, 24, 24, 4)
    expected = np.where(halves, values, 0).sum(3) / np.maximum(halves.sum(2), 1)
    error = 0.51 if profile["dtype"] == "uint8" else 1e-3
    assert np.abs(seen[: len(expected)] - expected).max() < error


def test_no_data_of_a_band_is_no_neighbour_and_leaves_other_bands(tmp_path):
    """Within half an old pixel of the others, GDAL fills what is no data from them."""
    pixels, valid = with_hole(noise(3, px=PX), -9999.0)
    pixels[1] = noise(4, bands=1, px=PX)
    seen, _ = read_at(write_raster(tmp_path / "a.tif", pixels, nodata=-9999), 5, "bilinear")
    masked = np.ma.getmaskarray(seen)
    hole = ~valid.repeat(2, 0).repeat(2, 1)
    assert masked[0, 21:39, 21:41].all()
    assert not masked[0][~hole].any()
    assert pixels[0, valid].min() <= seen[0].min() <= seen[0].max() <= pixels[0, valid].max()
    by = lines(96, 0.5)
    assert seen[1].filled(np.nan) == pytest.approx(by @ pixels[1] @ by.T, rel=1e-5)


def test_values_are_scaled_and_chosen_before_they_are_mixed(tmp_path):
    """The mean of classes that a table of values merges is that of the merged ones."""
    stored = classes(4, number=4, px=PX)
    table = ((0.0, 0.0), (1.0, 9.0), (2.0, 0.0), (3.0, 9.0))

    def merged(view):
        return replace(view, bands=(replace(view.bands[0], lookup=table),))

    file = write_raster(tmp_path / "a.tif", stored)
    seen, profile = read_at(file, 20, "mode", merged)
    votes = (stored[0] % 2).reshape(24, 2, 24, 2).sum((1, 3))
    clear = votes != 2
    assert np.array_equal(seen[0].data[clear], np.where(votes > 2, 9, 0)[clear])
    assert profile["dtype"] == "uint8"


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "int64", "float64"])
def test_nearest_pixels_are_repeated_in_every_number_type(tmp_path, dtype):
    pixels = classes(5, number=100, px=PX).astype(dtype)
    seen, profile = read_at(write_raster(tmp_path / "a.tif", pixels), 5, "nearest")
    assert profile["dtype"] == dtype
    assert np.array_equal(seen.data, pixels.repeat(2, 1).repeat(2, 2))


def test_names_of_bands_stay(tmp_path):
    file = write_raster(tmp_path / "a.tif", noise(6, px=PX))
    with rasterio.open(file, "r+") as image:
        image.descriptions = ("RED", "NIR")
    header = read_header(file)
    view = resampled(
        whole_file(header), header, grid_at(header, *ground_pixels([header]), 20.0), "average", tmp_path / "new.vrt"
    )
    assert read_header(write_view(view, tmp_path / "listed.vrt")).names == ("RED", "NIR")
