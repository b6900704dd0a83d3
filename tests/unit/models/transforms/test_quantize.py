"""Low-bit layers stand where linear ones stood, stay near them, and are counted as what they are."""

import pytest
import torch
from torch import nn

from terrasweep.config.knobs.quantization import LOW_BIT, QuantizationConfig
from terrasweep.models.transforms.quantize import (
    dequantized,
    logical_parameters,
    quantizable,
    quantized,
    stored_bytes,
    unpacked_weight,
)
from terrasweep.predict.memory_needs import packed_bytes
from terrasweep.results.errors import InvalidConfig
from tests.unit.models.built import CPU, built, images

pytestmark = pytest.mark.usefixtures("products_in_32_bits")


@pytest.mark.parametrize("quantization", ["int8", "fp4", "nf4", "nf4_double"])
def test_every_linear_of_the_backbone_is_quantized_and_stays_near(quantization):
    plain = built("tuning=frozen", "decoder=linear")
    model = built("tuning=frozen", "decoder=linear", f"quantization={quantization}")
    names = [n for n, m in plain.module.encoder.named_modules() if type(m) is torch.nn.Linear]
    assert model.touched["quantized"] == names
    assert model.total_parameters == plain.total_parameters
    reference, output = (m.module.encoder.eval()(images())[-1] for m in (plain, model))
    error = float((output - reference).norm() / reference.norm())
    assert 0 < error < (0.05 if quantization == "int8" else 0.5)
    # An evaluation must not change the weights in place: the next training step would fail or differ.
    assert torch.equal(model.module.encoder.eval()(images())[-1], output)


def test_bytes_fall_with_the_bits():
    sizes = {q: built("tuning=frozen", f"quantization={q}").weight_bytes for q in ("none", "int8", "nf4", "nf4_double")}
    assert sizes["nf4_double"] < sizes["nf4"] < sizes["int8"] < sizes["none"]
    plain = built("tuning=frozen")
    exact = sum(t.numel() * t.element_size() for t in (*plain.module.parameters(), *plain.module.buffers()))
    assert sizes["none"] == exact


def test_skipped_layers_stay_in_full_precision():
    model = built("tuning=frozen", "quantization=nf4", "quantization.skip=[blocks.1,mlp.fc2]")
    assert not any(".1." in name or "fc2" in name for name in model.touched["quantized"])
    assert len(model.touched["quantized"]) == 4 * 4 - 4 - 3


def linear(seed=0, rows=96, columns=128, bias=True):
    torch.manual_seed(seed)
    return nn.Linear(columns, rows, bias=bias)


def test_int8_is_the_nearest_of_255_levels_of_its_row():
    """LLM.int8() without outliers: the row's largest weight becomes 127; bitsandbytes computes in 16 bits."""
    layer = linear()
    weight = layer.weight.detach()
    step = weight.abs().amax(dim=1, keepdim=True) / 127
    levels = unpacked_weight(quantized(layer, "int8", torch.float32, CPU)) / step
    torch.testing.assert_close(levels, levels.round(), atol=0.07, rtol=0)
    assert (levels - weight / step).abs().max().item() < 0.6
    torch.testing.assert_close(levels.abs().amax(dim=1), torch.full((96,), 127.0), atol=0.07, rtol=0)


def test_int8_weights_move_with_their_model_and_leave_no_copy():
    """After a forward pass, as when a trained model goes to the host and back to be evaluated."""
    layer = quantized(nn.Linear(64, 32, bias=False), "int8", torch.float32, CPU)
    model = nn.Sequential(layer)
    expected = model(torch.ones(2, 64))
    weights, before = layer.weight.data.clone(), layer.weight.data.data_ptr()
    model.to_empty(device="cpu")
    assert layer.state.CB.data_ptr() == layer.weight.data_ptr() != before
    layer.weight.data.copy_(weights)
    assert torch.equal(model(torch.ones(2, 64)), expected)


def test_int8_weights_stay_in_the_layer_s_state_where_the_parameter_is_empty():
    """As DeepSpeed's ZeRO-3 has it between passes."""
    layer = quantized(nn.Linear(64, 32, bias=False), "int8", torch.float32, CPU)
    layer(torch.ones(2, 64))
    weights = layer.weight.data
    layer.weight.data = torch.empty(0, dtype=torch.int8)
    layer.to("cpu")
    assert layer.state.CB.data_ptr() == weights.data_ptr()


@pytest.mark.parametrize(("name", "levels"), [("nf4", 16), ("fp4", 16)])
def test_four_bits_are_so_many_levels_per_block_of_64_weights(name, levels):
    layer = linear()
    blocks = unpacked_weight(quantized(layer, name, torch.float32, CPU)).reshape(-1, 64)
    largest = layer.weight.detach().reshape(-1, 64).abs().amax(dim=1, keepdim=True)
    torch.testing.assert_close(blocks.abs().amax(dim=1, keepdim=True), largest)
    assert len((blocks / largest).mul(1e4).round().unique()) <= levels


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", LOW_BIT)
def test_a_layer_in_32_bits_again_has_the_weights_that_the_low_bit_one_stands_for(name, bias):
    layer = linear(bias=bias)
    low = quantized(layer, name, torch.float32, CPU)
    plain = dequantized(low)
    assert type(plain) is nn.Linear
    assert (plain.bias is None) is not bias
    images = torch.randn(5, 128)
    with torch.no_grad():
        expected, output = low(images), plain(images)
    # An int8 layer also rounds what comes in.
    assert ((output - expected).norm() / expected.norm()).item() < (0.02 if name == "int8" else 1e-5)
    assert torch.equal(unpacked_weight(low), plain.weight), "also after a forward pass, which moves int8's scales"
    # Again in low bits, it is the same layer.
    again = unpacked_weight(quantized(plain, name, torch.float32, CPU))
    torch.testing.assert_close(again, plain.weight.detach(), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", LOW_BIT)
def test_the_original_layer_stays_as_it_is(name):
    layer = linear()
    before = layer.weight.detach().clone()
    low = quantized(layer, name, torch.float32, CPU)
    assert torch.equal(layer.weight, before)
    assert not any(parameter.requires_grad for parameter in low.parameters())
    assert low.bias.data_ptr() != layer.bias.data_ptr()


@pytest.mark.parametrize("name", LOW_BIT)
def test_a_packed_weight_counts_as_the_elements_it_stands_for(name):
    low = nn.Sequential(quantized(linear(), name, torch.float32, CPU))
    assert logical_parameters(low) == 96 * 128 + 96
    packed, constants = packed_bytes(96, 96 * 128, name)
    assert stored_bytes(low) == packed + constants + 4 * 96


def test_a_name_to_skip_is_a_whole_part_of_a_layer_s_name():
    encoder = nn.ModuleDict({name: nn.Sequential(nn.Linear(2, 2)) for name in ("block1", "block10", "block2")})
    assert quantizable(encoder, QuantizationConfig(name="nf4", skip=["block1"])) == ["block10.0", "block2.0"]
    with pytest.raises(InvalidConfig, match=r"skip=block: no linear layer .*it has block1\.0, block10\.0"):
        quantizable(encoder, QuantizationConfig(name="nf4", skip=["block"]))
    with pytest.raises(InvalidConfig, match="no linear layer to quantize"):
        quantizable(encoder, QuantizationConfig(name="nf4", skip=["block1", "block10", "block2"]))


def test_layers_that_torch_reads_itself_are_left_alone():
    encoder = nn.Sequential(nn.Linear(4, 4), nn.MultiheadAttention(4, 2), nn.TransformerEncoderLayer(4, 2, 8))
    assert quantizable(encoder, QuantizationConfig(name="nf4")) == ["0"]
