"""Measured over predicted throughputs: each prediction's trials beside the line on which both are the same."""

import json

from terrasweep.report.figures.predicted_speed import predicted_speed_section
from terrasweep.report.speed_note import speed_note
from terrasweep.report.study_outcome import summarize
from tests.unit.report import sample_study as sample


def outcome(*trials):
    names = ("predicted_throughput_samples_per_s", "roofline_throughput_samples_per_s", "throughput_samples_per_s")
    measured = [dict(zip(names, values, strict=True)) | {"accuracy": 0.5} for values in trials]
    return summarize(sample.record(), [sample.complete(number, values) for number, values in enumerate(measured)])


def test_each_trial_is_a_point_for_each_of_its_predictions():
    found = outcome((None, 40.0, 10.0), (12.0, 40.0, 11.0), (9.0, 30.0, 10.0))
    (figure,) = predicted_speed_section(found).figures
    line, predicted, roofline = json.loads(figure.spec)["data"]
    assert line["x"] == line["y"] == [9.0, 40.0]
    assert (predicted["x"], predicted["y"]) == ([12.0, 9.0], [11.0, 10.0])
    assert (roofline["x"], roofline["y"]) == ([40.0, 40.0, 30.0], [10.0, 11.0, 10.0])
    assert figure.note == f"On the line both are the same. {speed_note(found)}"


def test_without_a_prediction_there_is_no_section():
    assert predicted_speed_section(outcome((None, None, 10.0))) is None
