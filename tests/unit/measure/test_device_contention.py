"""What NVML tells of others on the device and of the device itself, on a board that the test makes up."""

import os
from types import SimpleNamespace

import pynvml
import pytest
import torch

from terrasweep.measure import device_contention
from terrasweep.measure.device_contention import DeviceContentionMeter
from tests.unit.measure.nvml_board import NvmlBoard

HERE, OTHER = os.getpid(), os.getpid() + 1
NOT_SUPPORTED = pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
POWER_CAP = pynvml.nvmlClocksThrottleReasonSwPowerCap
HEAT = pynvml.nvmlClocksThrottleReasonHwThermalSlowdown


class Board(NvmlBoard):
    def __init__(self):
        self.pids = [HERE]
        self.used = []
        self.reasons, self.mhz = POWER_CAP, 1980
        self.since_us = None

    def nvmlDeviceGetComputeRunningProcesses(self, handle):  # noqa: N802 - NVML's name
        return [SimpleNamespace(pid=pid) for pid in self.answer(self.pids)]

    def nvmlDeviceGetProcessUtilization(self, handle, since_us):  # noqa: N802 - NVML's name
        self.since_us = since_us
        return [SimpleNamespace(pid=pid, smUtil=share) for pid, share in self.answer(self.used)]

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle):  # noqa: N802 - NVML's name
        return self.answer(self.reasons)

    def nvmlDeviceGetClockInfo(self, handle, kind):  # noqa: N802 - NVML's name
        assert kind == pynvml.NVML_CLOCK_SM
        return self.answer(self.mhz)


@pytest.fixture
def board(monkeypatch):
    made = Board()
    made.take_the_place_of_nvml(monkeypatch)
    monkeypatch.setattr(device_contention, "nvml_handle", lambda device: "the board")
    return made


def steps(board, *looks, untimed=1):
    """A meter's reading after an untimed step and one timed step per look, a second each; a look changes the board."""
    now = iter(range(1000))
    with DeviceContentionMeter(torch.device("cuda", 0), untimed, lambda: next(now)) as meter:
        for step, change in enumerate([{"reasons": HEAT, "mhz": 300}] * untimed + list(looks)):
            vars(board).update(change)
            meter.on_step_begin(step)
            meter.on_step_end(step, 4)
    return meter.reading()


QUIET = {"reasons": POWER_CAP, "mhz": 1980}


def test_a_gpu_of_one_s_own_at_its_power_limit_is_undisturbed(board):
    assert steps(board, QUIET, QUIET) == {
        "other_gpu_share": 0.0,
        "gpu_throttled_share": 0.0,
        "gpu_clock_drop_share": 0.0,
    }


def test_heat_and_a_falling_clock_are_shares_of_the_timed_steps_alone(board):
    reading = steps(board, QUIET, {"reasons": POWER_CAP | HEAT, "mhz": 990}, QUIET, QUIET)
    assert reading["gpu_throttled_share"] == pytest.approx(0.25)
    assert reading["gpu_clock_drop_share"] == pytest.approx(0.5)


def test_looks_are_at_most_five_a_second(board):
    times = iter([0.0, 0.1, 0.15, 0.25, 0.3])
    meter = DeviceContentionMeter(torch.device("cuda", 0), 0, lambda: next(times))
    for step in range(5):
        board.reasons = HEAT if step in (1, 2, 4) else 0
        meter.on_step_end(step, 4)
    assert meter.reading()["gpu_throttled_share"] == 0.0, "only the first and the fourth are looked at"


@pytest.mark.parametrize(
    ("pids", "used", "share"),
    [
        ([HERE], [], 0.0),
        ([HERE, OTHER], [(HERE, 90), (OTHER, 30), (OTHER, 10)], 0.2),
        ([HERE, OTHER, OTHER + 1], [(OTHER, 70), (OTHER + 1, 60)], 1.0),
        ([HERE, OTHER], [(HERE, 95)], 0.0),
        ([HERE, OTHER], NOT_SUPPORTED, 1.0),
        ([7], NOT_SUPPORTED, 0.0),
        ([7, 8], [(7, 50), (8, 50)], 1.0),
        ([], NOT_SUPPORTED, 0.0),
        (NOT_SUPPORTED, [], None),
    ],
    ids=[
        *("alone", "another computes", "several", "another is idle", "use unknown", "a container's own number"),
        *("a container with another", "none is told", "not told"),
    ],
)
def test_others_count_by_what_they_compute_and_where_that_is_unknown_by_being_there(board, pids, used, share):
    board.pids, board.used = pids, used
    assert steps(board, QUIET)["other_gpu_share"] == (None if share is None else pytest.approx(share))


def test_others_are_asked_for_from_the_first_timed_step_on(board):
    board.pids = [HERE, OTHER]
    steps(board, QUIET)
    assert board.since_us > 10**15, "microseconds of the wall clock"
    board.since_us = None
    assert steps(board)["other_gpu_share"] is None, "no step was timed"
    assert board.since_us is None


def test_what_nvml_does_not_tell_is_absent(board):
    refused = {"reasons": NOT_SUPPORTED, "mhz": NOT_SUPPORTED}
    assert steps(board, refused) == {"other_gpu_share": 0.0, "gpu_throttled_share": None, "gpu_clock_drop_share": None}
