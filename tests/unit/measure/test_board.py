"""The board meter on a board that the test makes up: what NVML tells comes out, and what it refuses is absent."""

import os
import threading
from types import SimpleNamespace

import pynvml
import pytest
import torch

from terrasweep.measure.board import BoardMeter, context_mib, process_vram_mib
from terrasweep.measure.peak_memory import MIB
from tests.unit.measure.nvml_board import NvmlBoard

UUID = "d1ce6d42-0000-0000-0000-000000000001"


class Board(NvmlBoard):
    def __init__(self):
        self.used_mib, self.joules = 100, 5.0

    def nvmlDeviceGetHandleByUUID(self, uuid):  # noqa: N802 - NVML's name
        assert uuid == f"GPU-{UUID}".encode(), "CUDA and NVML count devices differently"
        return "the board"

    def nvmlDeviceGetComputeRunningProcesses(self, handle):  # noqa: N802 - NVML's name
        assert handle == "the board"
        used = None if self.used_mib is None else self.answer(self.used_mib) * MIB
        other = SimpleNamespace(pid=os.getpid() + 1, usedGpuMemory=9000 * MIB)
        return [other, SimpleNamespace(pid=os.getpid(), usedGpuMemory=used)]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):  # noqa: N802 - NVML's name
        return int(self.answer(self.joules) * 1000)


@pytest.fixture
def fake(monkeypatch):
    made = Board()
    made.take_the_place_of_nvml(monkeypatch)
    properties = SimpleNamespace(uuid=UUID)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    return made


class Steps:
    """In place of the event that ends the sampling: each wait between two samples changes what the process holds."""

    def __init__(self, fake, used_mib):
        self._fake, self._left = fake, list(used_mib)
        self._ended, self.all_sampled = threading.Event(), threading.Event()

    def wait(self, _seconds):
        if self._left:
            self._fake.used_mib = self._left.pop(0)
            return False
        self.all_sampled.set()
        return self._ended.wait(60)

    def set(self):
        self._ended.set()


def sampled(fake, *used_mib):
    """A meter's reading when the process held so much at its samples, with no time in between."""
    meter = BoardMeter(torch.device("cuda", 0))
    meter._stop = Steps(fake, used_mib)
    with meter:
        assert meter._stop.all_sampled.wait(60)
        if not isinstance(fake.joules, Exception):
            fake.joules = 17.5
    return meter.reading()


def test_the_peak_of_this_process_and_the_energy_between_both_ends_come_out(fake):
    reading = sampled(fake, 300, 250, 120)
    assert reading == {"peak_process_vram_mib": 300.0, "energy_joules": pytest.approx(12.5)}


@pytest.mark.parametrize("refusal", [pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED), None])
def test_what_nvml_does_not_tell_is_absent_and_the_other_number_stays(fake, refusal):
    fake.used_mib = refusal
    reading = sampled(fake, refusal)
    assert reading == {"peak_process_vram_mib": None, "energy_joules": pytest.approx(12.5)}


def test_a_board_without_an_energy_counter_has_no_energy(fake):
    fake.joules = pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
    assert sampled(fake, 300) == {"peak_process_vram_mib": 300.0, "energy_joules": None}


def test_a_process_that_nvml_does_not_list_has_no_figure(fake, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert process_vram_mib("the board") == 100.0, "the fake lists whoever asks"
    monkeypatch.setattr(pynvml, "nvmlDeviceGetComputeRunningProcesses", lambda _: [])
    assert process_vram_mib("the board") is None


def test_the_context_is_what_the_allocator_did_not_reserve(fake, monkeypatch):
    fake.used_mib = 480
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch, "empty", lambda *_, **__: None)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 20 * MIB)
    assert context_mib(torch.device("cuda", 0)) == 460.0
    fake.used_mib = None
    assert context_mib(torch.device("cuda", 0)) == 0.0
