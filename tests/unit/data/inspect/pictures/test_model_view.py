"""A picture of a model's input shows what a trial's own steps give."""

import numpy as np
import pytest

from terrasweep.data.inspect.pictures.model_view import (
    RANGE,
    as_a_model_sees,
    bilinear,
    nearest,
    shades,
    under_symmetries,
)


@pytest.mark.parametrize(("size", "px"), [((40, 40), 24), ((24, 36), 60), ((33, 33), 33), ((7, 90), 16)])
def test_resampling_is_that_of_albumentations(size, px):
    import albumentations

    chance = np.random.default_rng(0)
    image = chance.normal(1000, 300, (*size, 3)).astype(np.float32)
    mask = chance.integers(0, 9, size).astype(np.uint8)
    resized = albumentations.Resize(px, px)(image=image, mask=mask)
    np.testing.assert_allclose(bilinear(image.transpose(2, 0, 1), px), resized["image"].transpose(2, 0, 1), atol=0.3)
    assert (nearest(mask, px) == resized["mask"]).all()


def test_values_are_normalised_with_what_stands_for_no_data():
    pixels = np.array([[[10.0, np.nan]], [[5.0, 7.0]]], np.float32)
    seen = as_a_model_sees(pixels, [8.0, 5.0], [2.0, 4.0], 4.0, None)
    assert seen.tolist() == [[[1.0, -2.0]], [[0.0, 0.5]]]
    assert np.isnan(as_a_model_sees(pixels, [8.0, 5.0], [2.0, 4.0], None, None)[0, 0, 1])


def test_the_mean_is_grey_and_the_range_ends_in_black_and_white():
    assert shades(np.array([-9, -RANGE, 0, RANGE, 9])).tolist() == [0, 0, 128, 255, 255]


def test_symmetries_are_called_what_they_are():
    image = np.arange(75).reshape(5, 5, 3)
    shown = under_symmetries(image, "d4", square=True)
    expected = {
        "as it is": image,
        "left and right swapped": image[:, ::-1],
        "top and bottom swapped": image[::-1],
        "turned by 180°": np.rot90(image, 2),
        "mirrored at the diagonal": image.swapaxes(0, 1),
        "turned by 90° to the right": np.rot90(image, -1),
        "turned by 90° to the left": np.rot90(image, 1),
        "mirrored at the other diagonal": np.rot90(image, 2).swapaxes(0, 1),
    }
    assert shown.keys() == expected.keys()
    assert all(np.array_equal(shown[name], expected[name]) for name in expected)


@pytest.mark.parametrize(("augment", "kinds"), [("none", 1), ("mirror", 2), ("flips", 4), ("d4", 8)])
@pytest.mark.parametrize("shape", [(4, 4), (4, 6)])
def test_what_is_drawn_is_what_a_training_shows(augment, kinds, shape):
    import torch

    from terrasweep.training.augmentation import Symmetries

    square = shape[0] == shape[1]
    image = np.arange(np.prod(shape)).reshape(shape)
    batch = {"image": torch.zeros(200, 1, *shape), "mask": torch.tensor(image).expand(200, *shape)}
    trained_on = {mask.numpy().tobytes() for mask in Symmetries(augment, 0).applied(batch)["mask"]}
    drawn = under_symmetries(image, augment, square=square)
    assert {turned.tobytes() for turned in drawn.values()} == trained_on
    assert len(drawn) == (kinds if square else min(kinds, 4))
