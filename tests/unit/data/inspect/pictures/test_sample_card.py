"""Masks are drawn in the colours of their classes, also what is ignored and what is no class."""

import numpy as np

from terrasweep.data.inspect.checks.case import Case
from terrasweep.data.inspect.pictures.class_colours import IGNORED, OUTSIDE, class_colour
from terrasweep.data.inspect.pictures.sample_card import bands_of_a_date, coloured
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


def test_of_several_dates_one_is_drawn():
    case = Case(survey(), config())
    assert [bands_of_a_date(case, "image", count) for count in (2, 6, 3)] == [2, 2, 3]
    assert bands_of_a_date(Case(survey(bands={}), config()), "image", 5) == 5
