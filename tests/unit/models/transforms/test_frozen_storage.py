"""Frozen weights in 16 bits: what a model computes is, bit by bit, what its rounded weights compute in 32."""

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from transformers import Dinov2Config, Dinov2Model

from terrasweep.config.knobs.optimizer import OptimizerConfig
from terrasweep.measure.flops import count_flops
from terrasweep.models.transforms.frozen_storage import StoredInBf16, store_frozen, store_in_bf16, widen
from terrasweep.results.errors import InvalidConfig
from terrasweep.training.optimizers import build_optimizer
from tests.composing import compose_trial
from tests.unit.models.built import BACKBONES, built, images, loss_and_gradients
from tests.unit.models.trained import outputs

pytestmark = pytest.mark.usefixtures("products_in_32_bits")

BF16 = "tuning.frozen_dtype=bf16"
ROUNDING = 2**-8
"""Relative change of a weight with 8 significant bits, at most."""
TUNINGS = [
    ("tuning.targets=attention_mlp",),
    ("tuning.targets=qv", "tuning.dropout=0.1"),
    ("tuning.use_dora=true",),
    ("tuning=frozen",),
    ("tuning.unfreeze_last=2",),
    ("tuning=frozen", "tuning.unfreeze_last=1"),
]


def round_frozen(encoder):
    """The oracle: the same values in 32 bits, in layers as torch has them."""
    for parameter in encoder.parameters():
        if not parameter.requires_grad:
            parameter.data = parameter.data.bfloat16().float()


def relative(actual, expected):
    return float((actual - expected).norm() / expected.norm())


def features(model, precision="fp32"):
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        return model.module.encoder.eval()(images())[-1].float()


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("tuning", TUNINGS)
def test_a_model_computes_what_its_rounded_weights_do(tuning, precision):
    stored, rounded = built(*tuning, BF16), built(*tuning)
    round_frozen(rounded.module.encoder)
    assert torch.equal(outputs(stored.module, precision), outputs(rounded.module, precision))


@pytest.mark.parametrize("backbone", BACKBONES[1:])
def test_so_do_other_backbones(backbone):
    stored, rounded = built(f"backbone={backbone}", BF16), built(f"backbone={backbone}")
    round_frozen(rounded.module.encoder)
    assert torch.equal(outputs(stored.module), outputs(rounded.module))


@pytest.mark.parametrize("tuning", TUNINGS)
def test_gradients_are_those_of_the_rounded_weights(tuning):
    stored, rounded = built(*tuning, BF16), built(*tuning)
    round_frozen(rounded.module.encoder)
    loss, gradients = loss_and_gradients(rounded)
    stored_loss, stored_gradients = loss_and_gradients(stored)
    assert torch.equal(stored_loss, loss)
    assert all(g.dtype is torch.float32 for g in stored_gradients)
    for ours, theirs in zip(stored_gradients, gradients, strict=True):
        assert float((ours - theirs).norm()) <= 1e-5 * float(theirs.norm()) + 1e-9


def test_what_learns_and_the_optimizer_s_state_have_32_bits():
    model = built("tuning.targets=qv", "tuning.unfreeze_last=1", BF16)
    learning = [parameter for parameter in model.module.parameters() if parameter.requires_grad]
    optimizer = build_optimizer(learning, OptimizerConfig(name="adamw"), lr=1e-3)
    model.module(images()).output.square().mean().backward()
    optimizer.step()
    assert list(optimizer.state) == learning
    kept = [value for state in optimizer.state.values() for value in state.values()]
    assert {tensor.dtype for tensor in [*learning, *kept]} == {torch.float32}
    assert torch.bfloat16 in {parameter.dtype for parameter in model.module.parameters()}


@pytest.mark.parametrize("backbone", BACKBONES)
def test_lora_at_its_start_changes_the_features_by_the_rounding_alone(backbone):
    """By 0.0020 to 0.0047 over four to twelve blocks; products in bfloat16 by 0.0035 to 0.0067."""
    plain, stored = built(f"backbone={backbone}", "tuning=frozen"), built(f"backbone={backbone}", BF16)
    exact = dict(plain.module.encoder.named_parameters())
    for name, weight in stored.module.encoder.named_parameters():
        if not weight.requires_grad:
            original = exact[name.replace(".base_layer", "")]
            assert bool(((weight.float() - original).abs() <= ROUNDING * original.abs()).all())
    change = relative(features(stored), features(plain))
    assert 0 < change < relative(features(plain, "bf16"), features(plain))


@pytest.mark.parametrize("knob", ["checkpointing=blocks", "offload=activations"])
def test_what_saves_memory_beside_it_leaves_loss_and_gradients(knob):
    loss, gradients = loss_and_gradients(built(BF16))
    changed, changed_gradients = loss_and_gradients(built(BF16, knob))
    assert torch.equal(loss, changed)
    assert all(torch.equal(a, b) for a, b in zip(gradients, changed_gradients, strict=True))


@pytest.mark.parametrize("quantization", ["none", "int8", "nf4"])
def test_only_what_is_frozen_and_not_quantized_has_16_bits(quantization):
    model = built(BF16, "tuning.unfreeze_last=1", f"quantization={quantization}", "decoder=unet").module
    packed = tuple(n for n, m in model.named_modules() if type(m).__name__ in ("Linear4bit", "Int8Linear"))
    assert bool(packed) == (quantization != "none")
    for name, parameter in model.named_parameters():
        if name.startswith(packed):
            assert parameter.dtype is not torch.bfloat16, name
        else:
            assert parameter.dtype is (torch.float32 if parameter.requires_grad else torch.bfloat16), name
    assert all(buffer.dtype is not torch.bfloat16 for buffer in model.buffers())
    layer = model.encoder.blocks[0].norm1
    assert layer.weight.dtype is torch.float32, "whoever reads it computes in 32 bits"


def test_nothing_of_a_weight_is_kept_for_the_backward_pass():
    """A layer of torch's would keep a widened copy of each weight, and no memory would be saved."""
    kept = {}
    for name, model in {"plain": built("tuning.rank=2"), "stored": built("tuning.rank=2", BF16)}.items():
        own = {p.untyped_storage().data_ptr() for p in model.module.parameters()}
        sizes = {}

        def keep(tensor, own=own, sizes=sizes):
            if tensor.untyped_storage().data_ptr() not in own:
                sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = model.module(images(1)).output.square().mean()
        kept[name] = sum(sizes.values())
        loss.backward()
    weights = sum(p.numel() * 4 for p in model.module.encoder.parameters() if not p.requires_grad)
    assert kept["stored"] - kept["plain"] < 0.01 * weights, "norms keep theirs: a width each"


def test_operations_are_counted_as_ever():
    counts = [
        count_flops(lambda model=model: model.module(images(1)).output.square().mean())
        for model in (built("tuning.rank=2"), built("tuning.rank=2", BF16))
    ]
    assert counts[0] == counts[1] > 0


class Reader(nn.Module):
    """Uses the weights of a child instead of calling it, as timm's EVA does, and a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(8))
        self.qkv = nn.Linear(8, 8)
        self.tokens = nn.ParameterList([nn.Parameter(torch.rand(1, 8))])

    def forward(self, x):
        assert self.qkv.weight.dtype is torch.float32
        return torch.cat((self.tokens[0], nn.functional.linear(x, self.qkv.weight, self.qkv.bias) * self.scale))


SMALL: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
ODD = {
    "reader": lambda: (Reader(), torch.rand(3, 8)),
    "torch_encoder": lambda: (
        nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True), 2),
        torch.rand(2, 5, 16),
    ),
    "convolutions": lambda: (
        nn.Sequential(
            nn.Conv2d(3, 8, 3, padding="same", padding_mode="reflect"), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 2)
        ),
        torch.rand(2, 3, 8, 8),
    ),
    # It asks for the type of its patch embedding's weight, and would bring the images to it.
    "dinov2": lambda: (Dinov2Model(Dinov2Config(**SMALL, image_size=32, patch_size=16)), torch.rand(2, 3, 32, 32)),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", ODD)
def test_modules_that_read_others_weights_get_32_bits(name, training):
    torch.manual_seed(0)
    module, given = ODD[name]()
    module.requires_grad_(False).train(training)
    rounded = copy.deepcopy(module)
    round_frozen(rounded)
    store_in_bf16(module)
    assert {p.dtype for p in module.parameters()} == {torch.bfloat16}
    ours, theirs = (found[0] if name == "dinov2" else found for found in (module(given), rounded(given)))
    assert ours.dtype is torch.float32
    assert torch.equal(ours, theirs)
    inputs = [given.clone().requires_grad_() for _ in range(2)]
    for which, leaf in zip((module, rounded), inputs, strict=True):
        found = which(leaf)
        (found[0] if name == "dinov2" else found).square().sum().backward()
    assert torch.allclose(inputs[0].grad, inputs[1].grad, rtol=1e-4, atol=1e-6)


def test_what_was_widened_is_plain_again():
    model = built("tuning=frozen", BF16).module.encoder
    plain = built("tuning=frozen").module.encoder
    copied = copy.deepcopy(model)
    widen(copied)
    assert [type(m) for m in copied.modules()] == [type(m) for m in plain.modules()]
    round_frozen(plain)
    expected = plain.state_dict()
    assert {name: t.dtype for name, t in copied.state_dict().items()} == {n: t.dtype for n, t in expected.items()}
    assert all(torch.equal(tensor, expected[name]) for name, tensor in copied.state_dict().items())
    assert any(isinstance(module, StoredInBf16) for module in model.modules()), "the original stays"


def test_a_weight_that_two_layers_share_stays_shared():
    layers = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)).requires_grad_(False)
    layers[1].weight = layers[0].weight
    assert store_in_bf16(layers) == ["0", "1"]
    assert len(list(layers.parameters())) == 3
    assert layers(torch.rand(2, 4)).dtype is torch.float32


def test_a_bias_that_learns_beside_a_frozen_weight_keeps_its_bits():
    layer = nn.Linear(4, 4)
    layer.weight.requires_grad_(False)
    root = nn.Sequential(layer)
    store_in_bf16(root)
    root(torch.rand(2, 4)).sum().backward()
    assert layer.bias.grad is not None
    assert layer.bias.dtype is layer.bias.grad.dtype is torch.float32


def test_a_backbone_without_frozen_weights_is_refused():
    unfinished = SimpleNamespace(model=SimpleNamespace(encoder=nn.Linear(2, 2)))
    settings = compose_trial("tuning=frozen", BF16).tuning
    with pytest.raises(InvalidConfig, match=r"^tuning\.frozen_dtype=bf16: nothing of the backbone is frozen .*; use"):
        store_frozen(settings, unfinished)
    assert store_frozen(compose_trial().tuning, unfinished) == {}
