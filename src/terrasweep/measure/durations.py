"""How long the parts of a trial take; the timed steps are the throughput meter's."""

from __future__ import annotations

from terrasweep.measure.measurement import Measurement

WALL_SECONDS = Measurement(
    name="wall_seconds",
    label="wall time",
    unit="s",
    definition="Seconds from the request for the trial to its answer, process start and the writing of its weights "
    "included; preparation that many trials share is not.",
    of_whole_training=True,
)
OPEN_DATA_SECONDS = Measurement(
    name="open_data_seconds",
    label="open data time",
    unit="s",
    definition="Seconds of opening the data, and of reading them where data.in_memory is on.",
)
BUILD_SECONDS = Measurement(
    name="build_seconds",
    label="build time",
    unit="s",
    definition="Seconds of building the model.",
)
FIT_SECONDS = Measurement(
    name="fit_seconds",
    label="fit time",
    unit="s",
    definition="Seconds of the training loop, untimed steps, validations and the trainer's own set-up included.",
    of_whole_training=True,
)
EVALUATE_SECONDS = Measurement(
    name="evaluate_seconds",
    label="evaluate time",
    unit="s",
    definition="Seconds of the evaluation.",
    of_whole_training=True,
)
