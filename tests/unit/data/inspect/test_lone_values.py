"""Values that stand for nothing are found in whatever imagery they lie; what was measured is left alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terrasweep.data.inspect import lone_values
from terrasweep.data.inspect.extremes import ExtremesCount
from terrasweep.data.inspect.lone_values import find_lone_values, is_mark, written

SEEDS = st.integers(0, 2**32 - 1)
LOWEST = float(np.finfo(np.float32).min)


def found(*tiles):
    count = ExtremesCount()
    for number, tile in enumerate(tiles):
        count.add(f"t{number}", np.asarray(tile, np.float64).ravel())
    return find_lone_values(count.extremes())


def saturated_photo(rng):
    return np.clip(rng.normal(rng.uniform(40, 220), rng.uniform(15, 90), 9000).round(), 0, 255)


def reflectance_with_real_zeros(rng):
    return np.clip(rng.normal(rng.uniform(0.02, 0.4), rng.uniform(0.02, 0.2), 9000), 0, 1).astype(np.float32)


def zero_inflated(rng):
    return rng.gamma(1.5, rng.uniform(1, 50), 9000) * (rng.random(9000) < 0.3)


MEASURED = {
    "gaussian": lambda rng: rng.normal(rng.uniform(-1e4, 1e4), rng.uniform(1e-3, 1e3), 9000).astype(np.float32),
    "radar intensity": lambda rng: rng.gamma(rng.uniform(1, 5), rng.uniform(1e-3, 1e3), 9000).astype(np.float32),
    "radar in decibel": lambda rng: 10 * np.log10(rng.gamma(1, 0.05, 9000) + 1e-6),
    "a photo that is dark and saturated": saturated_photo,
    "reflectance": reflectance_with_real_zeros,
    "16 bits, saturated": lambda rng: np.minimum(rng.lognormal(8, rng.uniform(0.3, 1), 9000).round(), 65535),
    "counts": lambda rng: rng.poisson(rng.uniform(0.05, 300), 9000),
    "few counts, spread": lambda rng: rng.negative_binomial(1, rng.uniform(0.05, 0.5), 9000),
    "rain": zero_inflated,
    "zeros and ones": lambda rng: rng.random(9000) < rng.uniform(0.01, 0.99),
    "0 and 255": lambda rng: 255 * (rng.random(9000) < rng.uniform(0.01, 0.99)),
    "classes in tens": lambda rng: 10 * rng.integers(0, 11, 9000),
    "an index from -1 to 1": lambda rng: np.clip(rng.normal(0.3, 0.3, 9000), -1, 1),
    "capped": lambda rng: np.minimum(rng.exponential(3000, 9000), 10000),
    "one value": lambda rng: np.full(9000, float(rng.integers(-9999, 9999))),
}


@pytest.mark.parametrize("kind", MEASURED)
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_what_was_measured_raises_nothing(kind, seed):
    values = MEASURED[kind](np.random.default_rng(seed)).astype(np.float64)
    assert found(*np.split(values, 3)) == []


MARKS = [-9999, -32768, -99, 9999, 65535, 1e20, -1e20, LOWEST, -float(np.float32(1e30))]


@pytest.mark.parametrize("mark", MARKS)
@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, share=st.floats(0.01, 0.9))
def test_marks_are_found_in_reflectance_with_their_share(mark, seed, share):
    rng = np.random.default_rng(seed)
    tiles = np.stack([reflectance_with_real_zeros(rng) for _ in range(2)]).astype(np.float64)
    clean = tiles[1, round(share * 9000) :].copy()
    tiles[1, : round(share * 9000)] = mark
    (lone,) = found(*tiles)
    rest = np.concatenate([tiles[0], clean])
    assert (lone.value, lone.spoils, lone.first) == (mark, True, "t1")
    assert lone.share == pytest.approx(1 - len(rest) / 18000)
    assert lone.mean == pytest.approx(rest.mean(), rel=1e-6)
    assert lone.beside == (rest.min() if mark < 0 else rest.max())


def test_zero_is_told_by_its_distance():
    kelvin = np.random.default_rng(0).normal(290, 8, 9000)
    edge = np.where(np.arange(9000) < 900, 0, kelvin)
    assert [(lone.value, lone.spoils) for lone in found(edge)] == [(0, True)]
    assert found(np.where(np.arange(9000) < 900, 0, kelvin - 280)) == []


def test_marks_at_both_ends_are_found_both():
    values = np.random.default_rng(0).normal(0, 1, 9000)
    values[:90], values[90:180] = -9999, 65535
    assert {lone.value for lone in found(values)} == {-9999, 65535}


def test_a_mark_is_found_among_two_values_where_it_can_be_nothing_else():
    band = np.repeat([0.0, 1.0], 50)
    assert [lone.value for lone in found(np.append(band[:50], np.full(20, -9999.0)))] == [-9999]
    assert found(np.append(np.zeros(50), np.full(20, 65535.0))) == []


def test_another_number_is_told_as_such_and_only_where_it_is_frequent():
    values = np.random.default_rng(0).normal(0, 1, 9000)
    frequent = np.append(values, np.full(12, 77.7))
    assert [(lone.value, lone.spoils) for lone in found(frequent)] == [(77.7, False)]
    assert found(np.append(values, np.full(lone_values.PIXELS - 1, 77.7))) == []


def test_one_pixel_that_spoils_the_statistics_is_enough():
    values = np.append(np.random.default_rng(0).normal(0.2, 0.1, 90_000), -9999)
    (lone,) = found(values)
    assert lone.spoils
    assert np.std(values) > lone_values.WIDER * np.std(values[:-1])


def test_the_distance_lies_where_it_is_documented():
    rest = np.tile([-1.0, 1.0], 5000)  # Their standard deviation is 1.
    ends = {side: 1 + lone_values.FAR * side for side in (0.98, 1.02)}
    lone = {side: [one.value for one in found(np.append(rest, np.full(100, end)))] for side, end in ends.items()}
    assert lone == {0.98: [], 1.02: [ends[1.02]]}


def test_which_numbers_mark_nothing():
    assert all(map(is_mark, [0, -1, -99, 99, -999, 9999, -10000, -128, 127, -32768, 32767, 65535, 1e20, LOWEST]))
    assert not any(map(is_mark, [1, 9, -2, 100, 1000, -9998, 0.5, -99.5, 256, 1e19, -1234.0]))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_written_value_is_read_as_the_same_number(value):
    assert np.float32(float(written(value))) == np.float32(value)


def test_values_are_written_as_people_do():
    assert [written(v) for v in (-9999.0, 1.0000000200408773e20, LOWEST, float(np.float32(0.1)), 0.3)] == [
        "-9999",
        "1e+20",
        "-3.4028235e+38",
        "0.1",
        "0.3",
    ]
