"""Tensors of several dates: each band of each date lies where numpy says, normalized per band over all dates."""

import numpy as np
import pytest
import torch

from terrasweep.config.data import DataConfig, ModalityConfig
from terrasweep.config.schema import BackboneConfig, TrialConfig
from terrasweep.data import files_state, stored
from terrasweep.data.inspect.checks import errors, find_problems, notes
from terrasweep.data.inspect.checks.summary import summarize
from terrasweep.data.open.folders import open_data
from terrasweep.data.open.frames import combined, with_frames
from terrasweep.data.prepare import prepare_data
from tests.composing import compose_trial
from tests.unit.data.rasters import classes, write_raster
from tests.unit.data.series import DATES, series, write_places

PRITHVI = ("backbone=prithvi_eo_tiny", "decoder=linear")
TL = ("backbone=prithvi_eo_v2_tiny_tl", "decoder=linear")
ONE_DATE = ("backbone=timm_vit_tiny_patch16_224", "decoder=linear")


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """A function: the configuration of a folder of places, with what the data tell."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))

    def prepare(lie, *overrides):
        root = tmp_path / lie
        if not root.exists():
            write_places(root, lie)
        files_state.state_below.cache_clear()
        stated = [] if lie == "files" else [f"data.frame_order={lie}"]
        config = stored.located(
            compose_trial(
                *("data=segmentation_folder", f"data.root={root}", "data.split.by=fraction", "data.frames=3"),
                *("data.split.fractions=[0.5,0.5,0]", "train.batch_size=3", *stated, *overrides),
            )
        )
        prepare_data(config)
        return stored.complete(config)

    return prepare


def expected(config, names):
    """Normalized (B, C, T, H, W), from the arrays that were written."""
    images = np.stack([series(int(name[1:])) for name in names]).swapaxes(1, 2)
    means, stds = (np.array(values).reshape(1, -1, 1, 1, 1) for values in (config.data.means, config.data.stds))
    return torch.tensor((images - means) / stds, dtype=torch.float32)


@pytest.mark.parametrize("lie", ["files", "date_major", "band_major"])
def test_statistics_are_per_band_over_all_dates(prepared, lie):
    config = prepared(lie, *PRITHVI)
    listing, survey = stored.read_listing(config), stored.read_survey(config)
    pixels = np.stack([series(int(name[1:])) for name in listing.names["train"]]).astype(float)
    assert config.data.means == pytest.approx(pixels.mean(axis=(0, 1, 3, 4)))
    assert config.data.stds == pytest.approx(pixels.std(axis=(0, 1, 3, 4)))
    assert config.data.bands == ["B1", "B2"]
    assert config.data.tile_px == 32
    findings = find_problems(survey, config)
    assert errors(findings) == []
    assert any("3 dates of 2 bands" in note for note in notes(findings))
    (image,) = summarize(survey, config)["images"]
    assert (image["sizes"], image["dates"], len(image["bands"])) == ({"32 x 32": 6}, 3, 2)


@pytest.mark.parametrize("lie", ["files", "date_major", "band_major"])
@pytest.mark.parametrize("in_memory", [True, False])
def test_a_backbone_of_several_dates_gets_them_apart(prepared, lie, in_memory):
    config = prepared(lie, *PRITHVI, f"data.in_memory={in_memory}")
    batch = open_data(config).validation_batch(torch.device("cpu"))
    names = stored.read_listing(config).names["val"]
    assert batch["image"].shape == (3, 2, 3, 32, 32)
    torch.testing.assert_close(batch["image"], expected(config, names), rtol=1e-4, atol=1e-4)
    assert set(batch) == {"image", "mask"}


@pytest.mark.parametrize(
    ("way", "combine"),
    [
        ("mean", lambda dates: dates.mean(2)),
        ("stack", lambda dates: torch.cat([dates[:, :, date] for date in range(3)], dim=1)),
    ],
)
def test_a_backbone_of_one_date_gets_their_mean_or_stack(prepared, way, combine):
    config = prepared("files", *ONE_DATE, f"data.frames_for_one_date={way}")
    data = open_data(config)
    batch = data.validation_batch(torch.device("cpu"))["image"]
    dates = expected(config, stored.read_listing(config).names["val"])
    torch.testing.assert_close(batch, combine(dates), rtol=1e-4, atol=1e-4)
    trained = data.module.on_after_batch_transfer(next(iter(data.module.val_dataloader())), 0)["image"]
    torch.testing.assert_close(trained, batch)


def test_pixels_that_a_date_s_alpha_hides_are_replaced_in_that_date_alone(prepared, tmp_path):
    """RGBA orthophotos of three dates, of which each has its own transparent rows."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 255, (6, 3, 4, 32, 32), dtype=np.uint8)
    pixels[:, :, 3] = 255
    for date in range(3):
        pixels[:, date, 3, date] = 0
    for place, dates in enumerate(pixels):
        write_raster(tmp_path / "files" / "masks" / f"p{place}.tif", classes(place), place=(0, place))
        for day, image in zip(DATES, dates, strict=True):
            write_raster(tmp_path / "files" / "images" / f"p{place}_{day}.tif", image, place=(0, place))
    config = prepared("files", *PRITHVI, "data.no_data_replace=0")
    assert errors(find_problems(stored.read_survey(config), config)) == []
    names = stored.read_listing(config).names
    opaque = pixels[:, :, 3:] == 255
    train = [int(name[1:]) for name in names["train"]]
    seen = np.ma.masked_where(~np.repeat(opaque, 3, axis=2), pixels[:, :, :3].astype(float))[train]
    assert config.data.means == pytest.approx(seen.mean(axis=(0, 1, 3, 4)), rel=1e-4)
    filled = np.where(opaque, pixels[:, :, :3], 0).swapaxes(1, 2)[[int(name[1:]) for name in names["val"]]]
    means, stds = (np.array(values).reshape(1, -1, 1, 1, 1) for values in (config.data.means, config.data.stds))
    batch = open_data(config).validation_batch(torch.device("cpu"))["image"]
    torch.testing.assert_close(batch, torch.tensor((filled - means) / stds).float(), rtol=1e-4, atol=1e-4)


def test_the_same_files_are_listed_once_whatever_a_backbone_gets_of_them(prepared):
    ways = [prepared("files", *ONE_DATE, f"data.frames_for_one_date={way}") for way in ("mean", "stack")]
    assert ways[0].data.state == ways[1].data.state
    assert prepared("files", *PRITHVI, "data.frame_order=files").data.state != ways[0].data.state


def test_prithvi_tl_is_told_when_and_where(prepared):
    config = prepared("files", *TL)
    batch = open_data(config).training_batch(torch.device("cpu"))
    assert batch["temporal_coords"].tolist() == [[[2024, 9], [2024, 60], [2024, 365]]] * 3
    known = stored.read_listing(config).coordinates["train"]
    where = sorted(found["location"] for found in known.values())
    assert np.allclose(sorted(batch["location_coords"].tolist()), where)
    assert "temporal_coords" not in open_data(prepared("files", *PRITHVI)).training_batch(torch.device("cpu"))


def test_a_folder_of_one_date_each_is_told_too(prepared):
    config = prepared("files", *TL)
    one = prepared("files", *TL, "data.frames=1", "data.label_folder=images", "task=regression")
    assert len(stored.read_listing(one).coordinates["train"]) > len(stored.read_listing(config).coordinates["train"])
    (time,) = {len(found["time"]) for found in stored.read_listing(one).coordinates["train"].values()}
    assert time == 1


@pytest.mark.parametrize("cut", ["true", "lazily"])
def test_tiles_keep_the_dates_of_their_scene_and_lie_beside_each_other(prepared, cut):
    config = prepared("files", *TL, f"data.cut={cut}", "data.tile_px=16")
    listing = stored.read_listing(config)
    batch = open_data(config).validation_batch(torch.device("cpu"))
    assert batch["image"].shape[1:] == (2, 3, 16, 16)
    name = listing.names["val"][0]
    scene, row, column = series(int(name[1])), int(name[4:7]) * 16, int(name[9:12]) * 16
    part = torch.tensor(scene[:, :, row : row + 16, column : column + 16].swapaxes(0, 1))
    means, stds = (torch.tensor(v).view(-1, 1, 1, 1) for v in (config.data.means, config.data.stds))
    torch.testing.assert_close(batch["image"][0], (part - means) / stds, rtol=1e-4, atol=1e-4)
    places = {tuple(found["location"]) for of in listing.coordinates.values() for found in of.values()}
    assert len(places) == sum(map(len, listing.names.values())) == 24


def test_each_modality_has_its_own_number_of_dates():
    modalities = {"S2L2A": ModalityConfig(folder="a"), "DEM": ModalityConfig(folder="b", frames=1)}
    data = DataConfig(name="x", frames=2, modalities=modalities, frames_for_one_date="stack")
    config = TrialConfig(backbone=BackboneConfig(name="terramind_v1_tiny"), data=data)
    images = {"S2L2A": torch.arange(4.0).reshape(1, 4, 1, 1), "DEM": torch.ones(1, 1, 1, 1)}
    apart = with_frames(images, data)
    assert apart["S2L2A"][0, :, :, 0, 0].tolist() == [[0, 2], [1, 3]]
    assert apart["DEM"].shape == (1, 1, 1, 1)
    assert combined(apart, config)["S2L2A"].flatten().tolist() == [0, 1, 2, 3]
