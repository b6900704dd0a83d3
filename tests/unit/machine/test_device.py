"""``auto`` takes a GPU where there is one, and a GPU that is not there is no CPU."""

import pytest
import torch

from terrasweep.machine import hardware
from terrasweep.machine.device import device_name, select_device, takes_gpu
from terrasweep.machine.hardware import cpu_name, effective_device
from terrasweep.results.errors import InvalidConfig


@pytest.mark.parametrize(
    ("name", "available", "expected"),
    [
        ("auto", True, torch.device("cuda", 0)),
        ("cuda", True, torch.device("cuda", 0)),
        ("cpu", True, torch.device("cpu")),
        ("auto", False, torch.device("cpu")),
        ("cpu", False, torch.device("cpu")),
    ],
)
def test_the_device_is_the_one_that_is_asked_for(monkeypatch, name, available, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert select_device(name) == expected
    assert takes_gpu(name) == (expected.type == "cuda")


@pytest.mark.parametrize("available", [True, False])
@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_the_parent_without_torch_says_what_the_child_with_it_does(monkeypatch, name, available):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setattr(hardware, "_has_gpu", lambda: available)
    assert effective_device(name) == select_device(name).type


def test_a_trial_on_the_cpu_does_not_ask_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("CUDA was asked"))
    assert select_device("cpu") == torch.device("cpu")


def test_a_gpu_that_is_not_there_is_refused_with_a_way_out(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InvalidConfig, match=r"^train\.device=cuda: torch sees no CUDA device; use auto or cpu$"):
        select_device("cuda")


def test_a_device_is_called_what_its_maker_calls_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {device.index}")
    assert device_name(torch.device("cuda", 1)) == "card 1"
    assert device_name(torch.device("cpu")) == cpu_name()
