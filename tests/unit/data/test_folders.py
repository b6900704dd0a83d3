"""Folders of GeoTIFFs as users bring them, and what is wrong with some."""

import dataclasses

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from terrasweep.data import cache
from terrasweep.data.folders import open_data
from terrasweep.data.statistics import compute_statistics, read_statistics, write_statistics
from terrasweep.errors import DataError
from tests.composing import compose_trial


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = pixels.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=count,
        height=height,
        width=width,
        dtype=pixels.dtype,
        crs="EPSG:32633",
        transform=from_origin(3e5, 5e6, 10, 10),
        interleave="pixel",
    ) as file:
        file.write(pixels)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two bands, three classes, six training and two validation tiles of 32 px."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    rng = np.random.default_rng(0)
    for split, tiles in (("train", 6), ("val", 2)):
        for tile in range(tiles):
            image = rng.normal((100, 500), (10, 50), size=(32, 32, 2)).astype(np.float32)
            write(tmp_path / "data" / split / "images" / f"{tile}.tif", np.moveaxis(image, -1, 0))
            mask = rng.integers(0, 3, size=(1, 32, 32), dtype=np.uint8)
            write(tmp_path / "data" / split / "masks" / f"{tile}_label.tif", mask)
    return tmp_path / "data"


def config(folder, **changes):
    composed = compose_trial(
        "data=segmentation_folder",
        f"data.root={folder}",
        "data.bands=[RED,NIR]",
        "backbone.bands=[RED,NIR]",
        "data.num_classes=3",
        "data.tile_px=32",
        "train.batch_size=4",
    )
    composed = dataclasses.replace(composed, data=dataclasses.replace(composed.data, **changes))
    images = cache.training_images(composed)
    if images and composed.data.means is None and not cache.statistics_file(composed).is_file():
        write_statistics(cache.statistics_file(composed), images, len(composed.data.bands))
    return composed


def test_statistics_are_those_of_numpy_over_all_training_pixels(folder):
    files = sorted((folder / "train" / "images").glob("*.tif"))
    pixels = np.concatenate([rasterio.open(f).read().reshape(2, -1) for f in files], axis=1).astype(float)
    means, stds = compute_statistics(files, 2)
    assert means == pytest.approx(pixels.mean(axis=1))
    assert stds == pytest.approx(pixels.std(axis=1))


def test_a_folder_is_read_normalized_and_in_a_seeded_order(folder):
    opened = open_data(config(folder)).module
    batches = [opened.on_after_batch_transfer(batch, 0) for batch in opened.train_dataloader()]
    assert [tuple(b["image"].shape) for b in batches] == [(4, 2, 32, 32)]
    again = next(iter(open_data(config(folder)).module.train_dataloader()))
    assert np.array_equal(again["mask"], batches[0]["mask"])
    everything = [opened.on_after_batch_transfer(b, 0)["image"] for b in opened.val_dataloader()]
    assert abs(float(everything[0].mean())) < 0.1
    assert abs(float(everything[0].std()) - 1) < 0.1


def test_memory_gives_the_same_tiles_as_the_disk(folder):
    for split in ("train_dataloader", "val_dataloader"):
        held = next(iter(getattr(open_data(config(folder, in_memory=True)).module, split)()))
        read = next(iter(getattr(open_data(config(folder, in_memory=False)).module, split)()))
        assert np.array_equal(held["image"], read["image"])
        assert np.array_equal(held["mask"], read["mask"])


def test_a_changed_file_makes_new_statistics(folder):
    before = cache.statistics_file(config(folder))
    assert read_statistics(before)[0][0] == pytest.approx(100, abs=2)
    write(folder / "train" / "images" / "0.tif", np.full((2, 32, 32), 7, np.float32))
    assert cache.statistics_file(config(folder)) != before


def truncate(folder):
    file = folder / "train" / "images" / "1.tif"
    file.write_bytes(file.read_bytes()[:200])


def nan_pixel(folder):
    write(folder / "val" / "images" / "0.tif", np.full((2, 32, 32), np.nan, np.float32))
    write(folder / "train" / "images" / "0.tif", np.full((2, 32, 32), np.nan, np.float32))
    for tile in range(1, 6):
        write(folder / "train" / "images" / f"{tile}.tif", np.full((2, 32, 32), [[[np.nan]], [[1.0]]], np.float32))


BROKEN = {
    "a mask is missing": (lambda f: (f / "train/masks/0_label.tif").unlink(), {}, "6 images and 5 masks"),
    "no mask at all": (lambda f: [m.unlink() for m in (f / "val/masks").iterdir()], {}, "2 images and 0 masks"),
    "an empty split": (lambda f: [m.unlink() for m in (f / "val").glob("*/*")], {}, "split val has no tiles"),
    "another number of bands": (lambda f: None, {"bands": ["RED"], "means": [1.0], "stds": [1.0]}, "files have 2"),
    "a class too many": (lambda f: None, {"num_classes": 2}, "labels run from 0 to 2"),
    "another tile size": (lambda f: None, {"tile_px": 64}, "tiles are 32 x 32"),
    "a truncated file": (truncate, {"means": [1.0, 1.0], "stds": [1.0, 1.0]}, "data.root="),
    "pixels that are no number": (nan_pixel, {"means": [1.0, 1.0], "stds": [1.0, 1.0]}, "NaN pixels"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_data_is_refused_before_the_build(folder, name):
    break_it, changes, told = BROKEN[name]
    break_it(folder)
    with pytest.raises(DataError, match=told) as refused:
        open_data(config(folder, **changes))
    assert "\n" not in str(refused.value)


def test_no_data_can_be_replaced(folder):
    nan_pixel(folder)
    opened = open_data(config(folder, means=[1.0, 1.0], stds=[1.0, 1.0], no_data_replace=5.0)).module
    assert float(next(iter(opened.train_dataloader()))["image"][:, 0].min()) == 5.0
