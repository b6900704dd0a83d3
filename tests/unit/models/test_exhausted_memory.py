"""A model that does not fit is no model that is wrong: wherever it is built, exhausted memory stays what it is."""

import pytest
import torch
from torch import nn

from terrasweep.models.backbones import hub_files, registry
from terrasweep.models.backbones.feature_layout import look
from terrasweep.models.pretrained import checkpoint
from terrasweep.results.errors import DeviceOutOfMemory, HostOutOfMemory, InvalidConfig
from tests.composing import compose_trial

FAULTS = [
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), DeviceOutOfMemory),
    (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), HostOutOfMemory),
    (MemoryError(), HostOutOfMemory),
    (OSError(12, "Cannot allocate memory"), HostOutOfMemory),
]
PLAIN = RuntimeError("the memory of this model is of another shape")


class Encoder(nn.Module):
    """Fails as it is told to when it sees an image."""

    def __init__(self, error):
        super().__init__()
        self.layer, self.error = nn.Linear(1, 1), error

    def forward(self, images):
        raise self.error


def looked_at(error, tmp_path, monkeypatch):
    look(compose_trial(), Encoder(error))


def built(error, tmp_path, monkeypatch):
    with registry.refusals(compose_trial()):
        raise error


def read_from_a_checkpoint(error, tmp_path, monkeypatch):
    (tmp_path / "weights.pt").write_bytes(b"0123456789")
    monkeypatch.setattr(torch, "load", raising(error))
    checkpoint._read(tmp_path / "weights.pt")


def read_from_a_release(error, tmp_path, monkeypatch):
    (tmp_path / "weights.bin").write_bytes(b"0123456789")
    monkeypatch.setattr(torch, "load", raising(error))
    hub_files._read(str(tmp_path), "weights.bin", str)


def raising(error):
    def load(*_, **__):
        raise error

    return load


@pytest.mark.parametrize("place", [looked_at, built, read_from_a_checkpoint, read_from_a_release])
@pytest.mark.parametrize(("error", "known"), FAULTS, ids=lambda value: type(value).__name__)
def test_exhausted_memory_comes_through(place, error, known, tmp_path, monkeypatch):
    try:
        place(error, tmp_path, monkeypatch)
    except (DeviceOutOfMemory, HostOutOfMemory) as raised:
        assert type(raised) is known
    except (RuntimeError, MemoryError) as raised:
        # Not caught at all: the child's end classifies it.
        assert raised is error
    else:
        raise AssertionError("nothing was raised")


@pytest.mark.parametrize("place", [looked_at, read_from_a_checkpoint, read_from_a_release])
def test_a_model_that_is_wrong_is_still_refused(place, tmp_path, monkeypatch):
    with pytest.raises(InvalidConfig, match="of another shape"):
        place(PLAIN, tmp_path, monkeypatch)
