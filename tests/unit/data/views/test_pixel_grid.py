"""The grid of a pixel size lies in the file's upper left corner, and covers all but less than a pixel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.transform import from_origin

from terrasweep.data.views.ground_pixels import GroundPixel
from terrasweep.data.views.pixel_grid import PixelGrid, grid_at
from tests.unit.data.views.test_ground_pixels import lying

HEADER = lying(32633, from_origin(3e5, 5e6, 10, 10), px=64)


@given(st.floats(1.02, 300), st.floats(1.02, 300))
def test_a_grid_has_the_size_and_covers_the_file(metres, own):
    grid = grid_at(HEADER, GroundPixel(width=own, height=1.5 * own), metres)
    for pixels, covered, side in ((grid.width, grid.across, own), (grid.height, grid.down, 1.5 * own)):
        assert pixels * covered <= 64 + 1e-9
        if pixels and not grid.is_the_files:
            assert covered * side == pytest.approx(metres, rel=0.05 / pixels)
            assert 64 - pixels * covered < metres / side
        assert pixels or 64 * side < metres


@pytest.mark.parametrize(("metres", "px"), [(10, 64), (10.05, 64), (9.95, 64), (20, 32), (30, 21), (640, 1), (700, 0)])
def test_pixels_that_fit(metres, px):
    grid = grid_at(HEADER, GroundPixel(width=10, height=10), metres)
    assert (grid.height, grid.width) == (px, px)


def test_an_edge_that_lacks_next_to_nothing_is_not_dropped():
    """64 pixels of 9.999 m lack 6 cm of 64 of 10 m: those are 9.999 m then."""
    grid = grid_at(HEADER, GroundPixel(width=9.999 / 2, height=9.999 / 2), 10.0)
    assert (grid.width, grid.across) == (32, 2.0)


def test_another_file_over_the_same_ground_gets_the_same_grid():
    other = lying(32633, from_origin(3e5, 5e6, 20, 20), px=32)
    grid = PixelGrid(height=21, width=21, across=3.0, down=3.0).over(HEADER, other)
    assert grid == PixelGrid(height=21, width=21, across=1.5, down=1.5)
    assert grid.placed(other.transform) == (30, 0, 3e5, 0, -30, 5e6)
    assert (grid.is_finer, grid.is_the_files) == (False, False)
