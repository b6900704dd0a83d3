"""Disturbances are named and quiet is not; by measurements that are made up, and by a real loop beside busy ones."""

import json
import os
import signal
import subprocess
import sys

import pytest

from terrasweep.measure import disturbance as module
from terrasweep.measure.disturbance import disturbance
from tests.composing import ROOT

QUIET = {
    "step_time_p50_s": 0.1,
    "step_time_p95_s": 0.13,
    "processor_wait_share": 0.02,
    "other_processors": 0.06,
    "steal_share": 0.01,
    "cpu_pressure_share": 0.9,
    "memory_pressure_share": 0.0,
    "io_pressure_share": 0.8,
    "other_gpu_share": 0.0,
    "gpu_throttled_share": 0.0,
    "gpu_clock_drop_share": 0.1,
}
WAITS = {"processor_wait_share": 0.34, "other_processors": 1.42}
UNTOLD = {"processor_wait_share": None, "other_processors": None}
CASES = {
    "a stalled step": (
        {"step_time_p95_s": 0.26},
        "steps: the 95th percentile took 2.6 times the median",
    ),
    "others on its processors": (
        WAITS,
        "processors: its threads waited 34% of the time in which they wanted one, while other processes kept 1.4 busy",
    ),
    "waits of which others are not told": (
        {**WAITS, "other_processors": None},
        "processors: its threads waited 34% of the time in which they wanted one",
    ),
    "pressure where waits are not told": (UNTOLD, "processors: some task waited for one in 90% of the time"),
    "a hypervisor": ({"steal_share": 0.2}, "steal: the hypervisor gave 20% of the processors' time to others"),
    "memory": (
        {"memory_pressure_share": 0.3},
        "memory: some task waited for it to become free in 30% of the time",
    ),
    "others on the gpu": ({"other_gpu_share": 0.4}, "gpu: other processes computed on it in 40% of the time"),
    "heat": ({"gpu_throttled_share": 0.5}, "gpu: heat or failing power held it back in 50% of the looks"),
    "a clock that falls": ({"gpu_clock_drop_share": 0.25}, "gpu: its clock fell by 25%"),
}


def test_a_quiet_run_is_not_marked_and_one_without_timed_steps_is_not_judged():
    assert disturbance(QUIET) == ""
    assert disturbance({"step_time_p50_s": 0.1, "step_time_p95_s": 0.1}) == "", "what is not known disturbs nothing"
    assert disturbance({}) is None
    assert disturbance({**WAITS, "step_time_p50_s": None}) is None


@pytest.mark.parametrize("case", CASES)
def test_each_disturbance_is_said_in_words(case):
    changed, words = CASES[case]
    assert disturbance({**QUIET, **changed}) == words


def test_several_are_all_said():
    words = disturbance({**QUIET, **CASES["a stalled step"][0], **WAITS})
    assert [part.partition(":")[0] for part in words.split("; ")] == ["steps", "processors"]


@pytest.mark.parametrize(
    "own",
    [
        {"processor_wait_share": 0.6, "other_processors": 0.05},
        {**UNTOLD, "other_processors": 0.05},
        {"processor_wait_share": 0.02, "other_processors": 60.0},
    ],
    ids=["its own workers", "its own pressure", "others on other processors"],
)
def test_what_a_configuration_does_to_itself_or_others_do_elsewhere_is_no_disturbance(own):
    assert disturbance({**QUIET, **own}) == ""


def test_the_documentation_names_the_limits():
    page = " ".join((ROOT / "docs" / "measurements.md").read_text().split())
    for limit in (
        *("WAIT_SHARE", "PRESSURE_SHARE", "STEAL_LIMIT", "MEMORY_PRESSURE_SHARE", "OTHER_GPU_LIMIT"),
        *("THROTTLED_LIMIT", "CLOCK_DROP_LIMIT"),
    ):
        assert f"{100 * getattr(module, limit):.0f} %" in page, limit
    assert f"more than {module.SOME_PROCESSORS:g} processors" in page
    assert f"more than {module.STEP_RATIO:g} times the median" in page


def rounds(count, *processor):
    """The readings of so many rounds of a loop in a process of its own."""
    script = ROOT / "tests" / "unit" / "measure" / "disturbed_loop.py"
    command = [sys.executable, str(script), str(count), *map(str, processor)]
    lines = subprocess.check_output(command, text=True, timeout=240).splitlines()
    assert len(lines) == count
    return [json.loads(line) for line in lines]


@pytest.mark.slow
def test_a_loop_beside_busy_ones_is_marked_in_at_least_nine_of_ten_cases():
    processor = min(os.sched_getaffinity(0))
    busy = f"import os; os.sched_setaffinity(0, {{{processor}}})\nwhile True: pass"
    loops = [subprocess.Popen([sys.executable, "-S", "-c", busy]) for _ in range(2)]
    try:
        marked = [found for found in rounds(10, processor) if "processors: its threads waited" in found["disturbed"]]
    finally:
        for loop in loops:
            loop.send_signal(signal.SIGKILL)
            loop.wait()
    assert len(marked) >= 9


@pytest.mark.slow
def test_a_loop_on_a_quiet_machine_is_marked_in_at_most_one_of_twenty_cases():
    """Rounds before, in or after which others used the machine are no quiet ones; on a busy machine few are left."""
    quiet = [found for found in rounds(20) if found["outside"] < module.SOME_PROCESSORS]
    marked = [found["disturbed"] for found in quiet if found["disturbed"]]
    assert len(marked) <= 1, marked
