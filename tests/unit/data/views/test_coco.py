"""COCO's JSON: images by their files' names, shapes in pixels."""

import json

import numpy as np
import pytest
from rasterio.features import rasterize

from terrasweep.data.views.coco import CocoPolygons, read_coco
from terrasweep.data.views.headers import read_header
from terrasweep.data.views.view import whole_file
from terrasweep.results.errors import DataError
from tests.unit.data.rasters import noise, write_raster


def content(segmentations, names=("scenes/a.png",)):
    return {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(names)],
        "categories": [{"id": 12, "name": "tree"}, {"id": 2, "name": "house"}],
        "annotations": [{"image_id": 0, "category_id": 12, "segmentation": one} for one in segmentations],
    }


@pytest.fixture
def grid(tmp_path):
    return whole_file(read_header(write_raster(tmp_path / "a.tif", noise(0, bands=1, px=8))))


def test_only_coco_is_read_as_such(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"type": "FeatureCollection", "features": []}))
    (tmp_path / "b.json").write_text("\ufeff" + json.dumps(content([])))
    (tmp_path / "c.gpkg").write_text("")
    assert read_coco(tmp_path / "a.json") is None
    assert read_coco(tmp_path / "c.gpkg") is None
    assert read_coco(tmp_path / "b.json").classes == ["house", "tree"]


def test_runs_go_down_the_columns(tmp_path, grid):
    """Four pixels of the first column, from the third row on, and one of the last."""
    coco = CocoPolygons(tmp_path / "x.json", content([{"size": [8, 8], "counts": [2, 4, 57, 1]}]))
    shapes, transform = coco.on(tmp_path / "a.png", grid)
    assert {name for _, name in shapes} == {"tree"}
    drawn = rasterize([(shape, 1) for shape, _ in shapes], (8, 8), transform=transform)
    expected = np.zeros((8, 8), int)
    expected[2:6, 0] = expected[7, 7] = 1
    assert np.array_equal(drawn, expected)


def test_a_name_without_its_ending_is_enough_where_it_is_of_one_image(tmp_path, grid):
    one = CocoPolygons(tmp_path / "x.json", content([[[0, 0, 4, 0, 4, 4]]]))
    assert len(one.on(tmp_path / "a.tif", grid)[0]) == 1
    two = CocoPolygons(tmp_path / "x.json", content([], ("a.png", "b/a.jpg")))
    with pytest.raises(DataError, match=r"a.tif is none of its 2 images \(by file_name\)"):
        two.on(tmp_path / "a.tif", grid)


def test_lines_of_two_corners_are_no_area(tmp_path, grid):
    coco = CocoPolygons(tmp_path / "x.json", content([[[0, 0, 4, 0], [0, 0, 4, 0, 4, 4]]]))
    assert len(coco.on(tmp_path / "a.png", grid)[0]) == 1
