"""A sample's files lie over each other on the ground."""

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from tests.unit.data.rasters import NORTH_WEST, classes, noise, write_raster
from tests.unit.data.views.reading_rules.looking import MASK, look_at, places

WEST, NORTH = NORTH_WEST


def tiles(root, mask, *, image_px=32, **profile):
    """Images of 32 px of 10 m, and what a function of their number makes their masks of: pixels and transform."""
    masks = {}
    for number, (name, path) in enumerate(places(root).items()):
        write_raster(path, noise(number, px=image_px), place=(0, number))
        masks[name], transform = mask(number)
        write_raster(
            places(root, "masks")[name], masks[name], **({"transform": transform} if transform else {}) | profile
        )
    return masks


def over(number, *, metres=10.0, east=0.0, south=0.0):
    """The transform of a mask whose tile is in that place."""
    return from_origin(WEST + number * 320 + east, NORTH - south, metres, metres)


def test_masks_in_their_places_are_read_as_they_lie(root):
    tiles(root, lambda number: (classes(number), over(number, east=5.0)))
    seen = look_at(root)
    assert (seen.rules, seen.viewed) == (set(), set())


def test_masks_without_a_place_are_not_compared(root):
    for number, path in enumerate(places(root).values()):
        write_raster(path, noise(number), place=(0, number))
    for number, path in enumerate(places(root, "masks", ".png").values()):
        write_raster(path, classes(number))
    assert look_at(root).rules == set()


def test_shifted_masks_are_refused(root):
    tiles(root, lambda number: (classes(number), over(number, east=160.0 if number > 3 else 0.0, south=20.0)))
    (line,) = look_at(root).lines("ground")
    assert "6 masks on other ground than the image of the same sample (worst e.tif" in line
    assert "off by 16.0 pixels across and 2.0 down (160 and 20 metres)" in line


def test_masks_in_another_system_are_refused(root):
    tiles(root, lambda number: (classes(number), over(number, east=6e4)), crs="EPSG:32632")
    (line,) = look_at(root).lines("ground")
    assert "in EPSG:32632, its image in EPSG:32633" in line


def test_masks_over_other_ground_are_refused(root):
    tiles(root, lambda number: (classes(number, px=64), over(number)))
    assert "over ground of another size than its image" in look_at(root).lines("ground")[0]


@pytest.mark.parametrize("factor", [2, 4])
def test_coarser_masks_are_read_in_the_images_pixels(root, factor):
    masks = tiles(root, lambda number: (classes(number, px=32 // factor), over(number, metres=10.0 * factor)))
    seen = look_at(root)
    assert (seen.rules, seen.viewed) == ({"mask-resolution"}, {MASK})
    assert f"{32 // factor} x {32 // factor} for 32 x 32 pixels, by the nearest" in seen.lines("mask-resolution")[0]
    for name, mask in masks.items():
        assert np.array_equal(seen.pixels(name, MASK).data, mask.repeat(factor, 1).repeat(factor, 2))


def test_a_look_for_models_of_another_size_serves_all(root):
    """A trial with ``data.resize_px`` shares the listing with those without, whichever looks first."""
    masks = tiles(root, lambda number: (classes(number, px=16), over(number, metres=20.0)))
    seen = look_at(root, "data.resize_px=48"), look_at(root)
    assert seen[0].listing == seen[1].listing
    assert np.array_equal(seen[1].pixels("a", MASK).data, masks["a"].repeat(2, 1).repeat(2, 2))


def test_finer_masks_are_read_by_the_most_frequent_class(root):
    def votes(number):
        """Three of four small pixels have the class."""
        wanted = classes(number)
        fine = wanted.repeat(2, 1).repeat(2, 2)
        fine[:, ::2, ::2] = 7
        return fine, over(number, metres=5.0)

    tiles(root, votes)
    seen = look_at(root)
    assert "64 x 64 for 32 x 32 pixels, by the most frequent class" in seen.lines("mask-resolution")[0]
    for number, name in enumerate(places(root)):
        assert np.array_equal(seen.pixels(name, MASK).data, classes(number))


def test_finer_masks_are_translated_and_resampled(root):
    """Stored values become classes, of which the most frequent counts."""

    def grey(number):
        fine = (classes(number, number=2) * 255).repeat(2, 1).repeat(2, 2)
        fine[:, ::2, ::2] = 255 - fine[:, ::2, ::2]
        return fine, over(number, metres=5.0)

    tiles(root, grey)
    seen = look_at(root, "data.labels={map: {0: 0, 255: 1}}")
    for number, name in enumerate(places(root)):
        assert np.array_equal(seen.pixels(name, MASK).data, classes(number, number=2))


def test_finer_targets_are_averaged(root):
    masks = tiles(root, lambda number: (noise(number, bands=1, px=64), over(number, metres=5.0)))
    seen = look_at(root, "task=regression", "data=regression_folder", "data.label_folder=masks")
    for name, mask in masks.items():
        expected = mask.reshape(1, 32, 2, 32, 2).mean(axis=(2, 4))
        assert seen.pixels(name, MASK).data == pytest.approx(expected, rel=1e-5)


def test_resampled_masks_are_cut_like_their_images(root):
    masks = tiles(root, lambda number: (classes(number, px=16), over(number, metres=20.0)))
    seen = look_at(root, "data.cut=lazily", "data.tile_px=16")
    with rasterio.open(seen.listing.file("train", "a_r001_c001", MASK)) as tile:
        assert np.array_equal(tile.read(), masks["a"].repeat(2, 1).repeat(2, 2)[:, 16:, 16:])


def test_modalities_that_are_off_are_a_warning(root):
    for number, (name, path) in enumerate(places(root, "s2").items()):
        write_raster(path, noise(number), place=(0, number))
        write_raster(places(root, "s1")[name], noise(10 + number), transform=over(number, east=-30.0))
        write_raster(places(root, "masks")[name], classes(number), place=(0, number))
    modalities = "{S2L2A: {folder: s2}, S1GRD: {folder: s1}}"
    seen = look_at(root, "data=multimodal_folder", f"data.modalities={modalities}")
    assert {(finding.rule, finding.level) for finding in seen.findings} == {("ground", "warning")}
    assert "6 S1GRD images on other ground than the S2L2A of the same sample" in seen.lines("ground")[0]
