"""Images of a set show the ground at one scale."""

import pytest
from rasterio.transform import from_origin

from terrasweep.data.views.headers import read_header
from terrasweep.data.views.rules.pixel_sizes import pixel_metres
from tests.unit.data.rasters import NORTH_WEST, classes, noise, write_raster
from tests.unit.data.views.rules.looking import look_at, places


def tiles(root, profile):
    for number, (name, path) in enumerate(places(root).items()):
        write_raster(path, noise(number), **profile(number))
        write_raster(places(root, "masks")[name], classes(number), **profile(number))


def projected(metres, crs="EPSG:32633"):
    return {"crs": crs, "transform": from_origin(*NORTH_WEST, metres, metres)}


def geographic(degrees):
    return {"crs": "EPSG:4326", "transform": from_origin(12, 45, degrees, degrees)}


def test_several_pixel_sizes_are_a_warning(root):
    tiles(root, lambda number: projected(30.0 if number == 1 else 10.05 if number == 2 else 10.0))
    seen = look_at(root)
    assert {(finding.rule, finding.level) for finding in seen.findings} == {("pixel-size", "warning")}
    assert "pixels have 2 sizes on the ground (10 m in 5 files, 30 m in 1 file)" in seen.lines("pixel-size")[0]


def test_zones_of_one_projection_are_normal(root):
    tiles(root, lambda number: projected(10.0, f"EPSG:326{30 + number}"))
    assert look_at(root).rules == set()


def test_degrees_beside_metres_are_a_warning(root):
    tiles(root, lambda number: geographic(10 / 111_195) if number == 4 else projected(10.0))
    seen = look_at(root)
    assert seen.rules == {"coordinate-systems"}
    assert "EPSG:32633 in 5 files, EPSG:4326 in 1 file" in seen.lines("coordinate-systems")[0]


@pytest.mark.parametrize(
    ("profile", "metres"),
    [(projected(10.0), 10.0), (geographic(0.001), 111.195), (projected(10.0, "EPSG:2227"), 10 * 0.3048006)],
)
def test_metres_of_a_pixel(profile, metres, tmp_path):
    """EPSG:2227 measures in US survey feet."""
    header = read_header(write_raster(tmp_path / "a.tif", noise(0), **profile))
    assert pixel_metres(header) == pytest.approx(metres, rel=1e-6)


def test_files_without_a_place_have_no_size(tmp_path):
    assert pixel_metres(read_header(write_raster(tmp_path / "a.tif", noise(0), place=None))) is None
