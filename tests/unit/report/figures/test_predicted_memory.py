"""Measured over predicted peaks, with the line through them and how far it is off for trials that it does not know."""

import dataclasses
import json

import pytest

from terrasweep.report.figures.predicted_memory import predicted_memory_section
from terrasweep.report.study_outcome import summarize
from terrasweep.results.peak_calibration import Pair, calibrate, errors_of_unseen
from terrasweep.results.wording import percent
from tests.unit.report import sample_study as sample

PAIRS = [Pair(100 * size, 100 * size + 70 + size) for size in range(1, 8)]


def section(pairs, **more):
    """Of a study with a trial per pair, and one without a prediction."""
    trials = [
        sample.complete(
            number, {"accuracy": 0.5, "predicted_peak_mib": p.predicted, "peak_memory_mib": p.measured, **more}
        )
        for number, p in enumerate(pairs)
    ]
    plain = sample.complete(len(trials), {"accuracy": 0.5, "peak_memory_mib": 100.0})
    return predicted_memory_section(summarize(sample.record(), [*trials, plain]))


@pytest.mark.parametrize(("device", "more"), [("cpu", {}), ("cuda", {"peak_allocated_mib": 50.0})])
def test_each_trial_with_both_is_a_point_beside_the_line_and_its_interval(device, more):
    (figure,) = section(PAIRS, **more).figures
    middle, low, high, points = json.loads(figure.spec)["data"]
    assert list(zip(points["x"], points["y"], strict=True)) == [tuple(pair) for pair in PAIRS]
    line = calibrate(PAIRS, device)
    assert middle["x"] == low["x"] == high["x"] == [100, 700]
    assert middle["y"] == pytest.approx([line.expected(100), line.expected(700)])
    assert [low["y"][1], high["y"][1]] == pytest.approx(line.interval(700))
    assert figure.anchor == f"predicted-{device}"


def test_the_errors_are_of_trials_that_the_line_does_not_know():
    (figure,) = section(PAIRS).figures
    unseen = sorted(errors_of_unseen(PAIRS, "cpu"))
    assert f"is off by {percent(unseen[3])} (median), {percent(unseen[6])} (95th percentile)" in figure.note
    plain = sorted(1 - pair.predicted / pair.measured for pair in PAIRS)
    assert f"the prediction alone is off by {percent(plain[3])} (median)" in figure.note
    assert "through 7 trials" in figure.note


def test_of_too_few_trials_no_error_is_told_and_without_any_there_is_no_section():
    assert "off by" not in section(PAIRS[:2]).figures[0].note
    assert section([]) is None


def test_a_peak_of_another_trial_is_no_measurement_of_its_own():
    own = sample.complete(0, {"predicted_peak_mib": 10.0, "peak_memory_mib": 20.0})
    reused = dataclasses.replace(own, number=1, cost_from="0")
    (figure,) = predicted_memory_section(summarize(sample.record(), [own, reused])).figures
    assert json.loads(figure.spec)["data"][-1]["x"] == [10.0]
