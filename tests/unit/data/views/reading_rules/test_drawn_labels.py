"""Polygons become masks: every pixel whose centre lies in one has its class."""

import json

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from shapely.geometry import LineString, Polygon

from terrasweep.data import files_state, stored
from terrasweep.data.find.sample_list import MASK
from terrasweep.data.inspect.checks import errors, warnings
from terrasweep.results.errors import DataError
from tests.composing import compose_trial
from tests.unit.data.labelled import TILES, lines, looked_at, masks_read, write_tiles
from tests.unit.data.rasters import NORTH_WEST, noise, write_raster

PX_M = 10
TILE_M = 32 * PX_M


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    return write_tiles(tmp_path / "tiles", None)


def triangle(random, width_m, height_m):
    """A triangle somewhere on the row of tiles."""
    west, north = NORTH_WEST[0] + random.uniform(0, width_m), NORTH_WEST[1] - random.uniform(0, height_m)
    return Polygon([(west + dx, north + dy) for dx, dy in random.uniform(-150, 150, (3, 2))])


def fields(names=("rye", "maize", "field 10", "field 9")):
    """Polygons of four classes over all six tiles."""
    random = np.random.default_rng(0)
    shapes = [triangle(random, 6 * TILE_M, TILE_M) for _ in range(24)]
    crops = [names[number % len(names)] for number in range(24)]
    return geopandas.GeoDataFrame({"crop": crops}, geometry=shapes, crs="EPSG:32633")


def by_points(frame, order, tile):
    """What shapely says of each pixel's centre: the number of the last polygon that has it."""
    rows, columns = np.mgrid[:32, :32] + 0.5
    easts = NORTH_WEST[0] + tile * TILE_M + columns * PX_M
    norths = NORTH_WEST[1] - rows * PX_M
    expected = np.zeros((32, 32), int)
    for shape, crop in zip(frame.geometry, frame["crop"], strict=True):
        expected[shapely.contains_xy(shape, easts, norths)] = order.index(crop)
    return expected


def equal(masks, expected):
    return all(np.array_equal(mask, expected(tile)) for tile, mask in masks.items())


NAMES = ["background", "field 9", "field 10", "maize", "rye"]


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "shp"])
def test_polygons_are_drawn_on_the_grid_of_each_tile(root, tmp_path, ending):
    frame = fields()
    frame.to_crs("EPSG:4326" if ending == "geojson" else frame.crs).to_file(tmp_path / f"fields.{ending}")
    key = f"data.labels.vector={tmp_path}/fields.{ending}"
    findings = looked_at(root, key)
    assert errors(findings) == []
    note = lines(findings, "note")[0]
    assert "24 polygons of 4 classes (by crop)" in note
    assert "classes: 0 background, 1 field 9, 2 field 10, 3 maize, 4 rye" in note
    masks = masks_read(root, key)
    assert sorted(np.unique(np.stack(list(masks.values())))) == [0, 1, 2, 3, 4]
    expected = {tile: by_points(frame, NAMES, tile) for tile in masks}
    # Corners that went to degrees and back are a nanometre off.
    assert all(np.array_equal(masks[tile], expected[tile]) for tile in masks)
    config = stored.complete(compose_trial("data=segmentation_folder", f"data.root={root}", key))
    assert (config.data.class_names, config.data.num_classes) == (NAMES, 5)


def test_a_file_below_the_root_counts_in_the_digest(root):
    fields().to_file(root / "fields.gpkg")
    keys = ["data.labels.vector=fields.gpkg", "data.labels.outside=ignore"]
    assert errors(looked_at(root, *keys)) == []
    order = NAMES[1:]
    filled = fields()
    for tile, mask in masks_read(root, *keys).items():
        inside = by_points(filled, NAMES, tile) > 0
        assert np.array_equal(mask[inside], by_points(filled, order, tile)[inside])
        assert (mask[~inside] == -1).all()
    before = stored.data_folder(compose_trial("data=segmentation_folder", f"data.root={root}", *keys))
    files_state.state_below.cache_clear()
    fields(("rye", "maize")).to_file(root / "fields.gpkg")
    assert stored.data_folder(compose_trial("data=segmentation_folder", f"data.root={root}", *keys)) != before


def test_classes_of_polygons_may_be_merged(root):
    fields().to_file(root / "fields.gpkg")
    keys = [
        "data.labels.vector=fields.gpkg",
        "data.labels.merge={other: [background, rye], field: ['field 9', 'field 10'], ignore: [maize]}",
    ]
    assert errors(looked_at(root, *keys)) == []
    assert equal(masks_read(root, *keys), lambda tile: np.array([0, 1, 1, -1, 0])[by_points(fields(), NAMES, tile)])


def test_scenes_are_drawn_before_they_are_cut_or_divided(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    root = tmp_path / "scenes"
    for scene in range(6):
        write_raster(root / "images" / f"{scene}.tif", noise(scene), place=(0, scene))
    fields().to_file(tmp_path / "fields.gpkg")
    keys = [f"data.labels.vector={tmp_path}/fields.gpkg", "data.split.by=fraction", "data.cut=true", "data.tile_px=16"]
    looked_at(root, *keys)
    listing = stored.read_listing(compose_trial("data=segmentation_folder", f"data.root={root}", *keys))
    assert sum(map(len, listing.names.values())) == 24
    for split, names in listing.names.items():
        for name in names:
            scene, row, column = int(name[0]), int(name[3:6]) * 16, int(name[8:11]) * 16
            with rasterio.open(listing.file(split, name, MASK)) as mask:
                expected = by_points(fields(), NAMES, scene)[row : row + 16, column : column + 16]
                assert np.array_equal(mask.read(1), expected)


def test_large_scenes_are_drawn_in_strips_as_at_once(root, monkeypatch):
    monkeypatch.setattr("terrasweep.data.views.class_raster._STRIP_PX", 7)
    fields().to_file(root / "fields.gpkg")
    looked_at(root, "data.labels.vector=fields.gpkg")
    masks = masks_read(root, "data.labels.vector=fields.gpkg")
    assert equal(masks, lambda tile: by_points(fields(), NAMES, tile))


def test_a_strip_between_the_centres_counts_where_all_touched_pixels_do(root):
    """A road of 4 m along the middle between two rows of centres."""
    north = NORTH_WEST[1] - 60
    road = LineString([(NORTH_WEST[0] + 5, north), (NORTH_WEST[0] + 6 * TILE_M - 5, north)]).buffer(2)
    geopandas.GeoDataFrame(geometry=[road], crs="EPSG:32633").to_file(root / "roads.gpkg")
    assert masks_read_of(root, "data.labels.vector=roads.gpkg").sum() == 0
    touched = masks_read_of(root, "data.labels.vector=roads.gpkg", "data.labels.all_touched=true")
    assert touched[5:7].all()
    assert touched.sum() == 64


def masks_read_of(root, *keys):
    looked_at(root, *keys)
    return masks_read(root, *keys)[2]


MISTAKES = {
    "no such column": (lambda root: fields(), ["data.labels.class_column=corp"], "use data.labels.class_column=crop"),
    "several columns": (
        lambda root: fields().assign(number=range(24)),
        [],
        r"it has 2 columns; .*class_column=crop \(4 values\), data.labels.class_column=number \(24 values\)",
    ),
    "a class is missing": (lambda root: fields((None, "rye")), [], "12 of 24 polygons of fields.gpkg have no class"),
    "no coordinate system": (lambda root: fields().set_crs(None, allow_override=True), [], "no coordinate system"),
    "no such layer": (lambda root: fields(), ["data.labels.layer=x"], "no such layer; use fields"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_the_file_are_one_line_with_the_way_out(root, mistake):
    frame, keys, told = MISTAKES[mistake]
    frame(root).to_file(root / "fields.gpkg")
    with pytest.raises(DataError, match=told) as refused:
        looked_at(root, "data.labels.vector=fields.gpkg", *keys)
    assert "\n" not in str(refused.value)
    assert ";" in str(refused.value)


def test_a_file_of_several_layers_has_one_chosen(root):
    for layer in ("2023", "2024"):
        fields().to_file(root / "fields.gpkg", layer=layer)
    with pytest.raises(DataError, match=r"2 layers; choose one: data.labels.layer=2023, data.labels.layer=2024"):
        looked_at(root, "data.labels.vector=fields.gpkg")
    assert errors(looked_at(root, "data.labels.vector=fields.gpkg", "data.labels.layer='2024'")) == []


def test_what_is_no_vector_file_is_refused(root):
    (root / "fields.gpkg").write_text("hello")
    with pytest.raises(DataError, match=r"can't be read.*use GeoPackage, GeoJSON"):
        looked_at(root, "data.labels.vector=fields.gpkg")


def test_images_without_a_place_are_refused(tmp_path, root):
    write_raster(root / "train" / "images" / "1.tif", noise(1), place=None)
    fields().to_file(root / "fields.gpkg")
    with pytest.raises(DataError, match=r"1.tif has no place on the ground"):
        looked_at(root, "data.labels.vector=fields.gpkg")


def test_polygons_that_lie_elsewhere_are_an_error(root):
    fields().translate(1e6, 0).to_frame("geometry").assign(crop="rye").to_file(root / "fields.gpkg")
    assert any(
        "none of its 24 polygons lies on an image" in line
        for line in errors(looked_at(root, "data.labels.vector=fields.gpkg"))
    )


def coco(root, annotations, **changes):
    names = [f"{split}/images/{tile}.tif" for split, tiles in TILES.items() for tile in tiles]
    images = [{"id": 100 + n, "file_name": name, "height": 32, "width": 32} for n, name in enumerate(names)]
    content = {
        "images": images,
        "categories": [{"id": 7, "name": "tree"}, {"id": 3, "name": "house"}],
        "annotations": [{"id": n, **one} for n, one in enumerate(annotations)],
    } | changes
    (root / "labels.json").write_text(json.dumps(content))


RING = [2.2, 3.1, 20.4, 5.0, 9.7, 27.3]


def test_coco_polygons_and_runs_are_drawn(root):
    blocks = np.zeros((32, 32), bool)
    blocks[4:9, 20:31] = blocks[20:25, 3:6] = True
    counts, value = [], False
    flat = blocks.T.reshape(-1)
    edges = np.flatnonzero(np.diff(np.concatenate([[value], flat, [not flat[-1]]]).astype(int)))
    counts = np.diff(np.concatenate([[0], edges])).tolist()
    coco(
        root,
        [
            {"image_id": 100, "category_id": 7, "segmentation": [RING, [25, 25, 30, 25, 30, 30, 25, 30]]},
            {"image_id": 100, "category_id": 3, "segmentation": {"size": [32, 32], "counts": counts}, "iscrowd": 1},
            {"image_id": 104, "category_id": 3, "segmentation": {"size": [32, 32], "counts": compressed(blocks)}},
        ],
    )
    findings = looked_at(root, "data.labels.vector=labels.json")
    assert warnings(findings)  # Few labels.
    masks = masks_read(root, "data.labels.vector=labels.json")
    rows, columns = np.mgrid[:32, :32] + 0.5
    tree = shapely.contains_xy(Polygon(np.reshape(RING, (3, 2))), columns, rows)
    tree[25:30, 25:30] = True
    expected = np.where(tree, 2, 0)
    expected[blocks] = 1
    assert np.array_equal(masks[0], expected)
    assert np.array_equal(masks[4], blocks.astype(int))
    assert not masks[1].any()
    assert "0 background, 1 house, 2 tree" in lines(findings, "note")[0]


def compressed(pixels):
    from pycocotools import mask

    return mask.encode(np.asfortranarray(pixels.astype(np.uint8)))["counts"].decode()


COCO_MISTAKES = {
    "boxes": ([{"image_id": 100, "category_id": 7, "bbox": [1, 1, 2, 2]}], {}, "boxes without a segmentation"),
    "an image too few": ([], {"images": [{"id": 100, "file_name": "0.tif"}]}, "1.tif is none of its 1 image"),
    "another size": (
        [],
        {"images": [{"id": 1, "file_name": f"{tile}.png", "height": 64, "width": 64} for tile in range(6)]},
        "0.tif has 32 x 32 pixels, and there 64 x 64",
    ),
    "no categories": ([], {"categories": [{}]}, "'id' is not there"),
}


@pytest.mark.parametrize("mistake", COCO_MISTAKES)
def test_mistakes_in_coco_files_are_one_line_with_the_way_out(root, mistake):
    annotations, changes, told = COCO_MISTAKES[mistake]
    coco(root, annotations, **changes)
    with pytest.raises(DataError, match=told) as refused:
        looked_at(root, "data.labels.vector=labels.json")
    assert ";" in str(refused.value)


def test_broken_json_is_refused(root):
    (root / "labels.json").write_text("{")
    with pytest.raises(DataError, match="it is no JSON"):
        looked_at(root, "data.labels.vector=labels.json")


def test_an_image_that_can_not_be_read_has_no_mask_and_the_others_have_theirs(root, tmp_path):
    frame = fields()
    frame.to_file(tmp_path / "fields.gpkg")
    key = f"data.labels.vector={tmp_path}/fields.gpkg"
    (root / "train/images/2.tif").write_text("no image")
    findings = looked_at(root, key)
    (line,) = errors(findings)
    assert line.startswith(f"data.root={root}: 1 sample of train can't be read, first 2: ")
    listing = stored.read_listing(compose_trial("data=segmentation_folder", f"data.root={root}", key))
    for name in ("0", "1", "3"):
        with rasterio.open(listing.file("train", name, MASK)) as mask:
            assert np.array_equal(mask.read(1), by_points(frame, NAMES, int(name)))
