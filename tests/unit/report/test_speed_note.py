"""How far predicted throughputs were off, in words."""

from terrasweep.measure.predicted_speed import PREDICTED_THROUGHPUT
from terrasweep.report.speed_note import predicted_trials, speed_note
from terrasweep.report.study_outcome import summarize
from tests.unit.report import sample_study as sample


def outcome(pairs, name="predicted_throughput_samples_per_s"):
    trials = [
        sample.complete(number, {"accuracy": 0.5, name: predicted, "throughput_samples_per_s": measured})
        for number, (predicted, measured) in enumerate(pairs)
    ]
    plain = sample.complete(len(trials), {"accuracy": 0.5, "throughput_samples_per_s": 3.0})
    return summarize(sample.record(), [*trials, plain])


def test_median_and_95th_percentile_of_the_errors_are_told():
    found = speed_note(outcome([(11, 10), (8, 10), (10, 10), (15, 10), (10.5, 10)]))
    assert found == (
        "Of 5 trials the throughput was predicted from trials before them: it is off by 10.0 % (median), "
        "50.0 % (95th percentile)."
    )


def test_the_device_s_rates_alone_are_told_with_what_trials_came_to():
    found = speed_note(outcome([(10, 5), (10, 2), (10, 4)], "roofline_throughput_samples_per_s"))
    assert found == (
        "By the device's rates alone, for 3 trials, it is off by 150.0 % (median), 400.0 % (95th percentile); "
        "the median trial came to 0.4 times that."
    )


def test_of_too_few_trials_nothing_is_told():
    few = outcome([(11, 10), (8, 10)])
    assert speed_note(few) == ""
    assert [pair for _, pair in predicted_trials(few, PREDICTED_THROUGHPUT)] == [(11, 10), (8, 10)]
