"""What a training changes is taken and put back whole; what is frozen is left alone."""

import copy

import torch
from torch import nn

from terrasweep.training.learnt_state import learnt_state, restore_state


def model():
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    module[0].requires_grad_(False)
    return module


def disturb(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1.0)
    module.train()
    module(torch.randn(5, 3))


def test_what_learns_and_statistics_come_back_and_the_rest_stays():
    module = model()
    before = copy.deepcopy(module.state_dict())
    state = learnt_state(module)
    disturb(module)
    restore_state(module, state)
    after = module.state_dict()
    for name, tensor in before.items():
        assert torch.equal(after[name], tensor) is not name.startswith("0."), name
    assert not set(state) & {"0.weight", "0.bias"}


def test_it_is_a_copy():
    module = model()
    state = learnt_state(module)
    kept = {name: tensor.clone() for name, tensor in state.items()}
    disturb(module)
    assert all(torch.equal(state[name], kept[name]) for name in kept)
