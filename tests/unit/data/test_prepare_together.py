"""What people's folders have at once: dates, stored labels, values for nothing, layouts, lists of scenes, cuts."""

import csv
import json

import geopandas
import numpy as np
import pytest
import rasterio
import torch
from PIL import Image
from shapely.geometry import box

from terrasweep.data import files_state, stored
from terrasweep.data.find.sample_list import MASK
from terrasweep.data.inspect.checks import errors, find_problems
from terrasweep.data.inspect.pictures.draw import draw
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.data.open.folders import open_data
from terrasweep.data.prepare import prepare_data
from tests.composing import compose_trial
from tests.unit.data.open.test_exported_datamodule import read_plainly
from tests.unit.data.rasters import NORTH_WEST, classes, noise, write_raster
from tests.unit.data.series import DATES, series, write_places

HALVES = ("data.split.by=fraction", "data.split.fractions=[0.5,0.5,0]")
PRITHVI = ("data.frames=3", "backbone=prithvi_eo_tiny", "decoder=linear")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    return tmp_path


def looked_at(root, *overrides):
    """The configuration as the user wrote it, and the findings."""
    files_state.state_below.cache_clear()
    config = stored.located(
        compose_trial("data=segmentation_folder", f"data.root={root}", "train.batch_size=3", *overrides)
    )
    prepare_data(config)
    return config, find_problems(stored.read_survey(config), config)


def read(config, split, name, kind=IMAGE):
    with rasterio.open(stored.read_listing(config).file(split, name, kind)) as file:
        return file.read()


def test_dates_with_stored_labels_and_a_value_for_nothing_are_cut(home):
    """One date of each place has a column of -9999; the masks hold 0 and 255."""
    write_places(home / "years", "files")
    for seed in range(6):
        spoilt = series(seed)[1]
        spoilt[:, :, 3] = -9999
        write_raster(home / "years" / "images" / f"p{seed}_{DATES[1]}.tif", spoilt, place=(0, seed))
        write_raster(home / "years" / "masks" / f"p{seed}.tif", classes(seed, 2) * 255, place=(0, seed))
    told = "\n".join(errors(looked_at("years", *HALVES, *PRITHVI)[1]))
    assert "data.no_data=-9999 data.no_data_replace=" in told
    assert "'data.labels.map={0: 0, 255: 1}'" in told
    keys = ("data.no_data=-9999", "data.no_data_replace=150", "data.labels.map={0: 0, 255: 1}")
    config, findings = looked_at("years", *HALVES, *PRITHVI, *keys, "data.cut=lazily", "data.tile_px=16")
    assert errors(findings) == []
    complete = stored.complete(config)
    batch = open_data(complete).validation_batch(torch.device("cpu"))
    plain = read_plainly(complete)  # As an export is read.
    assert torch.equal(plain["mask"].long(), batch["mask"].long())
    torch.testing.assert_close(plain["image"].float(), batch["image"], rtol=1e-4, atol=1e-4)
    means, stds = (np.reshape(values, (-1, 1, 1, 1)) for values in (complete.data.means, complete.data.stds))
    for at, name in enumerate(stored.read_listing(complete).names["val"][:3]):
        seed, row, column = int(name[1]), int(name[4:7]) * 16, int(name[9:12]) * 16
        pixels, window = series(seed), np.s_[row : row + 16, column : column + 16]
        pixels[1, :, :, 3] = 150
        expected = (pixels[:, :, *window].swapaxes(0, 1) - means) / stds
        assert batch["image"][at].numpy() == pytest.approx(expected, abs=1e-3)
        assert np.array_equal(batch["mask"][at], classes(seed, 2)[0][window])


def fields(west, east):
    """One polygon over the western part of six tiles of 320 m, and a class in words."""
    x, y = NORTH_WEST
    return geopandas.GeoDataFrame({"crop": ["rye"]}, geometry=[box(x + west, y - 320, x + east, y)], crs="EPSG:32633")


@pytest.mark.parametrize("dates", [(), PRITHVI])
def test_polygons_are_drawn_on_scenes_of_one_date_or_several_that_are_cut_lazily(home, dates):
    write_places(home / "years", "files" if dates else "date_major")
    fields(0, 160 + 2 * 320).to_file(home / "years" / "fields.gpkg")
    keys = (*HALVES, *dates, "data.labels.vector=fields.gpkg", "data.cut=lazily", "data.tile_px=16")
    config, findings = looked_at("years", *keys)
    assert errors(findings) == []
    names = [(split, name) for split, names in stored.read_listing(config).names.items() for name in names]
    assert len(names) == 24
    for split, name in names:
        west = int(name[1]) * 320 + int(name[9:12]) * 160
        assert np.array_equal(read(config, split, name, MASK), np.full((1, 16, 16), west < 800))


def test_modalities_with_several_dates_and_one_lie_in_folders_of_regions(home):
    regions = ["north", "south", "west"]
    for seed, region in enumerate(regions):
        folder, at = home / "regions", (0, seed)
        for date, pixels in zip(DATES, series(seed), strict=True):
            write_raster(folder / "s2" / region / f"p{seed}_{date}.tif", pixels, place=at)
        write_raster(folder / "dem" / region / f"p{seed}.tif", noise(seed, 1), place=at)
        write_raster(folder / "gt" / region / f"p{seed}_gt.tif", classes(seed), place=at)
    modalities = "data.modalities={S2L2A: {folder: s2}, DEM: {folder: dem, frames: 1}}"
    config, findings = looked_at(
        *("regions", "data=multimodal_folder", modalities, "data.frames=3", "data.split.by=fraction"),
        *("data.split.fractions=[0.67,0.33,0]", "train.batch_size=2", "backbone=terramind_v1_tiny"),
        *("data.frames_for_one_date=stack", "data.label_folder=gt"),
    )
    assert errors(findings) == []
    listing = stored.read_listing(config)
    found = {name: split for split, names in listing.names.items() for name in names}
    assert sorted(found) == [f"{region}/p{seed}" for seed, region in enumerate(regions)]
    for name, split in found.items():
        seed = int(name[-1])
        assert np.array_equal(read(config, split, name, "S2L2A"), series(seed).reshape(6, 32, 32))
        assert np.array_equal(read(config, split, name, "DEM"), noise(seed, 1))
        assert np.array_equal(read(config, split, name, MASK), classes(seed))
    complete = stored.complete(config).data.modalities
    assert [len(modality.means) for modality in complete.values()] == [2, 1]


def table(home, samples):
    with (home / "scenes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "mask", "split"], *samples])
    return "scenes.csv"


def catalogue(home, samples):
    items = [
        {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": f"t{number}",
            "properties": {"split": split},
            "assets": {
                "visual": {"href": image, "roles": ["data"]},
                "labels": {"href": mask, "roles": ["labels"]},
            },
        }
        for number, (image, mask, split) in enumerate(samples)
    ]
    (home / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    return "items.json"


@pytest.mark.parametrize("listed", [table, catalogue])
def test_scenes_of_a_list_are_understood_and_drawn(home, listed):
    """Photos that were turned, in places of their own, with masks of 0 and 255."""
    samples, exif = [], Image.Exif()
    exif[0x0112] = 3
    for number in range(6):
        pixels = np.tile(np.linspace(0, 250, 32), (32, 1)) + number
        image, mask = home / f"disk {number}" / f"t{number}.jpg", home / "labels" / f"{number}_gt.png"
        image.parent.mkdir()
        Image.fromarray(np.repeat(pixels[:, :, None], 3, 2).clip(0, 255).astype(np.uint8)).save(image, exif=exif)
        write_raster(mask, classes(number, 2) * 255)
        samples.append([str(image), str(mask.relative_to(home)), "train" if number < 4 else "val"])
    root = listed(home, samples)
    config, findings = looked_at(root, "data.split.by=folders")
    assert "'data.labels.map={0: 0, 255: 1}'" in " ".join(errors(findings))
    config, findings = looked_at(root, "data.split.by=folders", "data.labels.map={0: 0, 255: 1}")
    assert errors(findings) == []
    assert "6 photos are turned" in " ".join(finding.line for finding in findings)
    drawn = draw(config, stored.read_survey(config), findings)
    assert [(card.split, card.problem) for card in drawn.cards] == [("train", "")] * 4 + [("val", "")] * 2
    assert [name for name, _ in drawn.legend][:2] == ["0", "1"]
    for split, names in stored.read_listing(config).names.items():
        for name in names:  # They end in the number.
            assert np.array_equal(read(config, split, name, MASK), classes(int(name[-1]), 2))
            pixels = read(config, split, name).astype(int)
            assert pixels[:, :, 0].min() > pixels[:, :, -1].max(), "it was turned by half"
