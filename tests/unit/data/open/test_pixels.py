"""Pixels read without rioxarray are TerraTorch's to the last bit, file by file and sample by sample."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
import rioxarray
import torch
from PIL import Image
from terratorch.datasets import GenericMultimodalDataset

from terrasweep.data import files_state, stored
from terrasweep.data.open import folders
from terrasweep.data.open.pixels import read_pixels
from terrasweep.data.prepare import prepare_data
from tests.composing import compose_trial
from tests.unit.data.rasters import noise, write_raster
from tests.unit.data.series import write_places

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
WHOLE = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def by_terratorch(file):
    return GenericMultimodalDataset._load_file(None, str(file))


def assert_same_bits(file):
    own, theirs = read_pixels(str(file)), by_terratorch(file)
    assert (own.dtype, own.shape, own.strides) == (theirs.dtype, theirs.shape, theirs.strides)
    assert own.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("no_data", [None, 3])
@pytest.mark.parametrize("kind", [*WHOLE, "float32", "float64"])
def test_numbers_of_each_kind_with_and_without_no_data(tmp_path, kind, no_data):
    values = np.random.default_rng(0).integers(0, 100, (3, 40, 50)).astype(kind)
    values[0, 0, 0] = np.finfo(kind).max if kind.startswith("float") else np.iinfo(kind).max
    if kind.startswith("float"):
        values[0, 0, 1:4] = np.nan, np.inf, -0.0
    file = write_raster(tmp_path / "a.tif", values, nodata=no_data, tiled=True, blockxsize=16, blockysize=16)
    assert_same_bits(file)
    assert np.isnan(read_pixels(str(file))).any() == (no_data is not None or kind.startswith("float"))


def test_photos_masks_beside_and_views(tmp_path):
    colours = np.random.default_rng(1).integers(0, 255, (4, 32, 32), dtype=np.uint8)
    colours[3, :5] = 0
    for name, bands in (("photo.jpg", 3), ("grey.png", 1), ("transparent.png", 4)):
        assert_same_bits(write_raster(tmp_path / name, colours[:bands]))
    assert np.isnan(read_pixels(str(tmp_path / "transparent.png"))[0, :5]).all()
    masked = write_raster(tmp_path / "masked.tif", noise(0))
    with rasterio.open(masked, "r+") as file:
        file.write_mask(np.arange(32 * 32).reshape(32, 32) % 3 > 0)
    assert_same_bits(masked)
    scaled = write_raster(tmp_path / "scaled.tif", noise(1))
    with rasterio.open(scaled, "r+") as file:
        file.scales, file.offsets, file.units = (0.1, 0.1), (5.0, 5.0), ("days since 2000-01-01",) * 2
    assert_same_bits(scaled)
    rasterio.shutil.copy(masked, tmp_path / "view.vrt", driver="VRT")
    assert_same_bits(tmp_path / "view.vrt")


def test_what_rioxarray_gives_otherwise_is_left_to_it(tmp_path):
    waves = write_raster(tmp_path / "complex.tif", noise(0).astype(np.complex64))
    pages = tmp_path / "pages.tif"
    first, second = (Image.fromarray(np.full((8, 8), grey, np.uint8)) for grey in (1, 2))
    first.save(pages, save_all=True, append_images=[second])
    assert [read_pixels(str(file)) for file in (waves, pages)] == [None, None]


def test_a_damaged_file_fails_as_with_terratorch(tmp_path):
    file = write_raster(tmp_path / "a.tif", noise(0), compress="deflate")
    for content in (b"no image", file.read_bytes()[:900]):
        file.write_bytes(content)
        with pytest.raises(rasterio.errors.RasterioError) as theirs:
            by_terratorch(file)
        with pytest.raises(rasterio.errors.RasterioError) as own:
            read_pixels(str(file))
        assert str(own.value) == str(theirs.value)


def masks(root):
    write_places(root, "date_major", nodata=-1)
    return ("data=segmentation_folder", "data.split.by=fraction", "data.no_data_replace=0", "data.resize_px=48")


def dates(root):
    write_places(root, "files")
    return ("data=segmentation_folder", "data.split.by=fraction", "data.frames=3")


def photos(root):
    for seed in range(8):
        pixels = np.random.default_rng(seed).integers(0, 255, (3, 32, 32), dtype=np.uint8)
        split = "train" if seed < 4 else "val"
        write_raster(root / split / ("field" if seed % 2 else "forest") / f"{seed}.jpg", pixels)
    return ("data=classification_folder", "task=classification", "decoder=identity", "data.split.by=folders")


def modalities(root):
    for seed in range(8):
        for folder, bands in (("s2", 3), ("dem", 1)):
            write_raster(root / folder / f"{seed}.tif", noise(seed, bands), place=(0, seed))
        write_raster(root / "masks" / f"{seed}.tif", np.full((1, 32, 32), seed % 2, np.uint8), place=(0, seed))
    given = "data.modalities={S2L2A: {folder: s2}, DEM: {folder: dem}}"
    return ("backbone=terramind_v1_tiny", "data=multimodal_folder", given, "data.split.by=fraction")


def samples(config):
    data = folders.open_data(config).module
    return [batch for loader in (data.train_dataloader(), data.val_dataloader()) for batch in loader]


def assert_equal(own, theirs):
    if isinstance(own, torch.Tensor):
        assert (own.dtype, own.shape) == (theirs.dtype, theirs.shape)
        assert own.numpy().tobytes() == theirs.numpy().tobytes()
    elif isinstance(own, dict):
        assert list(own) == list(theirs)
        for key, value in own.items():
            assert_equal(value, theirs[key])
    else:
        assert own == theirs


@pytest.mark.parametrize("write", [masks, dates, photos, modalities])
def test_batches_are_those_of_terratorchs_own_datasets(tmp_path, monkeypatch, write):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    overrides = write(tmp_path / "data")
    files_state.state_below.cache_clear()
    config = compose_trial(*overrides, f"data.root={tmp_path / 'data'}", "train.batch_size=2")
    config = stored.located(config)
    prepare_data(config)
    config = stored.complete(config)
    with monkeypatch.context() as without:
        without.setattr(folders, "of_pixels_alone", lambda kind: kind)
        theirs = samples(config)
    with monkeypatch.context() as without:
        without.delattr(rioxarray, "open_rasterio")
        own = samples(config)
        lazily = samples(replace(config, data=replace(config.data, in_memory=False)))
    assert own
    for batches in (own, lazily):
        assert len(batches) == len(theirs)
        for one, other in zip(batches, theirs, strict=True):
            assert_equal(one, other)
