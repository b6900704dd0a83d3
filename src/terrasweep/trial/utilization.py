"""The share of its device's peak that a trial's training came to. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping

from terrasweep.config.knobs.precision import PrecisionConfig
from terrasweep.measure.flops import MFU, MODEL_FLOPS_PER_SAMPLE, model_flops_utilization
from terrasweep.measure.throughput import THROUGHPUT
from terrasweep.predict.device_rates import known_rates
from terrasweep.results.measurements import Measured


def measured_utilization(
    measured: Mapping[str, float | None], device_name: str, precision: PrecisionConfig
) -> dict[str, Measured]:
    """The model FLOPs utilization as a measurement; absent for a device without a known peak.

    Args:
        measured: Measurements of a trial by name.
        device_name: As torch gives it.
        precision: Of the trial.
    """
    rates = known_rates(device_name)
    peak = None if rates is None else rates.peak_flops_per_s(precision)
    share = model_flops_utilization(measured.get(MODEL_FLOPS_PER_SAMPLE.name), measured.get(THROUGHPUT.name), peak)
    return {} if share is None else {MFU.name: share}
