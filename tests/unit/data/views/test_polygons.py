"""Polygons with classes: which file, column and order, and where they are drawn."""

import geopandas
import numpy as np
import pytest
import rasterio
from rasterio import Affine
from shapely.geometry import box

from terrasweep.config.data import LabelsConfig
from terrasweep.data.views.headers import read_header
from terrasweep.data.views.polygons import GroundPolygons, draw
from terrasweep.data.views.view import whole_file
from tests.unit.data.rasters import NORTH_WEST, noise, write_raster


def squares(columns):
    west, north = NORTH_WEST
    shapes = [box(west + 40 * place, north - 90, west + 40 * place + 60, north - 20) for place in range(3)]
    return geopandas.GeoDataFrame(columns, geometry=shapes, crs="EPSG:32633")


@pytest.fixture
def grid(tmp_path):
    return whole_file(read_header(write_raster(tmp_path / "image.tif", noise(0, bands=1, px=16))))


def test_the_only_column_that_is_no_number_of_rows_has_the_classes(tmp_path):
    squares({"id": [7, 8, 9], "code": [10.0, 9.0, 10.0]}).to_file(tmp_path / "squares.geojson")
    polygons = GroundPolygons(tmp_path / "squares.geojson", LabelsConfig())
    assert (polygons.column, polygons.classes, polygons.count) == ("code", ["9", "10"], 3)
    given = GroundPolygons(tmp_path / "squares.geojson", LabelsConfig(class_column="id"))
    assert given.classes == ["7", "8", "9"]


def test_polygons_without_columns_are_of_one_class_by_the_files_name(tmp_path, grid):
    squares({}).to_file(tmp_path / "buildings.gpkg")
    polygons = GroundPolygons(tmp_path / "buildings.gpkg", LabelsConfig())
    assert (polygons.column, polygons.classes) == ("", ["buildings"])
    shapes, transform = polygons.on(tmp_path / "image.tif", grid)
    assert [name for _, name in shapes] == ["buildings"] * 3
    assert transform == Affine(*grid.transform)


def test_only_what_lies_on_an_image_is_drawn_in_the_files_order(tmp_path, grid):
    frame = squares({"kind": ["b", "a", "b"]})
    frame.loc[0, "geometry"] = box(0, 0, 1, 1)
    frame.to_file(tmp_path / "s.gpkg")
    shapes, _ = GroundPolygons(tmp_path / "s.gpkg", LabelsConfig()).on(tmp_path / "image.tif", grid)
    assert [name for _, name in shapes] == ["a", "b"]


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_a_later_polygon_lies_over_an_earlier_one(tmp_path, grid, order):
    shapes = {"a": box(0, 0, 4, 4), "b": box(2, 2, 8, 8)}
    target = tmp_path / "drawn.tif"
    numbers = {"a": 1, "b": 2}
    how = {"dtype": "int16", "all_touched": False}
    draw([(shapes[name], name) for name in order], Affine.identity(), grid, numbers, -1, target, **how)
    expected = np.full((16, 16), -1)
    for name in order:
        west, north, east, south = map(int, shapes[name].bounds)
        expected[north:south, west:east] = numbers[name]
    with rasterio.open(target) as drawn:
        assert np.array_equal(drawn.read(1), expected)
