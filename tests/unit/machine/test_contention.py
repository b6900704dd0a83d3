"""Shares of time, from trees of files such as the kernel shows, and from this process itself."""

import os
from dataclasses import replace

import pytest

from terrasweep.machine import contention as module
from terrasweep.machine.contention import Counters, contention, read_counters
from tests.unit.machine.test_control_groups import write

TICK = 1 / os.sysconf("SC_CLK_TCK")
START = Counters(
    seconds=100.0,
    own_seconds=7.0,
    busy_seconds=50.0,
    stolen_seconds=1.0,
    threads={1: (10, 0), 2: (5, 5)},
    pressure_seconds={"cpu": 3.0, "memory": 0.0},
)


def later(**changes):
    return contention(START, replace(START, seconds=110.0, **changes))


def test_waits_are_a_share_of_the_time_in_which_threads_wanted_a_processor():
    # Thread 1 ran for 60 and waited for 20, thread 2 has ended, and thread 3 is new.
    assert later(threads={1: (70, 20), 3: (10, 10)}).waited_share == pytest.approx(30 / 100)
    assert later(threads=START.threads).waited_share is None, "nobody wanted one"
    assert later(threads={}).waited_share is None, "the kernel doesn't tell"


def test_others_kept_busy_what_this_process_and_those_below_it_did_not():
    found = later(own_seconds=22.0, busy_seconds=70.0)
    assert (found.own_processors, found.other_processors) == (pytest.approx(1.5), pytest.approx(0.5))
    assert later(own_seconds=8.0, busy_seconds=50.5).other_processors == 0, "clocks of different grain"
    assert later(busy_seconds=None).other_processors is None


def test_steal_is_a_share_of_the_time_in_which_the_machine_had_work():
    assert later(busy_seconds=59.0, stolen_seconds=2.0).steal_share == pytest.approx(0.1)
    assert later(busy_seconds=None, stolen_seconds=None).steal_share is None
    assert later().steal_share is None, "it had none"


def test_pressure_is_a_share_of_the_wall_clock_s_time_where_both_readings_have_it():
    assert later(pressure_seconds={"cpu": 5.0, "io": 9.0}).pressure == {"cpu": pytest.approx(0.2)}


def test_the_kernel_s_files_are_read_in_their_units(tmp_path):
    write(
        tmp_path,
        {
            "proc/stat": "cpu  100 20 30 4000 50 6 7 80 90 10\ncpu0 1 2 3",
            "proc/self/task/11/schedstat": "7000 300 5",
            "proc/self/task/12/schedstat": "1 2 3",
            "proc/self/cgroup": "0::/job",
            "sys/fs/cgroup/job/cpu.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\nfull total=1",
            "proc/pressure/cpu": "some avg10=99.00 total=9000000",
            "proc/pressure/memory": "some avg10=0.00 total=500000",
        },
    )
    found = read_counters(tmp_path)
    assert found.busy_seconds == pytest.approx((100 + 20 + 30 + 6 + 7) * TICK)
    assert found.stolen_seconds == pytest.approx(80 * TICK)
    assert found.threads == {11: (7000, 300), 12: (1, 2)}
    assert found.pressure_seconds == {"cpu": 2.5, "memory": 0.5}, "the group's where it has its own"


def test_a_kernel_that_tells_nothing_leaves_everything_but_the_own_time_unknown(tmp_path):
    first, second = read_counters(tmp_path), read_counters(tmp_path)
    found = contention(first, second)
    assert (found.waited_share, found.other_processors, found.steal_share, found.pressure) == (None, None, None, {})
    assert found.own_processors >= 0


@pytest.mark.parametrize("content", ["", "intr 5 6", "cpu a b"])
def test_a_file_of_another_form_is_none(tmp_path, content):
    write(tmp_path, {"proc/stat": content, "proc/self/task/3/schedstat": "no"})
    found = read_counters(tmp_path)
    assert (found.busy_seconds, found.threads) == (None, {})


def test_the_own_time_counts_what_processes_below_have_used():
    before = module._own_seconds()
    child = os.fork()
    if child == 0:
        while sum(os.times()[:2]) < 0.2:
            pass
        os._exit(0)
    os.waitpid(child, 0)
    assert module._own_seconds() - before >= 0.19
