"""The rate's error against rates that are known, on step times that depend on each other."""

import math

import numpy as np
import pytest

from terrasweep.measure.rate_error import MIN_STEPS, block_length, block_variance, rate_error

SAMPLES = 16
MEDIAN_S, SPREAD = 0.1, 0.2
TRUE_RATE = SAMPLES / (MEDIAN_S * math.exp(SPREAD**2 / 2))
"""Of log-normal step times."""
RUNS = 500


def autoregressive(memory, steps, runs=RUNS, seed=0):
    """Standard normal series with this first-order autocorrelation, shape (runs, steps)."""
    noise = np.random.default_rng(seed).standard_normal((runs, steps))
    series = np.empty_like(noise)
    series[:, 0] = noise[:, 0]
    for step in range(1, steps):
        series[:, step] = memory * series[:, step - 1] + math.sqrt(1 - memory**2) * noise[:, step]
    return series


def step_times(memory, steps):
    return MEDIAN_S * np.exp(SPREAD * autoregressive(memory, steps))


def covered(runs, error):
    """The share of runs whose 95 % interval holds the true rate."""
    hits = 0
    for seconds in runs:
        rate = SAMPLES * len(seconds) / seconds.sum()
        hits += abs(rate - TRUE_RATE) <= 1.96 * rate * error(seconds)
    return hits / len(runs)


def by_blocks(seconds):
    return rate_error([SAMPLES] * len(seconds), list(seconds))


def independent(seconds):
    """What a bootstrap of single steps gives."""
    return seconds.std() / seconds.mean() / math.sqrt(len(seconds))


@pytest.mark.parametrize("steps", [30, 55, 200])
@pytest.mark.parametrize("memory", [0.0, 0.3, 0.6, 0.8])
def test_a_95_per_cent_interval_holds_the_true_rate_in_90_to_99_per_cent_of_runs(memory, steps):
    assert 0.90 <= covered(step_times(memory, steps), by_blocks) <= 0.99


def test_single_steps_resampled_would_promise_far_too_much():
    runs = step_times(0.8, 200)
    assert covered(runs, independent) < 0.6
    assert covered(runs, by_blocks) >= 0.90


def test_the_closed_form_is_what_many_resamples_of_circular_blocks_give():
    steps, block = 120, 8
    values = autoregressive(0.6, steps, runs=1)[0]
    values -= values.mean()
    starts = np.random.default_rng(1).integers(0, steps, (20_000, steps // block))
    means = values[(starts[..., None] + np.arange(block)) % steps].mean(axis=(1, 2))
    corrected = means.var() * steps * steps / (steps - block)
    assert block_variance(values, block) == pytest.approx(corrected, rel=0.05)


def test_blocks_are_as_long_as_the_memory_of_the_steps_asks():
    lengths = {}
    for memory in (0.0, 0.5, 0.9):
        runs = autoregressive(memory, 1000, runs=20)
        lengths[memory] = np.median([block_length(run - run.mean()) for run in runs])
    assert lengths[0.0] <= 4 < lengths[0.5] < lengths[0.9]
    # At this memory the theory's optimum is (4 m / (1 - m^2))^(2/3) (3 n / 2)^(1/3): of squared slope over spectrum.
    assert lengths[0.5] == pytest.approx((2 * 0.5 / (1 - 0.5**2)) ** (2 / 3) * (1.5 * 1000) ** (1 / 3), rel=0.4)


def test_steps_that_cancel_each_other_exactly_are_as_those_that_nearly_do():
    """A step that is late by what the next one is early says nothing against long blocks: their sums are all alike."""
    exactly, nearly = np.zeros(32), np.zeros(32)
    exactly[:2], nearly[:2] = (1, -1), (1, -0.999)
    assert block_length(exactly) == block_length(nearly) == 11, "a third of the steps is the longest"


def test_the_unit_of_time_and_the_size_of_batches_do_not_matter():
    seconds = step_times(0.5, 40)[0]
    error = by_blocks(seconds)
    assert rate_error([3] * 40, list(1000 * seconds)) == pytest.approx(error)


def test_steps_whose_seconds_are_proportional_to_their_samples_have_one_rate():
    samples = [16, 16, 16, 7] * 5
    assert rate_error(samples, [0.01 * count for count in samples]) == pytest.approx(0, abs=1e-12)
    assert rate_error([4] * 20, [0.5] * 20) == 0


def test_one_stalled_step_makes_the_rate_unsure():
    quiet = list(step_times(0.0, 50)[0])
    assert by_blocks([*quiet, 20 * MEDIAN_S]) > 4 * by_blocks(quiet)


def test_too_few_steps_have_no_error():
    assert by_blocks(step_times(0.0, MIN_STEPS - 1)[0]) is None
    assert by_blocks(step_times(0.0, MIN_STEPS)[0]) > 0
    assert rate_error([], []) is None
    assert rate_error([1] * 20, [0.0] * 20) is None


def test_equal_steps_give_equal_errors_each_time():
    seconds = step_times(0.7, 300)[0]
    assert by_blocks(seconds) == by_blocks(seconds)
