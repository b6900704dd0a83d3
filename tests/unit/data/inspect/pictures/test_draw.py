"""A whole data set in pictures, from files that a test writes."""

import re
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from terrasweep.data import files_state, stored
from terrasweep.data.inspect.checks import Finding, find_problems
from terrasweep.data.inspect.pictures.draw import CARDS, draw
from terrasweep.data.prepare import prepare_data
from tests.composing import compose_trial
from tests.unit.data.rasters import classes, noise, write_raster
from tests.unit.data.series import write_places
from tests.unit.data.surveys import survey


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Ten tiles with a mask; one has a class too many, one is broken, some have -9999."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    for split, tiles in (("train", range(7)), ("val", range(7, 10))):
        for tile in tiles:
            image, mask = noise(tile, bands=4), classes(tile)
            if tile % 2:
                image[2, :, :8] = -9999
            if tile == 4:
                mask[0, 0, 0] = 7
            write_raster(tmp_path / "data" / split / "images" / f"t{tile}.tif", image, place=(tile % 3, tile // 3))
            write_raster(tmp_path / "data" / split / "masks" / f"t{tile}.tif", mask)
    (tmp_path / "data/val/images/t8.tif").write_text("no image")
    files_state.state_below.cache_clear()
    config = compose_trial(
        *("data=segmentation_folder", f"data.root={tmp_path}/data", "train.batch_size=4", "data.num_classes=3"),
        *("data.bands=[NIR,RED,GREEN,BLUE]", "data.resize_px=24"),
    )
    prepare_data(config)
    seen = stored.read_survey(config)
    return draw(config, seen, find_problems(seen, config))


def image_of(picture):
    return Image.open(BytesIO(b64decode(picture.source.partition(",")[2])))


def mask_of(picture):
    return Image.open(BytesIO(b64decode(picture.over.partition(",")[2]))).convert("RGBA")


def test_samples_findings_histograms_and_map(drawn):
    assert [card.split for card in drawn.cards] == ["train"] * CARDS["train"] + ["val"] * 3
    card = next(card for card in drawn.cards if not card.problem)
    assert [picture.title for picture in card.pictures] == ["image", "mask", "model's input"]
    assert [image_of(picture).size for picture in card.pictures] == [(32, 32), (32, 32), (24, 24)]
    (broken,) = [card for card in drawn.cards if card.problem]
    assert (broken.name, [picture.title for picture in broken.pictures]) == ("t8", ["mask"])
    assert "RED, GREEN, BLUE" in drawn.shown
    by_rule = {explained.finding.rule: [card.name for card in explained.cards] for explained in drawn.findings}
    assert by_rule["label-range"] == ["t4"]
    assert by_rule["unreadable"] == ["t8"]
    ((_, bands),) = drawn.histograms
    apart = {band.band: band.apart for band in bands}
    assert apart == {"NIR": [], "RED": [], "GREEN": [(-9999, pytest.approx(5 / 9 / 4))], "BLUE": []}
    (tiles,) = drawn.maps
    assert tiles.tiles == {"train": 7, "val": 2}
    assert [name for name, _ in drawn.legend] == ["0", "1", "2", "no class"]


def test_a_model_s_input_is_normalised_by_the_statistics_of_train(drawn):
    (shown,) = drawn.model_inputs
    assert shown.note.startswith("4 x 24 x 24")
    mean = float(re.match(r"(-?[\d.]+) ±", shown.bands[0].note)[1])
    assert abs(mean) < 0.5


def test_a_model_s_input_is_drawn_in_each_symmetry_of_a_training_with_its_mask(drawn):
    (shown,) = drawn.model_inputs
    assert drawn.augment == "d4"
    assert len({picture.source for picture in shown.turned}) == 8
    for pixels in (
        {picture.title: np.asarray(image_of(picture), float) for picture in shown.turned},
        {picture.title: np.asarray(mask_of(picture), float) for picture in shown.turned},
    ):
        plain = pixels["as it is"]
        assert plain.shape[:2] == (24, 24)
        for title, turns in (("turned by 180°", 2), ("turned by 90° to the left", 1), ("as it is", 0)):
            # The nearest one, since a JPEG is not exact.
            assert min(pixels, key=lambda other: np.abs(np.rot90(plain, turns) - pixels[other]).sum()) == title


def test_the_same_data_are_drawn_alike(drawn, tmp_path):
    files_state.state_below.cache_clear()
    config = compose_trial(
        *("data=segmentation_folder", f"data.root={tmp_path}/data", "train.batch_size=4", "data.num_classes=3"),
        *("data.bands=[NIR,RED,GREEN,BLUE]", "data.resize_px=24"),
    )
    seen = stored.read_survey(config)
    assert draw(config, seen, find_problems(seen, config)) == drawn


SEVERAL_DATES = {
    "apart": (("backbone=prithvi_eo_tiny",), "2 x 3 x 32 x 32 (bands, dates, height, width)", 6),
    "mean": (
        ("backbone=timm_vit_tiny_patch16_224", "data.frames_for_one_date=mean"),
        "2 x 32 x 32 (bands, height, width), the mean of 3 dates",
        2,
    ),
    "stack": (
        ("backbone=timm_vit_tiny_patch16_224", "data.frames_for_one_date=stack"),
        "6 x 32 x 32 (bands of 3 dates, height, width)",
        6,
    ),
}


def series_drawn(tmp_path, monkeypatch, *overrides):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    write_places(tmp_path / "data", "files")
    files_state.state_below.cache_clear()
    config = compose_trial(
        *("data=segmentation_folder", f"data.root={tmp_path}/data", "data.split.by=fraction", "data.frames=3"),
        *("data.split.fractions=[0.5,0.5,0]", "train.batch_size=3", *overrides),
    )
    prepare_data(config)
    return draw(config, stored.read_survey(config), [])


@pytest.mark.parametrize("way", SEVERAL_DATES)
def test_each_date_of_a_sample_is_drawn_and_what_a_model_gets_of_them(tmp_path, monkeypatch, way):
    overrides, note, bands = SEVERAL_DATES[way]
    drawn = series_drawn(tmp_path, monkeypatch, *overrides)
    card, days = drawn.cards[0], ["2024-01-10", "2024-03-01", "2024-12-31"]
    images = card.strips[0]
    assert (images.title, [picture.title for picture in images.pictures], images.more) == ("3 dates", days, 0)
    assert len({picture.source for picture in images.pictures}) == 3
    assert all(picture.over for picture in images.pictures)
    (shown,) = drawn.model_inputs
    assert (shown.note, len(shown.bands), shown.more, shown.is_mean) == (note, bands, 0, way == "mean")
    if way == "mean":
        assert [picture.title for picture in card.pictures] == ["mask", "model's input"]
        assert card.pictures[1].note.startswith("mean of 3 dates, ")
        assert len(card.strips) == 1
        assert [picture.title for picture in shown.bands] == ["B1", "B2"]
    else:
        given = {"apart": "dates apart", "stack": "one image of 6 bands"}[way]
        assert card.strips[1].title == f"model's input, {given}"
        assert [picture.title for picture in card.strips[1].pictures] == days
        assert [picture.title for picture in card.pictures] == ["mask"]
        assert [picture.title for picture in shown.bands] == [f"{band}, {day}" for day in days for band in ("B1", "B2")]
    # A date lies 100 above the one before, and all share their statistics: the mean is in the middle.
    moments = [float(re.match(r"(-?[\d.]+) ±", picture.note)[1]) for picture in shown.bands]
    assert moments == pytest.approx([0, 0] if way == "mean" else np.repeat([-1.2, 0, 1.2], 2), abs=0.1)


def test_of_many_dates_the_first_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr("terrasweep.data.inspect.pictures.sample_card.SHOWN_DATES", 2)
    monkeypatch.setattr("terrasweep.data.inspect.pictures.input_cards._BANDS", 5)
    drawn = series_drawn(tmp_path, monkeypatch, *SEVERAL_DATES["apart"][0])
    assert [(len(strip.pictures), strip.more) for strip in drawn.cards[0].strips] == [(2, 1), (2, 1)]
    assert [(len(shown.bands), shown.more) for shown in drawn.model_inputs] == [(5, 1)]


def test_data_of_an_own_datamodule_have_findings_and_a_line():
    config = compose_trial("data=datamodule", "data.datamodule=mine.Module", "data.num_classes=3")
    found = Finding(rule="shapes", level="error", line="two shapes; mend them")
    drawn = draw(config, survey(), [found])
    assert [explained.finding for explained in drawn.findings] == [found]
    assert "mine.Module reads these data" in drawn.absent
    assert (drawn.cards, drawn.histograms, drawn.maps) == ([], [], [])


def test_photos_have_no_place_on_the_ground_and_nobody_is_warned_of_it(tmp_path, monkeypatch, recwarn):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    for split, tile in (("train", 0), ("train", 1), ("val", 2)):
        pixels = np.random.default_rng(tile).integers(0, 255, (3, 32, 32), np.uint8)
        write_raster(tmp_path / "data" / split / "images" / f"t{tile}.png", pixels)
        write_raster(tmp_path / "data" / split / "masks" / f"t{tile}.png", classes(tile))
    files_state.state_below.cache_clear()
    config = compose_trial("data=segmentation_folder", f"data.root={tmp_path}/data", "train.batch_size=2")
    prepare_data(config)
    recwarn.clear()
    drawn = draw(config, stored.read_survey(config), [])
    assert len(drawn.cards) == 3
    assert [str(warning.message) for warning in recwarn] == []


def test_a_first_sample_that_can_not_be_read_is_no_input_to_show(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    for split, tile in (("train", 0), ("train", 1), ("val", 2)):
        write_raster(tmp_path / "data" / split / "images" / f"t{tile}.tif", noise(tile))
        write_raster(tmp_path / "data" / split / "masks" / f"t{tile}.tif", classes(tile))
    first = tmp_path / "data/train/images/t0.tif"
    first.write_bytes(first.read_bytes()[:4000])  # Its header is whole.
    files_state.state_below.cache_clear()
    config = compose_trial("data=segmentation_folder", f"data.root={tmp_path}/data", "train.batch_size=2")
    prepare_data(config)
    drawn = draw(config, stored.read_survey(config), [])
    assert drawn.model_inputs == []
    assert {card.name: bool(card.problem) for card in drawn.cards} == {"t0": True, "t1": False, "t2": False}
