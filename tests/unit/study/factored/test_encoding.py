"""Near means alike: scales, categories and keys that are not active."""

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from terrasweep.study.factored.encoding import Encoder


def distance(encoder, one, other):
    return float(np.linalg.norm(encoder.row(one) - encoder.row(other)))


@pytest.mark.parametrize(
    ("distribution", "values", "is_even"),
    [
        (FloatDistribution(1e-5, 1e-1, log=True), (1e-5, 1e-3, 1e-1), True),
        (CategoricalDistribution([1, 8, 64]), (1, 8, 64), True),
        (CategoricalDistribution([0, 1, 2]), (0, 1, 2), True),
        (IntDistribution(1, 9), (1, 5, 9), True),
        (FloatDistribution(1.0, 100.0), (1.0, 10.0, 100.0), False),
    ],
)
def test_numbers_are_even_on_their_own_scale(distribution, values, is_even):
    encoder = Encoder({"x": distribution}, [{"x": value} for value in values])
    low, middle, high = ({"x": value} for value in values)
    assert distance(encoder, low, high) == pytest.approx(1)
    assert (distance(encoder, low, middle) == pytest.approx(distance(encoder, middle, high))) is is_even


def test_categories_are_all_as_far_apart_and_so_is_not_being_active():
    space = {"x": CategoricalDistribution(["a", "b", True, None]), "y": CategoricalDistribution([1, 2])}
    settings = [{"x": choice} for choice in ("a", "b", True, None)] + [{}]
    encoder = Encoder(space, settings)
    apart = [distance(encoder, one, other) for one in settings for other in settings if one is not other]
    assert apart == pytest.approx([1.0] * len(apart))


def test_a_key_that_is_not_active_is_no_value_of_it():
    space = {"x": CategoricalDistribution([1, 2, 3])}
    encoder = Encoder(space, [{"x": 1}, {"x": 2}, {"x": 3}, {}])
    assert min(distance(encoder, {}, {"x": value}) for value in (1, 2, 3)) > 0.5


def test_what_never_changes_has_no_column():
    space = {"x": CategoricalDistribution(["a"]), "y": CategoricalDistribution([1, 2])}
    assert len(Encoder(space, [{"x": "a", "y": 1}, {"x": "a", "y": 2}]).row({"x": "a", "y": 2})) == 1
    assert len(Encoder(space, []).row({})) == 0
