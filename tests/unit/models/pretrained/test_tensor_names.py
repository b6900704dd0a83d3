"""A backbone's tensors are found in a checkpoint, whatever lies around them and in front of their names."""

import pytest
import torch
from torch import nn

from terrasweep.models.pretrained import tensor_names
from terrasweep.models.pretrained.tensor_names import best_fit


class Wrapped(nn.Module):
    """An encoder whose names all begin alike, as a wrapper's do."""

    def __init__(self):
        super().__init__()
        self.model = nn.ModuleDict({"stem": nn.Linear(2, 3), "head": nn.Linear(3, 1)})


ENCODER = nn.ModuleDict({"stem": nn.Linear(2, 3), "head": nn.Linear(3, 1)})
OWN = {name: torch.full_like(tensor, number) for number, (name, tensor) in enumerate(ENCODER.state_dict().items())}


def beginning(prefix):
    return {f"{prefix}{name}": tensor for name, tensor in OWN.items()}


@pytest.mark.parametrize("prefix", ["", "module.", "model.backbone.encoder."])
def test_names_may_begin_with_anything(prefix):
    decoder = {"decoder.weight": torch.zeros(1)}
    found, unexpected = best_fit(beginning(prefix) | decoder, ENCODER)
    assert {name: tensor.tolist() for name, tensor in found.items()} == {n: t.tolist() for n, t in OWN.items()}
    assert unexpected == ["decoder.weight"]


def test_the_encoder_s_own_names_may_begin_with_a_wrapper():
    found, unexpected = best_fit(beginning("encoder."), Wrapped())
    assert found.keys() == Wrapped().state_dict().keys()
    assert torch.equal(found["model.head.weight"], OWN["head.weight"])
    assert unexpected == []


def test_of_several_dictionaries_the_one_that_fits_best_counts():
    content = {"epoch": 3, "optimizer": {"stem.weight": torch.zeros(3, 2)}, "state": {"model": beginning("")}}
    found, unexpected = best_fit(content, ENCODER)
    assert found.keys() == OWN.keys()
    assert all(found[name] is OWN[name] for name in OWN)
    assert unexpected == []


def test_of_two_that_fit_alike_the_one_without_a_beginning_is_the_model():
    """A copy that an average of the weights keeps lies beside the model itself."""
    average = {name: tensor + 10 for name, tensor in beginning("ema.").items()}
    found, unexpected = best_fit(average | beginning(""), ENCODER)
    assert all(found[name] is OWN[name] for name in OWN)
    assert unexpected == sorted(average)


@pytest.mark.parametrize("content", [{}, [], {"weight": "a text"}, None])
def test_what_holds_no_tensors_fits_nothing(content):
    assert best_fit(content, ENCODER) == ({}, [])


def test_beginnings_are_whole_parts_that_every_name_goes_on_from():
    assert tensor_names._beginnings(["m.encoder.a", "m.encoder.b.c"]) == ["", "m.", "m.encoder."]
    assert tensor_names._beginnings(["m.weight"]) == ["", "m."]
    assert tensor_names._beginnings(["m", "m.weight"]) == [""]
