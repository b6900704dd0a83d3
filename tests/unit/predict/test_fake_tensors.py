"""Fake tensors differentiate and are copied; outside, tensors are real."""

import copy

import torch
from torch import nn

from terrasweep.predict.fake_tensors import fake_tensors, is_fake


def test_gradients_are_fake_as_their_weights():
    with fake_tensors():
        weight = torch.ones(2, 3, requires_grad=True)
        (weight @ torch.ones(3, 4)).relu().sum().backward()
    assert is_fake(weight)
    assert is_fake(weight.grad)


def test_copies_have_what_the_original_has():
    with fake_tensors():
        layer = nn.Linear(3, 4)
        layer.bias.requires_grad_(False)
        copied = copy.deepcopy(layer)
    assert isinstance(copied.weight, nn.Parameter)
    assert copied.weight is not layer.weight
    assert (copied.weight.requires_grad, copied.bias.requires_grad) == (True, False)
    assert copied.weight.shape == layer.weight.shape


def test_outside_of_it_tensors_are_real():
    with fake_tensors():
        pass
    assert not is_fake(torch.ones(2))
    assert torch.equal(copy.deepcopy(torch.ones(2)), torch.ones(2))
