"""Bands are read by the files' own names, and as data.bands chooses."""

from itertools import permutations

import numpy as np
import pytest
import rasterio

from terrasweep.data import stored
from tests.unit.data.rasters import classes, noise, write_raster
from tests.unit.data.views.reading_rules.looking import look_at, places

BGR = ("BLUE", "GREEN", "RED")


def described(path, pixels, names):
    write_raster(path, pixels)
    with rasterio.open(path, "r+") as file:
        file.descriptions = names
    return pixels


def scenes(root, names_of):
    """Images whose bands are named as a function of their number says; None: not at all."""
    pixels = {}
    for number, (name, path) in enumerate(places(root).items()):
        names = names_of(number)
        bands = len(names) if isinstance(names, tuple) else names
        pixels[name] = noise(number, bands) + 50 * np.arange(bands, dtype=np.float32)[:, None, None]
        described(path, pixels[name], names if isinstance(names, tuple) else (None,) * bands)
    for number, path in enumerate(places(root, "masks").values()):
        write_raster(path, classes(number))
    return pixels


def test_files_in_another_order_are_read_by_name(root):
    orders = list(permutations(BGR))
    pixels = scenes(root, lambda number: orders[number])
    seen = look_at(root)
    assert seen.config.data.bands == list(BGR)
    assert "5 files with the bands in another order (first b.tif: BLUE, RED, GREEN)" in seen.lines("band-order")[0]
    for number, name in enumerate(pixels):
        expected = pixels[name][[orders[number].index(band) for band in BGR]]
        assert np.array_equal(seen.pixels(name).data, expected)


def test_the_configuration_says_the_order_by_name(root):
    pixels = scenes(root, lambda number: BGR if number % 2 else BGR[::-1])
    seen = look_at(root, "data.bands=[green,RED,BLUE]")
    assert seen.config.data.bands == ["green", "RED", "BLUE"]
    assert np.array_equal(seen.pixels("b").data, pixels["b"][[1, 2, 0]])
    assert np.array_equal(seen.pixels("a").data, pixels["a"][[1, 0, 2]])
    assert {finding.level for finding in seen.findings} == {"note"}


def test_a_contradicting_order_is_a_choice_and_not_a_new_name(root):
    pixels = scenes(root, lambda number: BGR)
    assert np.array_equal(look_at(root, "data.bands=[RED,GREEN,BLUE]").pixels("a").data, pixels["a"][::-1])
    renamed = look_at(root, "data.bands=[B02,B03,B04]")
    assert (renamed.rules, renamed.viewed) == (set(), set())
    assert renamed.config.data.bands == ["B02", "B03", "B04"]


def test_a_name_of_another_band_is_refused(root):
    scenes(root, lambda number: BGR)
    seen = look_at(root, "data.bands=[RED,GREEN,NIR]")
    (line,) = seen.lines("band-names")
    assert "band 1 would get the name RED, which is the files' own name of band 3 (they have BLUE, GREEN, RED)" in line


def test_a_number_that_there_is_not_is_refused(root):
    scenes(root, lambda number: 3)
    (line,) = look_at(root, "data.bands=[3,2,4]").lines("band-names")
    assert "data.bands=[3, 2, 4]: the files have the bands 1 to 3, each once (they have B1, B2, B3);" in line


@pytest.mark.parametrize(
    ("odd", "told"),
    [(("BLUE", "GREEN", "NIR"), "d.tif lacks RED and adds nir"), ((*BGR, "NIR"), "d.tif adds nir")],
)
def test_a_file_with_other_bands_is_refused_by_name(root, odd, told):
    scenes(root, lambda number: odd if number == 3 else BGR)
    seen = look_at(root)
    (line,) = seen.lines("band-names")
    assert "1 file with other bands than the first, which has BLUE, GREEN, RED" in line
    assert told in line


def test_bands_that_all_files_have_can_be_chosen(root):
    pixels = scenes(root, lambda number: ("NIR", "RED", "BLUE") if number == 3 else BGR)
    seen = look_at(root, "data.bands=[RED,BLUE]")
    assert seen.rules == {"band-choice", "band-order"} or seen.rules == {"band-choice"}
    assert np.array_equal(seen.pixels("d").data, pixels["d"][[1, 2]])
    assert np.array_equal(seen.pixels("a").data, pixels["a"][[2, 0]])


def test_names_that_come_from_those_of_files_are_no_names_of_bands(root):
    """As R's terra writes them: they were read by position, and are still."""
    scenes(root, lambda number: tuple(f"scene{number}_{band}" for band in range(3)))
    seen = look_at(root)
    assert (seen.viewed, {finding.level for finding in seen.findings}) == (set(), {"note"})


@pytest.mark.parametrize("chosen", ["[B4,B3,B2]", "[4,3,2]", "['4','3','2']"])
def test_bands_are_chosen_by_number(root, chosen):
    pixels = scenes(root, lambda number: 13)
    seen = look_at(root, f"data.bands={chosen}")
    assert seen.rules == {"band-choice"}
    assert "of 13 bands in the files B4, B3, B2 are read (by number 4, 3, 2)" in seen.lines("band-choice")[0]
    assert seen.config.data.bands == ["B4", "B3", "B2"]
    for name in pixels:
        assert np.array_equal(seen.pixels(name).data, pixels[name][[3, 2, 1]])
    expected = np.concatenate([pixels[name][[3, 2, 1]].reshape(3, -1) for name in "abcd"], axis=1).mean(axis=1)
    assert seen.config.data.means == pytest.approx(expected, rel=1e-5)


def test_bands_are_chosen_by_name(root):
    pixels = scenes(root, lambda number: (*BGR, "NIR"))
    seen = look_at(root, "data.bands=[NIR,RED]")
    assert seen.config.data.bands == ["NIR", "RED"]
    assert np.array_equal(seen.pixels("f").data, pixels["f"][[3, 2]])
    by_number = look_at(root, "data.bands=[4,3]")
    assert by_number.config.data.bands == ["NIR", "RED"]
    assert by_number.listing.image_roots == seen.listing.image_roots


def test_what_a_trial_gets_finds_the_same_files(root):
    """The completed configuration names bands; it means the same folder, whatever the state was found by."""
    scenes(root, lambda number: 3)
    for given in ([], ["data.bands=[3,1]"], ["data.bands=[3,2,1]"], ["data.bands=[RED,NIR,SWIR]"], ["data.bands=[B2]"]):
        seen = look_at(root, *given)
        assert stored.read_listing(stored.located(seen.config)) == seen.listing
        assert stored.complete(seen.config) == seen.config


def test_choices_stand_side_by_side(root):
    pixels = scenes(root, lambda number: 4)
    whole = look_at(root)
    assert (whole.viewed, whole.config.data.bands) == (set(), ["B1", "B2", "B3", "B4"])
    assert np.array_equal(look_at(root, "data.bands=[1,4]").pixels("a").data, pixels["a"][[0, 3]])
    assert np.array_equal(look_at(root, "data.bands=[2]").pixels("a").data, pixels["a"][[1]])
    assert look_at(root) == whole


def test_what_was_seen_before_bands_could_be_chosen_stays(root):
    pixels = scenes(root, lambda number: 4)
    before = look_at(root)
    (stored.data_folder(before.config) / "bands.json").unlink()
    assert look_at(root, "data.bands=[R,G,B,N]").listing == before.listing
    assert np.array_equal(look_at(root, "data.bands=[4]").pixels("a").data, pixels["a"][[3]])
    assert look_at(root).listing == before.listing


def test_names_that_are_too_few_and_unknown_are_told_both_ways(root):
    scenes(root, lambda number: 13)
    (line,) = look_at(root, "data.bands=[RED,GREEN,BLUE]").lines("band-count")
    assert "it names 3 bands, the files have 13 (B1, B2," in line
    assert "give each a name, in order, or choose by these names, or by number as in data.bands=[1,2,3]" in line


def test_each_modality_chooses_its_own(root):
    for number, (name, path) in enumerate(places(root, "s2").items()):
        described(path, noise(number, 4), (*BGR, "NIR"))
        write_raster(places(root, "s1")[name], noise(10 + number, 2))
        write_raster(places(root, "masks")[name], classes(number))
    modalities = "{S2L2A: {folder: s2, bands: [NIR, RED]}, S1GRD: {folder: s1, bands: [VV, VH]}}"
    seen = look_at(root, "data=multimodal_folder", f"data.modalities={modalities}")
    assert seen.viewed == {"S2L2A"}
    assert np.array_equal(seen.pixels("a", "S2L2A").data, noise(0, 4)[[3, 2]])
    assert "data.modalities.S2L2A.bands: of 4 bands" in seen.lines("band-choice")[0]
    assert {len(m.means) for m in seen.config.data.modalities.values()} == {2}


def test_chosen_bands_of_scenes_are_cut(root):
    pixels = scenes(root, lambda number: 5)
    seen = look_at(root, "data.bands=[5,1]", "data.cut=lazily", "data.tile_px=16")
    with rasterio.open(seen.listing.file("train", "a_r001_c000", "image")) as tile:
        assert np.array_equal(tile.read(), pixels["a"][[4, 0], 16:, :16])
        assert tile.descriptions == ("B5", "B1")
