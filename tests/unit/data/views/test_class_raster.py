"""Rasters of classes lie where their images lie, and are written a strip at a time."""

import numpy as np
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.data.views.class_raster import class_profile, strips
from terrasweep.data.views.headers import read_header
from terrasweep.data.views.view import whole_file
from tests.unit.data.rasters import noise, write_raster


@given(st.integers(1, 5000), st.integers(1, 9))
def test_strips_cover_each_pixel_once(height, width):
    seen = np.zeros((height, width), int)
    for window in strips(height, width):
        seen[window.toslices()] += 1
    assert (seen == 1).all()


def test_the_grid_is_that_of_the_image_with_a_place_or_without(tmp_path):
    for name, place in {"placed.tif": (0, 1), "bare.png": None}.items():
        pixels = noise(0, bands=1)[:, :8].clip(0, 255).astype(np.uint8)
        header = read_header(write_raster(tmp_path / name, pixels, place=place))
        for grid in (header, whole_file(header)):
            with rasterio.open(tmp_path / "made.tif", "w", **class_profile(grid, "int16")) as made:
                made.write(np.zeros((8, 32), np.int16), 1)
            made = read_header(tmp_path / "made.tif")
            assert (made.height, made.width, made.transform) == (8, 32, header.transform)
            assert (bool(made.crs), made.dtypes) == (bool(header.crs), ("int16",))
