"""A tiny training whose steps are measured, in a process of its own: beside busy loops, or alone."""

from __future__ import annotations

import json
import os
import sys
import time

import torch

from terrasweep.machine.contention import contention, read_counters
from terrasweep.measure.disturbance import disturbance
from terrasweep.measure.host_contention import HostContentionMeter
from terrasweep.measure.meter import Meter, metered, readings
from terrasweep.measure.throughput import ThroughputMeter

STEPS, ROUND_S = 20, 0.15
LOOK_S = 0.1


def measure_round() -> dict[str, float | str | None]:
    """One training of so many steps as :data:`ROUND_S` allows."""
    layer = torch.nn.Linear(256, 256)
    images = torch.randn(64, 256)
    meters: list[Meter] = [HostContentionMeter(2), ThroughputMeter(2)]
    with metered(meters):
        began, step = time.monotonic(), 0
        while time.monotonic() - began < ROUND_S or step < STEPS:
            for meter in meters:
                meter.on_step_begin(step)
            for _ in range(20):
                layer(images).square().mean().backward()
            for meter in meters:
                meter.on_step_end(step, 64)
            step += 1
    found = readings(meters)
    return {**found, "disturbed": disturbance(found)}


def others_while_idle() -> float:
    """Processors that others keep busy while this process does nothing."""
    before = read_counters()
    time.sleep(LOOK_S)
    return contention(before, read_counters()).other_processors or 0.0


def main(rounds: int, processor: int | None) -> None:
    """Print a line per round; without a processor to stay on, also what others did before and after it."""
    torch.set_num_threads(1)
    if processor is not None:
        os.sched_setaffinity(0, {processor})
    measure_round()  # The first one starts torch.
    for _ in range(rounds):
        before = others_while_idle() if processor is None else 0.0
        found = measure_round()
        after = others_while_idle() if processor is None else 0.0
        print(json.dumps({**found, "outside": max(before, after)}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
