"""Throughput and step times, from the ends of the training steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import ClassVar, Self

from terrasweep.measure.measurement import Measurement
from terrasweep.measure.meter import MeteredTrial, PassiveMeter, Phase, Reading
from terrasweep.measure.rate_error import MIN_STEPS, rate_error

THROUGHPUT = Measurement(
    name="throughput_samples_per_s",
    label="throughput",
    unit="samples/s",
    definition="Σ samples / Σ seconds over the timed training steps: untimed ones and validation excluded, optimizer "
    "step and the wait for data included, device synchronised at both ends. An objective takes this one: a "
    "configuration whose steps stall, on data or on memory, is as slow as that makes it.",
)
THROUGHPUT_MEDIAN = Measurement(
    name="throughput_median_samples_per_s",
    label="throughput of the median step",
    unit="samples/s",
    definition="Samples / seconds of the median timed step, by nearest rank: what the configuration does where nothing "
    "stalls it. Far above the throughput, single steps have stalled.",
)
THROUGHPUT_ERROR = Measurement(
    name="throughput_error",
    label="throughput error",
    unit="1",
    definition="Relative standard error of the throughput from its own timed steps, by a block bootstrap that heeds "
    f"their autocorrelation; absent with fewer than {MIN_STEPS} steps. What differs between processes is not in it.",
)
STEP_TIMES = {
    percent: Measurement(
        name=f"step_time_p{percent}_s",
        label=f"step time p{percent}",
        unit="s",
        definition=f"{meaning} of the durations of the timed steps, by nearest rank: a duration that really occurred.",
    )
    for percent, meaning in ((50, "Median"), (95, "95th percentile"), (99, "99th percentile"))
}
"""Percent to the percentile's measurement."""
DATA_WAIT_SHARE = Measurement(
    name="data_wait_share",
    label="data wait share",
    unit="1",
    definition="Share of the timed seconds spent between steps, waiting for data, in [0, 1].",
)
TRAIN_SECONDS = Measurement(
    name="train_seconds",
    label="train time",
    unit="s",
    definition="Seconds of the timed training steps.",
    of_whole_training=True,
)


class ThroughputMeter(PassiveMeter):
    """Times each step from the end of the one before, so that waiting for data counts; untimed steps don't."""

    measurements: ClassVar[tuple[Measurement, ...]] = (
        *(THROUGHPUT, *STEP_TIMES.values(), DATA_WAIT_SHARE, TRAIN_SECONDS),
        *(THROUGHPUT_MEDIAN, THROUGHPUT_ERROR),
    )

    def __init__(self, untimed_steps: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._untimed, self._clock = untimed_steps, clock
        self._last_end: float | None = None
        self._begin = 0.0
        self._samples: list[int] = []
        self._seconds: list[float] = []
        self._waits: list[float] = []

    @classmethod
    def for_phase(cls, phase: Phase, trial: MeteredTrial) -> Self | None:
        """The training alone."""
        return cls(trial.untimed_steps) if phase is Phase.TRAINING else None

    def on_step_begin(self, step: int) -> None:
        """Note when the batch was there."""
        self._begin = self._clock()

    def on_step_end(self, step: int, samples: int) -> None:
        """Count the step, if it is a timed one."""
        end = self._clock()
        if step >= self._untimed:
            start = self._begin if self._last_end is None else self._last_end
            self._samples.append(samples)
            self._seconds.append(end - start)
            self._waits.append(self._begin - start)
        self._last_end = end

    def on_pause_end(self) -> None:
        """What comes next is counted from here."""
        if self._last_end is not None:
            self._last_end = self._clock()

    def reading(self) -> Reading:
        """Throughputs, percentiles of the step time, and the share of waiting; None where no step was timed."""
        seconds = sum(self._seconds)
        return {
            THROUGHPUT.name: throughput(self._samples, self._seconds),
            **{time.name: percentile(self._seconds, percent) for percent, time in STEP_TIMES.items()},
            DATA_WAIT_SHARE.name: sum(self._waits) / seconds if seconds else None,
            TRAIN_SECONDS.name: seconds or None,
            THROUGHPUT_MEDIAN.name: median_throughput(self._samples, self._seconds),
            THROUGHPUT_ERROR.name: rate_error(self._samples, self._seconds),
        }


def throughput(samples: Sequence[int], seconds: Sequence[float]) -> float | None:
    """Samples per second: all samples over all seconds, never a mean of rates; None without a step."""
    total = sum(seconds)
    return sum(samples) / total if total > 0 else None


def median_throughput(samples: Sequence[int], seconds: Sequence[float]) -> float | None:
    """Samples per second of the median step, one that really occurred; None without a step."""
    slowness = percentile([time / count for count, time in zip(samples, seconds, strict=True)], 50)
    return 1 / slowness if slowness else None


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The nearest-rank percentile, a value that was really seen; None without values."""
    if not values:
        return None
    rank = max(1, math.ceil(percent / 100 * len(values)))
    return sorted(values)[rank - 1]
