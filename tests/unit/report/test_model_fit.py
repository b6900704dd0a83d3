"""What was expected of trials beside what they measured, as far as it was expected and measured."""

import dataclasses

import pytest

from terrasweep.report.model_fit import fit_rows, model_fits
from terrasweep.report.study_outcome import summarize
from tests.unit.report import sample_study as sample


def trial(number, expected, measured, sd=0.1, **changes):
    """A trial that was expected to have an accuracy."""
    told = {"as": "training", "expected": {"accuracy": [expected, expected - sd, expected + sd]}}
    result = sample.complete(number, {"accuracy": measured, "peak_memory_mib": 9.0, "throughput_samples_per_s": 1.0})
    return dataclasses.replace(result, proposed=told, **changes)


def fits(*trials):
    return model_fits(summarize(sample.record(), list(trials)))


def test_the_errors_are_of_what_was_expected_before():
    (fit,) = fits(trial(0, 0.5, 0.55), trial(1, 0.5, 0.65), trial(2, 0.5, 0.2), trial(3, 0.5, 0.4 + 1e-9))
    assert [pair.measured for pair in fit.pairs] == [0.55, 0.65, 0.2, 0.4 + 1e-9]
    assert fit.error == pytest.approx(0.125)
    assert fit.bias == pytest.approx(-0.025)
    assert (fit.share_within(1), fit.share_within(2)) == (0.5, 0.75)
    assert fit.as_text().startswith("accuracy: 4 trials, off by 0.125 (median); 50.0 % within one standard deviation")


def test_the_interval_may_be_longer_on_one_side():
    """As of a number that is expected by its logarithm."""
    told = {"expected": {"accuracy": [0.5, 0.25, 1.0]}}
    low, high = (dataclasses.replace(trial(n, 0.5, v), proposed=told) for n, v in enumerate((0.2, 0.9)))
    (fit,) = fits(low, high)
    assert [pair.is_within(1) for pair in fit.pairs] == [False, True]


def test_what_was_known_was_no_expectation_and_what_is_another_trial_s_no_measurement():
    known, reused = trial(0, 0.5, 0.6, sd=1e-7), trial(1, 0.5, 0.6, accuracy_from="0")
    probe = trial(2, 0.5, 0.6, cost_from="0")
    (fit,) = fits(known, reused, probe)
    assert [pair.trial.number for pair in fit.pairs] == [2]


def test_a_study_without_models_has_none():
    assert fits(*sample.results()) == []
    assert fit_rows(summarize(*sample.study())) == []
    assert fits(dataclasses.replace(trial(0, 0.5, 0.5), proposed={"as": "filling"})) == []


def test_objectives_come_in_the_study_s_order():
    told = {"expected": {"peak_memory_mib": [10.0, 9.0, 11.0], "accuracy": [0.5, 0.4, 0.6], "other": [1.0, 0.0, 2.0]}}
    outcome = summarize(sample.record(), [dataclasses.replace(trial(0, 0.5, 0.5), proposed=told)])
    assert [row[:3] for row in fit_rows(outcome)] == [["accuracy", "1", "0"], ["peak memory (MiB)", "1", "1"]]
