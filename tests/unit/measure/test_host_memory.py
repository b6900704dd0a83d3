"""Memory meters against amounts that are known."""

import mmap
import subprocess
import sys

import pytest
import torch

from terrasweep.measure import host_memory
from terrasweep.measure.host_memory import HostMemoryMeter, exact_steps, trimmed_resident_mib
from terrasweep.measure.meter import metered, readings
from terrasweep.measure.peak_memory import MIB, PEAK_MEMORY


def touch(mib):
    """Occupy so much memory for a moment, in pages that go back to the system at once."""
    with mmap.mmap(-1, mib * MIB) as block:
        for page in range(0, mib * MIB, mmap.PAGESIZE):
            block[page] = 1


def test_the_peak_is_what_was_occupied_above_the_baseline_even_if_it_is_gone():
    meter = HostMemoryMeter(PEAK_MEMORY, trimmed_resident_mib())
    with meter:
        touch(200)
        touch(50)
    assert meter.reading()["peak_memory_mib"] == pytest.approx(200, abs=12)


def test_entering_forgets_what_came_before():
    touch(200)
    meter = HostMemoryMeter(PEAK_MEMORY, trimmed_resident_mib())
    with meter:
        touch(20)
    assert meter.reading()["peak_memory_mib"] == pytest.approx(20, abs=12)


def test_the_baseline_may_lie_before_another_phase():
    baseline = trimmed_resident_mib()
    with mmap.mmap(-1, 100 * MIB) as kept:
        for page in range(0, len(kept), mmap.PAGESIZE):
            kept[page] = 1
        meter = HostMemoryMeter(PEAK_MEMORY, baseline)
        with meter:
            touch(10)
    assert meter.reading()["peak_memory_mib"] == pytest.approx(110, abs=12)


def test_meters_are_read_also_where_the_phase_ended_with_an_error():
    meters = [HostMemoryMeter(PEAK_MEMORY, trimmed_resident_mib())]
    with pytest.raises(ZeroDivisionError), metered(meters):
        touch(60)
        raise ZeroDivisionError
    assert readings(meters)["peak_memory_mib"] > 45


def test_exact_steps_take_the_peak_of_the_untimed_steps_alone():
    meter = HostMemoryMeter(PEAK_MEMORY, trimmed_resident_mib(), exact_steps(3))
    with meter:
        for step, mib in enumerate((30, 80, 10, 150)):
            touch(mib)
            meter.on_step_end(step, 4)
    assert meter.reading()["peak_memory_mib"] == pytest.approx(80, abs=12)
    assert meter.reading()["peak_host_memory_mib"] > 150


@pytest.mark.parametrize("warmup", [0, 1, 2])
def test_without_enough_warm_up_the_whole_training_is_measured(warmup):
    assert exact_steps(warmup) == 0
    meter = HostMemoryMeter(PEAK_MEMORY, trimmed_resident_mib(), exact_steps(warmup))
    with meter:
        for step, mib in enumerate((10, 100)):
            touch(mib)
            meter.on_step_end(step, 4)
    assert meter.reading()["peak_memory_mib"] == pytest.approx(100, abs=12)


def test_exact_steps_are_computed_by_one_thread_and_all_others_by_as_many_as_before():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        seen = []
        with HostMemoryMeter(PEAK_MEMORY, trimmed_resident_mib(), exact_steps(3)) as meter:
            for step in range(4):
                seen.append(torch.get_num_threads())
                meter.on_step_end(step, 4)
        with pytest.raises(ZeroDivisionError), HostMemoryMeter(PEAK_MEMORY, 0.0, exact_steps(3)):
            raise ZeroDivisionError
        seen.append(torch.get_num_threads())
        for untimed_steps in (0, None):
            with HostMemoryMeter(PEAK_MEMORY, 0.0, untimed_steps):
                seen.append(torch.get_num_threads())
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 1, 2, 2, 2, 2, 2]


HOLES = """
from terrasweep.measure.host_memory import HostMemoryMeter, resident_mib, trimmed_resident_mib
from terrasweep.measure.peak_memory import MIB, PEAK_MEMORY
with HostMemoryMeter(PEAK_MEMORY, trimmed_resident_mib()) as meter:
    before = resident_mib()
    kept = [bytearray(MIB) for _ in range(64)]
    del kept[::2]
    print(resident_mib() - before)
    del kept
print(meter.reading()[PEAK_MEMORY.name])
"""


def test_freed_blocks_leave_the_resident_set_at_once():
    """In a process of its own: one that has run for long serves new blocks from old holes."""
    holes, peak = map(float, subprocess.check_output([sys.executable, "-c", HOLES], text=True).split())
    assert peak == pytest.approx(64, abs=6)
    assert holes == pytest.approx(32, abs=6), "holes between live blocks are given back"


def test_what_the_kernel_does_not_tell_is_named():
    assert host_memory._status_mib("VmRSS") > 0
    with pytest.raises(LookupError, match="/proc/self/status has no VmNothing"):
        host_memory._status_mib("VmNothing")
