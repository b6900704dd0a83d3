"""The meter of the GPU's memory on an allocator that the test makes up, with the rules of torch's."""

from types import SimpleNamespace

import pytest
import torch

from terrasweep.measure import device_memory
from terrasweep.measure.device_memory import DeviceMemoryMeter
from terrasweep.measure.meter import MeteredTrial, Phase
from terrasweep.measure.peak_memory import MIB, PEAK_MEMORY

CUDA = torch.device("cuda", 0)


class Allocator:
    """Amounts in MiB. What is freed stays reserved until the cache is emptied; kernels run when they are waited for."""

    def __init__(self):
        self.live, self.garbage, self.cached = 100, 200, 300
        self.retries = 2
        self.pending = []
        self.peak_reserved = self.peak_allocated = 4000
        """Of the phases before."""

    def allocate(self, mib):
        self.cached = max(0, self.cached - mib)
        self.live += mib
        self._raise_peaks()

    def free(self, mib):
        self.live, self.cached = self.live - mib, self.cached + mib

    def collect(self):
        self.garbage, self.cached = 0, self.cached + self.garbage

    def empty_cache(self):
        self.cached = 0

    def reset_peak_memory_stats(self, device):
        assert device == CUDA
        self.peak_reserved = self.peak_allocated = 0
        self._raise_peaks()

    def synchronize(self, device):
        assert device == CUDA
        for mib in self.pending:
            self.allocate(mib)
            self.free(mib)
        self.pending.clear()

    def memory_stats(self, device):
        assert device == CUDA
        return {"num_alloc_retries": self.retries} if self.retries else {}

    def max_memory_reserved(self, device):
        assert device == CUDA
        return self.peak_reserved * MIB

    def max_memory_allocated(self, device):
        assert device == CUDA
        return self.peak_allocated * MIB

    def _raise_peaks(self):
        allocated = self.live + self.garbage
        self.peak_allocated = max(self.peak_allocated, allocated)
        self.peak_reserved = max(self.peak_reserved, allocated + self.cached)


@pytest.fixture
def allocator(monkeypatch):
    made = Allocator()
    for name in ("empty_cache", "reset_peak_memory_stats", "synchronize", "memory_stats"):
        monkeypatch.setattr(torch.cuda, name, getattr(made, name))
    for name in ("max_memory_reserved", "max_memory_allocated"):
        monkeypatch.setattr(torch.cuda, name, getattr(made, name))
    monkeypatch.setattr(device_memory.gc, "collect", made.collect)
    return made


def test_the_peak_is_the_phase_s_alone_without_garbage_and_cache_of_those_before(allocator):
    with DeviceMemoryMeter(PEAK_MEMORY, CUDA) as meter:
        allocator.allocate(50)
        allocator.free(50)
        allocator.allocate(20)
    assert meter.reading() == {"peak_memory_mib": 150.0, "peak_allocated_mib": 150.0, "allocator_retries": 2.0}


def test_what_is_reserved_and_not_used_counts_in_the_one_and_not_in_the_other(allocator):
    with DeviceMemoryMeter(PEAK_MEMORY, CUDA) as meter:
        allocator.allocate(80)
        allocator.free(80)
        allocator.cached += 40
        allocator.allocate(10)
    assert (meter.reading()["peak_memory_mib"], meter.reading()["peak_allocated_mib"]) == (220.0, 180.0)


def test_work_that_the_device_has_not_done_yet_counts(allocator):
    with DeviceMemoryMeter(PEAK_MEMORY, CUDA) as meter:
        allocator.pending.append(500)
    assert meter.reading()["peak_memory_mib"] == 600.0


def test_it_is_read_also_where_the_phase_ended_with_an_error(allocator):
    meter = DeviceMemoryMeter(PEAK_MEMORY, CUDA)
    assert meter.reading() == {}
    with pytest.raises(torch.OutOfMemoryError), meter:
        allocator.allocate(30)
        allocator.retries = 0
        raise torch.OutOfMemoryError
    assert meter.reading() == {"peak_memory_mib": 130.0, "peak_allocated_mib": 130.0, "allocator_retries": 0.0}


@pytest.mark.parametrize(
    ("device", "phase", "peak"),
    [
        ("cuda", Phase.BUILD, "peak_build_mib"),
        ("cuda", Phase.TRAINING, "peak_memory_mib"),
        ("cuda", Phase.EVALUATION, "peak_memory_mib"),
        ("cuda", Phase.TRAINING_AND_EVALUATION, None),
        ("cpu", Phase.TRAINING, None),
    ],
)
def test_the_phase_says_what_the_peak_is_called(allocator, device, phase, peak):
    made_for = CUDA if device == "cuda" else SimpleNamespace(type=device)
    meter = DeviceMemoryMeter.for_phase(phase, MeteredTrial(device=made_for, baseline_mib=0.0, untimed_steps=3))
    assert (meter is None) is (peak is None)
    if meter:
        with meter:
            pass
        assert list(meter.reading()) == [peak, "peak_allocated_mib", "allocator_retries"]
        assert set(meter.reading()) <= {measurement.name for measurement in meter.measurements}
