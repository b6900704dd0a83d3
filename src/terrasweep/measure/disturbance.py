"""Whether something disturbed the timed steps, told from the measurements themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from terrasweep.measure.device_contention import CLOCK_DROP_SHARE, OTHER_GPU_SHARE, THROTTLED_SHARE
from terrasweep.measure.host_contention import (
    OTHER_PROCESSORS,
    PRESSURE_SHARES,
    PROCESSOR_WAIT_SHARE,
    STEAL_SHARE,
)
from terrasweep.measure.measurement import Measurement
from terrasweep.measure.throughput import STEP_TIMES
from terrasweep.results.measurements import Measured
from terrasweep.results.wording import whole_percent, with_decimals

STEP_RATIO = 2.0
"""Of the 95th percentile to the median: steps of one configuration do the same work, so beyond it some have waited."""
WAIT_SHARE = 0.1
"""The rate falls by about as much as threads wait: more than its error after some dozen steps, which is 1 to 3 %, and
than the 1 to 2 % that the system's own services take."""
SOME_PROCESSORS = 0.1
"""More than a machine's services and the sweep's own process take. Below it, the trial's threads wait for each other
or for its own data-loader workers, which is a property of the configuration."""
PRESSURE_SHARE = 0.2
"""Of processors, where the kernel doesn't tell what this process waited: then others' waits are in it, too."""
STEAL_LIMIT = 0.05
"""Seldom exceeded but by an overcommitted host, and the rate falls by as much."""
MEMORY_PRESSURE_SHARE = 0.05
"""A host with memory to spare has none at all: then pages are dropped and read again in the middle of steps."""
OTHER_GPU_LIMIT = 0.05
"""A desktop's composition stays below it."""
THROTTLED_LIMIT = 0.05
CLOCK_DROP_LIMIT = 0.2
"""A power limit moves the clock by up to 15 % with what is computed."""

DISTURBED = Measurement(
    name="disturbed",
    label="disturbed",
    unit="text",
    definition="What disturbed the timed steps, in words; empty where nothing did, absent where none was timed. By "
    "which limits: see below.",
    number=None,
)


def disturbance(measured: Mapping[str, Measured]) -> str | None:
    """What disturbed the timed steps.

    Storage is no reason: its pressure is as often the trial's own reading, whose waits are the configuration's.

    Args:
        measured: Measurements of a trial by name; what is absent disturbs nothing.

    Returns:
        Words, ``; `` between several causes; empty where nothing did, None where no step was timed.
    """
    value = _Values(measured)
    if value(STEP_TIMES[50]) is None:
        return None
    return "; ".join(words for cause in _CAUSES for words in cause(value))


class _Values:
    """The measurements that are numbers."""

    def __init__(self, measured: Mapping[str, Measured]) -> None:
        self._measured = measured

    def __call__(self, measurement: Measurement) -> float | None:
        value = self._measured.get(measurement.name)
        return float(value) if isinstance(value, int | float) else None

    def above(self, measurement: Measurement, limit: float) -> float | None:
        """The value where it is above the limit."""
        value = self(measurement)
        return value if value is not None and value > limit else None


def _steps(value: _Values) -> Iterator[str]:
    median, late = value(STEP_TIMES[50]), value(STEP_TIMES[95])
    if median and late and late / median > STEP_RATIO:
        yield f"steps: the 95th percentile took {with_decimals(late / median, 1)} times the median"


def _processors(value: _Values) -> Iterator[str]:
    others = value(OTHER_PROCESSORS)
    if others is not None and others <= SOME_PROCESSORS:
        return
    if waited := value.above(PROCESSOR_WAIT_SHARE, WAIT_SHARE):
        by = "" if others is None else f", while other processes kept {with_decimals(others, 1)} busy"
        yield f"processors: its threads waited {whole_percent(waited)} of the time in which they wanted one{by}"
    elif value(PROCESSOR_WAIT_SHARE) is None and (share := value.above(PRESSURE_SHARES["cpu"], PRESSURE_SHARE)):
        yield f"processors: some task waited for one in {whole_percent(share)} of the time"


def _steal(value: _Values) -> Iterator[str]:
    if share := value.above(STEAL_SHARE, STEAL_LIMIT):
        yield f"steal: the hypervisor gave {whole_percent(share)} of the processors' time to others"


def _memory(value: _Values) -> Iterator[str]:
    if share := value.above(PRESSURE_SHARES["memory"], MEMORY_PRESSURE_SHARE):
        yield f"memory: some task waited for it to become free in {whole_percent(share)} of the time"


def _device(value: _Values) -> Iterator[str]:
    if share := value.above(OTHER_GPU_SHARE, OTHER_GPU_LIMIT):
        yield f"gpu: other processes computed on it in {whole_percent(share)} of the time"
    if share := value.above(THROTTLED_SHARE, THROTTLED_LIMIT):
        yield f"gpu: heat or failing power held it back in {whole_percent(share)} of the looks"
    if drop := value.above(CLOCK_DROP_SHARE, CLOCK_DROP_LIMIT):
        yield f"gpu: its clock fell by {whole_percent(drop)}"


_CAUSES: tuple[Callable[[_Values], Iterator[str]], ...] = (_steps, _processors, _steal, _memory, _device)
