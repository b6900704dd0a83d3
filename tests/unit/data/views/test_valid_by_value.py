"""What a mask hides is no data by a value, and every other pixel is what it was."""

import numpy as np
import pytest
import rasterio

from terrasweep.data.views.headers import read_header
from terrasweep.data.views.valid_by_value import valid_by_value
from terrasweep.data.views.view import whole_file, write_view
from tests.unit.data.rasters import write_raster

HIDDEN = np.zeros((8, 8), bool)
HIDDEN[:2] = True


def masked(file, pixels, **profile):
    write_raster(file, pixels, **profile)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(file, "r+") as image:
        image.write_mask(~HIDDEN)
    return file


def read(view, file):
    with rasterio.open(write_view(view, file)) as image:
        return image.read(masked=True), image.dtypes[0]


@pytest.mark.parametrize(
    ("dtype", "wider"),
    [
        *(("uint8", "int16"), ("uint16", "int32"), ("int16", "int32"), ("int32", "float64"), ("uint32", "float64")),
        *(("float32", "float32"), ("float64", "float64")),
    ],
)
def test_every_value_of_a_type_stays(tmp_path, dtype, wider):
    ends = np.finfo(dtype) if dtype.startswith("float") else np.iinfo(dtype)
    pixels = np.zeros((2, 8, 8), dtype)
    pixels[:, 5], pixels[:, 6] = ends.min, ends.max
    views = [whole_file(read_header(masked(tmp_path / "a.tif", pixels)))]
    views.append(whole_file(read_header(write_raster(tmp_path / "b.tif", pixels))))
    ((first, second),) = valid_by_value([views], tmp_path / "inner")
    found, kept = read(first, tmp_path / "first.vrt")
    assert kept == wider
    assert np.array_equal(found.mask, np.stack([HIDDEN] * 2))
    assert np.array_equal(found.data[~found.mask], pixels[~found.mask])
    found, kept = read(second, tmp_path / "second.vrt")
    assert (kept, np.ma.is_masked(found)) == (wider, False)
    assert np.array_equal(found.data, pixels)


def test_a_value_that_images_mark_already_is_taken(tmp_path):
    pixels = np.arange(64, dtype=np.float32).reshape(1, 8, 8)
    write_raster(tmp_path / "a.tif", pixels, nodata=40)
    view = whole_file(read_header(tmp_path / "a.tif"))
    other = whole_file(read_header(masked(tmp_path / "b.tif", pixels, nodata=40)))
    ((first, second),) = valid_by_value([[view, other]], tmp_path / "inner")
    assert (first.no_data, second.no_data, first.dtype) == (40, 40, "float32")
    found, _ = read(first, tmp_path / "first.vrt")
    assert np.argwhere(found.mask).tolist() == [[0, 5, 0]]


def test_what_is_unreadable_or_complex_stays(tmp_path):
    pixels = np.zeros((1, 8, 8), np.complex64)
    view = whole_file(read_header(write_raster(tmp_path / "a.tif", pixels)))
    assert valid_by_value([[view, None]], tmp_path) == [[view, None]]
    real = whole_file(read_header(write_raster(tmp_path / "b.tif", pixels.real)))
    assert valid_by_value([[real], [None]], tmp_path)[1] == [None]
