"""Throughput and step times against a clock whose every reading is known."""

import pytest

from terrasweep.measure.rate_error import MIN_STEPS
from terrasweep.measure.throughput import ThroughputMeter, median_throughput, percentile, throughput


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def drive(meter, clock, steps):
    """steps: (wait, work, samples); a wait before each step, then its work."""
    with meter:
        for step, (wait, work, samples) in enumerate(steps):
            clock.now += wait
            meter.on_step_begin(step)
            clock.now += work
            meter.on_step_end(step, samples)
    return meter.reading()


def test_throughput_counts_steps_not_means():
    assert throughput([4] * 10, [0.2] * 10) == pytest.approx(20.0)
    # The mean of the rates would be 5.5, all samples over the mean time 10.9.
    assert throughput([1, 10], [1.0, 1.0]) == pytest.approx(5.5)
    assert throughput([1, 10], [1.0, 10.0]) == pytest.approx(1.0)


def test_waiting_for_data_counts_and_warm_up_does_not():
    clock = Clock()
    reading = drive(ThroughputMeter(2, clock), clock, [(9, 9, 8), (9, 9, 8), (1, 3, 8), (2, 2, 8)])
    assert reading["throughput_samples_per_s"] == pytest.approx(16 / 8)
    assert reading["data_wait_share"] == pytest.approx(3 / 8)
    assert reading["train_seconds"] == pytest.approx(8)
    assert reading["step_time_p50_s"] == pytest.approx(4)


def test_what_is_no_step_between_two_steps_does_not_count():
    clock = Clock()
    meter = ThroughputMeter(0, clock)
    drive(meter, clock, [(0, 2, 8)])
    clock.now += 100
    meter.on_pause_end()
    reading = drive(meter, clock, [(1, 3, 8)])
    assert reading["train_seconds"] == pytest.approx(2 + 1 + 3)
    assert reading["data_wait_share"] == pytest.approx(1 / 6)


def test_without_warm_up_the_first_step_starts_with_its_own_batch():
    clock = Clock()
    assert drive(ThroughputMeter(0, clock), clock, [(50, 2, 4)])["throughput_samples_per_s"] == pytest.approx(2)


def test_absent_is_none_and_never_zero():
    clock = Clock()
    assert set(drive(ThroughputMeter(5, clock), clock, [(1, 1, 8)]).values()) == {None}


def test_percentiles_are_values_that_were_seen():
    values = [float(v) for v in range(1, 101)]
    assert [percentile(values, p) for p in (50, 95, 99)] == [50.0, 95.0, 99.0]
    assert percentile([3.0], 99) == 3.0


def test_one_stalled_step_changes_the_throughput_and_not_that_of_the_median_step():
    clock = Clock()
    steps = [(0.0, 0.1, 4)] * 20
    stalled = [*steps[:-1], (0.0, 10.0, 4)]
    reading = drive(ThroughputMeter(0, clock), clock, stalled)
    assert reading["throughput_median_samples_per_s"] == pytest.approx(40)
    assert reading["throughput_samples_per_s"] == pytest.approx(80 / 11.9)
    assert reading["throughput_error"] > 0.5


def test_the_median_step_s_rate_is_one_that_was_seen_whatever_the_batches_sizes():
    assert median_throughput([4, 4, 1], [1.0, 2.0, 1.0]) == pytest.approx(2.0)
    # Of an even number the faster one, as the median of the step times is.
    assert median_throughput([4, 4], [1.0, 2.0]) == pytest.approx(4.0)
    assert median_throughput([], []) is None


def test_the_error_is_that_of_the_timed_steps_alone():
    clock = Clock()
    even = [(0.0, 0.25, 8)] * MIN_STEPS
    assert drive(ThroughputMeter(1, clock), clock, [(0, 90, 8), *even])["throughput_error"] == pytest.approx(
        0, abs=1e-9
    )
    assert drive(ThroughputMeter(2, clock), clock, [(0, 90, 8), *even])["throughput_error"] is None
