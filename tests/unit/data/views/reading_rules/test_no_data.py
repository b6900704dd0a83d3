"""A value that the configuration names is no data in every file, beside what headers mark."""

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.data.inspect.survey import IMAGE
from terrasweep.data.views.reading_rules.no_data import holds
from tests.unit.data.rasters import noise, write_raster
from tests.unit.data.views.reading_rules.files import pixels_of, remarks_of, understood, write_set

LOWEST = float(np.finfo(np.float32).min)


def with_column(value):
    def image(seed):
        pixels = noise(seed)
        pixels[:, :, 3] = value
        return pixels

    return image


@pytest.mark.parametrize("value", ["-9999", "1e20", "0", "-3.4028235e+38"])
def test_a_named_value_is_no_data_in_every_band_of_every_file(tmp_path, value):
    root = write_set(tmp_path / "tiles", with_column(float(value)))
    listing = understood(root, f"data.no_data={value}")
    seen = pixels_of(listing, "val", "4")
    assert np.array_equal(seen.mask, with_column(float(value))(4) == np.float32(float(value)))
    assert seen.mask.sum() == 2 * 32
    assert np.array_equal(seen.data[~seen.mask], noise(4)[~seen.mask])
    assert listing.remarks == []


def test_what_headers_mark_is_no_data_as_well(tmp_path):
    def image(seed):
        pixels = with_column(-9999)(seed)
        pixels[:, 5] = -32768
        return pixels

    root = write_set(tmp_path / "tiles", image, images=lambda _: {"nodata": -32768})
    listing = understood(root, "data.no_data=-9999")
    seen = pixels_of(listing, "train", "0")
    assert np.array_equal(seen.mask, image(0) < -1000)
    assert np.array_equal(seen.data[~seen.mask], image(0)[~seen.mask])


def test_a_mask_inside_a_file_counts_as_well(tmp_path):
    root = write_set(tmp_path / "tiles", with_column(-9999))
    valid = np.full((32, 32), 255, np.uint8)
    valid[:7] = 0
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(root / "train/images/0.tif", "r+") as image,
    ):
        image.write_mask(valid)
    listing = understood(root, "data.no_data=-9999")
    seen = pixels_of(listing, "train", "0")
    assert np.array_equal(seen.mask, (with_column(-9999)(0) == -9999) | (valid == 0))
    assert np.array_equal(seen.data[~seen.mask], noise(0)[~seen.mask])
    assert pixels_of(listing, "train", "1").mask.sum() == 2 * 32


def test_a_modality_s_own_value_wins_and_the_others_take_the_common_one(tmp_path):
    for seed in range(4):
        write_raster(tmp_path / "tiles/S1" / f"{seed}.tif", with_column(-9999)(seed))
        write_raster(tmp_path / "tiles/S2" / f"{seed}.tif", with_column(0)(seed))
        write_raster(tmp_path / "tiles/masks" / f"{seed}.tif", np.zeros((1, 32, 32), np.uint8))
    listing = understood(
        tmp_path / "tiles",
        "data=multimodal_folder",
        "data.split.by=fraction",
        "data.modalities={S1: {folder: S1, no_data: -9999}, S2: {folder: S2}}",
        "data.no_data=0",
    )
    for kind, value in {"S1": -9999, "S2": 0}.items():
        assert np.array_equal(pixels_of(listing, "all", "2", kind).mask, with_column(value)(2) == value)
    assert not pixels_of(listing, "all", "2", "mask").mask.any()


def test_nan_changes_nothing(tmp_path):
    root = write_set(tmp_path / "tiles", with_column(-9999), images=lambda seed: {"nodata": -9999} if seed % 2 else {})
    listing = understood(root, "data.no_data=nan")
    assert listing.file("train", "0", IMAGE) == root / "train/images/0.tif"
    assert listing.remarks == []


def test_a_value_that_the_type_can_not_hold_is_an_error(tmp_path):
    def photo(seed):
        return np.random.default_rng(seed).integers(0, 256, (3, 32, 32)).astype(np.uint8)

    listing = understood(write_set(tmp_path / "tiles", photo), "data.no_data=-9999")
    assert remarks_of(listing) == [
        (
            "error",
            "data.no_data=-9999: 6 files of numbers that can't be it (first 0.tif, uint8); name a value that the files "
            "have",
        )
    ]


@given(
    st.sampled_from(["uint8", "int8", "uint16", "int16", "int32", "uint32"]),
    st.integers(-(2**40), 2**40) | st.floats(-300, 300),
)
def test_a_type_holds_what_numpy_gives_back(dtype, value):
    ends = np.iinfo(dtype)
    inside = ends.min <= value <= ends.max
    assert holds(dtype, value) == (inside and float(np.array(int(value), dtype)) == value)


def test_floats_hold_more_than_their_exact_values():
    assert all(holds("float32", value) for value in (0.1, 1e20, LOWEST, -3.4028235e38, float("nan")))
    assert not holds("float32", -1.7976931348623157e308)
    assert holds("float64", -1.7976931348623157e308)
    assert not holds("int16", float("nan"))


def test_a_value_as_stored_is_no_data_whatever_scale_is_applied(tmp_path):
    """Files of two scales are read in physical units, and the named value is one of those that are stored."""

    def image(seed):
        pixels = (noise(seed) * (100 if seed % 2 else 1)).astype(np.int16)
        pixels[:, 2] = -9999
        return pixels

    root = write_set(tmp_path / "tiles", image)
    for file in root.glob("*/images/*.tif"):
        if int(file.stem) % 2:
            with rasterio.open(file, "r+") as raster:
                raster.scales = (0.01, 0.01)
    listing = understood(root, "data.no_data=-9999")
    for name in ("0", "1"):
        seen = pixels_of(listing, "train", name)
        assert np.array_equal(np.ma.getmaskarray(seen), image(int(name)) == -9999)
        assert seen.compressed() == pytest.approx(noise(int(name))[image(int(name)) != -9999], abs=1)


def test_an_alpha_band_counts_as_well(tmp_path):
    def image(seed):
        pixels = np.random.default_rng(seed).integers(20, 200, (4, 32, 32)).astype(np.uint8)
        pixels[:3, :, 7], pixels[3], pixels[3, :5] = 7, 255, 0
        return pixels

    root = write_set(tmp_path / "tiles", image)
    listing = understood(root, "data.no_data=7")
    seen = pixels_of(listing, "train", "0")
    expected = (image(0)[:3] == 7) | (image(0)[3] == 0)
    assert seen.shape == (3, 32, 32)
    assert np.array_equal(seen.mask, expected)
    assert np.array_equal(seen.data[~expected], image(0)[:3][~expected])
