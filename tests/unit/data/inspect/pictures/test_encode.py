"""What is encoded can be decoded: drawings exactly, photos nearly."""

from base64 import b64decode
from io import BytesIO

import numpy as np
from PIL import Image

from terrasweep.data.inspect.pictures.encode import drawing, photo


def decoded(address, kind):
    head, _, body = address.partition(",")
    assert head == f"data:image/{kind};base64"
    return Image.open(BytesIO(b64decode(body)))


def test_a_drawing_keeps_its_colours_and_opacities_exactly():
    colours = np.array([[230, 159, 0, 255], [0, 114, 178, 130], [128, 128, 128, 255], [255, 0, 0, 130]], np.uint8)
    pixels = colours[np.random.default_rng(0).integers(0, 4, (30, 40))]
    assert (np.asarray(decoded(drawing(pixels), "png").convert("RGBA")) == pixels).all()


def test_a_photo_is_near_to_its_pixels():
    rows = np.linspace(0, 255, 64)
    pixels = np.stack([np.add.outer(rows, rows) / 2] * 3, axis=-1).astype(np.uint8)
    difference = np.asarray(decoded(photo(pixels), "jpeg")).astype(int) - pixels
    assert np.abs(difference).max() < 10
