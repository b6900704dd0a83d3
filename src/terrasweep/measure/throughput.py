"""Throughput and step times, from the ends of the training steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from terrasweep.measure.meter import PassiveMeter, Reading


class ThroughputMeter(PassiveMeter):
    """Times each step from the end of the one before, so that waiting for data counts; warm-up steps don't."""

    def __init__(self, warmup_steps: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._warmup, self._clock = warmup_steps, clock
        self._last_end: float | None = None
        self._begin = 0.0
        self._samples: list[int] = []
        self._seconds: list[float] = []
        self._waits: list[float] = []

    def on_step_begin(self, step: int) -> None:
        """Note when the batch was there."""
        self._begin = self._clock()

    def on_step_end(self, step: int, samples: int) -> None:
        """Count the step, if it is a timed one."""
        end = self._clock()
        if step >= self._warmup:
            start = self._begin if self._last_end is None else self._last_end
            self._samples.append(samples)
            self._seconds.append(end - start)
            self._waits.append(self._begin - start)
        self._last_end = end

    def reading(self) -> Reading:
        """Throughput, percentiles of the step time, and the share of waiting; None where no step was timed."""
        seconds = sum(self._seconds)
        return {
            "throughput_samples_per_s": throughput(self._samples, self._seconds),
            "step_time_p50_s": percentile(self._seconds, 50),
            "step_time_p95_s": percentile(self._seconds, 95),
            "step_time_p99_s": percentile(self._seconds, 99),
            "data_wait_share": sum(self._waits) / seconds if seconds else None,
            "train_seconds": seconds or None,
        }


def throughput(samples: Sequence[int], seconds: Sequence[float]) -> float | None:
    """Samples per second: all samples over all seconds, never a mean of rates; None without a step."""
    total = sum(seconds)
    return sum(samples) / total if total > 0 else None


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The nearest-rank percentile, a value that was really seen; None without values."""
    if not values:
        return None
    rank = max(1, math.ceil(percent / 100 * len(values)))
    return sorted(values)[rank - 1]
