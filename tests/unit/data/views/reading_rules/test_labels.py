"""Values of masks that are no class numbers: said what they look like with a ready key, and read by that key."""

import re

import numpy as np
import pytest
import rasterio

from terrasweep.config.compose import as_dict
from terrasweep.data import stored
from terrasweep.data.find.sample_list import MASK
from terrasweep.data.inspect.checks import errors
from terrasweep.data.open.folders import datamodule_arguments, open_data
from tests.composing import compose_trial
from tests.unit.data.labelled import lines, looked_at, masks_read, road_mask, roads, write_tiles
from tests.unit.data.rasters import classes, write_raster


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    return tmp_path / "tiles"


def key_in(line):
    """The key that a line offers to copy, as a shell would hand it on."""
    found = re.search(r"'(data\.labels\.[^']+)'", line)
    assert found, line
    return found[1]


def equal(masks, expected):
    return all(np.array_equal(mask, expected(tile)) for tile, mask in masks.items())


def test_grey_levels_of_roads_are_said_to_be_two_classes_and_read_so(root):
    write_tiles(root, road_mask)
    assert len(np.unique(np.stack([road_mask(tile) for tile in range(4)]))) > 64
    (line,) = errors(looked_at(root))
    assert "grey levels of two classes" in line
    key = key_in(line)
    assert key == "data.labels.threshold=128"
    findings = looked_at(root, key)
    assert errors(findings) == []
    assert "values of masks below it are class 0" in lines(findings, "note")[0]
    assert equal(masks_read(root, key), lambda tile: road_mask(tile)[0] >= 128)


def test_grey_levels_that_a_jpeg_holds_in_three_bands_are_read_alike(root):
    write_tiles(root, lambda tile: np.repeat(road_mask(tile), 3, axis=0))
    findings = looked_at(root)
    assert key_in(errors(findings)[0]) == "data.labels.threshold=128"
    assert "three equal bands" in lines(findings, "note")[0]
    assert errors(looked_at(root, "data.labels.threshold=128")) == []
    assert equal(masks_read(root, "data.labels.threshold=128"), lambda tile: road_mask(tile)[0] >= 128)


def test_two_values_are_offered_as_two_classes(root):
    write_tiles(root, lambda tile: roads(tile)[None].astype(np.uint8) * 255)
    (line,) = errors(looked_at(root))
    key = key_in(line)
    assert key == "data.labels.map={0: 0, 255: 1}"
    assert errors(looked_at(root, key)) == []
    assert equal(masks_read(root, key), roads)
    config = compose_trial("data=segmentation_folder", f"data.root={root}", key)
    assert stored.complete(config).data.num_classes == 2


def test_two_values_with_a_stated_number_of_classes_are_offered_too(root):
    write_tiles(root, lambda tile: roads(tile)[None].astype(np.uint8) * 255)
    line = next(line for line in errors(looked_at(root, "data.num_classes=2")) if "labels outside 0 to 1: 255" in line)
    assert "number the classes by 'data.labels.map={0: 0, 255: 1}'" in line


def test_a_target_may_be_ignored_and_what_the_header_ignores_stays_so(root):
    def stored_values(tile):
        return np.array([0, 7, 255, 9], np.uint8)[classes(tile, 4)]

    key = "data.labels.map={0: 0, 7: 1, 255: ignore}"
    write_tiles(root, stored_values, ".tif", nodata=9)
    assert errors(looked_at(root, key)) == []
    assert equal(masks_read(root, key), lambda tile: np.array([0, 1, -1, -1])[classes(tile, 4)[0]])
    named = "data.labels.map={0: 0, 7: 1, 255: ignore, 9: 2}"
    looked_at(root, named)
    assert equal(masks_read(root, named), lambda tile: np.array([0, 1, -1, 2])[classes(tile, 4)[0]])


def test_what_some_headers_mark_is_ignored_in_all_and_kept_by_the_users_word(root):
    """255 stands alone, and one mask marks it."""

    def stored_values(tile):
        return np.array([0, 1, 255], np.uint8)[classes(tile)]

    write_tiles(root, stored_values, ".tif")
    write_raster(root / "train" / "masks" / "1.tif", stored_values(1), place=(0, 1), nodata=255)
    swapped = "data.labels.map={0: 1, 1: 0}"
    assert errors(looked_at(root, swapped)) == []
    assert equal(masks_read(root, swapped), lambda tile: np.array([1, 0, -1])[classes(tile)[0]])
    kept = ["data.labels.keep_no_data=true", "data.labels.map={0: 1, 1: 0, 255: 2}"]
    assert errors(looked_at(root, *kept)) == []
    assert equal(masks_read(root, *kept), lambda tile: np.array([1, 0, 2])[classes(tile)[0]])


def test_classes_that_belong_together_become_one_with_its_name(root):
    write_tiles(root, lambda tile: classes(tile, 5))
    key = "data.labels.merge={water: [3, 1], land: [0, 4]}"
    (line,) = errors(looked_at(root, key))
    assert "no list has 2, which occur" in line
    key = "data.labels.merge={water: [3, 1], land: [0, 4], ignore: [2]}"
    assert errors(looked_at(root, key)) == []
    assert equal(masks_read(root, key), lambda tile: np.array([1, 0, -1, 0, 1])[classes(tile, 5)[0]])
    config = stored.complete(compose_trial("data=segmentation_folder", f"data.root={root}", key))
    assert (config.data.class_names, config.data.num_classes) == (["water", "land"], 2)


def test_the_order_of_names_counts_in_the_digest_and_is_stored(root):
    write_tiles(root, lambda tile: classes(tile, 2))
    written = ["{a: [0], b: [1]}", "{b: [1], a: [0]}"]
    configs = [
        compose_trial("data=segmentation_folder", f"data.root={root}", f"data.labels.merge={it}") for it in written
    ]
    assert len({stored.data_folder(config) for config in configs}) == 2
    assert [list(as_dict(config)["data"]["labels"]["merge"]) for config in configs] == [["a", "b"], ["b", "a"]]


@pytest.mark.parametrize(("threshold", "dtype"), [("0.5", "float32"), ("0.3", "float64"), ("12.5", "uint8")])
def test_a_threshold_cuts_any_number_type_exactly(root, threshold, dtype):
    limit = float(threshold)
    low, high = (np.nextafter(limit, side, dtype=dtype) for side in (-np.inf, np.inf)) if dtype[0] == "f" else (12, 13)

    def stored_values(tile):
        return np.array([low, high, 0], dtype)[classes(tile)]

    write_tiles(root, stored_values, ".tif")
    looked_at(root, f"data.labels.threshold={threshold}")
    assert equal(masks_read(root, f"data.labels.threshold={threshold}"), lambda tile: stored_values(tile)[0] >= limit)


def test_missing_values_of_a_float_mask_stay_missing(root):
    write_tiles(root, lambda tile: np.array([0, np.nan, 255], np.float32)[classes(tile)], ".tif")
    for key in ("data.labels.threshold=128", "data.labels.map={255: 1}"):
        assert errors(looked_at(root, key)) == []
        assert equal(masks_read(root, key), lambda tile: np.array([0, -1, 1])[classes(tile)[0]])


def test_many_labels_are_an_error_unless_somebody_counts_or_names_them(root):
    write_tiles(root, lambda tile: classes(tile, 100))
    (line,) = errors(looked_at(root))
    assert "data.num_classes=null: masks of train have 100 labels from 0 to 99" in line
    assert "data.num_classes=100 if all are classes" in line
    assert errors(looked_at(root, "data.num_classes=100")) == []
    shown = lines(looked_at(root), "warning")
    assert not any("rare" in line for line in shown)


def test_many_classes_of_almost_no_pixels_are_an_error(root):
    def spoilt(tile):
        mask = classes(tile) * 20
        if tile == 0:
            mask[0, 0, :20] = np.arange(20)
        return mask

    write_tiles(root, spoilt)
    (line,) = errors(looked_at(root))
    assert "of almost no pixels" in line
    assert "lossy compression" in line


def test_scaled_class_numbers_are_offered_without_gaps(root):
    write_tiles(root, lambda tile: classes(tile, 5) * 50)
    (line,) = errors(looked_at(root))
    key = key_in(line)
    assert errors(looked_at(root, key)) == []
    assert equal(masks_read(root, key), lambda tile: classes(tile, 5)[0])


def test_classes_from_one_on_are_read_as_before_with_the_key_in_the_warning(root):
    write_tiles(root, lambda tile: classes(tile, 3) + 1)
    findings = looked_at(root)
    assert errors(findings) == []
    assert any("'data.labels.map={1: 0, 2: 1, 3: 2}'" in line for line in lines(findings, "warning"))


def test_cut_tiles_trials_and_exports_read_the_classes(root):
    write_tiles(root, lambda tile: roads(tile)[None].astype(np.uint8) * 255)
    keys = ["data.labels.map={0: 0, 255: 1}", "data.cut=true", "data.tile_px=16"]
    assert errors(looked_at(root, *keys)) == []
    config = stored.complete(compose_trial("data=segmentation_folder", f"data.root={root}", *keys))
    listing = stored.read_listing(config)
    read = [sample["mask"] for sample in open_data(config).module.train_dataloader().dataset]
    whole = [roads(tile)[r : r + 16, c : c + 16] for tile in range(4) for r in (0, 16) for c in (0, 16)]
    assert all(np.array_equal(mask, expected) for mask, expected in zip(read, whole, strict=True))
    arguments = datamodule_arguments(config, 2, listing)
    assert arguments["train_label_data_root"] == listing.mask_roots["train"]
    assert str(stored.data_folder(config)) in arguments["train_label_data_root"]


def test_a_mask_that_is_no_image_or_has_two_bands_stays_and_the_others_are_translated(root):
    write_tiles(root, classes, ".tif")
    (root / "train/masks/1.tif").write_text("no image")
    write_raster(root / "train/masks/2.tif", np.concatenate([classes(2), classes(3)]), place=(0, 2))
    told = errors(looked_at(root, "data.labels.map={0: 1, 1: 2, 2: 0}"))
    assert any("2 samples of train can't be read" in line for line in told), told
    config = compose_trial("data=segmentation_folder", f"data.root={root}", "data.labels.map={0: 1, 1: 2, 2: 0}")
    listing = stored.read_listing(config)
    for name in ("0", "3"):
        with rasterio.open(listing.file("train", name, MASK)) as mask:
            assert np.array_equal(mask.read(1), np.array([1, 2, 0])[classes(int(name))[0]])
    with rasterio.open(listing.file("train", "2", MASK)) as mask:
        assert np.array_equal(mask.read(), np.concatenate([classes(2), classes(3)]))
