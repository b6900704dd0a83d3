"""What a trial's throughput was predicted as before it ran, beside what was measured of it."""

from __future__ import annotations

from typing import NamedTuple

from terrasweep.measure.disturbance import DISTURBED
from terrasweep.measure.measurement import Measurement
from terrasweep.measure.throughput import THROUGHPUT
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult

PREDICTED_THROUGHPUT = Measurement(
    name="predicted_throughput_samples_per_s",
    label="predicted throughput",
    unit="samples/s",
    definition="What the throughput was expected to be before the trial ran, calibrated by what had been measured on "
    "such a device until then; absent before the first of these, and where nothing was predicted.",
    predicts=THROUGHPUT.name,
)
ROOFLINE_THROUGHPUT = Measurement(
    name="roofline_throughput_samples_per_s",
    label="roofline throughput",
    unit="samples/s",
    definition="The same by the device's rates alone, not calibrated: samples of a step over the seconds that its "
    "operations, its bytes and the starts of its operators would take one after the other.",
    predicts=THROUGHPUT.name,
)
PREDICTED_SPEED = (PREDICTED_THROUGHPUT, ROOFLINE_THROUGHPUT)
"""In the order of their columns."""


class ThroughputPair(NamedTuple):
    """A throughput as it was predicted and as it was measured, in samples/s."""

    predicted: float
    measured: float


def throughput_pair(result: TrialResult, prediction: Measurement) -> ThroughputPair | None:
    """A throughput as a trial predicted and as it measured it.

    Args:
        result: The trial's own.
        prediction: One of :data:`PREDICTED_SPEED`.

    Returns:
        None where the trial did not measure it by itself to the end, or something disturbed it.
    """
    predicted, measured = result.value(prediction.name), result.value(prediction.predicts)
    if result.state is not State.COMPLETE or result.cost_from or result.measurements.get(DISTURBED.name):
        return None
    return ThroughputPair(predicted, measured) if predicted and measured else None
