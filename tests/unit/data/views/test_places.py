"""Coordinate systems as the rules compare them."""

import pytest
from rasterio.crs import CRS

from terrasweep.data.views.places import METRES_PER_DEGREE, is_same_system, unit

SITE = 'LOCAL_CS["site",UNIT["metre",1]]'
"""A system that nobody can bring to another."""


def wkt(code):
    return CRS.from_epsg(code).to_wkt()


@pytest.mark.parametrize(
    ("code", "name", "metres", "is_geographic"),
    [
        (32633, "metres", 1.0, False),
        (4326, "degrees", METRES_PER_DEGREE, True),
        (2227, "US survey foot", pytest.approx(0.3048006), False),
    ],
)
def test_units(code, name, metres, is_geographic):
    found = unit(wkt(code))
    assert (found.system, found.name, found.metres, found.is_geographic) == (
        f"EPSG:{code}",
        name,
        metres,
        is_geographic,
    )


@pytest.mark.parametrize("text", ["", "no system", SITE])
def test_what_nobody_knows_has_no_metres(text):
    assert unit(text).metres is None
    assert not is_same_system(text, wkt(4326))


def test_one_system_may_be_written_otherwise():
    assert is_same_system(wkt(32633), CRS.from_epsg(32633).to_wkt(version="WKT2_2019"))
    assert not is_same_system(wkt(32633), wkt(32632))
