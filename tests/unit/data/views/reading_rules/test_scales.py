"""Scales and offsets count where files differ in them."""

import numpy as np
import pytest
import rasterio

from tests.unit.data.rasters import classes, write_raster
from tests.unit.data.views.reading_rules.looking import look_at, places


def scenes(root, declared, dtype="uint16", **profile):
    """Reflectance of about 0.2, stored as a function of the number says: (scale, offset), values to fit."""
    physical = {}
    for number, (name, path) in enumerate(places(root).items()):
        scale, offset = declared(number)
        truth = np.random.default_rng(number).uniform(0.1, 0.3, (2, 32, 32))
        pixels = np.round((truth - offset) / scale).astype(dtype) if scale != 1 else truth.astype("float32")
        physical[name] = pixels * scale + offset
        write_raster(path, pixels, **profile)
        if (scale, offset) != (1, 0):
            with rasterio.open(path, "r+") as file:
                file.scales, file.offsets = (scale,) * 2, (offset,) * 2
    for number, path in enumerate(places(root, "masks").values()):
        write_raster(path, classes(number))
    return physical


@pytest.mark.parametrize("other", [(1e-4, -0.1), (1, 0)])
def test_files_that_differ_are_read_in_physical_units(root, other):
    """As Sentinel-2's offset since 2022, and as reflectance among stored integers."""
    physical = scenes(root, lambda number: other if number % 2 else (1e-4, 0.0))
    seen = look_at(root)
    assert "all are read as stored * scale + offset, in float32" in seen.lines("scales")[0]
    for name, values in physical.items():
        assert seen.pixels(name).dtype == np.float32
        assert seen.pixels(name).data == pytest.approx(values, abs=1e-6)
    assert seen.config.data.means == pytest.approx([0.2, 0.2], abs=0.01)
    assert "number-types" not in seen.rules


def test_no_data_stays_no_data(root):
    scenes(root, lambda number: (1e-4, -0.1) if number % 2 else (1e-4, 0.0), nodata=0)
    with rasterio.open(places(root)["b"], "r+") as file:
        pixels = file.read()
        pixels[:, :3] = 0
        file.write(pixels)
    mask = np.ma.getmaskarray(look_at(root, "data.no_data_replace=0").pixels("b"))
    assert np.array_equal(mask, np.broadcast_to(np.arange(32)[:, None] < 3, (2, 32, 32)))


def test_a_value_that_the_configuration_names_is_a_stored_one(root):
    physical = scenes(root, lambda number: (1e-4, -0.1) if number % 2 else (1e-4, 0.0))
    with rasterio.open(places(root)["b"], "r+") as file:
        pixels = file.read()
        pixels[:, :3] = 65535
        file.write(pixels)
    image = look_at(root, "data.no_data=65535", "data.no_data_replace=0").pixels("b")
    assert np.array_equal(np.ma.getmaskarray(image), np.broadcast_to(np.arange(32)[:, None] < 3, (2, 32, 32)))
    assert image.data[:, 3:] == pytest.approx(physical["b"][:, 3:], abs=1e-6)


def test_files_that_agree_keep_their_stored_values(root):
    scenes(root, lambda number: (1e-4, 0.0))
    seen = look_at(root)
    assert (seen.rules, seen.viewed) == (set(), set())
    assert seen.config.data.means == pytest.approx([2000, 2000], rel=0.05)


def test_a_tag_that_some_files_lost_is_not_applied(root):
    scenes(root, lambda number: (1e-4, 0.0))
    with rasterio.open(places(root)["c"], "r+") as file:
        file.scales, file.offsets = (1.0, 1.0), (0.0, 0.0)
    seen = look_at(root)
    assert ({(f.rule, f.level) for f in seen.findings}, seen.viewed) == ({("scales", "warning")}, set())
    assert "scale 0.0001 offset 0 in 5 files, none in 1 file" in seen.lines("scales")[0]


def test_a_stored_value_that_stands_for_nothing_is_found_before_it_is_scaled(root):
    """Scaled with two offsets it is two numbers, neither of which stands alone."""
    physical = scenes(root, lambda number: (1e-4, -0.1) if number % 2 else (1e-4, 0.0), dtype="int16")
    for path in places(root).values():
        with rasterio.open(path, "r+") as file:
            pixels = file.read()
            pixels[1, :3] = -9999
            file.write(pixels)
    (line,) = look_at(root).lines("undeclared-no-data")
    assert "9.4 % of the stored pixels of a band are -9999 (first in a.tif), far from all others" in line
    keys = ["data.no_data=-9999", "data.no_data_replace=0.198"]
    assert " ".join(keys) in line
    seen = look_at(root, *keys)
    assert seen.rules == {"scales"}
    left = [physical[name][1, 3:] for name in "abcd"]
    assert seen.config.data.means[1] == pytest.approx(np.mean(left), abs=1e-5)
    assert "undeclared-no-data" not in look_at(root, "data.no_data=nan").rules


def test_targets_of_two_scales_are_read_in_one(root):
    scenes(root, lambda number: (1e-4, 0.0))
    heights = {}
    for number, (name, path) in enumerate(places(root, "targets").items()):
        scale = 0.01 if number % 2 else 0.1
        heights[name] = np.random.default_rng(number).integers(1, 90, (1, 32, 32)).astype("int16") * 10
        write_raster(
            path, (heights[name] / (scale * 100)).round().astype("int16") if number % 2 == 0 else heights[name]
        )
        with rasterio.open(path, "r+") as file:
            file.scales = (scale,)
    seen = look_at(root, "task=regression", "data=regression_folder")
    for name, stored in heights.items():
        assert seen.pixels(name, "mask").data == pytest.approx(stored * 0.01, abs=1e-5)


def test_a_file_that_is_zero_all_over_does_not_say_that_a_declaration_was_lost(root):
    """As a tile beyond the edge of a scene: nothing is as large as 0."""
    physical = scenes(root, lambda number: (1e-4, 0.0))
    write_raster(places(root)["c"], np.zeros((2, 32, 32), np.uint16))
    seen = look_at(root)
    assert "all are read as stored * scale + offset, in float32" in seen.lines("scales")[0]
    assert seen.pixels("a").data == pytest.approx(physical["a"], abs=1e-6)
    assert not seen.pixels("c").data.any()


def test_a_damaged_file_does_not_hide_that_a_tag_was_lost(root):
    scenes(root, lambda number: (1e-4, 0.0))
    for name in "ac":
        write_raster(places(root)[name], np.random.default_rng(0).integers(1000, 3000, (2, 32, 32), np.uint16))
    damaged = places(root)["c"]
    damaged.write_bytes(damaged.read_bytes()[:2000])  # Its header is whole.
    seen = look_at(root)
    assert ([finding.level for finding in seen.findings if finding.rule == "scales"], seen.viewed) == (
        ["warning"],
        set(),
    )
    assert "unreadable" in seen.rules
