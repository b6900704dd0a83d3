"""Images of a set show the ground at one scale, or somebody says that they need not."""

import json
from dataclasses import replace

import pytest
from rasterio import Affine
from rasterio.transform import from_origin

from terrasweep.data import stored
from terrasweep.data.inspect.checks import errors, find_problems, warnings
from terrasweep.data.prepare import prepare_data
from tests.unit.data.rasters import NORTH_WEST, classes, noise, write_raster
from tests.unit.data.views.reading_rules.looking import look_at, places

DEGREE = 111_195.0


def tiles(root, profile, px=lambda number: 32):
    for number, (name, path) in enumerate(places(root).items()):
        write_raster(path, noise(number, px=px(number)), **profile(number))
        write_raster(places(root, "masks")[name], classes(number, px=px(number)), **profile(number))


def projected(metres, crs="EPSG:32633"):
    return {"crs": crs, "transform": from_origin(*NORTH_WEST, metres, metres)}


def geographic(width, height, latitude=45.0):
    """Pixels of as many metres at a latitude."""
    across, down = 2 * width / DEGREE, height / DEGREE  # The cosine is a half at 60 degrees.
    assert latitude == 60
    return {"crs": "EPSG:4326", "transform": from_origin(12, latitude + 16 * down, across, down)}


def said(seen):
    return {(finding.rule, finding.level) for finding in seen.findings}


def test_much_different_sizes_are_an_error_with_the_keys(root):
    tiles(root, lambda number: projected(30.0 if number == 1 else 10.05 if number == 2 else 10.0))
    seen = look_at(root)
    assert said(seen) == {("pixel-size", "error")}
    (line,) = seen.lines("pixel-size")
    assert "pixels have 2 sizes on the ground, 10 m in 5 files (first a.tif), 30 m in 1 file (first b.tif); " in line
    assert "set data.pixel_size=10 data.cut=lazily data.tile_px=32 to read all files at the most common one" in line
    assert "or data.pixel_size=as_stored to read them as they lie" in line


def test_tiles_of_one_size_on_the_ground_have_one_scale_once_they_are_resized(root):
    """As they have to be, since a batch takes one shape; cut, they would have two scales."""
    tiles(root, lambda number: projected(20.0 if number == 1 else 10.0), lambda number: 16 if number == 1 else 32)
    seen = look_at(root)
    assert said(seen) == {("pixel-size", "note"), ("shapes", "error")}
    (line,) = seen.lines("pixel-size")
    assert line.endswith("they cover ground of one size: data.resize_px or data.pixel_size=10 reads all at one scale")
    assert said(look_at(root, "data.resize_px=32")) == {("pixel-size", "note")}
    assert said(look_at(root, "data.cut=lazily", "data.tile_px=16")) == {("pixel-size", "error")}


@pytest.mark.parametrize(("metres", "level"), [(10.05, None), (12.4, "warning"), (12.6, "error"), (7.9, "error")])
def test_the_factor_from_which_on_it_is_an_error(root, metres, level):
    tiles(root, lambda number: projected(metres if number == 1 else 10.0))
    assert said(look_at(root)) == ({("pixel-size", level)} if level else set())


def test_files_may_be_read_as_they_lie(root):
    tiles(root, lambda number: projected(30.0 if number == 1 else 10.0))
    seen = look_at(root, "data.pixel_size=as_stored")
    assert (said(seen), seen.viewed) == ({("pixel-size", "note")}, set())
    assert "10 m in 5 files (first a.tif), 30 m in 1 file" in seen.lines("pixel-size")[0]


def test_what_an_earlier_version_listed_with_a_warning_goes_on(root):
    """A study's listing keeps what it says, also where the files are looked at once more."""
    tiles(root, lambda number: projected(30.0 if number == 1 else 10.0))
    seen = look_at(root)
    config = replace(seen.config, data=replace(seen.config.data, means=None, stds=None))
    file = stored.listing_file(config)
    listed = json.loads(file.read_text())
    assert errors(seen.findings) == [listed["remarks"][0]["line"]]
    listed["remarks"] = [{"rule": "pixel-size", "level": "warning", "line": "pixels have 2 sizes"}]
    file.write_text(json.dumps(listed))
    stored.survey_file(config).unlink()
    prepare_data(config)
    findings = find_problems(stored.read_survey(config), config)
    assert (errors(findings), warnings(findings)) == ([], ["pixels have 2 sizes"])


def test_zones_of_one_projection_are_normal(root):
    tiles(root, lambda number: projected(10.0, f"EPSG:326{30 + number}"))
    assert look_at(root).rules == set()


def test_degrees_of_as_many_metres_are_a_note(root):
    tiles(root, lambda number: geographic(10, 10.2, 60) if number == 4 else projected(10.0))
    seen = look_at(root)
    assert said(seen) == {("coordinate-systems", "note")}
    (line,) = seen.lines("coordinate-systems")
    assert "EPSG:32633 in 5 files, EPSG:4326 in 1 file" in line
    assert "10 m in 5 files (first a.tif)" in line


def test_degrees_that_are_narrower_than_metres_are_an_error(root):
    tiles(root, lambda number: geographic(5, 10, 60) if number == 4 else projected(10.0))
    seen = look_at(root)
    assert said(seen) == {("coordinate-systems", "note"), ("pixel-size", "error")}
    assert "10 m in 5 files (first a.tif), 5 x 10 m in 1 file (first e.tif)" in seen.lines("pixel-size")[0]


def test_one_grid_over_many_latitudes_is_read_as_it_lies(root):
    """As sets have it that are stored in degrees all over the world."""
    tiles(root, lambda number: {"crs": "EPSG:4326", "transform": from_origin(12, 12.0 * number, 1e-4, 1e-4)})
    seen = look_at(root)
    assert (said(seen), seen.viewed) == ({("pixel-size", "note")}, set())
    (line,) = seen.lines("pixel-size")
    assert "all files have one coordinate system and one pixel size in it" in line
    assert "data.pixel_size=11.12 data.cut=lazily data.tile_px=16 reads all at one size" in line
    tiles(root, lambda number: {"crs": "EPSG:4326", "transform": from_origin(12, 7.0 * number, 1e-4, 1e-4)})
    assert look_at(root).rules == set()


def test_metres_of_web_mercator_are_those_of_its_latitude(root):
    """At 60 degrees, 20 of them are 10 m."""
    north = 8_399_737.9
    mercator = {"crs": "EPSG:3857", "transform": from_origin(1e6, north + 320, 20, 20)}
    tiles(root, lambda number: mercator if number == 3 else projected(10.0))
    assert look_at(root).rules == set()


def test_files_without_a_place_are_not_compared(root):
    for number, (name, path) in enumerate(places(root).items()):
        write_raster(path, noise(number), place=None if number == 1 else (0, number))
        write_raster(places(root, "masks")[name], classes(number), place=None)
    assert look_at(root).rules == set()


def test_files_that_are_mirrored_against_others_are_a_warning(root):
    """As netCDF's are, which count latitudes up; all alike, they say nothing."""
    south_up = {"crs": "EPSG:32633", "transform": Affine(10, 0, NORTH_WEST[0], 0, 10, NORTH_WEST[1] - 320)}
    tiles(root, lambda number: south_up if number == 2 else projected(10.0))
    seen = look_at(root)
    assert said(seen) == {("mirrored", "warning")}
    (line,) = seen.lines("mirrored")
    assert "1 file of 6 with the first row in the south (first c.tif), mirrored against the others" in line
    assert line.endswith("gdalwarp c.tif c_north_up.tif")
    tiles(root, lambda _: south_up)
    assert look_at(root).rules == set()
