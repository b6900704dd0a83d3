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


NAMED = nn.ModuleDict(
    {
        "head": nn.Linear(2, 2),
        "blocks": nn.ModuleList([nn.ModuleDict({"qkv": nn.Linear(2, 2), "fc1": nn.Linear(2, 2)})]),
    }
)


@pytest.mark.parametrize(
    ("ask", "name", "near"),
    [
        (name_a_target, "qvk", "qkv"),
        (name_a_target, "0.qvk", "0.qkv"),
        (name_what_to_skip, "fc2", "fc1"),
        (name_what_to_skip, "block", "blocks"),
        (name_what_to_skip, "block.0", "blocks.0"),
    ],
)
def test_a_misspelt_name_is_told_the_one_that_would_match(ask, name, near):
    with pytest.raises(InvalidConfig, match=rf"={name}: .*; did you mean {near}\?$"):
        ask(NAMED, [name])
    ask(NAMED, [near])  # It is not refused.


def test_a_part_that_holds_layers_is_no_name_of_a_target():
    with pytest.raises(InvalidConfig, match=r"name others$"):
        name_a_target(NAMED, ["block"])


def test_a_preset_in_a_list_is_told_to_lose_its_brackets():
    with pytest.raises(
        InvalidConfig, match=r"^tuning.targets=\[attention_mlp\]: .*brackets, tuning.targets=attention_mlp"
    ):
        name_a_target(NAMED, ["attention_mlp"])
