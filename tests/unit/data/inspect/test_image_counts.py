"""Images are counted as numpy counts all pixels at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from terrasweep.data.inspect.scan import scan_split
from tests.unit.data.inspect.scanned import scanned

TILES = st.lists(
    arrays(np.float32, (2, 3, 3), elements=st.floats(-1e4, 1e4, width=32) | st.just(float("nan"))),
    min_size=1,
    max_size=6,
)


@given(TILES)
def test_statistics_are_numpy_s_over_finite_pixels(tiles):
    seen = scanned([{"image": tile, "mask": np.zeros((3, 3))} for tile in tiles]).survey().images["image"]
    pixels = np.stack(tiles).astype(float).transpose(1, 0, 2, 3).reshape(2, -1)
    assert seen.not_finite == pytest.approx(np.isnan(pixels).mean(axis=1))
    for band in range(2):
        finite = pixels[band][np.isfinite(pixels[band])]
        if finite.size:
            assert seen.means[band] == pytest.approx(finite.mean(), abs=1e-3)
            assert seen.stds[band] == pytest.approx(finite.std(), abs=1e-1)
            assert (seen.minima[band], seen.maxima[band]) == (finite.min(), finite.max())


def test_each_modality_is_seen_by_itself():
    seen = scanned([{"image": {"S1": np.ones((2, 4, 4)), "S2": np.zeros((3, 8, 8))}, "mask": np.eye(4)}]).survey()
    assert {name: image.shapes for name, image in seen.images.items()} == {"S1": {"2x4x4": 1}, "S2": {"3x8x8": 1}}
    assert seen.images["S1"].means == [1.0, 1.0]


def test_images_of_another_number_of_bands_are_counted_by_their_shapes_alone():
    samples = [{"image": np.full((bands, 2, 2), float(bands)), "mask": np.eye(2)} for bands in (2, 2, 3, 3)]
    whole, parted = scanned(samples), scanned(samples[:2])
    parted.merge(scan_split(samples[2:].__getitem__, ["s2", "s3"], "segmentation", -1, None))
    assert (whole.survey().images, whole.read) == (parted.survey().images, parted.read)
    (seen,) = parted.survey().images.values()
    assert (seen.shapes, seen.means, seen.maxima) == ({"2x2x2": 2, "3x2x2": 2}, [2.0, 2.0], [2.0, 2.0])
