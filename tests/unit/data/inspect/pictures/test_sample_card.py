"""Masks are drawn in the colours of their classes, also what is ignored and what is no class."""

import numpy as np

from terrasweep.config.data import DataConfig, ModalityConfig
from terrasweep.data.inspect.pictures.class_colours import IGNORED, OUTSIDE, class_colour
from terrasweep.data.inspect.pictures.sample_card import bands_of_a_date, coloured


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
