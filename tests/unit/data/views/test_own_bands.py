"""What bands are called, and what alpha bands hold."""

from itertools import pairwise

import numpy as np
import pytest
import rasterio
from PIL import Image

from terrasweep.config.band_choice import OwnBands
from terrasweep.data.views.headers import read_header
from terrasweep.data.views.own_bands import band_names, descriptions, holds_validity, own_bands, spread
from tests.unit.data.rasters import noise, write_raster


def described(path, names):
    write_raster(path, noise(0, len(names)))
    with rasterio.open(path, "r+") as file:
        file.descriptions = names
    return read_header(path)


def rgba(path, alpha):
    pixels = np.random.default_rng(0).integers(0, 255, (4, 40, 40), dtype=np.uint8)
    pixels[3] = alpha
    Image.fromarray(np.moveaxis(pixels, 0, 2)).save(path)
    return read_header(path)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (("B 2", "B-8A"), ("B_2", "B_8A")),
        (("RED", "red"), ("B1", "B2")),
        (("RED", None), ("B1", "B2")),
        ((None, None, None), ("B1", "B2", "B3")),
    ],
)
def test_descriptions_name_the_bands_where_each_has_its_own(tmp_path, given, names):
    header = described(tmp_path / "a.tif", given)
    assert band_names(header) == names
    assert descriptions(header) == (names if "B_2" in names else None)


def test_photos_have_colours(tmp_path):
    header = rgba(tmp_path / "a.png", 255)
    assert band_names(header) == ("RED", "GREEN", "BLUE", "ALPHA")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "b.jpg")
    assert band_names(read_header(tmp_path / "b.jpg")) == ("RED", "GREEN", "BLUE")


HALF = np.where(np.arange(1600).reshape(40, 40) < 800, 0, 255)
SEAM = np.where(np.arange(1600).reshape(40, 40) % 800 < 20, 128, HALF)
NIR = np.random.default_rng(1).integers(0, 255, (40, 40))


@pytest.mark.parametrize(("alpha", "is_validity"), [(255, True), (0, True), (HALF, True), (SEAM, True), (NIR, False)])
def test_alpha_is_judged_by_what_it_holds(tmp_path, alpha, is_validity):
    header = rgba(tmp_path / "a.png", alpha)
    assert holds_validity([header]) is is_validity
    own = own_bands([header])
    assert own == OwnBands(names=("RED", "GREEN", "BLUE", "ALPHA"), read=tuple(range(4 - is_validity)), has_alpha=True)


def test_a_file_that_names_its_bands_speaks_for_the_others(tmp_path):
    unnamed = described(tmp_path / "a.tif", (None, None))
    named = described(tmp_path / "b.tif", ("VV", "VH"))
    assert own_bands([unnamed, named]) == OwnBands(names=("VV", "VH"), read=(0, 1), described=True)


def test_a_file_that_is_gone_tells_nothing(tmp_path):
    header = rgba(tmp_path / "a.png", NIR)
    (tmp_path / "a.png").unlink()
    assert holds_validity([header])


@pytest.mark.parametrize("count", [0, 1, 11, 12, 13, 100])
def test_a_few_are_taken_from_all_over(count):
    chosen = spread(range(count))
    assert len(chosen) <= 12
    assert chosen[:1] == list(range(count))[:1]
    assert len({late - early for early, late in pairwise(chosen)}) <= 1
