"""A name that matches no layer: what a person reads, from the knobs that name layers."""

import pytest
from torch import nn

from terrasweep.config.knobs.quantization import QuantizationConfig
from terrasweep.models.transforms.adapters import target_layers
from terrasweep.models.transforms.quantize import quantizable
from terrasweep.results.errors import InvalidConfig

CONVOLUTIONAL = nn.Sequential(nn.Conv2d(3, 4, 1))
TWO_LAYERS = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))


def name_a_target(encoder, name):
    target_layers(encoder, name)


def name_what_to_skip(encoder, name):
    quantizable(encoder, QuantizationConfig(name="nf4", skip=[name] if isinstance(name, str) else name))


@pytest.mark.parametrize("ask", [name_a_target, name_what_to_skip])
def test_a_backbone_without_linear_layers_says_so(ask):
    with pytest.raises(InvalidConfig) as told:
        ask(CONVOLUTIONAL, "attention")
    assert str(told.value).endswith(
        "the backbone has no linear layer at all; use tuning=full or frozen, and quantization=none"
    )


@pytest.mark.parametrize(("ask", "names"), [(name_a_target, ["attn"]), (name_what_to_skip, ["attn"])])
def test_another_name_is_told_the_layers_that_are_there(ask, names):
    with pytest.raises(InvalidConfig, match=r"\(it has 0, 1\); name others"):
        ask(TWO_LAYERS, names)
