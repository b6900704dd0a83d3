"""What is offloaded leaves the device, and the mathematics stays."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from terrasweep.config.knobs.offload import ZERO, OffloadConfig
from terrasweep.models.offload import apply
from tests.unit.models.built import assert_leaves_loss_and_gradients

pytestmark = pytest.mark.usefixtures("products_in_32_bits")


@pytest.mark.parametrize("quantization", ["none", "int8", "nf4"])
def test_activations_on_the_host_leave_loss_and_gradients_as_they_were(quantization):
    assert_leaves_loss_and_gradients(
        "offload=activations", f"quantization={quantization}", "tuning.rank=2", "decoder=linear"
    )


def test_what_the_backward_pass_needs_is_kept_on_the_host(monkeypatch):
    """Every tensor that is saved goes through torch's own hook, and comes back."""
    moved = []

    class Watched(torch.autograd.graph.saved_tensors_hooks):
        def __init__(self, pin_memory):
            super().__init__(
                lambda tensor: moved.append("out") or tensor, lambda tensor: moved.append("back") or tensor
            )

    monkeypatch.setattr(apply, "save_on_cpu", Watched)
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.GELU(), torch.nn.Linear(3, 1))
    assert apply.apply_offload(model, OffloadConfig(name="activations")) == ["activations"]
    output = model(torch.randn(2, 3))
    assert moved.count("out") >= 3
    assert moved.count("back") == 0
    output.sum().backward()
    assert moved.count("back") >= 3


@pytest.mark.parametrize("is_cuda", [True, False])
def test_memory_is_pinned_where_the_model_is_on_a_gpu_and_not_where_there_is_one(monkeypatch, is_cuda):
    """With ``train.device=cpu`` on a machine with a GPU, page-locked memory would initialise CUDA."""

    class OnDevice(torch.nn.Identity):
        def parameters(self, recurse=True):
            yield SimpleNamespace(is_cuda=is_cuda)

    pinned = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(apply, "save_on_cpu", lambda pin_memory: pinned.append(pin_memory) or nullcontext())
    model = OnDevice()
    apply.apply_offload(model, OffloadConfig(name="activations"))
    model(torch.ones(1))
    assert pinned == [is_cuda]


@pytest.mark.parametrize("name", ZERO)
def test_what_zero_offloads_is_told_and_the_model_left_alone(name):
    model = torch.nn.Linear(3, 3)
    forward = model.forward
    assert "optimizer state" in apply.apply_offload(model, OffloadConfig(name=name))
    assert model.forward == forward
