"""Classes can be told apart, and targets rise with their colours."""

from itertools import combinations

import numpy as np

from terrasweep.data.inspect.pictures.class_colours import IGNORED, OUTSIDE, class_colour, css, ramp


def distance(first, second):
    return max(abs(a - b) for a, b in zip(first, second, strict=True))


def test_colours_of_classes_are_distinct():
    hundred = [class_colour(label) for label in range(100)]
    assert min(distance(a, b) for a, b in combinations(hundred, 2)) >= 3
    twenty = [*hundred[:20], IGNORED, OUTSIDE]
    assert min(distance(a, b) for a, b in combinations(twenty, 2)) >= 25
    assert all(0 <= channel <= 255 for colour in hundred for channel in colour)


def test_the_ramp_grows_brighter_from_the_least_to_the_largest():
    brightness = ramp(np.linspace(0, 1, 50)).astype(float) @ [0.299, 0.587, 0.114]
    assert (np.diff(brightness) > 0).all()
    assert (ramp(np.array([-3.0, 7.0])) == ramp(np.array([0.0, 1.0]))).all()


def test_a_colour_is_written_as_style_sheets_do():
    assert css((0, 114, 178)) == "#0072b2"
