"""Cutting loses no pixel, moves none, and leaves each tile where it was on the ground."""

import numpy as np
import pytest
import rasterio

from terrasweep.data.find.sample_list import MASK, find_samples
from terrasweep.data.find.splits import divide
from terrasweep.data.find.tiles import cut_scenes
from terrasweep.results.errors import DataError
from tests.composing import compose_trial
from tests.unit.data.rasters import classes, noise, write_raster


def scene(tmp_path, place, px=96):
    write_raster(tmp_path / "images" / "chip_S2.tif", noise(1, 3, px), place=place, nodata=-9999.0)
    write_raster(tmp_path / "masks" / "chip_label.tif", classes(1, px=px), place=place)
    settings = compose_trial("data=segmentation_folder", f"data.root={tmp_path}", "data.split.by=blocks")
    return settings, find_samples(settings, tmp_path)


@pytest.mark.parametrize("lazily", [False, True])
@pytest.mark.parametrize("place", [(0, 0), None])
def test_tiles_put_together_are_the_scene(lazily, tmp_path, place):
    _, listing = scene(tmp_path, place)
    tiles = cut_scenes(listing, 32, tmp_path / "cut", lazily=lazily)
    assert tiles.names["all"] == [f"chip_r{row:03d}_c{column:03d}" for row in range(3) for column in range(3)]
    for kind, folder in (("image", "images/chip_S2.tif"), (MASK, "masks/chip_label.tif")):
        rows = []
        for row in range(3):
            files = [tiles.file("all", f"chip_r{row:03d}_c{column:03d}", kind) for column in range(3)]
            rows.append(np.concatenate([rasterio.open(file).read() for file in files], axis=2))
        assert np.array_equal(np.concatenate(rows, axis=1), rasterio.open(tmp_path / folder).read())


@pytest.mark.parametrize("lazily", [False, True])
def test_tiles_keep_their_place_type_and_no_data_value(lazily, tmp_path):
    _, listing = scene(tmp_path, (0, 0))
    tiles = cut_scenes(listing, 32, tmp_path / "cut", lazily=lazily)
    with (
        rasterio.open(tmp_path / "images" / "chip_S2.tif") as whole,
        rasterio.open(tiles.file("all", "chip_r001_c002", "image")) as tile,
    ):
        assert tile.xy(0, 0) == pytest.approx(whole.xy(32, 64))
        assert (tile.dtypes, tile.nodata, tile.crs) == (whole.dtypes, whole.nodata, whole.crs)


@pytest.mark.parametrize("lazily", [False, True])
@pytest.mark.parametrize("place", [(0, 0), None])
def test_tiles_of_a_scene_can_be_divided_in_blocks(lazily, tmp_path, place):
    settings, listing = scene(tmp_path, place, px=8 * 16)
    parts = divide(cut_scenes(listing, 16, tmp_path / "cut", lazily=lazily), settings).names
    assert sum(map(len, parts.values())) == 64
    where = {name: split for split, names in parts.items() for name in names}
    squares = {}
    for name, split in where.items():
        squares.setdefault((int(name[6:9]) // 2, int(name[11:14]) // 2), set()).add(split)
    assert len(squares) == 16
    assert all(len(splits) == 1 for splits in squares.values())


@pytest.mark.parametrize("lazily", [False, True])
def test_what_is_left_over_is_dropped(lazily, tmp_path):
    _, listing = scene(tmp_path, (0, 0), px=70)
    assert len(cut_scenes(listing, 32, tmp_path / "cut", lazily=lazily).names["all"]) == 4


def test_scenes_that_do_not_fit_are_refused(tmp_path):
    _, listing = scene(tmp_path, (0, 0), px=40)
    with pytest.raises(DataError, match=r"data\.tile_px=64 .* has 40 x 40 pixels"):
        cut_scenes(listing, 64, tmp_path / "cut")
    write_raster(tmp_path / "masks" / "chip_label.tif", classes(1, px=20))
    with pytest.raises(DataError, match=r"differ in pixels: chip_S2\.tif 40 x 40, chip_label\.tif 20 x 20"):
        cut_scenes(listing, 20, tmp_path / "cut")
