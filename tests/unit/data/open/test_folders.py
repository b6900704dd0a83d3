"""Folders of GeoTIFFs as users bring them, and what is wrong with some."""

import dataclasses

import numpy as np
import pytest
import rasterio

from terrasweep.data import stored
from terrasweep.data.open.folders import open_data
from terrasweep.data.prepare import prepare_data
from terrasweep.results.errors import DataError
from tests.composing import compose_trial
from tests.unit.data.rasters import write_raster


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two bands, three classes, six training and two validation tiles of 32 px."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    rng = np.random.default_rng(0)
    for split, tiles in (("train", 6), ("val", 2)):
        for tile in range(tiles):
            image = rng.normal((100, 500), (10, 50), size=(32, 32, 2)).astype(np.float32)
            write_raster(tmp_path / "data" / split / "images" / f"{tile}.tif", np.moveaxis(image, -1, 0))
            mask = rng.integers(0, 3, size=(1, 32, 32), dtype=np.uint8)
            write_raster(tmp_path / "data" / split / "masks" / f"{tile}_label.tif", mask)
    return tmp_path / "data"


def config(folder, *overrides, **changes):
    """What a trial gets: the data looked at, and what it tells filled in."""
    stored._state.cache_clear()
    composed = compose_trial("data=segmentation_folder", f"data.root={folder}", "train.batch_size=4", *overrides)
    composed = dataclasses.replace(composed, data=dataclasses.replace(composed.data, **changes))
    composed = stored.located(composed)
    prepare_data(composed)
    return stored.complete(composed)


def test_statistics_are_those_of_numpy_over_all_training_pixels(folder):
    files = sorted((folder / "train" / "images").glob("*.tif"))
    pixels = np.concatenate([rasterio.open(f).read().reshape(2, -1) for f in files], axis=1).astype(float)
    data = config(folder).data
    assert data.means == pytest.approx(pixels.mean(axis=1))
    assert data.stds == pytest.approx(pixels.std(axis=1))


def test_what_is_not_given_comes_from_the_files(folder):
    data = config(folder).data
    assert (data.bands, data.tile_px, data.num_classes) == (["B1", "B2"], 32, 3)
    given = config(folder, bands=["RED", "NIR"], num_classes=7, means=[1.0, 2.0], stds=[3.0, 4.0]).data
    assert (given.bands, given.num_classes, given.means, given.stds) == (["RED", "NIR"], 7, [1.0, 2.0], [3.0, 4.0])


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
    before = config(folder)
    assert before.data.means[0] == pytest.approx(100, abs=2)
    write_raster(folder / "train" / "images" / "0.tif", np.full((2, 32, 32), 7, np.float32))
    assert config(folder).data.means[0] < before.data.means[0] - 10
    assert stored.data_folder(before) != stored.data_folder(config(folder))


def test_no_data_can_be_replaced(folder):
    for tile in range(6):
        write_raster(
            folder / "train" / "images" / f"{tile}.tif", np.full((2, 32, 32), [[[np.nan]], [[1.0]]], np.float32)
        )
    opened = open_data(config(folder, means=[1.0, 1.0], stds=[1.0, 1.0], no_data_replace=5.0)).module
    assert float(next(iter(opened.train_dataloader()))["image"][:, 0].min()) == 5.0


def test_a_killed_preparation_leaves_nothing_that_counts(folder, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("terrasweep.data.prepare.make_survey", die)
        with pytest.raises(KeyboardInterrupt):
            config(folder)
    composed = compose_trial("data=segmentation_folder", f"data.root={folder}")
    assert not stored.survey_file(composed).exists()
    assert config(folder).data.num_classes == 3


def test_files_that_went_since_the_data_were_listed_are_told(folder):
    listed = config(folder)
    (folder / "train" / "images" / "3.tif").unlink()
    with pytest.raises(DataError, match="1 samples of train are gone since the data were listed; bring them back"):
        open_data(listed)
