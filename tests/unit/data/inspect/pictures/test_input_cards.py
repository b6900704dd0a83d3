"""A model's input is drawn with its bands' names and moments, or not at all."""

import numpy as np

from terrasweep.data.inspect.pictures import input_cards


def test_a_band_without_a_value_has_no_moments():
    assert input_cards._moments(np.full((2, 2), np.nan)) == "no value"
    assert input_cards._moments(np.array([[1.0, 3.0], [np.nan, 2.0]])) == "2.00 ± 0.82"
