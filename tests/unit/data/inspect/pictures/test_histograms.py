"""Histograms count all values but those that stand apart, which are found with their share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.data.inspect.pictures.histograms import BINS, band_histogram, values_apart

CHANCE = np.random.default_rng(0)


@given(st.lists(st.floats(-1e5, 1e5) | st.just(float("nan")), min_size=1, max_size=60))
def test_shares_sum_up_to_one(values):
    histogram = band_histogram("RED", {"train": np.array(values, np.float32)})
    if all(np.isnan(values)):
        assert histogram is None
    else:
        assert len(histogram.bins["train"]) == BINS
        assert sum(histogram.bins["train"]) == pytest.approx(1)


@pytest.mark.parametrize("value", [-9999, -32768, 65535, 1e20, -3.4028234663852886e38])
def test_a_value_for_nothing_is_found_with_its_share_and_leaves_the_histogram_alone(value):
    plain = CHANCE.normal(1000, 200, 9_500).astype(np.float32)
    mixed = np.concatenate([plain, np.full(500, value, np.float32)])
    histogram = band_histogram("RED", {"train": mixed})
    assert histogram.apart == [(pytest.approx(value), 0.05)]
    assert histogram.bins == band_histogram("RED", {"train": plain}).bins


@pytest.mark.parametrize(
    "plain",
    [
        CHANCE.normal(0, 1, 10_000),
        CHANCE.poisson(3, 10_000),
        np.clip(CHANCE.normal(200, 60, 10_000), 0, 255).round(),
        CHANCE.exponential(100, 10_000),
        np.zeros(100),
        np.array([0, 1] * 50),
    ],
)
def test_saturated_skewed_and_constant_bands_have_nothing_apart(plain):
    assert values_apart(plain) == []


def test_both_ends_can_stand_apart():
    values = np.concatenate([CHANCE.uniform(0, 1, 900), np.full(50, -9999), np.full(50, 1e20)])
    assert values_apart(values) == [(-9999, 0.05), (1e20, 0.05)]


def test_what_stands_apart_is_what_the_checks_say():
    """A value far from the others by their range, and not by their standard deviations, is none; and the reverse."""
    wide = np.concatenate([CHANCE.choice([0.0, 1.0], 1000), np.full(50, 2.6)])
    narrow = np.concatenate([CHANCE.normal(0, 1, 10_000), CHANCE.uniform(-60, 60, 50), np.full(50, 77.0)])
    assert values_apart(wide) == []
    assert values_apart(narrow) == [(77.0, pytest.approx(50 / 10_100))]
    assert values_apart(np.repeat([-9999.0, -99.0], 50)) == []  # There would be nothing left.


def test_splits_share_their_ends():
    histogram = band_histogram("RED", {"train": np.zeros(50), "val": np.ones(50)})
    assert (histogram.low, histogram.high) == (0, 1)
    assert histogram.bins["train"][0] == histogram.bins["val"][-1] == 1
