"""DoRA sees low-bit weights by their shapes, and PEFT's own way comes back."""

import pytest
import torch
from peft.tuners.lora import dora
from torch import nn

from terrasweep.models.transforms.dora_weights import unpacked_by_shape
from terrasweep.models.transforms.quantize import quantized


def unpacked(layer):
    with unpacked_by_shape():
        return dora.dequantize_module_weight(layer)


@pytest.mark.parametrize("name", ["int8", "fp4", "nf4", "nf4_double"])
def test_low_bit_weights_are_what_peft_unpacks(name):
    layer = quantized(nn.Linear(64, 32), name, torch.float32, torch.device("cpu"))
    expected = dora.dequantize_module_weight(layer)
    assert torch.equal(unpacked(layer), expected)


@pytest.mark.parametrize("name", ["int8", "nf4"])
def test_on_paper_a_weight_is_not_packed(name):
    layer = quantized(nn.Linear(64, 32, device="meta"), name, torch.float32, torch.device("meta"))
    assert unpacked(layer).shape == (32, 64)
    assert unpacked(layer).is_meta


def test_int8_scales_are_found_where_a_forward_pass_puts_them():
    layer = quantized(nn.Linear(64, 32), "int8", torch.float32, torch.device("cpu"))
    before = unpacked(layer)
    layer(torch.zeros(1, 64))
    assert torch.equal(unpacked(layer), before)


def test_a_plain_layer_is_as_it_is_and_peft_as_it_was():
    layer, own = nn.Linear(4, 4), dora.dequantize_module_weight
    assert unpacked(layer) is layer.weight
    assert dora.dequantize_module_weight is own
