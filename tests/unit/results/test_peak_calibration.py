"""A line through predicted and measured peaks: found again, not bent by an odd one, and honest about its error."""

import random
import statistics

import pytest

from terrasweep.results.peak_calibration import DEFAULTS, LEVEL, Pair, calibrate, errors_of_unseen

VIT_B = [
    *(Pair(1576, 1643), Pair(1646, 1716), Pair(1078, 1147), Pair(604, 673), Pair(843, 913)),
    *(Pair(326, 397), Pair(362, 432), Pair(451, 514), Pair(392, 448)),
]
"""Measured on 2 cores (docs/memory.md)."""


def made(chance, count, *, intercept, slope, noise):
    """Pairs on a line, off by a share of the prediction."""
    sizes = [chance.uniform(100, 20_000) for _ in range(count)]
    return [Pair(size, intercept + slope * size * (1 + chance.gauss(0, noise))) for size in sizes]


@pytest.mark.parametrize("device", DEFAULTS)
def test_before_the_first_pair_the_defaults_hold_and_the_interval_is_wide(device):
    line = calibrate([], device)
    assert (line.intercept_mib, line.slope) == pytest.approx((DEFAULTS[device].intercept_mib, 1.0))
    low, high = line.interval(10_000)
    assert low < 0.85 * 10_000
    assert high > 1.15 * 10_000
    assert line.interval(0)[0] == 0, "no peak is below nothing"


def test_measured_trials_narrow_it_to_what_they_scatter():
    line = calibrate(VIT_B, "cpu")
    for pair in VIT_B:
        low, high = line.interval(pair.predicted)
        assert low < pair.measured < high
    assert line.expected(800) == pytest.approx(868, rel=0.01)
    low, high = line.interval(800)
    assert high - low < 0.2 * 800
    before, after = (calibrate(pairs, "cpu").interval(800) for pairs in (VIT_B[:3], VIT_B))
    assert after[1] - after[0] < before[1] - before[0] < high * 2


def test_a_line_that_is_not_the_default_is_found():
    pairs = made(random.Random(1), 60, intercept=400.0, slope=1.2, noise=0.01)
    line = calibrate(pairs, "cuda")
    assert line.slope == pytest.approx(1.2, rel=0.02)
    assert line.expected(5000) == pytest.approx(6400, rel=0.02)


def test_an_odd_measurement_does_not_bend_the_line_and_widens_the_interval():
    odd = [*VIT_B, Pair(800, 8000)]
    assert calibrate(odd, "cpu").expected(800) == pytest.approx(calibrate(VIT_B, "cpu").expected(800), rel=0.05)
    assert calibrate(odd, "cpu").interval(800)[0] < calibrate(VIT_B, "cpu").interval(800)[0]


def test_hardly_any_measured_peak_is_below_the_interval():
    """That is how often a trial is skipped that would have fitted."""
    chance, below, within, total = random.Random(3), 0, 0, 0
    for _ in range(100):
        drawn = made(chance, 30, intercept=chance.uniform(0, 150), slope=chance.uniform(0.95, 1.05), noise=0.02)
        line = calibrate(drawn[:10], "cpu")
        for pair in drawn[10:]:
            low, high = line.interval(pair.predicted)
            below += pair.measured < low
            within += low <= pair.measured <= high
            total += 1
    assert below / total <= (1 - LEVEL) / 2
    assert within / total >= LEVEL


@pytest.mark.parametrize("count", [3, 9])
def test_each_error_is_of_a_pair_that_the_line_does_not_know(count):
    pairs = VIT_B[:count]
    for place, error in enumerate(errors_of_unseen(pairs, "cpu")):
        others = [pair for other, pair in enumerate(pairs) if other != place]
        expected = calibrate(others, "cpu").expected(pairs[place].predicted)
        assert error == pytest.approx(abs(expected / pairs[place].measured - 1))


def test_many_pairs_are_left_out_a_tenth_at_a_time_and_the_line_helps():
    pairs = made(random.Random(5), 200, intercept=300.0, slope=1.1, noise=0.01)
    errors = errors_of_unseen(pairs, "cuda")
    assert len(errors) == 200
    assert statistics.median(errors) < 0.02 < statistics.median(abs(p.predicted / p.measured - 1) for p in pairs)
