"""A predicted throughput is beside the measured one where the trial measured it by itself, undisturbed."""

import dataclasses

import pytest

from terrasweep.measure.predicted_speed import PREDICTED_SPEED, PREDICTED_THROUGHPUT, throughput_pair
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult

MEASURED: Measurements = {
    "throughput_samples_per_s": 50.0,
    "predicted_throughput_samples_per_s": 40.0,
    "roofline_throughput_samples_per_s": 90.0,
    "disturbed": "",
}
TRIAL = TrialResult(number=1, state=State.COMPLETE, measurements=dict(MEASURED))


def test_each_prediction_has_its_pair():
    assert [throughput_pair(TRIAL, prediction) for prediction in PREDICTED_SPEED] == [(40.0, 50.0), (90.0, 50.0)]


@pytest.mark.parametrize(
    "change",
    [
        {"cost_from": "0"},
        {"state": State.INFEASIBLE, "reason": Reason.OVER_BUDGET},
        {"measurements": {**MEASURED, "disturbed": "other processes took a core"}},
        {"measurements": {**MEASURED, "predicted_throughput_samples_per_s": None}},
        {"measurements": {**MEASURED, "throughput_samples_per_s": None}},
    ],
)
def test_what_is_not_its_own_undisturbed_speed_is_no_pair(change):
    assert throughput_pair(dataclasses.replace(TRIAL, **change), PREDICTED_THROUGHPUT) is None
