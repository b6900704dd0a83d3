"""Pixels keep their values; what a file marks as no data is NaN; a broken file is named with its reason."""

import numpy as np
import pytest
import rasterio

from terrasweep.data.find.dates import DATES
from terrasweep.data.inspect.pictures.read_pixels import Unreadable, read_dates, read_pixels
from tests.unit.data.rasters import noise, write_raster


def test_values_stay_and_no_data_is_nan(tmp_path):
    image = noise(0)
    image[1, 3, 4] = -9999
    file = write_raster(tmp_path / "a.tif", image, nodata=-9999)
    read = read_pixels(file, 64)
    assert np.isnan(read[1, 3, 4])
    read[1, 3, 4] = -9999
    assert (read == image).all()


def test_of_a_large_file_each_second_pixel_is_read_as_it_is(tmp_path):
    image = noise(0, px=64)
    read = read_pixels(write_raster(tmp_path / "a.tif", image), 32)
    assert read.shape == (2, 32, 32)
    assert np.isin(read, image).all()


@pytest.mark.parametrize("read", [lambda file: read_pixels(file, 64), read_dates])
def test_what_is_no_image_says_so(tmp_path, read):
    (tmp_path / "a.tif").write_text("no image")
    with pytest.raises(Unreadable, match="not recognized"):
        read(tmp_path / "a.tif")


def test_dates_are_those_of_the_view(tmp_path):
    file = write_raster(tmp_path / "a.tif", noise(0))
    assert read_dates(file) == []
    with rasterio.open(file, "r+") as image:
        image.update_tags(**{DATES: "2024-01-10,2024-03-01"})
    assert read_dates(file) == ["2024-01-10", "2024-03-01"]
