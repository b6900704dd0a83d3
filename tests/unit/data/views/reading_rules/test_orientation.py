"""Photos lie as PIL shows them, unless their masks were drawn on the stored pixels."""

import numpy as np
import pytest
import rasterio
from PIL import Image, ImageOps

from terrasweep.data.views.reading_rules.orientation import upright
from tests.unit.data.rasters import classes, write_raster
from tests.unit.data.views.reading_rules.looking import MASK, look_at, places

TAG = 0x0112
OBLONG = (24, 32)


def photo(seed, size=OBLONG):
    """Smooth, so that JPEG keeps it."""
    rng, (height, width) = np.random.default_rng(seed), size
    ramps = np.add.outer(np.linspace(0, 120, height), np.linspace(0, 100, width))
    return np.stack([ramps + shift for shift in rng.integers(0, 30, 3)], axis=-1).astype(np.uint8)


def save(path, pixels, orientation):
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[TAG] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, exif=exif, quality=100, subsampling=0)
    return path


def shown(path):
    """As viewers and labelling tools show it: (bands, height, width)."""
    return np.moveaxis(np.asarray(ImageOps.exif_transpose(Image.open(path))), 2, 0).astype(int)


def photos(root, orientations, mask_size, size=OBLONG):
    """Photos of these orientations, in turn, with masks of a height and width."""
    for number, path in enumerate(places(root, ending=".jpg").values()):
        save(path, photo(number, size), orientations[number % len(orientations)])
    for number, path in enumerate(places(root, "masks", ".png").values()):
        write_raster(path, classes(number, px=32)[:, : mask_size[0], : mask_size[1]])
    return places(root, ending=".jpg")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_orientation_is_as_pil_shows_it(orientation, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    image.getexif()[TAG] = orientation
    expected = np.moveaxis(np.asarray(ImageOps.exif_transpose(image)), 2, 0)
    assert np.array_equal(upright(np.moveaxis(pixels, 2, 0), orientation), expected)


def test_photos_are_turned_onto_their_masks(root):
    paths = photos(root, [6, 8], mask_size=OBLONG[::-1])
    seen = look_at(root, "data.resize_px=32")
    (line,) = seen.lines("orientation")
    assert "6 photos are turned as the camera was held (EXIF orientation; first a.jpg)" in line
    assert (seen.rules - {"class-rare"}, seen.viewed) == ({"orientation"}, {"image"})
    for name, path in paths.items():
        assert seen.pixels(name).shape == (3, *OBLONG[::-1])
        assert np.abs(seen.pixels(name).astype(int) - shown(path)).max() <= 3
    assert seen.config.data.bands == ["RED", "GREEN", "BLUE"]


def test_photos_whose_masks_have_the_stored_size_stay(root):
    photos(root, [6], mask_size=OBLONG)
    seen = look_at(root, "data.resize_px=32")
    (line,) = seen.lines("orientation")
    assert "6 photos with an EXIF orientation stay as stored" in line
    assert seen.viewed == set()
    assert seen.pixels("a").shape[1:] == seen.pixels("a", MASK).shape[1:] == OBLONG


@pytest.mark.parametrize(("mask_size", "turned"), [(OBLONG, False), (OBLONG[::-1], True)])
def test_upside_down_photos_do_as_the_others(root, mask_size, turned):
    """A photo that was turned by 180 degrees has the same size either way."""
    paths = photos(root, [6], mask_size)
    save(paths["b"], photo(9), 3)
    write_raster(places(root, "masks", ".png")["b"], classes(1)[:, : OBLONG[0]])
    seen = look_at(root, "data.resize_px=32")
    stored = np.moveaxis(np.asarray(Image.open(paths["b"])), 2, 0).astype(int)
    expected = shown(paths["b"]) if turned else stored
    assert np.abs(seen.pixels("b").astype(int) - expected).max() <= 3


def test_square_photos_are_turned(root):
    paths = photos(root, [1, 6], mask_size=(32, 32), size=(32, 32))
    seen = look_at(root)
    assert "3 photos are turned" in seen.lines("orientation")[0]
    for name in ("a", "b"):
        assert np.abs(seen.pixels(name).astype(int) - shown(paths[name])).max() <= 3


def test_photos_in_class_folders_are_turned(root):
    paths = [save(root / split / name / "a.jpg", photo(7), 6) for split in ("train", "val") for name in ("x", "y")]
    seen = look_at(root, "task=classification", "data=classification_folder", "decoder=identity", "data.resize_px=32")
    assert "4 photos are turned" in seen.lines("orientation")[0]
    with rasterio.open(seen.listing.file("val", "y/a.jpg", "image")) as image:
        assert np.abs(image.read().astype(int) - shown(paths[3])).max() <= 3
    assert seen.listing.labels["val"] == {"x/a.jpg": [0], "y/a.jpg": [1]}


def test_upright_photos_are_read_as_they_lie(root):
    photos(root, [1], mask_size=(32, 32), size=(32, 32))
    seen = look_at(root)
    assert (seen.rules - {"class-rare"}, seen.viewed) == (set(), set())


def test_a_photo_that_is_cut_off_is_told_like_others(root):
    paths = photos(root, [6], mask_size=(32, 32), size=(32, 32))
    paths["b"].write_bytes(paths["b"].read_bytes()[:700])
    assert "1 sample of train can't be read, first b" in look_at(root).lines("unreadable")[0]
