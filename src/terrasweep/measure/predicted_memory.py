"""What a trial's peaks were predicted as before it ran, beside what was measured of them."""

from __future__ import annotations

from terrasweep.measure.device_memory import ALLOCATOR_RETRIES, PEAK_ALLOCATED
from terrasweep.measure.measurement import Measurement
from terrasweep.measure.peak_memory import PEAK_BUILD, PEAK_MEMORY
from terrasweep.results.peak_calibration import Pair
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult

PREDICTED_PEAK = Measurement(
    name="predicted_peak_mib",
    label="predicted peak memory",
    unit="MiB",
    definition="What the peak memory was predicted as before the trial ran, not calibrated; where there is a memory "
    "budget, and budget.gate is on.",
    predicts=PEAK_MEMORY.name,
)
PREDICTED_BUILD = Measurement(
    name="predicted_build_mib",
    label="predicted peak build",
    unit="MiB",
    definition="What the peak of the build was predicted as, likewise.",
    of_build=True,
    predicts=PEAK_BUILD.name,
)
PREDICTED = (PREDICTED_PEAK, PREDICTED_BUILD)
"""In the order of their columns."""


def measured_pair(result: TrialResult, prediction: Measurement) -> Pair | None:
    """A peak as a trial predicted and as it measured it; None where it has not measured it to the end by itself.

    Args:
        result: The trial's own.
        prediction: One of :data:`PREDICTED`.
    """
    predicted, measured = result.value(prediction.name), result.value(prediction.predicts)
    is_whole = result.state is State.COMPLETE or result.reason is Reason.OVER_BUDGET
    # At its limit the allocator reserves what it may have, and not what it would.
    if not is_whole or result.cost_from or result.value(ALLOCATOR_RETRIES.name):
        return None
    return Pair(predicted, measured) if predicted and measured else None


def measured_on(result: TrialResult) -> str:
    """The kind of device that a trial's peak memory is of: ``cpu`` or ``cuda``."""
    return "cpu" if result.value(PEAK_ALLOCATED.name) is None else "cuda"
