"""All meters, and all measurements in the order of their columns in ``trials.csv``.

A meter joins by its line in METERS; what it measures stands beside it, and comes last in the tables.
"""

from __future__ import annotations

from collections.abc import Mapping

from terrasweep.measure import (
    accuracy,
    board,
    device_contention,
    device_memory,
    durations,
    flops,
    host_contention,
    host_memory,
    model_sizes,
    peak_memory,
    training_length,
)
from terrasweep.measure import throughput as timing
from terrasweep.measure.disturbance import DISTURBED
from terrasweep.measure.measurement import Measurement
from terrasweep.measure.meter import Meter, MeteredTrial, Phase, Reading
from terrasweep.measure.predicted_memory import PREDICTED
from terrasweep.measure.predicted_speed import PREDICTED_SPEED
from terrasweep.measure.train_loss import TRAIN_LOSS
from terrasweep.results.measurements import Measured, Measurements

METERS: tuple[type[Meter], ...] = (
    # Before the one that times: what they read at the end of the last untimed step is then in none that is timed.
    host_contention.HostContentionMeter,
    device_contention.DeviceContentionMeter,
    timing.ThroughputMeter,
    host_memory.HostMemoryMeter,
    device_memory.DeviceMemoryMeter,
    board.BoardMeter,
)

_FIRST_COLUMNS = (
    accuracy.ACCURACY,
    timing.THROUGHPUT,
    peak_memory.PEAK_MEMORY,
    accuracy.ACCURACY_NAME,
    peak_memory.PEAK_BUILD,
    device_memory.PEAK_ALLOCATED,
    board.PEAK_PROCESS_VRAM,
    host_memory.PEAK_HOST_MEMORY,
    device_memory.ALLOCATOR_RETRIES,
    *timing.STEP_TIMES.values(),
    timing.DATA_WAIT_SHARE,
    model_sizes.TRAINABLE_PARAMETERS,
    model_sizes.TOTAL_PARAMETERS,
    model_sizes.WEIGHT_BYTES,
    model_sizes.GRADIENT_BYTES,
    model_sizes.OPTIMIZER_BYTES,
    TRAIN_LOSS,
    timing.TRAIN_SECONDS,
    durations.WALL_SECONDS,
    durations.OPEN_DATA_SECONDS,
    durations.BUILD_SECONDS,
    durations.FIT_SECONDS,
    durations.EVALUATE_SECONDS,
    board.ENERGY,
    flops.FLOPS_PER_STEP,
    training_length.KEPT_STEPS,
    training_length.KEPT_EPOCHS,
    training_length.KEPT_SAMPLES,
    training_length.KEPT_SECONDS,
    accuracy.TEST_ACCURACY,
)
"""Readers of ``trials.csv`` rely on this order, and what no meter takes stands here alone."""

_LATER_COLUMNS = (timing.THROUGHPUT_MEDIAN, timing.THROUGHPUT_ERROR, DISTURBED)

MEASUREMENTS: dict[str, Measurement] = {
    measurement.name: measurement
    for measurement in (
        *(*_FIRST_COLUMNS, *_LATER_COLUMNS, *(m for meter in METERS for m in meter.measurements)),
        *(*PREDICTED, *PREDICTED_SPEED, flops.MODEL_FLOPS_PER_SAMPLE, flops.MFU),
    )
}
"""Name to measurement; a name is declared once."""

NUMERIC_MEASUREMENTS: tuple[str, ...] = tuple(name for name, m in MEASUREMENTS.items() if m.number is not None)
"""Those that are an MLflow metric."""

POSSIBLE_OBJECTIVES: tuple[str, ...] = tuple(
    n for n in NUMERIC_MEASUREMENTS if not (MEASUREMENTS[n].after_search or MEASUREMENTS[n].predicts)
)
"""Those that can be an objective: measured as soon as a trial ends."""


def measurement_or_metric(name: str) -> Measurement:
    """The measurement of this name; any other name is a metric of the task's own, which is called as it is."""
    definition = "A validation metric of the task, as TerraTorch computes it."
    return MEASUREMENTS.get(name) or Measurement(name=name, label=name, unit="1", definition=definition)


def meters_for(phase: Phase, trial: MeteredTrial) -> list[Meter]:
    """The meters that have something to measure in a phase of a trial."""
    meters = (meter.for_phase(phase, trial) for meter in METERS)
    return [meter for meter in meters if meter is not None]


def of_build(reading: Reading) -> Reading:
    """What a reading of the build says of the build; the rest of it tells of training, once that was measured."""
    return {name: value for name, value in reading.items() if MEASUREMENTS[name].of_build}


def budget_peaks(reading: Reading) -> Reading:
    """What of a reading is held against ``budget.memory_gib``."""
    return {name: value for name, value in reading.items() if MEASUREMENTS[name].within_budget}


def all_measurements(measured: Mapping[str, Measured]) -> Measurements:
    """Every measurement in the order of the columns, None where it is absent.

    Raises:
        LookupError: Something was measured that no measurement is declared for.
    """
    if strangers := measured.keys() - MEASUREMENTS.keys():
        raise LookupError(f"measured, but in no meter's measurements: {', '.join(sorted(strangers))}")
    return {name: measured.get(name) for name in MEASUREMENTS}


def measurements_table() -> str:
    """All measurements as a Markdown table: name, unit, definition."""
    rows = [f"| `{m.name}` | {m.unit} | {m.definition} |" for m in MEASUREMENTS.values()]
    return "\n".join(["| name | unit | definition |", "| --- | --- | --- |", *rows])
