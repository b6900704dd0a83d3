"""What terrasweep takes from a private path of torch still is there, and does what it did."""

import importlib

import pytest
import torch
from torch import nn

WRAPPER = "torch.distributed.algorithms._checkpoint.checkpoint_wrapper"
TOLD = f"torch {torch.__version__}"


class Counted(nn.Linear):
    calls = 0

    def forward(self, rows):
        Counted.calls += 1
        return super().forward(rows)


def wrapped():
    torch.manual_seed(0)
    plain = nn.Sequential(Counted(3, 3), nn.ReLU(), Counted(3, 3))
    names = dict(plain.named_parameters())
    internals = importlib.import_module("terrasweep.models.transforms.torch_internals")
    internals.wrap_modules(plain, [plain[2]])
    return plain, names, internals.WRAPPER_PREFIX


@pytest.mark.parametrize("name", ["CheckpointImpl", "apply_activation_checkpointing", "checkpoint_wrapper"])
def test_the_names_are_there(name):
    try:
        assert hasattr(importlib.import_module(WRAPPER), name), f"{TOLD}: {WRAPPER} has no {name}"
    except ImportError as error:
        pytest.fail(f"{TOLD}: {error}")


def test_the_chosen_modules_alone_run_again_in_the_backward_pass_with_their_hooks():
    model, _, _ = wrapped()
    hooked = []
    model.get_submodule("2._checkpoint_wrapped_module").register_forward_pre_hook(lambda *_: hooked.append(1))
    Counted.calls = 0
    model(torch.ones(2, 3)).sum().backward()
    assert (Counted.calls, len(hooked)) == (3, 2), f"{TOLD}: its checkpoint wrapper recomputes other modules"


def test_parameters_gain_the_prefix_and_a_state_has_plain_names():
    model, names, prefix = wrapped()
    stripped = {name.replace(prefix, "") for name, _ in model.named_parameters()}
    assert stripped == names.keys(), f"{TOLD}: its checkpoint wrapper names parameters {list(model.state_dict())}"
    assert model.state_dict().keys() == names.keys(), f"{TOLD}: a wrapped module's state has other names"
