"""Masks are drawn in the colours of their classes, also what is ignored and what is no class."""

from base64 import b64decode
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from terrasweep.config.data import DataConfig, ModalityConfig
from terrasweep.data.find.sample_list import Listing
from terrasweep.data.inspect.checks.case import Case
from terrasweep.data.inspect.pictures.class_colours import IGNORED, OUTSIDE, class_colour
from terrasweep.data.inspect.pictures.sample_card import Look, bands_of_a_date, coloured
from tests.unit.data.rasters import classes, write_raster
from tests.unit.data.surveys import config, survey


def test_each_label_has_its_colour():
    labels = np.array([[0, 1, 2, 3], [-1, 255, 0.5, np.nan]])
    drawn = coloured(labels, 3, 255)
    expected = [
        [class_colour(0), class_colour(1), class_colour(2), OUTSIDE],
        [OUTSIDE, IGNORED, OUTSIDE, IGNORED],
    ]
    assert [[tuple(pixel[:3]) for pixel in row] for row in drawn.tolist()] == expected
    assert (drawn[..., 3] == 255).all()


def test_dates_share_the_bands_of_a_file_alike():
    data = DataConfig(name="x", frames=3)
    assert [bands_of_a_date(data, "image", count) for count in (6, 3, 4)] == [2, 1, 4]
    assert bands_of_a_date(DataConfig(name="x"), "image", 5) == 5
    several = DataConfig(name="x", frames=3, modalities={"DEM": ModalityConfig(folder="d", frames=1)})
    assert bands_of_a_date(several, "DEM", 3) == 3


@pytest.fixture
def look(tmp_path):
    """One sample of three bands whose images are drawn by the statistics and the stretch of two."""
    pixels = np.stack([np.linspace(low, low + 99, 1024).reshape(32, 32) for low in (0.0, 1000.0, -500.0)])
    write_raster(tmp_path / "images" / "a.tif", pixels.astype(np.float32))
    write_raster(tmp_path / "masks" / "a.tif", classes(0))
    given = config(data__bands=["RED", "NIR"], data__means=[0.0, 0.0], data__stds=[1.0, 1.0])
    listing = Listing(
        names={"train": ["a"]},
        image_roots={"train": {"image": str(tmp_path / "images")}},
        suffixes={"image": ".tif", "mask": ".tif"},
        mask_roots={"train": str(tmp_path / "masks")},
        labels={},
    )
    return Look(given, Case(survey(), given), listing, {"image": [(0.0, 1.0), (0.0, 1.0)]})


def test_an_image_of_other_bands_than_the_statistics_is_stretched_by_its_own_values_and_no_input(look):
    card = look.card("train", "a")
    assert ([picture.title for picture in card.pictures], card.problem) == (["image", "mask"], "")
    drawn = np.asarray(Image.open(BytesIO(b64decode(card.pictures[0].source.partition(",")[2]))).convert("RGB"))
    expected = np.clip((np.linspace(0, 99, 1024) - 0.02 * 99) / (0.96 * 99), 0, 1).reshape(32, 32, 1) * 255
    assert np.abs(drawn - expected).max() < 8  # A photo's format rounds.


def test_a_mask_that_can_not_be_read_is_said_beside_its_image(look, tmp_path):
    (tmp_path / "masks" / "a.tif").write_text("no image")
    card = look.card("train", "a")
    assert [(picture.title, picture.over) for picture in card.pictures] == [("image", "")]
    assert card.problem.startswith("mask: ")
    assert "not recognized" in card.problem


@pytest.mark.parametrize(("augment", "expected"), [("none", 0), ("flips", 4), ("d4", 8)])
def test_an_input_is_turned_as_a_training_turns_it(look, augment, expected):
    chosen = replace(look.config, augment=replace(look.config.augment, name=augment))
    asked = replace(look, config=chosen, case=Case(survey(), chosen))
    assert len(asked.turned("train", "a", "image", np.zeros((3, 32, 32)))) == expected
