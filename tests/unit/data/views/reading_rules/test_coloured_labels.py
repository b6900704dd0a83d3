"""Masks in colours: the first look gives the key to copy, and with it each colour is its class."""

import re

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from terrasweep.data import stored
from terrasweep.data.inspect.checks import errors, warnings
from tests.composing import compose_trial
from tests.unit.data.labelled import TILES, lines, looked_at, masks_read, write_tiles
from tests.unit.data.rasters import NORTH_WEST, classes, noise, write_raster

COLOURS = np.array([[0, 0, 0], [0, 0, 255], [255, 0, 0], [0, 200, 0]], np.uint8)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    return tmp_path / "tiles"


def coloured(tile, number=3):
    return COLOURS[classes(tile, number)[0]].transpose(2, 0, 1)


def equal(masks, expected):
    return all(np.array_equal(mask, expected(tile)) for tile, mask in masks.items())


def keys_in(line):
    return re.findall(r"data\.labels\.[a-z_]+=(?:{[^}]*}|\d+)", line)


def test_the_colours_are_offered_and_read(root):
    write_tiles(root, coloured)
    (line,) = errors(looked_at(root))
    assert "masks are in colours, and show classes by 3 colours" in line
    keys = keys_in(line)
    assert keys == ["data.labels.colours={0: [0, 0, 0], 1: [0, 0, 255], 2: [255, 0, 0]}"]
    findings = looked_at(root, *keys)
    assert errors(findings) == []
    assert "masks in colours are read as classes" in lines(findings, "note")[0]
    assert equal(masks_read(root, *keys), lambda tile: classes(tile)[0])


def test_names_number_the_classes_and_may_be_merged_or_ignored(root):
    write_tiles(root, lambda tile: coloured(tile, 4), ".tif")
    key = "data.labels.colours={road: [255, 0, 0], sea: [0, 0, 255], tree: [0, 200, 0], ignore: [0, 0, 0]}"
    assert errors(looked_at(root, key)) == []
    assert equal(masks_read(root, key), lambda tile: np.array([-1, 1, 0, 2])[classes(tile, 4)[0]])
    config = stored.complete(compose_trial("data=segmentation_folder", f"data.root={root}", key))
    assert config.data.class_names == ["road", "sea", "tree"]
    with rasterio.open(stored.read_listing(config).file("val", "5", "mask")) as mask:
        assert mask.crs.to_epsg() == 32633
    merged = "data.labels.merge={nature: [sea, tree], road: [road]}"
    assert errors(looked_at(root, key, merged)) == []
    assert equal(masks_read(root, key, merged), lambda tile: np.array([-1, 0, 1, 0])[classes(tile, 4)[0]])
    told = errors(looked_at(root, key, "data.labels.merge={nature: [see, tree]}"))
    assert any("see is no class of the labels; did you mean sea?" in line for line in told)
    assert any("no list has road, sea, which occur" in line for line in told)


def test_colours_that_nobody_named_are_counted_and_shown(root):
    write_tiles(root, lambda tile: coloured(tile, 4))
    key = "data.labels.colours={a: [0, 0, 0], b: [0, 0, 255], c: [255, 0, 0]}"
    (line,) = errors(looked_at(root, key))
    assert "25.0 % of the masks' pixels have none of the named colours (1 other colour)" in line
    assert "NAME: [0, 200, 0]" in line


def blocks(tile):
    """Fields whose edges are not those of a JPEG's blocks."""
    columns = np.tile(np.arange(32), (1, 32, 1))
    return np.where(columns < 11 + tile, tile % 3, (tile + 1) % 3)


def test_colours_that_a_jpeg_spoilt_are_read_by_the_nearest(root):
    write_tiles(root, lambda tile: COLOURS[blocks(tile)[0]].transpose(2, 0, 1), ".jpg", quality=50)
    (line,) = errors(looked_at(root))
    assert "show classes by 3 colours and" in line
    assert "near them, as compression makes them" in line
    keys = keys_in(line)
    assert keys[1] == "data.labels.colour_distance=48"
    assert errors(looked_at(root, *keys)) == []
    for tile, mask in masks_read(root, *keys).items():
        counted = mask >= 0
        assert counted.mean() > 0.9
        assert np.array_equal(mask[counted], blocks(tile)[0][counted])
    exact = re.sub("{.*", "{a: [0, 0, 0], b: [0, 0, 255], c: [255, 0, 0]}", keys[0])
    assert any("data.labels.colour_distance=48 takes the nearest" in line for line in errors(looked_at(root, exact)))


def test_photos_are_no_masks(root):
    write_tiles(root, lambda tile: np.random.default_rng(tile).integers(0, 256, (3, 32, 32), np.uint8))
    assert any("as photos have; name the folder of the masks" in line for line in errors(looked_at(root)))


def with_palette(root, tables):
    write_tiles(root, classes, ".tif", photometric="palette")
    for split, tiles in {"train": range(4), "val": range(4, 6)}.items():
        for tile in tiles:
            with rasterio.open(root / split / "masks" / f"{tile}.tif", "r+") as mask:
                order = tables[tile % len(tables)]
                mask.write(np.array(order, np.uint8)[classes(tile)])
                mask.write_colormap(1, {order[value]: tuple(map(int, COLOURS[value])) for value in range(3)})


def test_a_palette_is_read_by_its_numbers_and_shown(root):
    with_palette(root, [(0, 1, 2)])
    findings = looked_at(root)
    assert errors(findings) == []
    assert "0: [0, 0, 0], 1: [0, 0, 255], 2: [255, 0, 0]" in lines(findings, "note")[0]
    assert equal(masks_read(root), lambda tile: classes(tile)[0])


def test_palettes_that_contradict_each_other_are_told_and_read_by_colour(root):
    with_palette(root, [(0, 1, 2), (2, 0, 1)])
    line = next(line for line in warnings(looked_at(root)) if "colour table" in line)
    keys = keys_in(line)
    assert keys == ["data.labels.colours={0: [0, 0, 0], 1: [0, 0, 255], 2: [255, 0, 0]}"]
    assert errors(looked_at(root, *keys)) == []
    assert equal(masks_read(root, *keys), lambda tile: classes(tile)[0])


def test_palettes_are_read_by_colour_though_some_files_mark_a_value(root):
    """What other rules say of the same files keeps the colours."""
    with_palette(root, [(0, 1, 2), (2, 0, 1)])
    with rasterio.open(root / "train" / "masks" / "0.tif", "r+") as mask:
        mask.nodata = 2
    key = "data.labels.colours={0: [0, 0, 0], 1: [0, 0, 255], 2: [255, 0, 0]}"
    looked_at(root, key)
    assert equal(masks_read(root, key), lambda tile: classes(tile)[0])


def test_colours_for_masks_without_any_are_an_error(root):
    write_tiles(root, classes)
    key = "data.labels.colours={0: [0, 0, 0], 1: [255, 0, 0]}"
    assert any("6 masks with neither colours nor a colour table" in line for line in errors(looked_at(root, key)))


def test_a_damaged_mask_is_told_as_before(root):
    write_tiles(root, coloured)
    (root / "train" / "masks" / "1.png").write_bytes(b"no image")
    told = errors(looked_at(root, "data.labels.colours={0: [0, 0, 0], 1: [0, 0, 255], 2: [255, 0, 0]}"))
    assert any("1 sample of train can't be read" in line for line in told)


def test_a_mask_with_alpha_is_told_apart_by_it(root):
    def with_alpha(tile):
        alpha = np.where(classes(tile)[0] == 2, 0, 255).astype(np.uint8)
        black = np.zeros((3, 32, 32), np.uint8)
        black[0] = np.where(classes(tile)[0] == 1, 9, 0)
        return np.concatenate([black, alpha[None]])

    write_tiles(root, with_alpha)
    keys = keys_in(errors(looked_at(root))[0])
    assert keys == ["data.labels.colours={0: [0, 0, 0, 0], 1: [0, 0, 0, 255], 2: [9, 0, 0, 255]}"]
    looked_at(root, *keys)
    assert equal(masks_read(root, *keys), lambda tile: np.array([1, 2, 0])[classes(tile)[0]])


def test_one_mask_in_other_numbers_is_left_to_the_reader(root):
    write_tiles(root, classes, ".tif")
    write_raster(root / "train" / "masks" / "1.tif", noise(1, bands=3))
    assert any("its mask has 3 bands" in line for line in errors(looked_at(root)))


def test_masks_of_photos_that_are_turned_are_turned_with_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    exif = Image.Exif()
    exif[0x0112] = 3  # Turned by half.
    for split, tiles in TILES.items():
        for tile in tiles:
            photo = noise(tile, bands=3).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
            for kind, pixels in {"images": photo, "masks": COLOURS[blocks(tile)[0]]}.items():
                (tmp_path / "photos" / split / kind).mkdir(parents=True, exist_ok=True)
                target = tmp_path / "photos" / split / kind / f"{tile}.jpg"
                Image.fromarray(pixels).save(target, exif=exif, quality=100, subsampling=0)
    keys = ["data.labels.colours={a: [0, 0, 0], b: [0, 0, 255], c: [255, 0, 0]}", "data.labels.colour_distance=48"]
    assert errors(looked_at(tmp_path / "photos", *keys)) == []
    assert equal(masks_read(tmp_path / "photos", *keys), lambda tile: blocks(tile)[0, ::-1, ::-1])


def test_masks_of_larger_pixels_are_made_classes_before_they_are_resampled(root):
    for split, tiles in TILES.items():
        for tile in tiles:
            write_raster(root / split / "images" / f"{tile}.tif", noise(tile), place=(0, tile))
            coarse = COLOURS[classes(tile, px=16)[0]].transpose(2, 0, 1)
            place = from_origin(NORTH_WEST[0] + tile * 320, NORTH_WEST[1], 20, 20)
            write_raster(root / split / "masks" / f"{tile}.tif", coarse, crs="EPSG:32633", transform=place)
    keys = keys_in(errors(looked_at(root))[0])
    assert errors(looked_at(root, *keys)) == []
    assert equal(masks_read(root, *keys), lambda tile: classes(tile, px=16)[0].repeat(2, axis=0).repeat(2, axis=1))


def test_a_damaged_mask_is_unreadable_and_the_others_are_read(root):
    write_tiles(root, coloured, ".tif")
    key = "data.labels.colours={0: [0, 0, 0], 1: [0, 0, 255], 2: [255, 0, 0]}"
    damaged = root / "train/masks/1.tif"
    damaged.write_bytes(damaged.read_bytes()[:2000])  # Its header is whole.
    (line,) = errors(looked_at(root, key))
    assert line.startswith(f"data.root={root}: 1 sample of train can't be read, first 1: ")
    listing = stored.read_listing(compose_trial("data=segmentation_folder", f"data.root={root}", key))
    for name in ("0", "2", "3"):
        with rasterio.open(listing.file("train", name, "mask")) as mask:
            assert np.array_equal(mask.read(1), classes(int(name))[0])
