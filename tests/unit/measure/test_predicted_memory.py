"""A predicted peak is beside the measured one where that was taken to the end, by the trial itself."""

import dataclasses

import pytest

from terrasweep.measure.predicted_memory import PREDICTED, PREDICTED_BUILD, PREDICTED_PEAK, measured_on, measured_pair
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult

MEASURED = {"predicted_peak_mib": 100.0, "peak_memory_mib": 170.0, "predicted_build_mib": 80.0, "peak_build_mib": 90.0}
TRIAL = TrialResult(number=1, state=State.COMPLETE, measurements=dict(MEASURED))


def test_each_peak_has_its_pair():
    assert [measured_pair(TRIAL, prediction) for prediction in PREDICTED] == [(100.0, 170.0), (80.0, 90.0)]


def test_a_trial_over_its_budget_has_measured_what_it_got_to():
    over = dataclasses.replace(
        TRIAL,
        state=State.INFEASIBLE,
        reason=Reason.OVER_BUDGET,
        measurements={**MEASURED, "peak_memory_mib": None},
    )
    assert measured_pair(over, PREDICTED_PEAK) is None
    assert measured_pair(over, PREDICTED_BUILD) == (80.0, 90.0)


@pytest.mark.parametrize(
    "change",
    [
        {"cost_from": "0"},
        {"state": State.INFEASIBLE, "reason": Reason.DIVERGED},
        {"state": State.INFEASIBLE, "reason": Reason.OOM_DEVICE},
        {"measurements": {**MEASURED, "allocator_retries": 2.0}},
        {"measurements": {**MEASURED, "predicted_peak_mib": None}},
        {"measurements": {**MEASURED, "peak_memory_mib": 0.0}},
    ],
)
def test_what_is_not_the_whole_peak_is_no_pair(change):
    assert measured_pair(dataclasses.replace(TRIAL, **change), PREDICTED_PEAK) is None


def test_torch_s_allocator_is_a_gpu_s():
    on_gpu = dataclasses.replace(TRIAL, measurements={**MEASURED, "peak_allocated_mib": 90.0, "allocator_retries": 0.0})
    assert (measured_on(TRIAL), measured_on(on_gpu)) == ("cpu", "cuda")
    assert measured_pair(on_gpu, PREDICTED_PEAK) == (100.0, 170.0)
