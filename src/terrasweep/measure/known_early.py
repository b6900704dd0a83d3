"""Which measurements are known while a trial still trains, as far as what it costs goes."""

from __future__ import annotations

from terrasweep.measure.board import PEAK_PROCESS_VRAM
from terrasweep.measure.device_memory import PEAK_ALLOCATED
from terrasweep.measure.host_memory import PEAK_HOST_MEMORY
from terrasweep.measure.peak_memory import PEAK_MEMORY
from terrasweep.measure.throughput import STEP_TIMES, THROUGHPUT, THROUGHPUT_MEDIAN

RATE_MARGIN = 0.05
"""By which part of itself a rate over the first timed steps may differ from that over all of them."""

KNOWN_EARLY: dict[str, float] = {
    **dict.fromkeys((THROUGHPUT.name, THROUGHPUT_MEDIAN.name, STEP_TIMES[50].name), RATE_MARGIN),
    **dict.fromkeys((m.name for m in (PEAK_MEMORY, PEAK_ALLOCATED, PEAK_PROCESS_VRAM, PEAK_HOST_MEMORY)), 0.0),
}
"""Name to the part of itself by which it may still turn out better. A peak can only grow."""
ONLY_GROWS = frozenset(name for name, margin in KNOWN_EARLY.items() if not margin)
"""What is known so far is a bound where less is better, and says nothing where more is."""
