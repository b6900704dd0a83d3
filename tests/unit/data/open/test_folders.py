"""Folders of GeoTIFFs as users bring them, and what is wrong with some."""

import dataclasses

import numpy as np
import pytest
import rasterio

from terrasweep.data import files_state, stored
from terrasweep.data.open.folders import open_data, open_test
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
    files_state.state_below.cache_clear()
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


def test_a_large_batch_is_not_evaluated_in_one(folder):
    """TerraTorch's metrics of a whole batch would be the trial's peak memory."""
    for tile in range(10):
        write_raster(folder / "val" / "images" / f"v{tile}.tif", np.full((2, 32, 32), tile, np.float32))
        write_raster(folder / "val" / "masks" / f"v{tile}_label.tif", np.full((1, 32, 32), tile % 3, np.uint8))
    trial = config(folder)
    large = open_data(dataclasses.replace(trial, train=dataclasses.replace(trial.train, batch_size=16))).module
    batches = [len(batch["image"]) for batch in large.val_dataloader()]
    assert batches[:-1] == [8] * (len(batches) - 1)
    assert sum(batches) == large.evaluated_samples > 8


def test_the_test_split_is_evaluated_alone_and_no_other_is_read(folder):
    for tile in range(3):
        write_raster(folder / "test" / "images" / f"{tile}.tif", np.full((2, 32, 32), tile, np.float32))
        write_raster(folder / "test" / "masks" / f"{tile}_label.tif", np.full((1, 32, 32), tile, np.uint8))
    trial = config(folder, means=[0.0, 0.0], stds=[1.0, 1.0])
    for split in ("train", "val"):
        for file in (folder / split).rglob("*.tif"):
            file.write_bytes(b"not an image any more")
    opened = open_test(trial).module
    (batch,) = opened.val_dataloader()
    assert opened.evaluated_samples == 3
    assert [float(image.mean()) for image in batch["image"]] == [0.0, 1.0, 2.0]
    assert [int(mask.max()) for mask in batch["mask"]] == [0, 1, 2]


def test_a_trial_trains_though_no_file_of_the_test_split_can_be_read(folder):
    write_raster(folder / "test" / "images" / "0.tif", np.ones((2, 32, 32), np.float32))
    write_raster(folder / "test" / "masks" / "0_label.tif", np.ones((1, 32, 32), np.uint8))
    trial = config(folder)
    for file in (folder / "test").rglob("*.tif"):
        file.write_bytes(b"not an image any more")
    opened = open_data(trial).module
    assert (len(list(opened.train_dataloader())), len(list(opened.val_dataloader()))) == (1, 1)
    with pytest.raises(Exception, match=r"not recognized|not a TIFF|not supported"):
        list(open_test(trial).module.val_dataloader())


def test_a_test_split_that_is_not_there_is_one_line(folder):
    with pytest.raises(DataError, match=r"there is no split test; see docs/data\.md"):
        open_test(config(folder))


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
