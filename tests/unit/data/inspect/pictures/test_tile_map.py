"""Tiles lie on the map where their transforms say, in the colours of their splits."""

import re

import pytest

from terrasweep.data.find.tiles import SCENE
from terrasweep.data.inspect.pictures.tile_map import WIDTH, tile_maps
from terrasweep.data.views.headers import Header, read_header
from tests.unit.data.rasters import noise, write_raster


def rectangles(tile_map, split):
    """West, north, width and height in the drawing."""
    found = re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h-\3z", tile_map.outlines.get(split, ""))
    return [tuple(map(float, numbers)) for numbers in found]


def header(crs, transform, tags=()):
    plain = {"dtypes": ("uint8",), "no_data": (None,), "names": ("",), "scales": (1.0,), "offsets": (0.0,)}
    return Header(
        file="a.tif", driver="GTiff", height=10, width=10, colours=("gray",), crs=crs, transform=transform, tags=tags,
        **plain,
    )  # fmt: skip


def test_a_mosaic_is_drawn_as_it_lies(tmp_path):
    places = {(0, 0): "train", (0, 1): "val", (1, 0): "train", (2, 3): "test"}
    tiles = [
        (split, read_header(write_raster(tmp_path / f"{place}.tif", noise(0), place=place)))
        for place, split in places.items()
    ]
    (found,) = tile_maps(tiles, SCENE)
    side = WIDTH / 4
    assert rectangles(found, "train") == [(0, 0, side, side), (0, side, side, side)]
    assert rectangles(found, "val") == [(side, 0, side, side)]
    assert rectangles(found, "test") == [(3 * side, 2 * side, side, side)]
    assert found.height == 3 * side
    assert found.tiles == {"train": 2, "val": 1, "test": 1}
    assert found.corners[0].endswith("E")


def test_several_systems_are_brought_to_longitude_and_latitude():
    west = header("EPSG:32632", (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_400_000.0))
    east = header("EPSG:32633", (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_400_000.0))
    (found,) = tile_maps([("train", west), ("val", east)], SCENE)
    ((left, *_),), ((right, *_),) = rectangles(found, "train"), rectangles(found, "val")
    assert left == 0
    assert right == pytest.approx(WIDTH, abs=1)
    assert found.corners == ("48.753° N, 9.000° E", "48.752° N, 15.001° E")


def test_scenes_without_a_system_have_a_map_each_and_photos_none():
    tiles = [
        ("train", header("", (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), ((SCENE, "a.png"),))),
        ("val", header("", (1.0, 0.0, 10.0, 0.0, -1.0, 0.0), ((SCENE, "a.png"),))),
        ("train", header("", (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), ((SCENE, "b.png"),))),
        ("train", header("", None)),
    ]
    assert [(found.title, found.tiles) for found in tile_maps(tiles, SCENE)] == [
        ("a.png", {"train": 1, "val": 1}),
        ("b.png", {"train": 1}),
    ]
    assert tile_maps(tiles[-1:], SCENE) == []


def test_tiles_far_from_each_other_are_still_seen():
    tiles = [("train", header("EPSG:4326", (1e-5, 0.0, x, 0.0, -1e-5, 50.0))) for x in (-120.0, 140.0)]
    (found,) = tile_maps(tiles, SCENE)
    assert all(width >= 5 and height >= 5 for _, _, width, height in rectangles(found, "train"))


def test_tiles_without_degrees_are_left_out_where_there_are_several_systems():
    site = ("train", header('LOCAL_CS["site",UNIT["metre",1]]', (10.0, 0.0, 0.0, 0.0, -10.0, 0.0)))
    tile = ("val", header("EPSG:32632", (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_400_000.0)))
    (found,) = tile_maps([site, tile], SCENE)
    assert (found.tiles, found.corners[0]) == ({"val": 1}, "48.753° N, 9.000° E")
    (alone,) = tile_maps([site], SCENE)
    assert alone.tiles == {"train": 1}
