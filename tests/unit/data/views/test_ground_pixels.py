"""Pixels in metres on the ground, by the spherical Earth and the definitions of the projections."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.transform import from_origin

from terrasweep.data.views.ground_pixels import GroundPixel, ground_pixels, utm_zone
from terrasweep.data.views.headers import Header
from tests.unit.data.rasters import NORTH_WEST

DEGREE = 111_195.0
EQUATOR_M = 2 * math.pi * 6_378_137.0


def lying(code, transform, px=32):
    """The header of a file that nobody has to write."""
    return Header(
        file="a.tif",
        driver="GTiff",
        height=px,
        width=px,
        dtypes=("uint8",),
        no_data=(None,),
        names=("",),
        scales=(1.0,),
        offsets=(0.0,),
        colours=("gray",),
        crs=CRS.from_epsg(code).to_wkt() if code else "",
        transform=None if transform is None else tuple(transform)[:6],
    )


def in_mercator(latitude, metres):
    north = EQUATOR_M / (2 * math.pi) * math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2))
    return lying(3857, from_origin(1e6, north + 16 * metres, metres, metres))


@pytest.mark.parametrize(
    ("header", "width", "height"),
    [
        (lying(32633, from_origin(*NORTH_WEST, 10, 10)), 10, 10),
        (lying(32633, from_origin(*NORTH_WEST, 10, 20)), 10, 20),
        (lying(32633, Affine.translation(*NORTH_WEST) @ Affine.rotation(30) @ Affine.scale(10, -20)), 10, 20),
        (lying(2227, from_origin(6e6, 2e6, 10, 10)), 3.048006, 3.048006),
        (lying(4326, from_origin(12, 60.016, 0.001, 0.001)), DEGREE / 2e3, DEGREE / 1e3),
        (lying(4326, from_origin(179.99, 0.016, 0.001, 0.001)), DEGREE / 1e3, DEGREE / 1e3),
        (in_mercator(60, 10), 5, 5),
        (in_mercator(0, 10), 10, 10),
    ],
    ids=["UTM", "oblong", "turned", "feet", "degrees", "at the date line", "Mercator at 60", "Mercator at 0"],
)
def test_sides_in_metres(header, width, height):
    (found,) = ground_pixels([header])
    assert (found.width, found.height) == (pytest.approx(width, rel=0.006), pytest.approx(height, rel=0.006))


def test_a_projections_own_metres_count_as_they_are_written():
    """The true scale of UTM, 0.9996 to 1.001, would make 30.01 m of 30."""
    assert ground_pixels([lying(32633, from_origin(*NORTH_WEST, 30, 30))]) == [GroundPixel(width=30.0, height=30.0)]


def test_files_without_a_place_have_no_size():
    nowhere = [None, lying(32633, None), lying(None, from_origin(0, 0, 1, 1)), lying(32633, Affine(0, 0, 1, 0, 0, 1))]
    here = lying(32633, from_origin(*NORTH_WEST, 10, 10))
    assert ground_pixels([*nowhere, here, nowhere[0]]) == [*[None] * 4, GroundPixel(width=10, height=10), None]


def test_upper_and_lower_edge_differ_by_the_cosine():
    header = lying(4326, from_origin(12, 64, 0.125, 0.125))
    upper, lower = (ground_pixels([header], down)[0].width for down in (0.0, 1.0))
    assert upper / lower == pytest.approx(math.cos(math.radians(64)) / math.cos(math.radians(60)), rel=1e-4)


@given(st.floats(-79, 79), st.floats(-179, 179))
@settings(max_examples=30, deadline=None)
def test_a_zone_is_six_degrees_wide(latitude, longitude):
    zone = int(utm_zone(lying(4326, from_origin(longitude - 0.016, latitude + 0.016, 0.001, 0.001)))[-2:])
    assert abs(longitude - (6 * zone - 183)) <= 3 + 1e-9


def test_zones_of_the_south_and_of_files_in_metres():
    assert utm_zone(lying(4326, from_origin(12, -45, 0.001, 0.001))) == "EPSG:32733"
    assert utm_zone(lying(32633, from_origin(*NORTH_WEST, 10, 10))) == "EPSG:32633"


@pytest.mark.parametrize(("width", "height", "text"), [(10, 10.05, "10.02 m"), (5.5601, 11.119, "5.56 x 11.12 m")])
def test_how_a_size_reads(width, height, text):
    assert str(GroundPixel(width=width, height=height)) == text
    square = GroundPixel(width=height, height=height)
    assert GroundPixel(width=width, height=height).factor(square) == pytest.approx(height / width)


def test_metres_of_another_planet_count_as_they_are_written():
    """No degrees of the Earth are known of them."""
    there = CRS.from_proj4("+proj=eqc +lat_ts=60 +R=1737400 +units=m +no_defs")
    header = replace(lying(None, from_origin(1e5, 1e5, 10, 20)), crs=there.to_wkt())
    assert ground_pixels([header]) == [GroundPixel(width=10.0, height=20.0)]
