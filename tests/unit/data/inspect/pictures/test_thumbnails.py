"""Pictures are small, and show means of what is there."""

import numpy as np
import pytest

from terrasweep.data.inspect.pictures.thumbnails import (
    THUMBNAIL_PX,
    ends_of,
    rgb,
    shrunk,
    shrunk_mask,
    span,
    with_opacity,
)


@pytest.mark.parametrize("shape", [(32, 32), (THUMBNAIL_PX, 100), (400, 400), (1000, 3), (577, 193)])
def test_no_side_is_longer_than_a_picture(shape):
    assert max(shrunk(np.zeros((2, *shape))).shape[1:]) <= THUMBNAIL_PX
    assert max(shrunk_mask(np.zeros((*shape, 4), np.uint8)).shape[:2]) <= THUMBNAIL_PX


def test_squares_become_their_means():
    pixels = np.arange(400 * 400, dtype=float).reshape(1, 400, 400)
    small = shrunk(pixels)
    assert small[0, 0, 0] == pixels[0, :3, :3].mean()
    assert np.array_equal(shrunk(pixels[:, :50, :50]), pixels[:, :50, :50])


def test_bands_become_an_image_and_masks_faint():
    bands = np.arange(12).reshape(3, 2, 2)
    assert rgb(bands, [2, 0, 1])[0, 1].tolist() == [9, 1, 5]
    mask = np.full((2, 2, 4), 255, np.uint8)
    assert with_opacity(mask, 130)[..., 3].tolist() == [[130, 130], [130, 130]]
    assert mask[..., 3].min() == 255


def test_ends_and_spans_leave_out_what_has_no_value():
    band = np.append(np.arange(101.0), np.nan)
    assert ends_of(band) == (2, 98)
    assert span(band) == "0.0 to 100.0"
    assert (ends_of(np.array([np.nan])), span(np.array([np.nan]))) == ((0.0, 1.0), "no value")
