"""Virtual rasters against numpy on the files' own pixels."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from terrasweep.data.views.headers import read_header
from terrasweep.data.views.view import BandSource, exact_lookup, moved, whole_file, write_view
from tests.unit.data.rasters import NORTH_WEST, noise, write_raster


def viewed(view, folder):
    with rasterio.open(write_view(view, folder / "view.vrt")) as image:
        return image.read(masked=True), image.profile, image.descriptions


def test_the_view_of_a_whole_file_is_the_file(tmp_path):
    pixels = noise(0, bands=3)
    pixels[0, :4] = -9999
    file = write_raster(tmp_path / "ä b[1] 100%.tif", pixels, nodata=-9999)
    seen, profile, _ = viewed(whole_file(read_header(file)), tmp_path)
    with rasterio.open(file) as image:
        own = image.read(masked=True)
        assert (profile["crs"], profile["transform"], profile["dtype"]) == (image.crs, image.transform, "float32")
    assert np.array_equal(seen.mask, own.mask)
    assert np.array_equal(seen.filled(0), own.filled(0))


def test_a_mask_inside_a_file_stays_its_mask(tmp_path):
    file = write_raster(tmp_path / "a.tif", noise(0))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(file, "r+") as image:
        valid = np.full((32, 32), 255, np.uint8)
        valid[:7] = 0
        image.write_mask(valid)
    seen, _, _ = viewed(whole_file(read_header(file)), tmp_path)
    assert np.array_equal(seen.mask, np.broadcast_to(valid == 0, (2, 32, 32)))


def test_an_alpha_band_stays_the_mask_that_readers_make_of_it(tmp_path):
    pixels = np.full((4, 32, 32), 7, np.uint8)
    pixels[3, :5] = 0
    file = write_raster(tmp_path / "a.tif", pixels)
    seen, _, _ = viewed(whole_file(read_header(file)), tmp_path)
    with rasterio.open(file) as image:
        assert np.array_equal(seen.mask[0], image.read(masked=True).mask[0])
    assert np.array_equal(seen.mask[0], pixels[3] == 0)


@pytest.mark.parametrize(("resampling", "reduce"), [("average", np.mean), ("nearest", None)])
def test_files_of_another_size_are_resampled(tmp_path, resampling, reduce):
    pixels = noise(1, bands=1, px=32)
    size = 16 if reduce else 64
    view = replace(
        whole_file(read_header(write_raster(tmp_path / "a.tif", pixels))),
        height=size,
        width=size,
        stretched_from=(32, 32),
        resampling=resampling,
    )
    seen, _, _ = viewed(view, tmp_path)
    halves = pixels.reshape(1, 16, 2, 16, 2)
    expected = reduce(halves, axis=(2, 4)) if reduce else pixels.repeat(2, 1).repeat(2, 2)
    assert seen.filled() == pytest.approx(expected, rel=1e-5)


def test_what_a_file_masks_is_no_data_in_a_view_of_another_mark(tmp_path):
    pixels = noise(0)
    pixels[:, 3], pixels[:, 5] = -9999, -32768
    header = read_header(write_raster(tmp_path / "a.tif", pixels, nodata=-32768))
    bands = tuple(BandSource(file=header.file, number=number, masked=True) for number in (1, 2))
    seen, _, _ = viewed(replace(whole_file(header), bands=bands, no_data=-9999.0), tmp_path)
    assert np.array_equal(seen.mask, (pixels == -9999) | (pixels == -32768))
    assert np.array_equal(seen.data[~seen.mask], pixels[~seen.mask])


def test_bands_windows_scales_and_names(tmp_path):
    pixels = (noise(1, bands=3) * 10).astype(np.int16)
    pixels[1, 8, 8] = -1
    header = read_header(write_raster(tmp_path / "a.tif", pixels))
    view = replace(
        whole_file(header),
        bands=tuple(
            BandSource(file=header.file, number=number, no_data=-1, scale=0.1, offset=-5.0) for number in (3, 2)
        ),
        names=("NIR", "RED"),
        dtype="float32",
        no_data=float("nan"),
        window=(4, 8, 16, 8),
        transform=moved(header.transform, 4, 8),
    )
    seen, profile, names = viewed(view, tmp_path)
    expected = pixels[[2, 1], 8:16, 4:20] * 0.1 - 5.0
    expected[1, 0, 4] = np.nan
    assert np.allclose(seen.filled(np.nan), expected, atol=1e-5, equal_nan=True)
    assert (profile["transform"].c, profile["transform"].f) == (NORTH_WEST[0] + 40, NORTH_WEST[1] - 80)
    assert names == ("NIR", "RED")


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32"])
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_a_lookup_translates_what_it_names_and_nothing_else(dtype, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lookup")
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    values = st.integers(low, high)
    mapping = data.draw(st.dictionaries(values, st.integers(-1, 300), min_size=1, max_size=12))
    near = [n for value in mapping for n in (value - 1, value, value + 1) if low <= n <= high]
    drawn = data.draw(st.lists(values, min_size=1, max_size=30))
    pixels = np.array([near + drawn + [low, high]]).reshape(1, 1, -1).astype(dtype)
    header = read_header(write_raster(folder / "m.tif", pixels))
    source = BandSource(file=header.file, lookup=exact_lookup(mapping, low, high))
    seen, _, _ = viewed(replace(whole_file(header), bands=(source,), dtype="int32"), folder)
    assert seen.filled().ravel().tolist() == [mapping.get(int(v), int(v)) for v in pixels.ravel()]
